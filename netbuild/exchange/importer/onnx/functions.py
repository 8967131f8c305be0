"""The operators of ONNX without weights, as functions of torch."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name

from netbuild.diagnostics.exceptions import ImportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netbuild.exchange.importer.onnx.node import Step

#: The types of ONNX by their numbers, as far as a config has them.
_TYPES = {1: "float32", 6: "int32", 7: "int64", 9: "bool", 11: "float64", 10: "float16"}
_SPATIAL = "is for pictures without sizes of their own"


def ints(value: torch.Tensor | None) -> list[int]:
    """Return the whole numbers of a constant."""
    return [] if value is None else [int(one) for one in value.flatten().tolist()]


def number(value: torch.Tensor | None) -> float | None:
    """Return the number of a constant; None without one."""
    return None if value is None else float(value)


def _axes(step: Step, given: torch.Tensor | None, default: Sequence[int] = ()) -> list[int]:
    """Return axes, from an attribute or, in later opsets, from an input."""
    return list(step.get("axes") or ints(given) or default)


def _clip(step: Step, x: torch.Tensor, low: Any = None, high: Any = None) -> torch.Tensor:
    least = number(low) if low is not None else step.get("min")
    most = number(high) if high is not None else step.get("max")
    if (least, most) == (0.0, 6.0):
        return F.relu6(x)
    return x.clamp(least, most)


def _softmax(function: Callable[..., Any], step: Step, x: torch.Tensor) -> Any:
    axis = step.get("axis", -1 if step.opset >= 13 else 1)
    axis += x.dim() if axis < 0 else 0
    if step.opset < 13 and math.prod(x.shape[axis + 1 :]) > 1:
        raise ImportedError(f"{step.name} is a softmax over several axes")
    return function(x, axis)


def _hard_sigmoid(step: Step, x: torch.Tensor) -> torch.Tensor:
    alpha, beta = step.get("alpha", 0.2), step.get("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return F.hardsigmoid(x)
    y: torch.Tensor = (x * alpha + beta).clamp(0.0, 1.0)
    return y


def _flatten(step: Step, x: torch.Tensor) -> torch.Tensor:
    axis = step.get("axis", 1)
    if axis % x.dim() != 1:
        raise ImportedError(f"{step.name} flattens from axis {axis}, with the batch in it")
    return x.flatten(1)


def _reshape(step: Step, x: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    sizes = ints(shape)
    if not step.get("allowzero", 0):
        sizes = [x.shape[at] if size == 0 else size for at, size in enumerate(sizes)]
    sizes = step.with_batch(sizes, x)
    if sizes[:1] == [x.shape[0]] and len(sizes) == 2:
        return x.flatten(1)
    return x.reshape(sizes)


def _transpose(step: Step, x: torch.Tensor) -> torch.Tensor:
    return x.permute(step.get("perm") or [*reversed(range(x.dim()))])


def _squeeze(step: Step, x: torch.Tensor, axes: torch.Tensor | None = None) -> torch.Tensor:
    found = _axes(step, axes) or [n for n, size in enumerate(x.shape) if size == 1 and n]
    for axis in sorted((a % x.dim() for a in found), reverse=True):
        x = x.squeeze(axis)
    return x


def _unsqueeze(step: Step, x: torch.Tensor, axes: torch.Tensor | None = None) -> torch.Tensor:
    found = _axes(step, axes)
    rank = x.dim() + len(found)
    for axis in sorted(a % rank for a in found):
        x = x.unsqueeze(axis)
    return x


def _split(step: Step, x: torch.Tensor, sizes: torch.Tensor | None = None) -> Any:
    axis = step.get("axis", 0)
    parts = step.get("split") or ints(sizes)
    if not parts:
        count = step.get("num_outputs") or len(step.outputs)
        return x.chunk(count, axis)
    return torch.split(x, parts, axis)


def _slice(step: Step, x: torch.Tensor, *given: torch.Tensor | None) -> torch.Tensor:
    starts = ints(given[0]) if given else list(step.get("starts"))
    ends = ints(given[1]) if given else list(step.get("ends"))
    axes = ints(given[2]) if len(given) > 2 else list(step.get("axes") or range(len(starts)))
    steps = ints(given[3]) if len(given) > 3 else [1] * len(starts)
    for start, end, axis, by in zip(starts, ends, axes, steps, strict=True):
        if by < 1:
            raise ImportedError(f"{step.name} goes backwards")
        size = x.shape[axis]
        where: list[Any] = [slice(None)] * x.dim()
        first, last = (min(max(n + size if n < 0 else n, 0), size) for n in (start, end))
        if (first, last, by) == (0, size, 1):
            continue
        where[axis] = slice(first, last, by) if by > 1 else slice(first, last)
        x = x[tuple(where)]
    return x


def _gather(step: Step, x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    axis = step.get("axis", 0)
    if at.dim() == 0:
        return x.select(axis, int(at))
    if at.dim() == 1:
        return x.index_select(axis, at)
    raise ImportedError(f"{step.name} takes places of {at.dim()} axes")


def pad(x: torch.Tensor, pads: Sequence[int], mode: str, value: float = 0.0) -> torch.Tensor:
    """Pad the spatial axes; ONNX has all beginnings, then all ends."""
    half = len(pads) // 2
    sides = [side for at in reversed(range(half)) for side in (pads[at], pads[half + at])]
    while len(sides) >= 2 and sides[-2:] == [0, 0]:
        sides = sides[:-2]
    if not sides:
        return x
    if mode == "constant":
        return F.pad(x, sides, value=value)
    names = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    return F.pad(x, sides, mode=names[mode])


def _pad(
    step: Step, x: torch.Tensor, pads: Any = None, value: Any = None, axes: Any = None
) -> torch.Tensor:
    given = list(step.get("pads") or step.get("paddings") or ints(pads))
    if axes is not None:
        whole = [0] * (2 * x.dim())
        for at, axis in enumerate(ints(axes)):
            whole[axis % x.dim()] = given[at]
            whole[x.dim() + axis % x.dim()] = given[len(given) // 2 + at]
        given = whole
    fill = number(value) if value is not None else step.get("value", 0.0)
    return pad(x, given, step.get("mode", "constant"), fill or 0.0)


def _resize(step: Step, x: torch.Tensor, *given: torch.Tensor | None) -> torch.Tensor:
    """Resize the spatial axes, to the sizes that the file's own samples get."""
    mode = step.get("mode", "nearest")
    sizes = ints(given[2])[2:] if len(given) > 2 and given[2] is not None else []
    scales = given[1] if len(given) > 1 else given[0] if given else None
    factors = [float(one) for one in (scales.tolist() if scales is not None else [])]
    factors = (factors or list(step.get("scales") or []))[2:]
    how = step.get("coordinate_transformation_mode", "half_pixel")
    if step.type == "Upsample":
        how = "asymmetric"
    by: dict[str, Any] = {"size": sizes} if sizes else {"scale_factor": factors}
    if mode == "nearest":
        return F.interpolate(x, **by, mode="nearest")
    names = {1: "linear", 2: "bilinear", 3: "trilinear"}
    name = names[x.dim() - 2] if mode == "linear" else "bicubic"
    aligned = how == "align_corners"
    return F.interpolate(x, **by, mode=name, align_corners=aligned)


def _reduced(
    function: Callable[..., Any], step: Step, x: torch.Tensor, axes: Any = None
) -> torch.Tensor:
    found = _axes(step, axes)
    if not found:
        if step.get("noop_with_empty_axes", 0):
            return x
        found = [*range(x.dim())]
    y: torch.Tensor = function(
        x, [a % x.dim() for a in found], keepdim=bool(step.get("keepdims", 1))
    )
    return y


def _norm(step: Step, x: torch.Tensor, axes: Any = None) -> torch.Tensor:
    return _reduced(lambda v, dim, keepdim: v.norm(2, dim, keepdim=keepdim), step, x, axes)


def _arg(function: Callable[..., Any], step: Step, x: torch.Tensor) -> Any:
    return function(x, dim=step.get("axis", 0), keepdim=bool(step.get("keepdims", 1)))


def _cast(step: Step, x: torch.Tensor) -> torch.Tensor:
    name = _TYPES.get(step.get("to"))
    if name is None:
        raise ImportedError(f"{step.name} makes numbers of a type that a config does not have")
    kind: torch.dtype = getattr(torch, name)
    return x if x.dtype == kind else x.to(kind)


def _expand(_: Step, x: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    sizes = ints(shape)
    rank = max(len(sizes), x.dim())
    sizes = [1] * (rank - len(sizes)) + sizes
    own = [1] * (rank - x.dim()) + list(x.shape)
    wanted = [max(a, b) for a, b in zip(sizes, own, strict=True)]
    return x if wanted == list(x.shape) else x.expand(wanted)


def _shape(step: Step, x: torch.Tensor) -> torch.Tensor:
    sizes = list(x.shape)[step.get("start", 0) : step.get("end", None)]
    return torch.tensor(sizes, dtype=torch.int64)


def _depth_to_space(step: Step, x: torch.Tensor) -> torch.Tensor:
    by = step.get("blocksize")
    if step.get("mode", "DCR") != "CRD":
        count, depth, height, width = x.shape
        part = depth // by**2
        x = x.reshape(count, by, by, part, height, width).permute(0, 3, 1, 2, 4, 5)
        x = x.reshape(count, depth, height, width)
    return F.pixel_shuffle(x, by)


def _top(step: Step, x: torch.Tensor, count: torch.Tensor) -> Any:
    largest = bool(step.get("largest", 1))
    return tuple(x.topk(ints(count)[0], step.get("axis", -1), largest))


def _mod(_: Step, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.remainder(x, y)


def _div(_: Step, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    if not x.is_floating_point() and not y.is_floating_point():
        return torch.div(x, y, rounding_mode="trunc")
    return x / y


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda _, *x: function(*x)


def _folded(function: Callable[..., Any]) -> Callable[..., Any]:
    def all_together(_: Step, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        for other in others:
            x = function(x, other)
        return x

    return all_together


#: What computes each operator. A function takes the step and the inputs.
TABLE: dict[str, Callable[..., Any]] = {
    "Add": _plain(lambda x, y: x + y),
    "Sub": _plain(lambda x, y: x - y),
    "Mul": _plain(lambda x, y: x * y),
    "Div": _div,
    "Mod": _mod,
    "Pow": _plain(lambda x, y: x ** (float(y) if y.dim() == 0 else y)),
    "MatMul": _plain(torch.matmul),
    "Max": _folded(torch.maximum),
    "Min": _folded(torch.minimum),
    "Sum": _folded(lambda x, y: x + y),
    "Relu": _plain(F.relu),
    "Sigmoid": _plain(torch.sigmoid),
    "Tanh": _plain(torch.tanh),
    "Exp": _plain(torch.exp),
    "Log": _plain(torch.log),
    "Sqrt": _plain(torch.sqrt),
    "Neg": _plain(lambda x: -x),
    "Abs": _plain(torch.abs),
    "Sin": _plain(torch.sin),
    "Cos": _plain(torch.cos),
    "Erf": _plain(torch.erf),
    "Floor": _plain(torch.floor),
    "Reciprocal": _plain(lambda x: 1 / x),
    "Softplus": _plain(F.softplus),
    "Softsign": _plain(F.softsign),
    "HardSwish": _plain(F.hardswish),
    "Mish": _plain(F.mish),
    "Identity": _plain(lambda x: x),
    "Dropout": _plain(lambda x, *_: x),
    "Selu": _plain(F.selu),
    "LeakyRelu": lambda step, x: F.leaky_relu(x, step.get("alpha", 0.01)),
    "Elu": lambda step, x: F.elu(x, step.get("alpha", 1.0)),
    "Celu": lambda step, x: F.celu(x, step.get("alpha", 1.0)),
    "Gelu": lambda step, x: F.gelu(x, approximate=step.get("approximate", "none")),
    "HardSigmoid": _hard_sigmoid,
    "Clip": _clip,
    "Softmax": partial(_softmax, torch.softmax),
    "LogSoftmax": partial(_softmax, torch.log_softmax),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": lambda step, *x: torch.cat(x, step.get("axis")),
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Pad": _pad,
    "Resize": _resize,
    "Upsample": _resize,
    "ReduceMean": partial(_reduced, torch.mean),
    "ReduceSum": partial(_reduced, torch.sum),
    "ReduceMax": partial(_reduced, torch.amax),
    "ReduceMin": partial(_reduced, torch.amin),
    "ReduceL2": _norm,
    "ArgMax": partial(_arg, torch.argmax),
    "ArgMin": partial(_arg, torch.argmin),
    "TopK": _top,
    "Einsum": lambda step, *x: torch.einsum(step.get("equation"), *x),
    "Cast": _cast,
    "Expand": _expand,
    "Shape": _shape,
    "DepthToSpace": _depth_to_space,
    "Where": _plain(torch.where),
    "Equal": _plain(torch.eq),
    "Greater": _plain(torch.gt),
    "Less": _plain(torch.lt),
    "Not": _plain(torch.logical_not),
}
