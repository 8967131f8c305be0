"""The origin of each value of a layer: a line of the file, the input, or torch's defaults.

A graph keeps the items of the file, with the names that their expressions can use.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from netbuild.checks.init import rules_of
from netbuild.checks.pretrained import filled
from netbuild.components.component import Component, FromInput, bare_field
from netbuild.config.parametrize import name_in_file
from netbuild.graph.assignments import arguments_of, assignment, mentioned, stacks_around, text_of
from netbuild.graph.row import Call, Row
from netbuild.graph.value import value_name
from netbuild.syntax.item import Item
from netbuild.syntax.node import List, Map, Scalar

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Span
    from netbuild.graph.graph import Graph
    from netbuild.graph.value import Value
    from netbuild.syntax.expression import Names
    from netbuild.syntax.node import Node

Kind = Literal["written", "input", "default"]

#: Fields of torch's layers with defaults of netbuild; README.md lists them.
_OWN_DEFAULTS = {"batch_first", "batch_axis"}
_OWN_DEFAULTS_OF = {
    **dict.fromkeys(("Concat", "Stack", "Chunk", "Split"), ("dim",)),
    "Diagonal": ("dim1", "dim2"),
}


class ValueOrigin(NamedTuple):
    """The origin of a named value. `through` holds the origins of the names in its expression."""

    name: str
    value: Any
    kind: Kind
    #: In words: `line 8`, `features.2 (MaxPool2d, line 7)`, `torch's default`.
    place: str
    #: The expression, if the file has one.
    text: str = ""
    through: tuple[ValueOrigin, ...] = ()


class Origins:
    """The origins of all values of a network."""

    def __init__(self, graph: Graph) -> None:
        self.config = graph.config
        self.rows = {row.path: row for row in graph.rows}
        rows = {row.path: Call(row.item, row.names) for row in graph.rows}
        self.calls = {**graph.calls.blocks, **rows}
        self.blocks, self.reuses = graph.calls, graph.calls.reuses
        self.rules = rules_of(graph)
        #: What files of weights fill, by the names of parameters.
        self.files = {name_in_file(name): file for name, file in filled(graph)[0].items()}

    def of(self, row: Row) -> tuple[ValueOrigin, ...]:
        """Return the origin of each field, in the order: input, file, default."""
        call = self.calls[row.path]
        written = arguments_of(call.item, bare_field(type(row.layer)))
        arguments = row.arguments
        decided = row.layer.decide(*row.shapes)
        found = []
        for name in type(row.layer).model_fields:
            value = arguments.get(name, getattr(row.layer, name))
            if row.frozen and name in row.layer.stilled():
                found.append(ValueOrigin(name, value, "written", "freeze"))
            elif name in written:
                value = getattr(row.layer, name)
                found.append(self.written(name, value, written[name], call.names, row.path))
            elif name in decided:
                place = " and ".join(map(self.called, _deciding(row, name)))
                found.append(ValueOrigin(name, value, "input", place))
            else:
                found.append(ValueOrigin(name, value, "default", _default(row.layer, name)))
        order: tuple[Kind, ...] = ("input", "written", "default")
        return tuple(sorted(found, key=lambda origin: order.index(origin.kind)))

    def written(self, name: str, value: Any, node: Node, names: Names, path: str) -> ValueOrigin:
        """Return the origin of a value that the file gives to a layer or a block."""
        if isinstance(value, Component) and isinstance(node, Map):
            return ValueOrigin(
                name,
                value,
                "written",
                self.line(node.span),
                "",
                self.inside(value, node, names, path),
            )
        text = text_of(node)
        inside = [other for other in mentioned(text) if other in names]
        through = tuple(self.named(other, names, path) for other in inside)
        shown = text if "$" in text else ""
        return ValueOrigin(name, value, "written", self.line(node.span), shown, through)

    def inside(
        self, item: Component, node: Map, names: Names, path: str
    ) -> tuple[ValueOrigin, ...]:
        """Return the origins of the fields of an item inside a field."""
        kind = type(item).__name__
        entry = node.entries.get(kind)
        given = arguments_of(Item(*entry), bare_field(type(item))) if entry else {}
        found = []
        for name, info in type(item).model_fields.items():
            value = getattr(item, name)
            if name in given:
                found.append(self.written(name, value, given[name], names, path))
            elif not any(isinstance(mark, FromInput) for mark in info.metadata):
                found.append(
                    ValueOrigin(name, value, "default", f"{_default(item, name)} of {kind}")
                )
        return tuple(found)

    def named(self, name: str, names: Names, path: str) -> ValueOrigin:
        """Return the origin of a name in an expression: a parameter of a block, or a variable."""
        value = names[name]
        given = assignment(name, path, self.config, self.blocks)
        if given is not None:
            inside = names if given.names is None else given.names
            found = self.written(name, value, given.node, inside, given.path)
            if not given.default_of:
                return found
            return found._replace(place=f"{given.default_of}'s default, {found.place}")
        if name == "index":
            return ValueOrigin(name, value, "written", "counts the repeats from 0")
        return ValueOrigin(name, value, "input", "what the item reads")

    def called(self, value: Value) -> str:
        """Return the words for a value in a sentence: `features.2 (MaxPool2d, line 7)`."""
        if not value.path:
            called = "the input" if value.port == "input" else value.port
            return f"{called} ({self.line(self.config.input_span(value.port))})"
        row = self.rows[value.path]
        passed_on = value == row.passed_on
        name = value.path if passed_on else value_name(value)
        return f"{name} ({row.type}, {self.line(row.span)})"

    def line(self, span: Span) -> str:
        """Return the words for a place in a sentence."""
        document = span.document
        if document.name == "--set":
            return f"--set {document.text}"
        of = "" if document is self.config.document else f" of {Path(document.name).name}"
        return f"line {span.line}{of}"

    def again(self, path: str) -> str:
        """Return the line of the `Reuse` that calls a layer again, or ""."""
        reused = [at for at in (path, *stacks_around(path)) if at in self.reuses]
        return self.line(self.reuses[reused[-1]]) if reused else ""

    def lines(self, path: str) -> tuple[tuple[int, str], ...]:
        """Return the lines of a file in which a layer is written, each with its number."""
        item = self.calls[path].item
        spans = [item.type.span] + ([item.arguments.span] if item.arguments is not None else [])
        start = spans[0]
        ends = [span.end_line for span in spans if span.document is start.document]
        last = max(start.line, *ends)
        if isinstance(item.arguments, Map) and last > start.line:
            inner = item.arguments.entries.values()
            last = max([start.line, *(e.value.span.end_line for e in inner)])
        text = start.document.lines[start.line - 1 : last]
        numbered = [(n, line.rstrip()) for n, line in enumerate(text, start.line)]
        return tuple((n, line) for n, line in numbered if line.strip())


def _deciding(row: Row, name: str) -> list[Value]:
    """Return the inputs that decide a field: those which change it when they change."""
    value = row.layer.decide(*row.shapes)[name]
    found = []
    for number, source in enumerate(row.sources):
        shapes = list(row.shapes)
        shapes[number] = tuple(n + 1 for n in shapes[number])
        if row.layer.decide(*shapes)[name] != value:
            found.append(source)
    return found


def _default(layer: Component, name: str) -> str:
    """Return whose default a field has: torch's, but for what README.md lists."""
    kind = type(layer).__name__
    own = name in _OWN_DEFAULTS or name in _OWN_DEFAULTS_OF.get(kind, ())
    return "netbuild's default" if own or kind.startswith("Switchable") else "torch's default"


def said(value: Any) -> str:
    """Return a value as a file would have it."""
    if isinstance(value, Component):
        names = [name for name in type(value).model_fields if name in value.model_fields_set]
        fields = ", ".join(f"{name}: {said(getattr(value, name))}" for name in names)
        return f"{type(value).__name__}: {{{fields}}}" if fields else type(value).__name__
    if isinstance(value, (Map, List, Scalar)):  # these are tuples too
        return text_of(value)
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(said, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
