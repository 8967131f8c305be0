"""Stacks whose activations the backward pass computes again, in plain torch."""

from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recomputed(stack: nn.Module, *x: Tensor) -> Any:
    """Call a stack, and let the backward pass compute its activations again.

    The second time, running statistics do not move, and a spectral norm has the vectors that it
    had the first time. So results, gradients and buffers are those of a plain call.
    """
    first = _Vectors(stack)
    second = _Unmoved(stack, first)
    both = (first, second)
    return checkpoint(stack, *x, use_reentrant=False, context_fn=lambda: both)


#: The buffers that change in training: of norms, and of a spectral norm.
_MOVING = ("running_mean", "running_var", "num_batches_tracked", "_u", "_v")


class _Vectors(AbstractContextManager[None]):
    """Remembers the vectors with which the spectral norms of a stack have computed."""

    def __init__(self, stack: nn.Module) -> None:
        modules = stack.modules()
        self.norms = [m for m in modules if isinstance(getattr(m, "_u", None), Tensor)]
        self.vectors: list[dict[str, Tensor]] = []

    def __exit__(self, *_: object) -> None:
        names = ("_u", "_v")
        norms = self.norms
        self.vectors = [{n: getattr(m, n).clone() for n in names} for m in norms]


class _Unmoved(AbstractContextManager[None]):
    """Gives a stack copies of its buffers in the meantime."""

    def __init__(self, stack: nn.Module, first: _Vectors) -> None:
        self.stack, self.first = stack, first
        self.buffers: list[tuple[nn.Module, str, Tensor]] = []
        self.training: list[bool] = []

    def __enter__(self) -> None:
        self.training = [norm.training for norm in self.first.norms]
        self.buffers = [
            (module, name, buffer)
            for module in self.stack.modules()
            for name, buffer in module.named_buffers(recurse=False)
            if name in _MOVING
        ]
        for module, name, buffer in self.buffers:
            setattr(module, name, buffer.clone())
        for norm, vectors in zip(self.first.norms, self.first.vectors, strict=True):
            norm.training = False  # it does not iterate
            for name, vector in vectors.items():
                setattr(norm, name, vector)

    def __exit__(self, *_: object) -> None:
        for module, name, buffer in self.buffers:
            setattr(module, name, buffer)
        for norm, training in zip(self.first.norms, self.training, strict=True):
            norm.training = training
