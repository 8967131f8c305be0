"""The comments of a config, at the code for which they stand."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

import yaml

from netbuild.components.tensor import times
from netbuild.exchange.source.text import WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.diagnostics.diagnostic import Document
    from netbuild.exchange.source.kinds import Kind
    from netbuild.exchange.source.layout import Part
    from netbuild.graph.graph import Graph
    from netbuild.syntax.node import Node

_IGNORE = re.compile(r"#?\s*netbuild:\s*ignore\[[^\]]*\]")
#: The mark of a line in a place: before all keys, within the layers, and elsewhere.
_SECTIONS = ("layers", "blocks")


class Comments:
    """Hands out each comment once, to the first that asks for its line.

    A comment on a line of its own belongs to the next line, and any other one to its own line.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.by_line: dict[tuple[str, int], list[str]] = {}
        self.header: list[str] = []
        self.documents: set[str] = set()
        self.read(graph.config.document)
        self.blocks = _blocks(graph)

    def read(self, document: Document) -> None:
        """Sort the comments of a file by the lines to which they belong."""
        if document.name in self.documents:
            return
        self.documents.add(document.name)
        own: list[str] = []
        started = False
        section = ""
        found = _comments(document)
        for number, line in enumerate(document.lines, start=1):
            text, alone = found.get(number, ("", False))
            if re.match(r"[A-Za-z_]+:", line):
                section = line.partition(":")[0]
            if alone:
                own.append(text)
                continue
            if not line.strip():
                continue
            if not started:
                self.header, own, started = own, [], True
            lines = [*own, *([text] if text else [])]
            if (lines and section in _SECTIONS and line.partition(":")[0] not in _SECTIONS) or (
                lines and line.startswith("layers:")
            ):
                self.by_line[document.name, number] = [one for one in lines if one]
            own = []

    def of_part(self, part: Part, indent: int) -> list[str]:
        """Return the comments on an item, and on its name above it."""
        span = part.first.span
        lines = self.take(span.document.name, span.line)
        above = self.around(span.document, span.line)
        return _written([*above, *lines], indent)

    def around(self, document: Document, line: int) -> list[str]:
        """Return the comments on the line of a name that stands above its item."""
        if line < 2 or line > len(document.lines):
            return []
        here, above = document.lines[line - 1], document.lines[line - 2]
        deeper = len(here) - len(here.lstrip()) > len(above) - len(above.lstrip())
        is_name = re.fullmatch(r"\s*(- )?[a-z_]\w*:\s*(#.*)?", above) is not None
        return self.take(document.name, line - 1) if deeper and is_name else []

    def of_class(self, kind: Kind) -> list[str]:
        """Return the comments on the definition of a block."""
        if not kind.stacks[0].block.type:
            return []
        return _written(self.take(*self.blocks.get(kind.stacks[0].block.type, ("", 0))), 0)

    def take(self, document: str, line: int) -> list[str]:
        """Return the comments of a line, once."""
        return self.by_line.pop((document, line), [])

    def docstring(self, kind: Kind) -> str:
        """Return what the class of the whole network takes and gives."""
        if kind.stacks[0].path:
            return ""
        inputs = [times(x.shape) for x in self.graph.config.inputs.values() if x is not None]
        outputs = [times(x.shape) for x in self.graph.outputs.values()]
        found = f"{self.graph.config.name}: {' and '.join(inputs)} to {' and '.join(outputs)}."
        return found if len(found) < WIDTH - 10 and '"' not in found else ""

    def top(self) -> list[str]:
        """Return the comment at the top of the file."""
        return _written(self.header, 0)


def _written(comments: list[str], indent: int) -> list[str]:
    """Return comments, filled to the width of the file. An indented line stays as it is."""
    paragraphs: list[list[str]] = []
    for text in comments:
        before = paragraphs[-1][0] if paragraphs else ""
        is_bullet = re.match(r"[-*] |\d+\. ", text) is not None
        in_bullet = re.match(r"[-*] |\d+\. ", before) is not None
        continues = bool(text) and (text[0] != " " or in_bullet) and before[:1] not in {" ", ""}
        if paragraphs and continues and not is_bullet:
            paragraphs[-1].append(text.strip() if in_bullet else text)
        else:
            paragraphs.append([text])
    found, width = [], WIDTH - indent - 2
    for lines in paragraphs:
        first = lines[0]
        deeper = " " * (len(first) - len(first.lstrip()))
        hanging = "  " if re.match(r"[-*] |\d+\. ", first) else deeper
        filled = textwrap.wrap(
            " ".join(lines).strip(),
            width,
            initial_indent=deeper,
            subsequent_indent=hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )
        found += [f"{' ' * indent}# {line}".rstrip() for line in filled or [""]]
    return found


def _comments(document: Document) -> dict[int, tuple[str, bool]]:
    """Return the comment of each line, and whether it stands alone."""
    found: dict[int, tuple[str, bool]] = {}
    held = list(_texts(document))
    for number, line in enumerate(document.lines, start=1):
        for match in re.finditer(r"(?:^|(?<=\s))#", line):
            place = (number - 1, match.start())
            if any(start <= place < end for start, end in held):
                continue
            text = _IGNORE.sub("", line[match.start() + 1 :].removeprefix(" ")).rstrip()
            alone = not line[: match.start()].strip()
            if text or alone:
                found[number] = (text, alone)
            break
    return found


def _texts(document: Document) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield where a text begins and ends, in which a `#` begins no comment."""
    if "#" not in document.text:
        return
    try:
        for token in yaml.scan(document.text):
            if isinstance(token, yaml.ScalarToken):
                start, end = token.start_mark, token.end_mark
                yield (start.line, start.column), (end.line, end.column)
    except yaml.YAMLError:
        return


def _blocks(graph: Graph) -> Mapping[str, tuple[str, int]]:
    """Return the line of the name of each block of the config."""
    section: Node | None = graph.config.root.get("blocks")
    entries = getattr(section, "entries", {})
    return {
        name: (entry.key.span.document.name, entry.key.span.line) for name, entry in entries.items()
    }
