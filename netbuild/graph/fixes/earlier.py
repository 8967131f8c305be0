"""Fixes in the layers above: a smaller window, or a Flatten, with which a later layer fits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.component import bare_field
from netbuild.components.tensor import product
from netbuild.graph.fixes.fields import USUAL, Candidate, applied
from netbuild.graph.fixes.replay import ancestors, replayed
from netbuild.syntax import edits
from netbuild.syntax.insertion import put_before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from netbuild.components.tensor import Shape, Tensor
    from netbuild.config.config import Config
    from netbuild.graph.misfit import Misfit
    from netbuild.graph.row import Row
    from netbuild.syntax.edits import Edits
    from netbuild.syntax.node import Map

#: The most layers above a layer that are changed, the nearest first, and the most changes.
LAYERS = 12
MOST = 12


def windows(misfit: Misfit, rows: Sequence[Row], config: Config) -> list[Candidate]:
    """Return the usual windows of the layers above with which a layer fits."""
    return _changed(misfit, rows, config, windows_of)


def flattens(misfit: Misfit, rows: Sequence[Row], config: Config) -> list[Candidate]:
    """Return the layers above that may lack a Flatten, if the layer fits with it."""
    return _changed(misfit, rows, config, partial(_flatten, config.root))


class Change(NamedTuple):
    """A change of a layer: its title, its edits, and what the layer then gives."""

    title: str
    edits: Edits | None
    results: Callable[[Sequence[Tensor]], Tensor | None]


def _changed(
    misfit: Misfit,
    rows: Sequence[Row],
    config: Config,
    changes: Callable[[Row], Iterator[Change]],
) -> list[Candidate]:
    """Return the changes of one layer above with which a layer fits, the nearest layer first."""
    above = ancestors(misfit, rows)
    found: list[Candidate] = []
    for distance, row in enumerate(reversed(above[-LAYERS:])):
        for place, change in enumerate(changes(row)):
            tensors = replayed(above, config.inputs, row.path, change.results)
            seen = [tensors[value] for value in misfit.sources if value in tensors]
            fits = len(seen) == len(misfit.sources)
            y = applied(misfit.layer, {}, seen) if fits else None
            if y is not None:
                title = f"{change.title} {row.path}"
                found.append(Candidate(title, distance + place / 100, change.edits, y))
        if len(found) >= MOST:
            break
    return found[:MOST]


def widths(misfit: Misfit, rows: Sequence[Row], config: Config) -> list[Candidate]:
    """Return the width of a layer above that has as many values as a layer arranges anew."""
    layer = misfit.layer
    sizes: Shape = getattr(layer, "unflattened_size", None) or getattr(layer, "shape", None) or ()
    count = product(sizes)

    def changes(row: Row) -> Iterator[Change]:
        for field in ("out_features", "out_channels"):
            if not hasattr(row.layer, field):
                continue
            changed = edits.set_fields(row.item, bare_field(type(row.layer)), {field: count})

            def results(read: Sequence[Tensor], field: str = field) -> Tensor | None:
                return applied(row.layer, {field: count}, read)

            yield Change(f"{field}: {count} in", changed, results)

    return _changed(misfit, rows, config, changes) if count > 0 else []


def windows_of(row: Row) -> Iterator[Change]:
    """Yield the usual windows of a layer."""
    for field, values in USUAL.items():
        old = getattr(row.layer, field, None)
        for value in values:
            if not isinstance(old, int) or isinstance(old, bool) or value == old:
                continue
            changed = edits.set_fields(row.item, bare_field(type(row.layer)), {field: value})

            def results(
                read: Sequence[Tensor], field: str = field, value: int = value
            ) -> Tensor | None:
                return applied(row.layer, {field: value}, read)

            yield Change(f"{field}: {value} in", changed, results)


def _flatten(root: Map, row: Row) -> Iterator[Change]:
    reads_last = row.layer.is_affine and row.layer.feature_axis == -1 and len(row.inputs) == 1
    if not reads_last or len(row.x) < 2:
        return

    def results(read: Sequence[Tensor]) -> Tensor | None:
        flat = read[0]._replace(shape=(product(read[0].shape),))
        return applied(row.layer, {}, [flat])

    yield Change("Flatten before", put_before(root, row.item, "Flatten"), results)
