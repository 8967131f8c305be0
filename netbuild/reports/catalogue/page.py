"""The catalogue for people: a list of names by family, and a page for each component."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from netbuild.components.layers.layer import Layer
from netbuild.components.tensor import times
from netbuild.reports.catalogue import entries as catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from netbuild.components.component import Component
    from netbuild.components.layers.layer import Modes
    from netbuild.components.tensor import Tensor
    from netbuild.graph.row import Row
    from netbuild.reports.catalogue.entries import Example


def listing(known: Mapping[str, type[Component]]) -> Group:
    """Return all names, by family."""
    parts: list[RenderableType] = []
    for family, names in catalogue.families(known).items():
        parts += [Text(family, "bold"), Padding(Text(" ".join(names)), (0, 0, 1, 2))]
    return Group(*parts)


def page(name: str, component: type[Component]) -> Group:
    """Return the page of a component: its formula, its fields, an example and torch's name."""
    parts: list[RenderableType] = [Text(name, "bold"), "", Text(catalogue.description(component))]
    if issubclass(component, Layer):
        parts += _wires(component)
        parts += ["", _modes(component.modes)] if component.modes else []
    parts += ["", Text("fields", "bold")]
    fields = catalogue.fields(component)
    parts.append(_fields(fields) if fields else Text("  none"))
    example = _example(catalogue.example(component))
    parts += ["", Text("example", "bold"), Padding(example, (0, 0, 0, 2))]
    torchs = catalogue.page(component)
    if torchs is not None:
        parts += ["", Text.assemble(("torch", "bold"), f"  {torchs}")]
    return Group(*parts)


def _wires(layer: type[Layer]) -> list[RenderableType]:
    """Return a line about the inputs, if there are several."""
    if len(layer.inputs) + len(layer.optional_inputs) <= 1:
        return []
    optional = "".join(f", {name} (optional)" for name in layer.optional_inputs)
    more = ", and more" if layer.variadic else ""
    reads = f"  {', '.join(layer.inputs)}{optional}{more}"
    return ["", Text.assemble(("reads", "bold"), reads)]


def _modes(modes: Modes) -> Table:
    """Return a line about training, and a line about evaluation."""
    made = _grid()
    made.add_row(Text("training", "bold"), modes.training)
    made.add_row(Text("evaluation", "bold"), modes.evaluation)
    return made


def _fields(fields: list[catalogue.Field]) -> Padding:
    """Return two lines for each field: name, default and values; below them the meaning."""
    widths = [max(len(one.name) for one in fields), max(len(_default(one)) for one in fields)]
    lines: list[RenderableType] = []
    for field in fields:
        first = _grid(*widths)
        default = Text(_default(field), "italic" if field.default is None else "")
        first.add_row(Text(field.name, "cyan"), default, Text(field.wanted, "dim"))
        since = f" Since torch {field.since}." if field.since else ""
        lines += [first, Padding(Text(f"{field.meaning}{since}"), (0, 0, 0, 4))]
    return Padding(Group(*lines), (0, 0, 0, 2))


def _default(field: catalogue.Field) -> str:
    return "required" if field.default is None else field.default


def _grid(*widths: int) -> Table:
    """Return a table without lines. Its first columns have these widths."""
    made = Table.grid(padding=(0, 2, 0, 0))
    for width in widths:
        made.add_column(min_width=width)
    return made


def _example(example: Example) -> Text:
    if example.row is None:
        return Text(example.text)
    row = example.row
    counted = [does(row)]
    counted += [f"{row.params:,} parameters"] if row.params else []
    counted += [f"{row.macs:,} MACs"] if row.macs else []
    return Text(f"{example.text}\n{', '.join(counted)}")


def does(row: Row) -> str:
    """Return the input and output shapes of a layer: `1×28×28 to 6×28×28`."""
    came = " and ".join(map(_written, row.inputs))
    (_, first), *others = row.outputs.items()
    more = "".join(f", {port}: {_written(y)}" for port, y in others)
    return f"{came} to {_written(first)}{more}" if came else _written(first)


def _written(x: Tensor) -> str:
    return times(x.shape) + ("" if x.dtype == "float32" else f" of {x.dtype}")
