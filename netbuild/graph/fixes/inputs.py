"""Fixes at the inputs of the network: other shapes and dtypes with which a later layer fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.graph.fixes.fields import Candidate, applied
from netbuild.graph.fixes.replay import ancestors, replayed
from netbuild.syntax import edits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from netbuild.components.tensor import Shape, Tensor
    from netbuild.config.config import Config
    from netbuild.graph.misfit import Misfit
    from netbuild.graph.row import Row

#: The dtypes of an input that a fix can offer.
DTYPES = ("float32", "int64", "bool")
#: The usual numbers of channels of an image.
CHANNELS = (1, 3)


def other_shapes(
    misfit: Misfit, rows: Sequence[Row], config: Config
) -> tuple[list[Candidate], list[Candidate]]:
    """Return shapes of the network's inputs, with the axes in torch's order, that fit.

    The second list has the guess that the first axis is too many.
    """

    def orders(x: Tensor) -> list[tuple[str, Tensor]]:
        return [(edits.as_yaml(shape), x._replace(shape=shape)) for shape in _orders(x.shape)]

    def without_first(x: Tensor) -> list[tuple[str, Tensor]]:
        shape = x.shape[1:]
        return [(edits.as_yaml(shape), x._replace(shape=shape))] if shape else []

    likely = [*_others(misfit, rows, config, "shape", orders)]
    return likely, [*_others(misfit, rows, config, "shape", without_first)]


def other_sizes(misfit: Misfit, rows: Sequence[Row], config: Config) -> list[Candidate]:
    """Return the nearest even sizes of the network's inputs with which a join fits.

    A branch that halves an odd size and doubles the half ends with one position less.
    """

    def sizes(x: Tensor) -> list[tuple[str, Tensor]]:
        even = sorted(_even(x.shape), key=lambda shape: _distance(shape, x.shape))
        return [(edits.as_yaml(shape), x._replace(shape=shape)) for shape in even]

    found = [*_others(misfit, rows, config, "shape", sizes)]
    return sorted(found, key=lambda candidate: candidate.distance)[:1]


def other_dtypes(misfit: Misfit, rows: Sequence[Row], config: Config) -> list[Candidate]:
    """Return the dtypes of the network's inputs with which a later layer fits."""

    def dtypes(x: Tensor) -> list[tuple[str, Tensor]]:
        return [(f"dtype: {dtype}", x._replace(dtype=dtype)) for dtype in DTYPES]

    return [*_others(misfit, rows, config, "dtype", dtypes)]


def _others(
    misfit: Misfit,
    rows: Sequence[Row],
    config: Config,
    key: str,
    others: Callable[[Tensor], list[tuple[str, Tensor]]],
) -> Iterator[Candidate]:
    """Yield the changes of one input of the network with which a layer fits.

    `others` returns other tensors for an input with their texts, the likeliest first. `key` is the
    field of the input that changes.
    """
    above = ancestors(misfit, rows)
    read = {value.port for row in above for value in row.sources if not value.path}
    read |= {value.port for value in misfit.sources if not value.path}
    for name, node in config.input_nodes.items():
        x = config.inputs.get(name)
        if x is None or name not in read:
            continue
        for distance, (text, other) in enumerate(others(x)):
            if other == x:
                continue
            tensors = replayed(above, {**config.inputs, name: other})
            seen = [tensors[value] for value in misfit.sources if value in tensors]
            fits = len(seen) == len(misfit.sources)
            y = applied(misfit.layer, {}, seen) if fits else None
            if y is not None:
                changed = edits.set_entries(node, "shape", {key: getattr(other, key)})
                title = f"{text} for {'the input' if name == 'input' else name}"
                if x.shape[:1] > (1,) and other.shape == x.shape[1:]:
                    title += " (the batch is never written)"
                yield Candidate(title, distance, changed, y)


def _distance(shape: Shape, other: Shape) -> int:
    return sum(abs(new - old) for new, old in zip(shape, other, strict=True))


def _even(shape: Shape) -> list[Shape]:
    """Return shapes whose axes after the first are rounded to multiples of 2, 4 … 64."""
    shapes: dict[Shape, None] = {}
    for halvings in range(1, 7):
        step = 1 << halvings
        for up in (0, step - 1):
            rounded = tuple(max((size + up) // step, 1) * step for size in shape[1:])
            shapes[shape[:1] + rounded] = None
    return [other for other in shapes if other != shape]


def _orders(shape: Shape) -> list[Shape]:
    """Return a shape with one channel, with the last axis in front, and without the batch.

    The first axis is the batch if it has one value, or if the channels of an image follow it.
    """
    orders = [(1, *shape), (*shape[-1:], *shape[:-1])]
    if shape[:1] == (1,) or (len(shape) == 4 and shape[1] in CHANNELS):
        orders.append(shape[1:])
    if len(shape) == 4:
        orders.append((shape[1], shape[0], *shape[2:]))  # frames before the channels
    return [order for order in orders if order and order != shape]
