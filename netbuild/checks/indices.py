"""Check that each number of the data or of a Constant by which a layer finds something exists."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from netbuild.checks.lint.flow import Flow
from netbuild.checks.lint.places import set_field
from netbuild.components.datasets.dataset import DataError
from netbuild.components.tensor import product
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.datasets.dataset import Bounds
    from netbuild.components.layers.lookup import Lookup
    from netbuild.diagnostics.diagnostic import Fix
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.graph.value import Value


class _Found(NamedTuple):
    """A layer that finds something by the numbers of a value, and these numbers."""

    row: Row
    lookup: Lookup
    value: Value


class _Source(NamedTuple):
    """What holds the numbers: its name in a sentence, and its place for a note.

    `categories` is the number of categories in the column of that name, if they are that.
    """

    name: str
    title: str
    place: str
    held: Bounds
    categories: int | None = None


def check(graph: Graph) -> list[Diagnostic]:
    """Return a fault for each layer that gets numbers for which it has nothing.

    The numbers are known if the layer reads an input of the network or a Constant, perhaps in
    another shape. A part of an input may have other numbers than the whole, so its numbers are
    unknown.
    """
    lookups = list(_lookups(graph))
    by_path = {row.path: row for row in graph.rows} if lookups else {}
    from_data = any(not one.value.path for one in lookups) and graph.config.data is not None
    names = list(graph.config.inputs)
    bounds = _bounds(graph) if from_data and all(graph.config.inputs.values()) else []
    found: list[Diagnostic] = []
    seen: set[str] = set()
    for one in lookups:
        constant = by_path.get(one.value.path)
        index = names.index(one.value.port) if constant is None else 0
        source = None
        if constant is not None:
            source = _constant(constant)
        elif index < len(bounds):
            source = _data(graph, bounds[index], index)
        if source is not None and one.row.path not in seen:
            found += _misfits(one.row, one.lookup, source)
            seen.add(one.row.path)
    return found


def _lookups(graph: Graph) -> Iterator[_Found]:
    """Yield each layer that finds something by the numbers of an input or of a constant."""
    producer = Flow(graph).producer
    by_path = {row.path: row for row in graph.rows}
    for row in graph.rows:
        lookup = row.layer.lookup(*row.shapes)
        if lookup is None:
            continue
        value = row.sources[lookup.source]
        while value in producer and _keeps_all(producer[value]):
            value = producer[value].sources[0]
        if value.path == "" or producer[value].layer.is_tensor:
            yield _Found(by_path.get(row.reuses or "", row), lookup, value)


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


def _constant(row: Row) -> _Source | None:
    """Return the numbers of a constant."""
    held = row.layer.range(*[None] * len(row.sources))
    if held is None or inf in {-held.least, held.most}:
        return None
    note = f"{row.type}, line {row.span.line}"
    return _Source(row.path, row.path, note, (int(held.least), int(held.most)))


def _data(graph: Graph, held: Bounds | None, index: int) -> _Source | None:
    """Return the numbers of an input of the data."""
    source = graph.config.data
    if held is None or source is None:
        return None
    item = graph.config.items.get("data")
    note = f"{item.type.text if item else 'data'}, line {graph.config.place('data').line}"
    inputs = tuple(x for x in graph.config.inputs.values() if x is not None)
    column = source.counted(inputs)[index]
    if column is not None:
        name, count = column
        return _Source(name, "data", note, held, count)
    return _Source("the data", "data", note, held)


def _misfits(row: Row, lookup: Lookup, source: _Source) -> Iterator[Diagnostic]:
    """Yield the fault of a layer that has nothing for a number of its source."""
    least, most = source.held
    if least >= lookup.least and most <= lookup.most:
        return
    if least < lookup.least:
        label = f"{lookup.has}, and {source.name} has the number {least}"
        help_ = f"use numbers from {lookup.least} on in {source.name}"
    else:
        label = f"{lookup.has}, and {source.name} has numbers up to {most}"
        help_ = f"use numbers up to {lookup.most} in {source.name}"
        if source.categories is not None:
            label = f"{lookup.has}, and {source.name} has {_categories(source.categories)}"
    fixes: tuple[Fix, ...] = ()
    counts = lookup.field not in {"dim", "inputs"}
    if least >= lookup.least and counts:
        help_ = f"write {lookup.field}: {most + 1}"
        if source.categories is not None:
            help_ += ": row 0 is for a category that training has not seen"
        fixes = set_field(row.item, lookup.field, str(most + 1), lookup.field)
    yield Diagnostic(
        "NB411",
        f"{source.name} has {lookup.what} that {row.type} does not have",
        place(row.item, lookup.field),
        label,
        (Note(source.title, source.place),),
        help=help_,
        layer=row.path,
        fixes=fixes,
    )


def _categories(count: int) -> str:
    """Return how many categories there are, with their numbers."""
    return f"{count} categories, 1 to {count}" if count > 1 else "1 category, which is 1"
