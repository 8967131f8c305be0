"""The first layer whose output is not finite, for the message about a loss that is not finite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn


def tensors(value: Any) -> list[Tensor]:
    """Return the tensors in the inputs or outputs of a module."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, (tuple, list)):
        return [tensor for part in value for tensor in tensors(part)]
    return []


def _is_layer(name: str, module: nn.Module) -> bool:
    """Whether a module holds no other ones, but for what computes its parameters."""
    inside = {child for child, _ in module.named_children()}
    return inside <= {"parametrizations"} and "parametrizations" not in name.split(".")


def _finite(value: Any) -> bool:
    return all(bool(t.isfinite().all()) for t in tensors(value) if t.is_floating_point())


@torch.no_grad()
def culprit(module: nn.Module, inputs: tuple[Tensor, ...]) -> str:
    """Return a phrase that names the first layer whose output is not finite; "" if there is none.

    The network is run again, with other random numbers. Its running statistics do not change. If
    processes hold parts of the network, all of them have to call this function.
    """
    found: list[str] = []

    def look(name: str) -> Any:
        def hook(layer: nn.Module, _: Any, y: Any) -> None:
            if not found and not _finite(y):
                weights = [n for n, p in layer.named_parameters(recurse=False) if not _finite(p)]
                of = f", whose {weights[0]} is not finite" if weights else ""
                found.append(f"the first output that is not finite comes from {name}{of}")

        return hook

    leaves = [(name, m) for name, m in module.named_modules() if name and _is_layer(name, m)]
    # The first hook sees the weights before a sharded network gives them back.
    hooks = [layer.register_forward_hook(look(name), prepend=True) for name, layer in leaves]
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    try:
        with torch.random.fork_rng():
            y = module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
        for name, buffer in module.named_buffers():
            buffer.copy_(before[name])
    if not _finite(inputs):
        return "the data holds values that are not finite"
    if found:
        return found[0]
    return (
        ""
        if _finite(y)
        else "an operation between the layers gives the first value that is not finite"
    )
