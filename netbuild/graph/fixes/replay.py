"""Layers run again with another tensor or another field, to see what a later layer would get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.tensor import ShapeError
from netbuild.graph.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from netbuild.components.tensor import Tensor
    from netbuild.graph.misfit import Misfit
    from netbuild.graph.row import Row

#: The most layers above a layer that are run again.
MOST = 300


def ancestors(misfit: Misfit, rows: Iterable[Row]) -> list[Row]:
    """Return the layers that a layer depends on, in their order; none if there are too many."""
    by_path = {row.path: row for row in rows}
    paths: set[str] = set()
    pending = [*misfit.sources]
    while pending:
        row = by_path.get(pending.pop().path)
        if row is not None and row.path not in paths:
            paths.add(row.path)
            pending += row.sources
    return [row for row in by_path.values() if row.path in paths] if len(paths) <= MOST else []


def replayed(
    rows: Iterable[Row],
    inputs: Mapping[str, Tensor | None],
    path: str | None = None,
    changed: Callable[[Sequence[Tensor]], Tensor | None] | None = None,
) -> dict[Value, Tensor]:
    """Return the results of layers for other inputs of the network.

    A layer that does not fit is left out, together with the layers that read it. `changed` returns
    the first result of the layer at `path` instead of the layer itself, or None without a result.
    """
    tensors = {Value("", name): x for name, x in inputs.items() if x is not None}
    for row in rows:
        read = [tensors[value] for value in row.sources if value in tensors]
        if len(read) < len(row.sources):
            continue
        if changed is not None and row.path == path:
            y = changed(read)
            outputs = {} if y is None else {next(iter(row.outputs)): y}
        else:
            outputs = _results(row, read)
        tensors |= {Value(row.path, port): y for port, y in outputs.items()}
    return tensors


def _results(row: Row, read: Sequence[Tensor]) -> Mapping[str, Tensor]:
    try:
        return row.layer.apply(*read)
    except ShapeError:
        return {}
