"""Check that each Embedding has a row for every number that the data or a Constant gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.lint.flow import Flow
from netbuild.checks.lint.places import set_field
from netbuild.components.datasets.dataset import DataError
from netbuild.components.tensor import product
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.datasets.dataset import Bounds
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.graph.value import Value


def check(graph: Graph) -> list[Diagnostic]:
    """Return a fault for each layer that looks up numbers that it has no row for.

    The numbers are known if the layer reads an input of the network or a Constant, perhaps in
    another shape. A part of an input may have other numbers than the whole, so its numbers are
    unknown.
    """
    tables = list(_tables(graph))
    by_path = {row.path: row for row in graph.rows} if tables else {}
    from_data = any(not value.path for _, value in tables) and graph.config.data is not None
    names = list(graph.config.inputs)
    bounds = _bounds(graph) if from_data and all(graph.config.inputs.values()) else []
    found: list[Diagnostic] = []
    seen: set[str] = set()
    for row, value in tables:
        constant = by_path.get(value.path)
        if row.path in seen:
            continue
        if constant is not None:
            new = _constant_misfits(row, constant)
        else:
            index = names.index(value.port)
            held = bounds[index] if index < len(bounds) else None
            if held is None:
                continue
            new = list(_misfits(graph, row, held))
        found += new
        seen.add(row.path)
    return found


def _tables(graph: Graph) -> Iterator[tuple[Row, Value]]:
    """Yield each layer that looks up the numbers of an input or of a constant, and this value."""
    producer = Flow(graph).producer
    by_path = {row.path: row for row in graph.rows}
    for row in graph.rows:
        if row.layer.looks_up is None:
            continue
        value = row.sources[0]
        while value in producer and _keeps_all(producer[value]):
            value = producer[value].sources[0]
        if value.path == "" or producer[value].layer.is_tensor:
            yield by_path.get(row.reuses or "", row), value


def _keeps_all(row: Row) -> bool:
    """Whether the only result of a layer holds exactly the values of its input."""
    only = len(row.outputs) == len(row.sources) == 1
    return only and row.layer.rearranges and product(row.x) == product(row.output.shape)


def _bounds(graph: Graph) -> list[Bounds | None]:
    """Return the smallest and the largest number of each input, of training and validation."""
    config = graph.config
    assert config.data is not None
    inputs = tuple(x for x in config.inputs.values() if x is not None)
    split = config.preparation.validation
    splits = (None, split) if isinstance(split, str) else (None,)
    try:
        of_splits = [config.data.bounds(inputs, name) for name in splits]
    except DataError:  # another check reports it
        return []
    found: list[Bounds | None] = []
    for of_input in zip(*of_splits, strict=False):
        known = [bounds for bounds in of_input if bounds is not None]
        least, most = (*zip(*known, strict=True),) if known else ((), ())
        found.append((min(least), max(most)) if known else None)
    return found


def _constant_misfits(row: Row, constant: Row) -> list[Diagnostic]:
    """Return the fault of a layer that has no row for a number of a constant."""
    field = row.layer.looks_up
    held = constant.layer.range(*[None] * len(constant.sources))
    assert field is not None
    count = getattr(row.layer, field)
    if held is None or (held.least >= 0 and held.most < count):
        return []
    most = int(held.most)
    label = f"it has rows for 0 to {count - 1}, and {constant.path} has numbers up to {most}"
    help_, fixes = f"write {field}: {most + 1}", set_field(row.item, field, str(most + 1), field)
    if held.least < 0:
        least = int(held.least)
        label = f"it has rows for 0 to {count - 1}, and {constant.path} has the number {least}"
        help_, fixes = f"use numbers from 0 on in {constant.path}", ()
    note = Note(constant.path, f"{constant.type}, line {constant.span.line}")
    title = f"{constant.path} has an index that {row.type} does not have"
    span, path = place(row.item, field), row.path
    return [Diagnostic("NB411", title, span, label, (note,), help=help_, layer=path, fixes=fixes)]


def _misfits(graph: Graph, row: Row, held: Bounds) -> Iterator[Diagnostic]:
    field = row.layer.looks_up
    assert field is not None
    count, (least, most) = getattr(row.layer, field), held
    if least >= 0 and most < count:
        return
    help_, fixes = f"write {field}: {most + 1}", set_field(row.item, field, str(most + 1), field)
    label = f"it has rows for 0 to {count - 1}, and the data has numbers up to {most}"
    if least < 0:
        label = f"it has rows for 0 to {count - 1}, and the data has the number {least}"
        help_, fixes = "use numbers from 0 on in the data", ()
    item = graph.config.items.get("data")
    data = f"{item.type.text if item else 'data'}, line {graph.config.place('data').line}"
    yield Diagnostic(
        "NB411",
        f"the data has an index that {row.type} does not have",
        place(row.item, field),
        label,
        (Note("data", data),),
        help=help_,
        layer=row.path,
        fixes=fixes,
    )
