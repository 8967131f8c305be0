"""A strict parser of YAML 1.2: from text to values with spans, in bounded time and memory.

The parser reads the events of libyaml one by one into an immutable tree of `Scalar`, `List` and
`Map`. It keeps its own stack instead of using recursion, and it stops at the first limit that a
file exceeds. YAML 1.1 and 1.2 read some scalars differently. The parser follows the core schema of
YAML 1.2.2, chapter 10.3, or reports a fault.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from netbuild.components.files import opened
from netbuild.diagnostics.diagnostic import LINE_BREAK, MAX_FAULTS, Diagnostic, Document, Note, Span
from netbuild.diagnostics.wording import brief
from netbuild.syntax.node import MAX_DEPTH, UNKNOWN, Entry, List, Map, Node, Scalar
from netbuild.syntax.scalar import is_without_space, resolve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Limits far above any real network. Together they bound time and memory.
MAX_BYTES = 1 << 20
MAX_NODES = 50_000
MAX_ALIASES = 1_000

#: The anchor and the tag of a value, with the spaces and comments behind them.
_PROPERTIES = r"(?:[&!]\S*\s+(?:#.*\s+)*)+"

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Source(NamedTuple):
    """A parsed text: its tree and its faults. The tree is None if the text cannot be read."""

    document: Document
    root: Node | None
    diagnostics: tuple[Diagnostic, ...] = ()


def from_file(path: Path) -> Source:
    """Read and parse a file.

    Raises:
        OSError: the file cannot be read.
    """
    with opened(path) as file:
        return from_bytes(str(path), file.read(MAX_BYTES + 1))


def from_bytes(name: str, data: bytes) -> Source:
    """Parse the bytes of a file; `name` is its name in messages."""
    if len(data) > MAX_BYTES:
        start = Span(Document(name, ""), 1, 1, 1, 1)
        label = f"the file has more than {MAX_BYTES:,} bytes"
        fault = Diagnostic("NB007", "the file is too large", start, label)
        return Source(start.document, None, (fault,))
    try:
        return parse(Document(name, data.decode("utf-8-sig"), data))
    except UnicodeDecodeError as error:
        document = Document(name, data.decode("utf-8", "replace"))
        text: bytes = error.object  # without the byte order mark
        before = Document(name, text[: error.start].decode("utf-8", "replace")).lines
        line, column = len(before), len(before[-1]) + 1
        span = Span(document, line, column, line, column + 1)
        label = f"the byte 0x{text[error.start]:02x} is not UTF-8"
        title, help_ = "the file is not UTF-8 text", "save the file as UTF-8"
        return Source(document, None, (Diagnostic("NB001", title, span, label, help=help_),))


def parse(document: Document) -> Source:
    """Parse a document. It never raises: a text that is not YAML gives a `Source` with a fault."""
    composer = _Composer(document)
    try:
        root = composer.compose(_LOADER(document.text))
    except _Stop:
        root = None
    except yaml.YAMLError as error:
        from netbuild.syntax.errors import with_error  # a text without faults does not need it

        composer.faults = with_error(error, document, composer.faults)
        root = None
    return Source(document, root, tuple(composer.faults))


class _Stop(Exception):  # noqa: N818  not an error: the fault is already in the list
    """Reading ends here, because the rest of the text has no clear meaning."""


class _Frame:
    """A list or mapping during reading: its children so far, and the number of expanded nodes."""

    __slots__ = (
        *("anchor", "entries", "flow", "height", "is_map"),
        *("items", "key", "size", "skips", "start"),
    )

    def __init__(self, start: Span, *, flow: bool, is_map: bool, anchor: str | None) -> None:
        self.start, self.flow, self.is_map, self.anchor = start, flow, is_map, anchor
        self.items: list[Node] = []
        self.entries: dict[str, Entry] = {}
        self.key: Scalar | None = None
        self.size = self.height = 1
        #: Whether the next value belongs to a tuple.
        self.skips = False


class _Composer:
    """Builds the tree from events, with a stack of open lists and mappings."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.faults: list[Diagnostic] = []
        self.stack: list[_Frame] = []
        # The node of an anchor, its number of expanded nodes and its height; None during reading.
        self.anchors: dict[str, tuple[Node, int, int] | None] = {}
        self.nodes = self.aliases = self.documents = 0
        self.root: Node | None = None
        #: The end of a text that YAML cuts at commas, from 0; `None` outside of one.
        self.cut_end: tuple[int, int] | None = None

    def compose(self, loader: Any) -> Node | None:
        handlers: dict[type[yaml.Event], Callable[[Any], None]] = {
            yaml.ScalarEvent: self.leaf,
            yaml.SequenceStartEvent: self.open,
            yaml.MappingStartEvent: self.open,
            yaml.SequenceEndEvent: self.close,
            yaml.MappingEndEvent: self.close,
            yaml.AliasEvent: self.alias,
            yaml.DocumentStartEvent: self.document_start,
        }
        next_event = loader.get_event
        while (event := next_event()) is not None:
            handler = handlers.get(type(event))
            if handler is not None:
                handler(event)
        if self.root is None or (isinstance(self.root, Scalar) and self.root.value is None):
            self.fault("NB005", "the file is empty", Span(self.document, 1, 1, 1, 1))
            return None
        return self.root

    def fault(self, code: str, title: str, span: Span, label: str = "", **rest: Any) -> None:
        if len(self.faults) <= MAX_FAULTS:  # more are not reported
            self.faults.append(Diagnostic(code, title, span, label, **rest))

    def stop(self, code: str, title: str, span: Span, label: str = "", **rest: Any) -> _Stop:
        self.fault(code, title, span, label, **rest)
        return _Stop()

    def span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        return Span(self.document, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def value_span(self, event: Any) -> Span:
        """Return the place of a value without its anchor and its tag."""
        span = self.span(event)
        if event.anchor is None and event.tag is None:
            return span
        start, end = event.start_mark.index, event.end_mark.index
        found = re.compile(_PROPERTIES).match(self.document.text, start, end)
        if found is None or found.end() >= end:
            return span
        *above, last = re.split(LINE_BREAK, found[0])
        column = len(last) + (1 if above else span.column)
        return span._replace(line=span.line + len(above), column=column)

    def leaf(self, event: yaml.ScalarEvent) -> None:
        if self.cut_end is not None and self.within_cut(event):
            return
        self.no_tag(event)
        node = self.scalar(event)
        if event.anchor:
            self.anchors[event.anchor] = (node, 1, 1)
        self.add(node, 1, 1)

    def document_start(self, event: yaml.DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            raise self.stop(
                "NB005",
                "the file has more than one YAML document",
                self.span(event),
                "a second document starts here",
                help="write the second network into its own file",
            )
        if event.version not in {None, (1, 2)}:
            title, label = "a YAML version other than 1.2", "netbuild reads YAML 1.2"
            self.fault("NB002", title, self.span(event), label)

    def no_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        tag = event.tag
        if tag is not None and tag != "!":
            span = self.span(event)
            shown = tag.replace("tag:yaml.org,2002:", "!!")
            self.fault(
                "NB004",
                "a YAML tag",
                span,
                f"the tag {shown} has no meaning here",
                help="remove the tag: a config contains plain values only",
            )

    def within_cut(self, event: Any) -> bool:
        """Whether an event belongs to a cut text; a key of a mapping has an empty value too."""
        if (event.start_mark.line, event.start_mark.column) < (self.cut_end or (0, 0)):
            self.stack[-1].skips = self.stack[-1].is_map
            return True
        self.cut_end = None
        skips, self.stack[-1].skips = self.stack[-1].skips, False
        return skips and not event.value

    def scalar(self, event: yaml.ScalarEvent) -> Node:
        text, span = event.value, self.value_span(event)
        tagged = not event.style and event.tag not in {None, "!", "tag:yaml.org,2002:str"}
        if not event.implicit[0] and not tagged:  # quoted, or a text by its tag
            return Scalar(text, span, text)
        frame = self.stack[-1] if self.stack else None
        in_list = frame is not None and not frame.is_map
        if in_list and text[:1].isupper() and is_without_space(text):
            entry = self.split(text, span)
            return Map({entry.key.text: entry}, span)
        if frame is not None and (node := self.mended(span, text, frame)) is not None:
            return node
        try:
            return Scalar(resolve(text), span, text)
        except ValueError as error:
            self.fault("NB008", "a number that cannot be read", span, str(error))
            return Scalar(UNKNOWN, span, text)

    def split(self, text: str, span: Span) -> Entry:
        """Report `kernel:3`, and continue as if it were `kernel: 3`."""
        from netbuild.syntax import mended

        entry, faults = mended.without_space(text, span)
        self.faults += faults
        return entry

    def mended(self, span: Span, text: str, frame: _Frame) -> Node | None:
        """Return what a tuple, a formula, a call or lines without colons stand for; else None."""
        is_value = frame.key is not None or not frame.is_map
        is_cut = frame.flow and is_value and text.count("(") > text.count(")")
        if not is_cut and (frame.flow or frame.key is None or span.line == frame.key.span.line):
            return None
        from netbuild.syntax import mended

        node, faults = mended.cut_text(span, frame.key, text) if is_cut else mended.lines(span)
        if is_cut and node is not None:
            self.cut_end = (span.line - 1, node.span.end_column - 1)
        self.faults += faults
        return node

    def open(self, event: yaml.CollectionStartEvent) -> None:
        self.no_tag(event)
        if len(self.stack) >= MAX_DEPTH:
            label = f"more than {MAX_DEPTH} levels"
            raise self.stop("NB007", "the file is nested too deeply", self.span(event), label)
        is_map = isinstance(event, yaml.MappingStartEvent)
        start = self.value_span(event)
        if is_map and self.stack and self.stack[-1].is_map and self.stack[-1].key is None:
            raise self.unusable_key(start)
        if event.anchor:
            self.anchors[event.anchor] = None
        flow = bool(event.flow_style)
        self.stack.append(_Frame(start, flow=flow, is_map=is_map, anchor=event.anchor))

    def close(self, event: yaml.CollectionEndEvent) -> None:
        frame = self.stack.pop()
        end = self.span(event) if frame.flow else self.last_child(frame)
        span = frame.start._replace(end_line=end.end_line, end_column=end.end_column)
        node: Node = Map(frame.entries, span) if frame.is_map else List(tuple(frame.items), span)
        if frame.anchor:
            self.anchors[frame.anchor] = (node, frame.size, frame.height)
        self.add(node, frame.size, frame.height)

    @staticmethod
    def last_child(frame: _Frame) -> Span:
        """Return the end of a block collection's last child; libyaml marks the next token."""
        if frame.is_map and frame.entries:
            last = next(reversed(frame.entries.values()))
            value = last.value.span
            return value if value.end_line >= last.key.span.end_line else last.key.span
        return frame.items[-1].span if frame.items else frame.start

    def alias(self, event: yaml.AliasEvent) -> None:
        span, name = self.span(event), event.anchor
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            label = f"more than {MAX_ALIASES:,} aliases"
            raise self.stop("NB007", "the file has too many aliases", span, label)
        if name not in self.anchors:
            from netbuild.syntax.foreign import starred

            label = f"there is no &{name} above *{name}"
            help_, fixes = starred(span, safe=False)
            title = "an alias without its anchor"
            raise self.stop("NB011", title, span, label, help=help_, fixes=fixes)
        anchored = self.anchors[name]
        if anchored is None:
            raise self.stop(
                "NB011", "an alias inside its own anchor", span, f"&{name} contains *{name}"
            )
        self.add(*anchored)

    def add(self, node: Node, size: int, height: int) -> None:
        """Put a finished node into its place: the root, a list, a key or a value."""
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        frame.size += size
        if frame.height <= height:
            frame.height = height + 1
        self.nodes += 1  # also of frames that are still open
        if frame.size > MAX_NODES or self.nodes > MAX_NODES:
            label = f"the file has more than {MAX_NODES:,} values up to here"
            raise self.stop("NB007", "the file is too large", node.span, label)
        if len(self.stack) + height > MAX_DEPTH:
            label = f"more than {MAX_DEPTH} levels"
            raise self.stop("NB007", "the file is nested too deeply", node.span, label)
        if not frame.is_map:
            frame.items.append(node)
        elif frame.key is None:
            frame.key = self.key(node)
        else:
            self.entry(frame, frame.key, node)
            frame.key = None

    def key(self, node: Node) -> Scalar:
        if not isinstance(node, Scalar) or not node.text:
            raise self.unusable_key(node.span)
        if node.text == "<<":
            self.fault(
                "NB006",
                "a YAML merge key",
                node.span,
                "<< is not part of YAML 1.2",
                help="share layers with a block, and whole sections with extends",
            )
        return node

    def unusable_key(self, span: Span) -> _Stop:
        label = "a key is one word, not a list, a mapping or nothing"
        title = "a key that is not a plain word"
        from netbuild.syntax.foreign import braces_on

        braces = braces_on(span.line - 1, span)
        if braces is None:
            return self.stop("NB010", title, span, label)
        return self.stop(
            "NB010", title, braces.span, braces.label, help=braces.help, fixes=braces.fixes
        )

    def entry(self, frame: _Frame, key: Scalar, value: Node) -> None:
        if is_without_space(key.text):
            key, value = self.split(key.text, key.span)
        elif (
            frame.flow
            and isinstance(value, Scalar)
            and not value.text
            and not key.text.isidentifier()
        ):
            from netbuild.syntax import mended

            above = next(reversed(frame.entries.values()), None)
            meant, faults = mended.key_alone(key, above)
            if meant is not None:
                self.cut_end = mended.end_of_tuple(key)
                places = {key.span[1:3], meant.value.span[1:3]}  # the key is no number of its own
                while self.faults and self.faults[-1].span[1:3] in places:
                    self.faults.pop()
                self.faults += faults
                key, value = meant
                if above is not None and key is above.key:
                    frame.entries[key.text] = meant
                    return
        first = frame.entries.get(key.text)
        if first is not None:
            self.fault(
                "NB003",
                f"the key {brief(key.text)} occurs twice",
                key.span,
                "this is the second one",
                notes=(Note("first", _where(self.document, first.key.span)),),
                help="remove or rename one of the two: YAML would silently keep the last value",
            )
            return
        if key.text == "<<" and isinstance(value, Map):  # continue as if YAML 1.2 had merge keys
            frame.entries = {**value.entries, **frame.entries}
        else:
            frame.entries[key.text] = Entry(key, value)


def _where(document: Document, span: Span) -> str:
    return f"line {span.line}, column {span.column}: {brief(document.lines[span.line - 1].strip())}"
