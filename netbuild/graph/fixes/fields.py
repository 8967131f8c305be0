"""Fixes in a layer: other values of its fields with which it fits its inputs.

The search solves no formula. It tries values of a field at growing distances from the old value.
It offers the first value with which the layer fits, together with the shape of the result. So the
rule that refused the old value has accepted the offered one.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from netbuild.components.component import bare_field
from netbuild.components.layers import LAYERS
from netbuild.components.layers.einsum import with_batch
from netbuild.components.layers.named import like
from netbuild.components.tensor import ShapeError, Tensor, product, times
from netbuild.diagnostics.diagnostic import Edit, Fix, Result
from netbuild.syntax import edits
from netbuild.syntax.insertion import put_before
from netbuild.syntax.removal import without_entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import Shape
    from netbuild.graph.misfit import Misfit
    from netbuild.syntax.item import Item
    from netbuild.syntax.node import Map

#: The largest distance from the old value, and the most changes of one kind that are tried.
REACH = 64
TRIED = 8

#: The order of the fields at equal distance.
_FIELDS = (
    *("padding", "kernel_size", "stride", "dilation", "groups", "num_groups", "num_heads"),
    *("start_dim", "end_dim", "dim", "unflattened_size", "shape", "upscale_factor", "mode"),
)
#: The usual sizes of windows, the likeliest first.
USUAL: dict[str, tuple[int, ...]] = {
    "kernel_size": (3, 2, 5, 1, 7, 4),
    "stride": (1, 2),
    "padding": (1, 0, 2, 3),
    "dilation": (1,),
}
#: Fields that must equal the size of an axis of the input, with the axis.
_DECIDED = {
    **dict.fromkeys(("in_channels", "num_features", "num_channels"), 0),
    **dict.fromkeys(("in_features", "input_size", "embed_dim", "d_model"), -1),
}
#: The linear modes of Upsample, with the number of axes of an input without the batch.
_LINEAR = {"linear": 2, "bilinear": 3, "trilinear": 4}
#: Fields that hold the sizes of a result.
_SHAPES = {"shape", "unflattened_size"}
#: Layers that do nothing if the result has the shape of the input.
_RESHAPING = {"Flatten", "Unflatten", "Reshape", "Squeeze", "PixelShuffle", "PixelUnshuffle"}
#: Fields that a fix does not change, because the author chose the widths of the network.
_WIDTHS = {"out_channels", "out_features", "num_embeddings", "embedding_dim", "hidden_size"}


class Candidate(NamedTuple):
    """A change with which a layer fits: its title, its distance, its edits, and the result."""

    title: str
    distance: float
    #: None if the text has no place for the change.
    edits: tuple[Edit, ...] | None
    result: Tensor
    #: Whether the layer only passes its input on after the change, which no author wants.
    idle: bool = False

    def fix(self, misfit: Misfit, *, guess: bool = False) -> Fix:
        """Return the candidate, which has edits, as a fix of a layer."""
        shape = self.result.shape
        result = Result(misfit.item.type.span, misfit.path, shape)
        title = f"{self.title} gives {times(shape)}"
        return Fix(title, self.edits or (), result=result, guess=guess)


def fixes(
    error: ShapeError, layer: Layer, item: Item, inputs: Sequence[Tensor], root: Map
) -> list[Candidate]:
    """Return the nearest changes of a layer, or before it, after which it fits its inputs.

    `root` holds the sections of the file.
    """
    if error.code == "NB211":
        changed = edits.set_fields(item, bare_field(type(layer)), {"inplace": False})
        return offered([Candidate("inplace: false", 0, changed, inputs[0])])
    if not inputs or applied(layer, {}, inputs) is not None:  # its fields are not the cause
        return []
    candidates = [*_in_front(error, layer, item, inputs, root)]
    candidates += _fields(error, layer, item, inputs)
    candidates += _other_rank(error, layer, item, inputs)
    candidates += _keys_and_values(layer, item, inputs)
    useful = [candidate for candidate in candidates if not candidate.idle]
    # `upstream.width` offers another number of channels if the channels do not divide.
    return offered(useful if useful or error.code == "NB203" else candidates)


def offered(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the nearest candidates.

    Two kinds of candidates are left out: a candidate that contains all edits of a nearer one, and a
    candidate without edits.
    """
    nearest: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda candidate: candidate.distance):
        changed = candidate.edits
        if changed and not any({*(other.edits or ())} <= {*changed} for other in nearest):
            nearest.append(candidate)
    return nearest[:TRIED]


def _fields(
    error: ShapeError, layer: Layer, item: Item, inputs: Sequence[Tensor]
) -> Iterator[Candidate]:
    """Yield for each field the nearest value with which the layer fits."""
    own_fields = type(layer).model_fields
    order = [*dict.fromkeys([error.at, *_FIELDS])]
    for place, field in enumerate(order):
        if field is None or field not in own_fields or field in _WIDTHS:
            continue
        fitting = _fitting(layer, item, field, inputs)
        nearest = next(fitting, None)
        if nearest is not None and nearest.idle:
            nearest = next((other for other in fitting if not other.idle), nearest)
        if nearest is not None:
            yield nearest._replace(distance=nearest.distance + place / 100)


def usual(error: ShapeError, layer: Layer, item: Item, inputs: Sequence[Tensor]) -> list[Candidate]:
    """Return the usual values of the field at fault: the layers behind it may need more places."""
    found, field = [], error.at or ""
    for place, value in enumerate(USUAL.get(field, ())):
        y = applied(layer, {field: value}, inputs)
        changed = edits.set_fields(item, bare_field(type(layer)), {field: value})
        if y is not None:
            found.append(Candidate(f"{field}: {value}", place, changed, y))
    return found


def left_out(
    error: ShapeError, layer: Layer, item: Item, inputs: Sequence[Tensor]
) -> list[Candidate]:
    """Return the layer without the field at fault, if the input decides the field.

    This repairs a field whose value is an expression too.
    """
    field = error.at or ""
    if field not in _DECIDED or type(layer).model_fields[field].is_required():
        return []
    kept = {name: getattr(layer, name) for name in layer.model_fields_set - {field}}
    try:
        y = next(iter(like(type(layer).model_validate(kept), layer).apply(*inputs).values()))
    except (ValidationError, ShapeError):
        return []
    edit = without_entry(item.arguments, field)
    return [Candidate(f"the layer without {field}", 0, edit and (edit,), y)]


def _fitting(layer: Layer, item: Item, field: str, inputs: Sequence[Tensor]) -> Iterator[Candidate]:
    """Yield the values of a field with which the layer fits, the nearest first."""
    old = getattr(layer, field)
    for distance, value in nearby(field, old, inputs[0]):
        y = applied(layer, {field: value}, inputs)
        if y is None or (field in _SHAPES and -1 in {*value} - {*old}):  # -1 would fit any input
            continue
        changed = edits.set_fields(item, bare_field(type(layer)), {field: value})
        title = f"{field}: {edits.as_yaml(value)}"
        alone = field == "kernel_size" and set(_sizes(value)) == {1}
        far = distance + REACH * alone  # a window of one position sees no neighbours
        yield Candidate(title, far, changed, y, is_idle(layer, {field: value}, inputs[0], y))


def is_idle(layer: Layer, changes: Mapping[str, Any], x: Tensor, y: Tensor) -> bool:
    """Whether a layer with changed fields and the result `y` only passes its input on."""
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
    """Return the sizes of the axes; a bare size is the size of each axis."""
    return value if isinstance(value, tuple) else (value,)


def nearby(field: str, value: Any, x: Tensor, reach: int = REACH) -> Iterator[tuple[float, Any]]:
    """Yield other values of a field with their distances, the nearest first."""
    yield from _from_input(field, value, x)
    first = -1 if field == "kernel_size" else 1  # a smaller window comes first
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


def _from_input(field: str, value: Any, x: Tensor) -> Iterator[tuple[float, Any]]:
    """Yield the values of a field that follow from the input."""
    if field in _DECIDED and x.shape:
        yield 1, x.shape[_DECIDED[field]]
    elif field == "mode" and value in _LINEAR:
        yield from ((1, mode) for mode, axes in _LINEAR.items() if axes == len(x.shape))
    elif field == "num_groups" and value == product(x.shape):
        yield 1, 1  # a group of two values keeps little more than a group of one
    elif field == "dims" and isinstance(value, tuple) and len(value) == len(x.shape):
        yield 1, (0, *(place + 1 for place in value))  # the old axes were counted without the batch
    elif field == "equation":
        yield from ((1, other) for other in with_batch(value))


def _filled(sizes: tuple[int, ...], count: int) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Yield sizes whose product is `count`: with one size changed, or with a square image."""
    for place in reversed(range(len(sizes))):
        rest = product((*sizes[:place], *sizes[place + 1 :]))
        if rest > 0 and count % rest == 0:
            yield 1, (*sizes[:place], count // rest, *sizes[place + 1 :])
    first, *others = sizes
    side = isqrt(count // first) if first > 0 else 0
    if len(others) == 2 and first * side**2 == count:
        yield 2, (first, side, side)


def _in_front(
    error: ShapeError, layer: Layer, item: Item, inputs: Sequence[Tensor], root: Map
) -> Iterator[Candidate]:
    """Yield layers that change the shape of the input before a layer.

    Flatten helps a layer that needs one axis, or as many features as there are values. Transpose
    helps a layer that reads a sequence, if the features of the sequence come first.
    """
    x = inputs[0]
    if len(inputs) != 1 or len(x.shape) < 2 or error.code not in {"NB201", "NB202", "NB203"}:
        return
    shapes: dict[str, Shape] = {}
    if error.code != "NB203":
        shapes["Flatten"] = (product(x.shape),)
    if len(x.shape) == 2:
        shapes["Transpose: {dim0: 1, dim1: 2}"] = (x.shape[1], x.shape[0])
    for text, shape in shapes.items():
        y = applied(layer, {}, [x._replace(shape=shape)])
        kind = text.partition(":")[0]
        if y is not None:
            inserted = put_before(root, item, text)
            yield Candidate(f"{kind} before this layer", 0, inserted, y)


def converted(layer: Layer, item: Item, inputs: Sequence[Tensor], root: Map) -> list[Candidate]:
    """Return the fix that converts whole numbers or booleans before a layer."""
    if len(inputs) != 1 or inputs[0].floating:
        return []
    for dtype in ("float32", "int64"):
        y = applied(layer, {}, [inputs[0]._replace(dtype=dtype)])
        if y is not None:
            title = f"To: {dtype} before this layer"
            return [Candidate(title, 0, put_before(root, item, f"To: {dtype}"), y)]
    return []


def _keys_and_values(layer: Layer, item: Item, inputs: Sequence[Tensor]) -> Iterator[Candidate]:
    """Yield the widths of keys and values for an attention, which have to change together."""
    if len(inputs) != 3 or not hasattr(layer, "kdim") or not all(x.shape for x in inputs):
        return
    changes = {"kdim": inputs[1].shape[-1], "vdim": inputs[2].shape[-1]}
    y = applied(layer, changes, inputs)
    if y is not None:
        changed = edits.set_fields(item, None, changes)
        title = " and ".join(f"{field}: {n}" for field, n in changes.items())
        yield Candidate(title, 1, changed, y)


def _other_rank(
    error: ShapeError, layer: Layer, item: Item, inputs: Sequence[Tensor]
) -> Iterator[Candidate]:
    """Yield the same layer for the number of axes of the input, such as Conv1d for Conv2d."""
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
    """Return the first result of a layer with changed fields; None if it does not fit."""
    fields = {name: getattr(layer, name) for name in layer.model_fields_set}
    try:
        changed = like((kind or type(layer)).model_validate({**fields, **changes}), layer)
        outputs = changed.apply(*inputs)
    except (ValidationError, ShapeError):
        return None
    return next(iter(outputs.values()))
