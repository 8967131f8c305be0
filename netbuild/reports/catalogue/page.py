"""What can be named, as people read it: all of it by family, or one of it on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
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
    """Return what there is to know of one: its formula, its fields, an example, torch's page."""
    parts: list[RenderableType] = [Text(name, "bold"), "", Text(catalogue.description(component))]
    if issubclass(component, Layer):
        parts += _wires(component)
    parts += ["", Text("fields", "bold")]
    fields = catalogue.fields(component)
    parts.append(_fields(fields) if fields else Text("  none"))
    example = _example(catalogue.example(component))
    parts += ["", Text("example", "bold"), Padding(example, (0, 0, 0, 2))]
    torchs = catalogue.page(component)
    if torchs is not None:
        parts += ["", Text.assemble(("torch", "bold"), f"  {torchs}")]
    return Group(*parts)


def _grid(gap: int) -> Table:
    return Table(box=box.SIMPLE, show_header=False, show_edge=False, padding=(0, gap, 0, 0))


def _wires(layer: type[Layer]) -> list[RenderableType]:
    """Return a line on the inputs, where there is more than one."""
    if len(layer.inputs) + len(layer.optional_inputs) <= 1:
        return []
    optional = "".join(f", {name} (may be left out)" for name in layer.optional_inputs)
    more = ", and more" if layer.variadic else ""
    reads = f"  {', '.join(layer.inputs)}{optional}{more}"
    return ["", Text.assemble(("reads", "bold"), reads)]


def _fields(fields: list[catalogue.Field]) -> Padding:
    made = _grid(2)
    for field in fields:
        default = Text(field.default) if field.default is not None else Text("required", "italic")
        made.add_row(field.name, default, Text(field.wanted, "dim"))
    return Padding(made, (0, 0, 0, 2))


def _example(example: Example) -> Text:
    if example.row is None:
        return Text(example.text)
    row = example.row
    counted = [does(row)]
    counted += [f"{row.params:,} parameters"] if row.params else []
    counted += [f"{row.macs:,} MACs"] if row.macs else []
    return Text(f"{example.text}\n{', '.join(counted)}")


def does(row: Row) -> str:
    """Return from what to what a layer leads: `1×28×28 to 6×28×28`."""
    came = " and ".join(map(_written, row.inputs))
    (_, first), *others = row.outputs.items()
    more = "".join(f", {port}: {_written(y)}" for port, y in others)
    return f"{came} to {_written(first)}{more}" if came else _written(first)


def _written(x: Tensor) -> str:
    return times(x.shape) + ("" if x.dtype == "float32" else f" of {x.dtype}")
