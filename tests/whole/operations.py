"""Operations of tensors that are no modules: `docs/language.md`, and the pages of the catalogue.

Every function takes torch's tensors with the batch in front, and its fields by name.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import torch

from tests.whole.functions import FUNCTIONS
from tests.whole.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Tensors = Sequence[torch.Tensor]


def axis(dim: Any, rank: int) -> int:
    """Return an axis counted from the front, which is not the batch."""
    if isinstance(dim, bool) or not isinstance(dim, int) or not -rank <= dim < rank:
        raise Refusal(f"no axis {dim!r}")
    if dim % rank == 0:
        raise Refusal("the batch axis")
    return dim % rank


def axes(dims: Any, rank: int) -> list[int]:
    """Return one axis or several."""
    listed = dims if isinstance(dims, list) else [dims]
    if not listed:
        raise Refusal("no axis at all")
    return [axis(dim, rank) for dim in listed]


def _same_rank(x: Tensors) -> None:
    if len({t.dim() for t in x}) > 1:
        raise Refusal("inputs of different ranks")


def _reshape(x: torch.Tensor, shape: list[int]) -> torch.Tensor:
    return x.reshape(x.shape[0], *shape)


def _permute(x: torch.Tensor, dims: list[int]) -> torch.Tensor:
    if not dims or dims[0] % x.dim():
        raise Refusal("the batch axis moves")
    return torch.permute(x, dims)


def _transpose(x: torch.Tensor, dim0: int, dim1: int) -> torch.Tensor:
    return torch.transpose(x, axis(dim0, x.dim()), axis(dim1, x.dim()))


def _squeeze(x: torch.Tensor, dim: Any) -> torch.Tensor:
    return torch.squeeze(x, tuple(axes(dim, x.dim())))


def _unsqueeze(x: torch.Tensor, dim: int) -> torch.Tensor:
    return torch.unsqueeze(x, axis(dim, x.dim() + 1))


def _expand(x: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    if len(sizes) != x.dim() - 1:
        raise Refusal("sizes of another rank")
    return x.expand(x.shape[0], *sizes)


def _roll(x: torch.Tensor, shifts: Any, dims: Any) -> torch.Tensor:
    return torch.roll(x, shifts, tuple(axes(dims, x.dim())))


def _select(x: torch.Tensor, dim: int, index: int) -> torch.Tensor:
    return torch.select(x, axis(dim, x.dim()), index)


def _narrow(x: torch.Tensor, dim: int, start: int, length: int) -> torch.Tensor:
    if length < 1:
        raise Refusal("no length")
    return torch.narrow(x, axis(dim, x.dim()), start, length)


def _chunk(x: torch.Tensor, chunks: int, dim: int = 1) -> tuple[torch.Tensor, ...]:
    parts = torch.chunk(x, chunks, axis(dim, x.dim()))
    if len(parts) != chunks:
        raise Refusal(f"{len(parts)} parts instead of {chunks}")
    return parts


def _reduced(
    function: Callable[..., torch.Tensor],
) -> Callable[..., torch.Tensor]:
    def run(x: torch.Tensor, dim: Any, keepdim: bool = False) -> torch.Tensor:  # noqa: FBT001, FBT002
        return function(x, axes(dim, x.dim()), keepdim=keepdim)

    return run


def _add(*x: torch.Tensor, alpha: float = 1) -> torch.Tensor:
    if alpha == 1:
        return reduce(torch.add, x)
    return reduce(lambda left, right: torch.add(left, right, alpha=alpha), x)


def _subtract(x: torch.Tensor, other: torch.Tensor, alpha: float = 1) -> torch.Tensor:
    return torch.sub(x, other) if alpha == 1 else torch.sub(x, other, alpha=alpha)


def _multiply(*x: torch.Tensor) -> torch.Tensor:
    return reduce(torch.mul, x)


def _maximum(*x: torch.Tensor) -> torch.Tensor:
    return reduce(torch.maximum, x)


def _divide(x: torch.Tensor, other: torch.Tensor, rounding_mode: str | None = None) -> torch.Tensor:
    return torch.div(x, other, rounding_mode=rounding_mode)


def _concat(*x: torch.Tensor, dim: int = 1) -> torch.Tensor:
    _same_rank(x)
    return torch.cat(x, axis(dim, x[0].dim()))


def _stack(*x: torch.Tensor, dim: int = 1) -> torch.Tensor:
    _same_rank(x)
    return torch.stack(x, axis(dim, x[0].dim() + 1))


def _matmul(x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    _same_rank([x, other])
    if x.dim() < 3:
        raise Refusal("no matrices")
    return torch.matmul(x, other)


#: The functions, with their fields in order.
OPERATIONS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "Reshape": (_reshape, ("shape",)),
    "Permute": (_permute, ("dims",)),
    "Transpose": (_transpose, ("dim0", "dim1")),
    "Squeeze": (_squeeze, ("dim",)),
    "Unsqueeze": (_unsqueeze, ("dim",)),
    "Expand": (_expand, ("sizes",)),
    "Roll": (_roll, ("shifts", "dims")),
    "Select": (_select, ("dim", "index")),
    "Narrow": (_narrow, ("dim", "start", "length")),
    "Chunk": (_chunk, ("chunks", "dim")),
    "Mean": (_reduced(torch.mean), ("dim", "keepdim")),
    "Sum": (_reduced(torch.sum), ("dim", "keepdim")),
    "Amax": (_reduced(torch.amax), ("dim", "keepdim")),
    "Add": (_add, ("alpha",)),
    "Subtract": (_subtract, ("alpha",)),
    "Multiply": (_multiply, ()),
    "Divide": (_divide, ("rounding_mode",)),
    "Maximum": (_maximum, ()),
    "Concat": (_concat, ("dim",)),
    "Stack": (_stack, ("dim",)),
    "MatMul": (_matmul, ()),
    **FUNCTIONS,
}
#: Those that read what all samples share with fewer axes.
ALIGNING = ("Add", "Subtract", "Multiply", "Divide", "Maximum", "MatMul", "Formula")
