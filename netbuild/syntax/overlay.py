"""Merge a file into its base (`extends`), and apply `--set path=value`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic, Document, Span
from netbuild.diagnostics.wording import did_you_mean
from netbuild.syntax.item import types_of
from netbuild.syntax.node import Entry, List, Map, Node, Scalar
from netbuild.syntax.parser import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.diagnostics.diagnostic import Found


def merge(under: Map, over: Map) -> Map:
    """Return a base merged with the file that extends it.

    Mappings merge by key; a value of `over` replaces any other value of `under`. An item of another
    type replaces the whole item: `{SGD: …}` over `{Adam: …}` is SGD. The types under `blocks` merge
    by key, because each one is a separate definition.
    """
    merged = _merged(under, over)
    below, above = under.get("blocks"), over.get("blocks")
    if isinstance(below, Map) and isinstance(above, Map):
        entry = Entry(over.entries["blocks"].key, _by_key(below, above))
        merged.entries["blocks"] = entry
    return merged


def _merged(under: Map, over: Map) -> Map:
    over_types, under_types = set(types_of(over)), set(types_of(under))
    if over_types and under_types and over_types != under_types:
        return over
    return _by_key(under, over)


def _by_key(under: Map, over: Map) -> Map:
    entries = dict(under.entries)
    for name, entry in over.entries.items():
        below = under.get(name)
        if isinstance(below, Map) and isinstance(entry.value, Map):
            entries[name] = Entry(entry.key, _merged(below, entry.value))
        else:
            entries[name] = entry
    return Map(entries, over.span)


def apply_setting(root: Map, setting: str, sections: Sequence[str]) -> Found[Map]:
    """Return the tree with one `path=value` applied; the unchanged tree after a fault."""
    text = setting.encode("utf-8", "replace").decode()
    path, equals, value = text.partition("=")
    document = Document("--set", text)
    if path.partition(".")[0] == "extends":
        span = Span(document, 1, 1, 1, len("extends") + 1)
        help_ = "write extends into the file, or set the values of the base file one by one"
        label = "netbuild reads the base file before the settings"
        return root, (Diagnostic("NB112", "extends cannot be set", span, label, help=help_),)
    if not equals or not path:
        span = Span(document, 1, 1, 1, len(text) + 1)
        help_ = "write --set optimizer.Adam.lr=0.01"
        title, label = "a setting in the wrong form", "a setting is a path, '=' and a value"
        return root, (Diagnostic("NB112", title, span, label, help=help_),)
    # Blanks replace the path, so that the value keeps its columns in the setting.
    source = parse(Document("--set", " " * (len(path) + 1) + value))
    faults = tuple(_at(document, fault) for fault in source.diagnostics if fault.code != "NB005")
    if faults:
        return root, faults
    span = Span(document, 1, len(path) + 2, 1, len(text) + 1)
    node = _relocated(source.root, document) if source.root else Scalar(None, span, "")
    try:
        changed = _Setter(document, path.split("."), sections).replaced(root, 0, node)
    except _MissingPathError as error:
        return root, (error.fault,)
    assert isinstance(changed, Map)
    return changed, ()


def replaced_value(root: Map, setting: str) -> Span | None:
    """Return the place of the value that a setting replaces; None if it adds a value."""
    node: Node | None = root
    for step in setting.partition("=")[0].split("."):
        if isinstance(node, Map):
            node = node.get(step)
        elif isinstance(node, List):
            names = [_name(item) or str(index) for index, item in enumerate(node.items)]
            names = names if step in names else [str(index) for index in range(len(names))]
            node = node.items[names.index(step)] if step in names else None
        else:
            return None
    return None if node is None else node.span


def with_step(span: Span, step: str) -> str | None:
    """Return the setting at a place with one more step before it; None outside a setting."""
    if span.document.name != "--set":
        return None
    text, column = span.document.text, span.column - 1
    return f"--set {text[:column]}{step}.{text[column:]}"


def _at(document: Document, fault: Diagnostic) -> Diagnostic:
    return fault._replace(span=fault.span._replace(document=document), fixes=())


def _relocated(node: Node, document: Document) -> Node:
    """Return a tree with its spans moved to another document."""
    span = node.span._replace(document=document)
    if isinstance(node, Scalar):
        return Scalar(node.value, span, node.text)
    if isinstance(node, List):
        return List(tuple(_relocated(item, document) for item in node.items), span)
    entries = {
        name: Entry(
            Scalar(key.value, key.span._replace(document=document), key.text),
            _relocated(value, document),
        )
        for name, (key, value) in node.entries.items()
    }
    return Map(entries, span)


class _MissingPathError(Exception):
    """A path of `--set` does not exist in the file."""

    def __init__(self, fault: Diagnostic) -> None:
        self.fault = fault


class _Setter:
    """Follows a path into the tree, and rebuilds the tree from the changed value up."""

    def __init__(self, document: Document, steps: list[str], sections: Sequence[str]) -> None:
        self.document, self.steps, self.sections = document, steps, sections

    def replaced(self, node: Node, depth: int, value: Node) -> Node:
        """Return `node` with the rest of the path set to `value`."""
        if depth == len(self.steps):
            return value
        step = self.steps[depth]
        if _is_bare_type(node, step):
            assert isinstance(node, Scalar)
            # `optimizer: Adam` is the same as `optimizer: {Adam: {}}`.
            node = Map({node.text: Entry(node, Map({}, node.span))}, node.span)
        if isinstance(node, List):
            return self._in_list(node, depth, value)
        if isinstance(node, Map):
            return self._in_map(node, depth, value)
        if node.value is None:
            return self._in_map(Map({}, node.span), depth, value)
        raise self._missing(depth, (), f"the value here is {node.text[:40]}, without any keys")

    def _in_map(self, node: Map, depth: int, value: Node) -> Node:
        step = self.steps[depth]
        entry = node.entries.get(step)
        if entry is None:
            if not self._open(node, depth):
                names = [*node.entries, *(self.sections if depth == 0 else ())]
                raise self._missing(depth, names, "unknown name")
            key = Scalar(step, self._span(depth), step)
            entry = Entry(key, Map({}, key.span))
        changed = self.replaced(entry.value, depth + 1, value)
        key = Scalar(step, self._span(depth), step) if depth + 1 == len(self.steps) else entry.key
        return Map({**node.entries, step: Entry(key, changed)}, node.span)

    def _in_list(self, node: List, depth: int, value: Node) -> Node:
        step = self.steps[depth]
        names = [_name(item) or str(index) for index, item in enumerate(node.items)]
        index = int(step) if step.isdecimal() and len(step) < 9 else -1
        if step in names:
            index = names.index(step)
        if not 0 <= index < len(names):
            label = f"the list has {len(names)} entries, 0 to {len(names) - 1}"
            label = label if names else "the list is empty"
            error = self._missing(depth, names, label)
            at = [n for n, item in enumerate(node.items) if _has_type(item, step)]
            if at:
                path = ".".join([*self.steps[:depth], str(at[0]), *self.steps[depth:]])
                error.fault = error.fault._replace(help=f"did you mean --set {path}?")
            raise error
        changed = self.replaced(node.items[index], depth + 1, value)
        return List((*node.items[:index], changed, *node.items[index + 1 :]), node.span)

    def _open(self, node: Map, depth: int) -> bool:
        """Whether the path may add a key to a mapping whose keys validation checks.

        These mappings are the file itself, `train`, an item and its arguments. Elsewhere a new key
        would be a new variable or a new layer, and nobody would notice a misspelt path.
        """
        if depth == 0:
            return self.steps[0] in self.sections
        above = self.steps[depth - 1]
        return bool(types_of(node)) or above[:1].isupper() or (depth == 1 and above == "train")

    def _span(self, depth: int) -> Span:
        column = sum(len(step) + 1 for step in self.steps[:depth]) + 1
        return Span(self.document, 1, column, 1, column + len(self.steps[depth]))

    def _missing(self, depth: int, names: Sequence[str], label: str) -> _MissingPathError:
        title = f"the file has no {'.'.join(self.steps[: depth + 1])[:80]}"
        names = list(dict.fromkeys(names))
        help_, _ = did_you_mean(self.steps[depth], names, self._span(depth))
        if help_ is None and names:
            help_ = f"the names here are {', '.join(names[:12])}{', …' if names[12:] else ''}"
        return _MissingPathError(Diagnostic("NB112", title, self._span(depth), label, help=help_))


def _has_type(node: Node, name: str) -> bool:
    """Whether an item has this type."""
    if isinstance(node, Map):
        return name in types_of(node)
    return isinstance(node, Scalar) and node.text == name and name[:1].isupper()


def _is_bare_type(node: Node, step: str) -> bool:
    """Whether a path sets an argument (`Adam.lr`) or a modifier (`validation`) of a bare type."""
    if not isinstance(node, Scalar) or not node.text[:1].isupper():
        return False
    return node.text == step or not step[:1].isupper()


def _name(node: Node) -> str | None:
    """Return the modifier `name` of an item in a list; None without one."""
    name = node.get("name") if isinstance(node, Map) else None
    return name.text if isinstance(name, Scalar) else None
