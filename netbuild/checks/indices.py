"""Check that each Embedding has a row for every number that the data gives it."""

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


def check(graph: Graph) -> list[Diagnostic]:
    """Return a fault for each layer that looks up numbers of the data that it has no row for.

    The numbers are known if the layer reads an input of the network, perhaps in another shape. A
    part of an input may have other numbers than the whole, so its numbers are unknown.
    """
    tables = list(_tables(graph)) if graph.config.data is not None else []
    if not tables or not all(graph.config.inputs.values()):
        return []
    names = list(graph.config.inputs)
    found: list[Diagnostic] = []
    seen: set[str] = set()
    bounds = _bounds(graph)
    for row, name in tables:
        index = names.index(name)
        held = bounds[index] if index < len(bounds) else None
        if held is not None and row.path not in seen:
            found += _misfits(graph, row, held)
            seen.add(row.path)
    return found


def _tables(graph: Graph) -> Iterator[tuple[Row, str]]:
    """Yield each layer that looks up the numbers of an input of the network, and the input."""
    producer = Flow(graph).producer
    by_path = {row.path: row for row in graph.rows}
    for row in graph.rows:
        if row.layer.looks_up is None:
            continue
        value = row.sources[0]
        while value in producer and _keeps_all(producer[value]):
            value = producer[value].sources[0]
        if value.path == "":
            yield by_path.get(row.reuses or "", row), value.port


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
