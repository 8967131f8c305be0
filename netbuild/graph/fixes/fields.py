"""What would make a layer fit its input: nearby values of its fields, tried by its own rules.

No formula is turned around here. A field is given values further and further from the one that does
not fit, and the first that the layer takes is offered, with the shape that it gives: so what is
offered is right by the rule that refused the other one.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from netbuild.components.component import bare_field
from netbuild.components.layers import LAYERS
from netbuild.components.tensor import ShapeError, Tensor, product, times
from netbuild.diagnostics.diagnostic import Edit, Fix
from netbuild.syntax import edits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import Shape
    from netbuild.syntax.item import Item

#: How far from the value that does not fit another one is looked for, and how many are offered.
REACH = 64
OFFERED = 3

#: Of two fields that could be changed by as much, the earlier one is offered first.
_FIELDS = (
    *("padding", "kernel_size", "stride", "dilation", "groups", "num_groups", "num_heads"),
    *("start_dim", "end_dim", "dim", "unflattened_size", "shape", "upscale_factor", "mode"),
)
#: What the size of an axis of the input decides, by that axis.
_DECIDED = {
    **dict.fromkeys(("in_channels", "num_features", "num_channels"), 0),
    **dict.fromkeys(("in_features", "input_size", "embed_dim", "d_model"), -1),
}
#: How an Upsample is said to interpolate, for as many axes as the input has behind the channels.
_LINEAR = {"linear": 2, "bilinear": 3, "trilinear": 4}
#: Fields that spell out the sizes of a result.
_SHAPES = {"shape", "unflattened_size"}
#: What passes its input on where that keeps its shape.
_RESHAPING = {"Flatten", "Unflatten", "Reshape", "Squeeze", "PixelShuffle", "PixelUnshuffle"}
#: What a network is drawn with, and is not changed to fit: widths, and what an input decides.
_WIDTHS = {"out_channels", "out_features", "num_embeddings", "embedding_dim", "hidden_size"}


class Candidate(NamedTuple):
    """A change that makes a layer fit: what it says, how far it is, its edits, what it gives."""

    said: str
    distance: float
    edits: tuple[Edit | None, ...]
    gives: Tensor
    #: Whether the layer does nothing then: it fits, and is hardly what was meant.
    idle: bool = False


def fixes(error: ShapeError, layer: Layer, item: Item, inputs: Sequence[Tensor]) -> list[Fix]:
    """Return the nearest changes of a layer, or in front of it, with which it takes its inputs."""
    if error.code == "NB211":
        edit = edits.set_field(item, bare_field(type(layer)), "inplace", False)
        return offered([Candidate("inplace: false", 0, (edit,), inputs[0])])
    if applied(layer, {}, inputs) is not None:  # what is wrong is not its fields
        return []
    found = [*_in_front(error, layer, item, inputs), *_fields(error, layer, item, inputs)]
    found += [*_other_rank(error, layer, item, inputs), *_keys_and_values(layer, item, inputs)]
    useful = [candidate for candidate in found if not candidate.idle]
    # Channels that do not divide can be made others in front of the layer, as `joining` offers.
    return offered(useful if useful or error.code == "NB203" else found)


def offered(found: Sequence[Candidate]) -> list[Fix]:
    """Return the nearest candidates as fixes, none that is another one and more.

    What an expression decides is left alone.
    """
    fixes: list[Fix] = []
    for candidate in sorted(found, key=lambda candidate: candidate.distance):
        made = tuple(edit for edit in candidate.edits if edit is not None)
        more = any(set(fix.edits) <= set(made) for fix in fixes)
        if len(made) == len(candidate.edits) and not more:
            title = f"{candidate.said} gives {times(candidate.gives.shape)}"
            fixes.append(Fix(title, made))
    return fixes[:OFFERED]


def _fields(
    error: ShapeError, layer: Layer, item: Item, inputs: Sequence[Tensor]
) -> Iterator[Candidate]:
    """Yield for each field the nearest value with which the layer fits."""
    decided = type(layer).model_fields
    order = [*dict.fromkeys([error.at, *_FIELDS])]
    for place, field in enumerate(order):
        if field is None or field not in decided or field in _WIDTHS:
            continue
        fitting = _fitting(layer, item, field, inputs)
        nearest = next(fitting, None)
        if nearest is not None and nearest.idle:
            nearest = next((other for other in fitting if not other.idle), nearest)
        if nearest is not None:
            yield nearest._replace(distance=nearest.distance + place / 100)


def _fitting(layer: Layer, item: Item, field: str, inputs: Sequence[Tensor]) -> Iterator[Candidate]:
    """Yield the values of a field with which the layer fits, the nearest first."""
    written = getattr(layer, field)
    for distance, value in nearby(field, written, inputs[0]):
        y = applied(layer, {field: value}, inputs)
        if y is None or (field in _SHAPES and -1 in {*value} - {*written}):  # it takes what is left
            continue
        edit = edits.set_field(item, bare_field(type(layer)), field, value)
        said = f"{field}: {edits.written(value)}"
        alone = field == "kernel_size" and set(_sizes(value)) == {1}
        far = distance + REACH * alone  # a window of one position sees no neighbours any more
        yield Candidate(said, far, (edit,), y, is_idle(layer, {field: value}, inputs[0], y))


def is_idle(layer: Layer, changes: Mapping[str, Any], x: Tensor, y: Tensor) -> bool:
    """Whether a layer that gives `y` with other fields only passes on what it reads."""
    if y.shape != x.shape:
        return False
    kind = type(layer).__name__
    fields = {name: changes.get(name, getattr(layer, name)) for name in type(layer).model_fields}
    if kind == "ChannelShuffle":
        return fields["groups"] in {1, x.shape[0]}
    if kind == "Transpose":
        axes = {fields[name] % (len(x.shape) + 1) for name in ("dim0", "dim1")}
        return len(axes) == 1
    if "kernel_size" in fields:
        return "Pool" in kind and set(_sizes(fields["kernel_size"])) == {1}
    return kind in _RESHAPING or not any(_sizes(fields.get("padding", 1)))


def _sizes(value: Any) -> tuple[Any, ...]:
    """Return the sizes of the axes, of which a bare one is that of each."""
    return value if isinstance(value, tuple) else (value,)


def nearby(field: str, value: Any, x: Tensor, reach: int = REACH) -> Iterator[tuple[float, Any]]:
    """Yield other values of a field with how far they are, the nearest first."""
    yield from _meant(field, value, x)
    first = -1 if field == "kernel_size" else 1  # a window is rather made smaller
    if isinstance(value, bool):
        yield 1, not value
    elif isinstance(value, int):
        for step in range(1, reach):
            yield step, value + first * step
            yield step, value - first * step
    elif isinstance(value, tuple) and value and all(type(part) is int for part in value):
        yield from _filled(value, product(x.shape))
        for step in range(1, reach):
            for by in (first * step, -first * step):
                for place in range(len(value)):
                    changed = value[place] + by
                    yield step, (*value[:place], changed, *value[place + 1 :])
                yield step, tuple(part + by for part in value)


def _meant(field: str, value: Any, x: Tensor) -> Iterator[tuple[float, Any]]:
    """Yield values of a field that the input decides, whatever was written."""
    if field in _DECIDED and x.shape:
        yield 1, x.shape[_DECIDED[field]]
    elif field == "mode" and value in _LINEAR:
        yield from ((1, mode) for mode, axes in _LINEAR.items() if axes == len(x.shape))
    elif field == "dims" and isinstance(value, tuple) and len(value) == len(x.shape):
        yield 1, (0, *(place + 1 for place in value))  # they were counted without the batch


def _filled(sizes: tuple[int, ...], count: int) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Yield sizes of which one is what the others leave of `count` values, or those of a square."""
    for place in reversed(range(len(sizes))):
        rest = product((*sizes[:place], *sizes[place + 1 :]))
        if rest > 0 and count % rest == 0:
            yield 1, (*sizes[:place], count // rest, *sizes[place + 1 :])
    first, *others = sizes
    side = isqrt(count // first) if first > 0 else 0
    if len(others) == 2 and first * side**2 == count:
        yield 2, (first, side, side)


def _in_front(
    error: ShapeError, layer: Layer, item: Item, inputs: Sequence[Tensor]
) -> Iterator[Candidate]:
    """Yield what brings the values into another shape, in front of what needs that one.

    A Flatten for what needs one axis, or as many features as there are values; a Transpose for what
    reads a sequence whose features come first.
    """
    x = inputs[0]
    if len(inputs) != 1 or len(x.shape) < 2 or error.code not in {"NB201", "NB202", "NB203"}:
        return
    shapes: dict[str, Shape] = {}
    if error.code != "NB203":
        shapes["Flatten"] = (product(x.shape),)
    if len(x.shape) == 2:
        shapes["Transpose: {dim0: 1, dim1: 2}"] = (x.shape[1], x.shape[0])
    for written, shape in shapes.items():
        y = applied(layer, {}, [x._replace(shape=shape)])
        kind = written.partition(":")[0]
        edit = edits.put_before(item, written, kind.lower())
        if y is not None and edit is not None:
            yield Candidate(f"{kind} before it", 0, (edit,), y)


def _keys_and_values(layer: Layer, item: Item, inputs: Sequence[Tensor]) -> Iterator[Candidate]:
    """Yield the widths of keys and values for an attention, of which one alone would not do."""
    if len(inputs) != 3 or not hasattr(layer, "kdim") or not all(x.shape for x in inputs):
        return
    changes = {"kdim": inputs[1].shape[-1], "vdim": inputs[2].shape[-1]}
    y = applied(layer, changes, inputs)
    if y is not None:
        made = tuple(edits.set_field(item, None, field, n) for field, n in changes.items())
        said = " and ".join(f"{field}: {n}" for field, n in changes.items())
        yield Candidate(said, 1, made, y)


def _other_rank(
    error: ShapeError, layer: Layer, item: Item, inputs: Sequence[Tensor]
) -> Iterator[Candidate]:
    """Yield the layer of the same name for as many axes as the input has: Conv1d, Conv2d."""
    name = item.type.text
    if error.code != "NB201" or name[-2:-1] not in set("123") or not name.endswith("d"):
        return
    for rank in "123":
        other = f"{name[:-2]}{rank}d"
        if other != name and other in LAYERS:
            y = applied(layer, {}, inputs, LAYERS[other])
            if y is not None:
                yield Candidate(other, 0, (Edit(item.type.span, other),), y)


def applied(
    layer: Layer,
    changes: Mapping[str, Any],
    inputs: Sequence[Tensor],
    kind: type[Layer] | None = None,
) -> Tensor | None:
    """Return the first result of a layer with other fields, if it takes the inputs then."""
    given = {name: getattr(layer, name) for name in layer.model_fields_set}
    try:
        made = (kind or type(layer)).model_validate({**given, **changes})
        outputs = made.apply(*inputs)
    except (ValidationError, ShapeError):
        return None
    return next(iter(outputs.values()))
