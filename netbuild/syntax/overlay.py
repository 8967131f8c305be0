"""One tree laid over another: `extends`, and `--set path=value`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic, Document, Span
from netbuild.diagnostics.wording import did_you_mean
from netbuild.syntax.node import Entry, List, Map, Node, Scalar
from netbuild.syntax.parser import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.diagnostics.diagnostic import Found


def merge(under: Map, over: Map) -> Map:
    """Return a file laid over another: mappings merge by key, everything else is replaced.

    An item is replaced as a whole by an item of another type: `{SGD: …}` over `{Adam: …}` is SGD.
    The types under `blocks` are no items: each is a definition of its own.
    """
    merged = _merged(under, over)
    below, above = under.get("blocks"), over.get("blocks")
    if isinstance(below, Map) and isinstance(above, Map):
        entry = Entry(over.entries["blocks"].key, _by_key(below, above))
        merged.entries["blocks"] = entry
    return merged


def _merged(under: Map, over: Map) -> Map:
    over_types, under_types = _types(over), _types(under)
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
    """Return the tree with one `path=value` applied, or unchanged where that is a fault."""
    text = setting.encode("utf-8", "replace").decode()
    path, equals, value = text.partition("=")
    document = Document("--set", text)
    if path.partition(".")[0] == "extends":
        span = Span(document, 1, 1, 1, len("extends") + 1)
        help_ = "write it into the file, or --set what it should bring"
        label = "the base is read before the settings"
        return root, (Diagnostic("NB112", "extends cannot be set", span, label, help=help_),)
    if not equals or not path:
        span = Span(document, 1, 1, 1, len(text) + 1)
        help_ = "write --set optimizer.Adam.lr=0.01"
        title = "a setting is a path, '=' and a value"
        return root, (Diagnostic("NB112", title, span, "no path=value", help=help_),)
    # Blanks in place of the path: the columns of the value are those of the setting.
    source = parse(Document("--set", " " * (len(path) + 1) + value))
    faults = tuple(_at(document, fault) for fault in source.diagnostics if fault.code != "NB005")
    if faults:
        return root, faults
    span = Span(document, 1, len(path) + 2, 1, len(text) + 1)
    node = _relocated(source.root, document) if source.root else Scalar(None, span, "")
    try:
        changed = _Setter(document, path.split("."), sections).replaced(root, 0, node)
    except _NotThereError as error:
        return root, (error.fault,)
    assert isinstance(changed, Map)
    return changed, ()


def _types(node: Map) -> set[str]:
    return {name for name in node.entries if name[:1].isupper()}


def _at(document: Document, fault: Diagnostic) -> Diagnostic:
    return fault._replace(span=fault.span._replace(document=document), fixes=())


def _relocated(node: Node, document: Document) -> Node:
    """Return a tree whose spans are in another document."""
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


class _NotThereError(Exception):
    """A path leads nowhere."""

    def __init__(self, fault: Diagnostic) -> None:
        self.fault = fault


class _Setter:
    """Walks the tree along a path and rebuilds it from the changed end."""

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
        raise self._missing(depth, (), f"{node.text[:40]} stands here, a single value")

    def _in_map(self, node: Map, depth: int, value: Node) -> Node:
        step = self.steps[depth]
        entry = node.entries.get(step)
        if entry is None:
            if not self._open(node, depth):
                known = list(node.entries) + (list(self.sections) if depth == 0 else [])
                raise self._missing(depth, tuple(known), "not in the file")
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
            raise self._missing(depth, tuple(names), label)
        changed = self.replaced(node.items[index], depth + 1, value)
        return List((*node.items[:index], changed, *node.items[index + 1 :]), node.span)

    def _open(self, node: Map, depth: int) -> bool:
        """Whether a key may be added here: where validation knows which there are.

        That is at the top, in `train`, beside a type and inside its arguments. Elsewhere a new key
        would be a new variable or a new layer, so a misspelt path would go unnoticed.
        """
        if depth == 0:
            return self.steps[0] in self.sections
        above = self.steps[depth - 1]
        return bool(_types(node)) or above[:1].isupper() or (depth == 1 and above == "train")

    def _span(self, depth: int) -> Span:
        column = sum(len(step) + 1 for step in self.steps[:depth]) + 1
        return Span(self.document, 1, column, 1, column + len(self.steps[depth]))

    def _missing(self, depth: int, known: tuple[str, ...], label: str) -> _NotThereError:
        title = f"there is no {'.'.join(self.steps[: depth + 1])[:80]}"
        help_, _ = did_you_mean(self.steps[depth], known, self._span(depth))
        if help_ is None and known:
            help_ = f"here stand {', '.join(known[:12])}"
        return _NotThereError(Diagnostic("NB112", title, self._span(depth), label, help=help_))


def _is_bare_type(node: Node, step: str) -> bool:
    """Tell `Adam` where its arguments (`Adam.lr`) or its modifiers (`validation`) are to be set."""
    if not isinstance(node, Scalar) or not node.text[:1].isupper():
        return False
    return node.text == step or not step[:1].isupper()


def _name(node: Node) -> str | None:
    """Return the name that an item of a list gives itself."""
    name = node.get("name") if isinstance(node, Map) else None
    return name.text if isinstance(name, Scalar) else None
