"""A network of which each process holds a part: torch's FSDP2, unit by unit.

The weights of a unit are whole only while the unit computes. So a process never holds the whole
network: not while it is built, filled, trained or saved.
https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import distributed as dist
from torch import fx, nn
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.utils.parametrize import is_parametrized

from netbuild.builder import first_values
from netbuild.builder import module as builder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from torch import Tensor

    from netbuild.graph.graph import Graph

#: The most bytes of its own layers that the unit of a stack holds. Larger layers are units. A small
#: unit costs time: its processes exchange its weights twice in a step, and its gradients once.
MOST_OF_A_STACK = 2**22
#: Layers that autocast computes with 16 bits, with all their weights. These can be exchanged so.
#: https://docs.pytorch.org/docs/stable/amp.html#autocast-op-reference
_HALVES = (
    nn.Linear,
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)


def divided(graph: Graph, device: torch.device, precision: torch.dtype | None) -> nn.Module:
    """Build a network with the first values of one process, divided among all processes.

    With a `precision`, processes exchange the weights of a layer with 16 bits if autocast computes
    the layer so. The optimizer's weights and the sums of gradients have 32 bits.
    """
    with torch.device("meta"):
        module = builder.module(graph)
    mesh = dist.device_mesh.init_device_mesh(device.type, (dist.get_world_size(),))
    # Autocast chooses the precision of each operation, as in one process: inputs stay as they are.
    half = MixedPrecisionPolicy(precision, torch.float32, cast_forward_inputs=False)
    plain = MixedPrecisionPolicy(cast_forward_inputs=False)
    for unit in units(module, joined(module, graph.ties)):
        halves = precision is not None and isinstance(unit, _HALVES) and not is_parametrized(unit)
        fully_shard(unit, mesh=mesh, mp_policy=half if halves else plain)
    module.to_empty(device=device)
    builder.tie(module, graph)  # each of its modules has got memory of its own
    fill(module, first_values.values(graph))
    return module


def units(stack: nn.Module, without: Collection[nn.Module] = ()) -> list[nn.Module]:
    """Return the modules that are units, inner ones first. The last one is the network.

    Each stack is a unit: a block, a repetition, a list of layers. Each of its large layers is a
    unit too, so that the weights of a long stack are not whole together. What is in `without` is
    no unit.
    """
    return [*(unit for unit in _within(stack) if unit not in without), stack]


def joined(module: nn.Module, ties: Mapping[str, str]) -> set[nn.Module]:
    """Return the modules that are no units, so that both modules of a tied parameter share one.

    They share the unit of the innermost stack around both: nothing inside it that holds one of
    them may be a unit.
    """
    found = set()
    for pair in ties.items():
        above = [set(_above(name)) for name in pair]
        found |= {module.get_submodule(path) for path in above[0] ^ above[1]}
    return found


def _above(name: str) -> Iterator[str]:
    """Yield the path of each module around a parameter, the network itself left out."""
    return (name[:end] for end, character in enumerate(name) if character == ".")


def _within(stack: nn.Module) -> list[nn.Module]:
    found, layers = [], []
    for child in stack.children():
        if next(child.parameters(), None) is None:
            continue
        if isinstance(child, (nn.Sequential, fx.GraphModule)):
            found += [*_within(child), child]
        else:
            layers.append(child)
    layers.sort(key=_bytes)
    kept = 0
    while layers and kept + _bytes(layers[0]) <= MOST_OF_A_STACK:
        kept += _bytes(layers.pop(0))
    return [*found, *layers]


def _bytes(module: nn.Module) -> int:
    return sum(p.numel() * p.element_size() for p in module.parameters())


@torch.no_grad()
def fill(module: nn.Module, values: Iterable[tuple[str, Tensor]]) -> None:
    """Copy this process's part of whole tensors into a module, one after the other.

    Raises:
        KeyError: the module has no such tensor.
    """
    own = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    for name, value in values:
        tensor = own[name]
        if isinstance(tensor, DTensor):
            # Without a source, each process takes its part of its own value.
            mesh, places = tensor.device_mesh, tensor.placements
            value = distribute_tensor(value, mesh, places, src_data_rank=None)  # noqa: PLW2901
        tensor.copy_(value)


@torch.no_grad()
def whole(tensors: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield each tensor as a whole, on the CPU. All processes have to ask for all tensors."""
    for tensor in tensors:
        yield (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).cpu()


def clip_norm(parameters: Iterable[nn.Parameter], norm: float) -> None:
    """Clip the norm of all gradients together. torch refuses to mix parts and whole tensors.

    The network is in parts. The weights of a loss are whole in every process.
    """
    kinds: dict[bool, list[nn.Parameter]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            kinds.setdefault(isinstance(parameter, DTensor), []).append(parameter)
    norms = [nn.utils.get_total_norm([p.grad for p in kind]) for kind in kinds.values()]  # type: ignore[misc]
    norms = [n.full_tensor() if isinstance(n, DTensor) else n for n in norms]
    total = torch.linalg.vector_norm(torch.stack(norms))
    for kind in kinds.values():
        nn.utils.clip_grads_with_norm_(kind, norm, total)
