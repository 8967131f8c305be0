"""The operators of ONNX with weights, and pooling: modules and functions of torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name
from torch import nn

from netbuild.diagnostics.exceptions import ImportedError
from netbuild.exchange.importer.onnx.functions import pad

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netbuild.exchange.importer.onnx.node import Step


def sides(step: Step, x: torch.Tensor, kernel: Sequence[int]) -> list[int]:
    """Return the padding: all beginnings, then all ends."""
    rank = len(kernel)
    strides, dilations = (step.get(n) or [1] * rank for n in ("strides", "dilations"))
    auto = step.get("auto_pad", "NOTSET")
    if auto == "NOTSET":
        return list(step.get("pads") or [0] * (2 * rank))
    if auto == "VALID":
        return [0] * (2 * rank)
    first, last = [], []
    for size, k, stride, d in zip(x.shape[2:], kernel, strides, dilations, strict=True):
        whole = max((math.ceil(size / stride) - 1) * stride + (k - 1) * d + 1 - size, 0)
        less, more = whole // 2, whole - whole // 2
        first.append(less if auto == "SAME_UPPER" else more)
        last.append(more if auto == "SAME_UPPER" else less)
    return [*first, *last]


def even(pads: Sequence[int]) -> list[int] | None:
    """Return the padding of each axis; None if its two sides differ."""
    half = len(pads) // 2
    return list(pads[:half]) if list(pads[:half]) == list(pads[half:]) else None


def fill(module: nn.Module, values: Mapping[str, torch.Tensor | None]) -> nn.Module:
    """Copy weights and statistics into a module."""
    state = module.state_dict()
    with torch.no_grad():
        for name, value in values.items():
            if value is not None:
                state[name].copy_(value.reshape(state[name].shape))
    return module


def conv(step: Step, x: torch.Tensor, weights: Mapping[int, torch.Tensor]) -> nn.Module:
    """Make a convolution. Uneven padding stands before it."""
    weight, bias = weights[1], weights.get(2)
    rank = weight.dim() - 2
    groups = step.get("group", 1)
    kinds: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
    made = kinds[rank](
        weight.shape[1] * groups,
        weight.shape[0],
        tuple(weight.shape[2:]),
        stride=tuple(step.get("strides") or [1] * rank),
        padding=tuple(even(sides(step, x, weight.shape[2:])) or [0] * rank),
        dilation=tuple(step.get("dilations") or [1] * rank),
        groups=groups,
        bias=bias is not None,
    )
    return fill(made, {"weight": weight, "bias": bias})


def before_conv(step: Step, x: torch.Tensor, kernel: Sequence[int]) -> torch.Tensor:
    """Pad what a convolution reads, if its two sides differ."""
    pads = sides(step, x, kernel)
    return x if even(pads) is not None else pad(x, pads, "constant")


def conv_transpose(step: Step, _: torch.Tensor, weights: Mapping[int, torch.Tensor]) -> nn.Module:
    """Make a transposed convolution."""
    weight, bias = weights[1], weights.get(2)
    rank = weight.dim() - 2
    pads = even(step.get("pads") or [0] * (2 * rank))
    if pads is None or step.get("auto_pad", "NOTSET") != "NOTSET" or step.get("output_shape"):
        raise ImportedError(f"{step.name} is a transposed convolution with uneven padding")
    kinds: dict[int, Any] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
    groups = step.get("group", 1)
    made = kinds[rank](
        weight.shape[0],
        weight.shape[1] * groups,
        tuple(weight.shape[2:]),
        stride=tuple(step.get("strides") or [1] * rank),
        padding=tuple(pads),
        output_padding=tuple(step.get("output_padding") or [0] * rank),
        groups=groups,
        bias=bias is not None,
        dilation=tuple(step.get("dilations") or [1] * rank),
    )
    return fill(made, {"weight": weight, "bias": bias})


def linear(step: Step, _: torch.Tensor, weights: Mapping[int, torch.Tensor]) -> nn.Module:
    """Make a linear layer of a `Gemm`, or of a `MatMul` with the addition behind it."""
    weight = weights[1] if step.get("transB", 0) else weights[1].T
    bias = weights.get(2)
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    weight = weight * step.get("alpha", 1.0)
    if bias is not None:
        bias = (bias * step.get("beta", 1.0)).expand(weight.shape[0])
    return fill(made, {"weight": weight, "bias": bias})


def batch_norm(step: Step, x: torch.Tensor, weights: Mapping[int, torch.Tensor]) -> nn.Module:
    """Make a batch norm with the statistics of the file. ONNX and torch count momentum apart."""
    if step.get("training_mode", 0):
        raise ImportedError(f"{step.name} is in training: export the network in evaluation")
    kinds = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    momentum = round(1 - step.get("momentum", 0.9), 6)
    made = kinds[x.dim()](len(weights[1]), eps=_short(step.get("epsilon", 1e-5)), momentum=momentum)
    names = ("weight", "bias", "running_mean", "running_var")
    return fill(made, dict(zip(names, (weights[n] for n in range(1, 5)), strict=True)))


def instance_norm(step: Step, x: torch.Tensor, weights: Mapping[int, torch.Tensor]) -> nn.Module:
    """Make an instance norm."""
    kinds = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d, 5: nn.InstanceNorm3d}
    eps = _short(step.get("epsilon", 1e-5))
    made = kinds[x.dim()](len(weights[1]), eps=eps, affine=True)
    return fill(made, {"weight": weights[1], "bias": weights[2]})


def layer_norm(step: Step, x: torch.Tensor, weights: Mapping[int, torch.Tensor]) -> nn.Module:
    """Make a layer norm over the last axes."""
    axis = step.get("axis", -1) % x.dim()
    bias = weights.get(2)
    eps = _short(step.get("epsilon", 1e-5))
    made = nn.LayerNorm(tuple(x.shape[axis:]), eps=eps, bias=bias is not None)
    return fill(made, {"weight": weights[1], "bias": bias})


def group_norm(step: Step, x: torch.Tensor, weights: Mapping[int, torch.Tensor]) -> nn.Module:
    """Make a group norm."""
    if weights[1].numel() != x.shape[1]:
        raise ImportedError(f"{step.name} has a weight for each group")
    eps = _short(step.get("epsilon", 1e-5))
    made = nn.GroupNorm(step.get("num_groups"), x.shape[1], eps=eps)
    return fill(made, {"weight": weights[1], "bias": weights[2]})


def prelu(_: Step, __: torch.Tensor, weights: Mapping[int, torch.Tensor]) -> nn.Module:
    """Make a PReLU."""
    return fill(nn.PReLU(weights[1].numel()), {"weight": weights[1]})


def embedding(_: Step, __: torch.Tensor, weights: Mapping[int, torch.Tensor]) -> nn.Module:
    """Make an embedding of a `Gather` from a table."""
    return fill(nn.Embedding(*weights[0].shape), {"weight": weights[0]})


def _short(value: float) -> float:
    """Return a number of 32 bits as it was written: 1e-5, not 9.99999974e-06."""
    return float(f"{value:.6g}")


def max_pool(step: Step, x: torch.Tensor) -> torch.Tensor:
    """Compute a max pooling."""
    kernel = step.get("kernel_shape")
    pads = sides(step, x, kernel)
    both = even(pads)
    if both is None or any(2 * p > k for p, k in zip(both, kernel, strict=True)):
        x, both = pad(x, pads, "constant", -math.inf), [0] * len(kernel)
    functions = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
    rank = len(kernel)
    y: torch.Tensor = functions[rank](
        x,
        kernel,
        step.get("strides") or [1] * rank,
        both,
        step.get("dilations") or [1] * rank,
        ceil_mode=bool(step.get("ceil_mode", 0)),
    )
    return y


def average_pool(step: Step, x: torch.Tensor) -> torch.Tensor:
    """Compute an average pooling."""
    kernel = step.get("kernel_shape")
    pads, counts = sides(step, x, kernel), bool(step.get("count_include_pad", 0))
    both = even(pads)
    if both is None:
        if not counts:
            raise ImportedError(f"{step.name} is an average over an uneven border that not counts")
        x, both = pad(x, pads, "constant"), [0] * len(kernel)
    functions: dict[int, Any] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
    strides = step.get("strides") or [1] * len(kernel)
    y: torch.Tensor = functions[len(kernel)](
        x, kernel, strides, both, bool(step.get("ceil_mode", 0)), counts
    )
    return y


def global_average(_: Step, x: torch.Tensor) -> torch.Tensor:
    """Compute the mean over all places."""
    return _over_places(x, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)


def global_max(_: Step, x: torch.Tensor) -> torch.Tensor:
    """Compute the largest value of all places."""
    return _over_places(x, F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)


def _over_places(x: torch.Tensor, *pools: Any) -> torch.Tensor:
    """Pool all places to one, by the function for the number of axes of a place."""
    y: torch.Tensor = pools[x.dim() - 3](x, 1)
    return y


def local_response(step: Step, x: torch.Tensor) -> torch.Tensor:
    """Compute a local response normalisation."""
    alpha, beta, bias = step.get("alpha", 1e-4), step.get("beta", 0.75), step.get("bias", 1.0)
    return F.local_response_norm(x, step.get("size"), _short(alpha), _short(beta), _short(bias))


#: What makes the layer of an operator whose weights stand in the file.
MAKERS: dict[str, Callable[..., nn.Module]] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Gemm": linear,
    "MatMul": linear,
    "BatchNormalization": batch_norm,
    "InstanceNormalization": instance_norm,
    "LayerNormalization": layer_norm,
    "GroupNormalization": group_norm,
    "PRelu": prelu,
    "Gather": embedding,
}
#: Pooling and what resembles it.
TABLE: dict[str, Callable[..., Any]] = {
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average,
    "GlobalMaxPool": global_max,
    "LRN": local_response,
}
