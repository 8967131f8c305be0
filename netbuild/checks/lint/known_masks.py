"""A lint of masks whose values are known: constants, and triangles of constants."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from netbuild.checks.lint.flow import Flow, described
from netbuild.components.layers.constant import Constant
from netbuild.components.layers.conversion import To
from netbuild.components.layers.named import Named
from netbuild.components.layers.triangle import Tril, Triu
from netbuild.components.tensor import product
from netbuild.diagnostics.diagnostic import Diagnostic, Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netbuild.graph.row import Row
    from netbuild.graph.value import Value

#: The most values of a mask that are looked at.
_MOST = 1 << 16

Numbers = list[float]


class _Mask(NamedTuple):
    """A known mask: whether each key is hidden, row by row."""

    row: Row
    name: str
    #: The layer that computes the mask.
    origin: Row
    hidden: list[list[bool]]


def hiding_masks(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a known mask that hides all keys, or that hides the past and shows the future."""
    for row in flow.graph.rows:
        if not isinstance(row.layer, Named):
            continue
        names = row.layer.input_names(len(row.sources))
        for name, value in zip(names, row.sources, strict=True):
            if name.endswith("mask"):
                yield from wrong(flow, row, name, value)


def wrong(flow: Flow, row: Row, name: str, value: Value) -> Iterator[Diagnostic]:
    """Yield the warning for a mask, if its values are known and hide the wrong places."""
    origin, numbers = flow.producer.get(value), _numbers(flow, value)
    if origin is None or numbers is None:
        return
    shape = origin.outputs[value.port].shape
    shows = isinstance(row.layer, Named) and row.layer.masks_show
    is_bool = origin.outputs[value.port].dtype == "bool"
    hidden = [bool(n) != shows if is_bool else n == -inf for n in numbers]
    width = shape[-1] if shape else 1
    rows = [hidden[start : start + width] for start in range(0, len(hidden), width)]
    mask = _Mask(row, name, origin, rows)
    if len(shape) > 1 and shape[-2] == width > 1 and _hides_the_past(rows, width):
        yield _reversed(mask, means="may be seen" if shows else "is hidden", is_bool=is_bool)
    elif any(map(all, rows)):
        yield _nothing(mask)


def _hides_the_past(rows: Sequence[Sequence[bool]], width: int) -> bool:
    """Whether each place sees only later ones, and perhaps itself."""
    return all(
        all(hidden[: number % width]) and not any(hidden[number % width + 1 :])
        for number, hidden in enumerate(rows)
    )


def _reversed(mask: _Mask, means: str, *, is_bool: bool) -> Diagnostic:
    label = f"true means here that a place {means}, so" if is_bool else "−inf hides a place, and"
    label = f"{label} each place sees only later ones"
    help_ = (
        "take the other triangle: Triu of diagonal 1 where true hides, and Tril where true shows"
    )
    return _warning(mask, "hides the past and shows the future", label, help_)


def _nothing(mask: _Mask) -> Diagnostic:
    number = [*map(all, mask.hidden)].index(True)
    where = f"row {number} of the mask hides" if len(mask.hidden) > 1 else "the mask hides"
    label = f"{where} all {len(mask.hidden[0])} places: the mean of nothing is NaN, or 0"
    help_ = "show each place at least one: true hides in MultiheadAttention and the transformers, "
    help_ += "and shows in ScaledDotProductAttention"
    return _warning(mask, "hides everything", label, help_)


def _warning(mask: _Mask, does: str, label: str, help_: str) -> Diagnostic:
    row, notes = mask.row, (Note("mask", f"of {described(mask.origin)}"),)
    return Diagnostic("NB328", f"{mask.name} {does}", row.span, label, notes, help_, row.path)


def _numbers(flow: Flow, value: Value) -> Numbers | None:
    """Return the values of a result in their order; None if they are not known."""
    row = flow.producer.get(value)
    if row is None or product(row.outputs[value.port].shape) > _MOST:
        return None
    layer = row.layer
    if isinstance(layer, Constant) and layer.source is not None:
        return _given(layer)
    if not isinstance(layer, (Constant, Tril, Triu, To)):
        return None
    numbers = _numbers(flow, row.sources[0])
    if numbers is None or isinstance(layer, Constant):
        return numbers
    if isinstance(layer, To):
        whole = layer.dtype.startswith(("int", "uint"))
        return numbers if not whole else None  # these are no masks
    return _triangle(layer, row.inputs[0].shape, numbers)


def _given(constant: Constant) -> Numbers | None:
    """Return the values that a constant states, in their order."""
    count = product(constant.outputs()["output"].shape)
    match constant.call():
        case "ones", _, _:
            return [1.0] * count
        case "zeros", _, _:
            return [0.0] * count
        case "full", (_, number), _:
            return [number] * count
        case "tensor", (values,), _:
            return _flat(values)
    return None


def _flat(values: object) -> Numbers:
    if isinstance(values, tuple):
        return [number for part in values for number in _flat(part)]
    return [values] if isinstance(values, (int, float)) else []


def _triangle(layer: Tril | Triu, shape: Sequence[int], numbers: Numbers) -> Numbers:
    """Return numbers with 0 outside of a triangle of each matrix."""
    height, width = shape[-2:]
    kept = []
    for place, number in enumerate(numbers):
        diagonal = place % width - place // width % height
        is_in = (
            diagonal <= layer.diagonal if isinstance(layer, Tril) else diagonal >= layer.diagonal
        )
        kept.append(number if is_in else 0.0)
    return kept
