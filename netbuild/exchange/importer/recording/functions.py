"""What the recording has to know of torch's functions; `torch_calls` says what becomes of them."""

from __future__ import annotations

from typing import Any

import torch

_SHAPED_LIKE = (
    *("zeros_like", "ones_like", "full_like", "empty_like"),
    *("new_zeros", "new_ones", "new_full", "new_empty", "new_tensor"),
)
#: Their results depend on the shapes of the inputs only.
_SILENT = {
    getattr(space, name)
    for name in _SHAPED_LIKE
    for space in (torch, torch.Tensor)
    if hasattr(space, name)
}
_DRAWING = {
    *(torch.randn, torch.rand, torch.randn_like, torch.rand_like, torch.bernoulli),
    *(torch.randint, torch.normal, torch.Tensor.normal_, torch.Tensor.uniform_),
    torch.Tensor.bernoulli_,
}
#: Functions that give Python a value, by which it may decide what comes next.
_READING = {
    getattr(torch.Tensor, name)
    for name in (
        *("item", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__"),
        *("__contains__", "__array__", "__complex__"),
    )
} | {torch.equal, torch.allclose, torch.is_nonzero}


def is_silent(function: Any) -> bool:
    """Whether a result does not depend on the values of the inputs."""
    return function in _SILENT


def draws(function: Any) -> bool:
    """Whether a function draws random numbers."""
    return function in _DRAWING


def reads_values(function: Any) -> bool:
    """Whether Python learns a value of a tensor."""
    return function in _READING


def overwrites(function: Any) -> bool:
    """Whether a function changes its first input."""
    name = getattr(function, "__name__", "")
    in_place = name.endswith("_") and not name.endswith("__")
    return in_place or name == "__setitem__" or (name.startswith("__i") and name in _IN_PLACE)


_IN_PLACE = {f"__i{name}__" for name in ("add", "sub", "mul", "truediv", "floordiv", "pow", "and")}


def name_of(function: Any) -> str:
    """Return the plain name: `add` for `torch.add`, `Tensor.add_` and `Tensor.__iadd__`."""
    name = getattr(function, "__name__", "")
    if name == "__get__":
        return str(function.__self__.__name__)
    if name in _IN_PLACE:
        return name[3:-2]
    if name.startswith("__") and name.endswith("__"):
        return name[2:-2]
    return name.removesuffix("_")
