"""torch's optimizers for the weights of a network and of its losses."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch

from netbuild.builder.arguments import differing
from netbuild.checks.optimizers import weights
from netbuild.config.optimizer import divided
from netbuild.config.parameter_groups import assigned
from netbuild.diagnostics.exceptions import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from netbuild.config.optimizer import Optimizing
    from netbuild.graph.graph import Graph
    from netbuild.training.parallel.distributed import World

#: Optimizers and devices for which torch has a fused kernel that steps all weights at once.
_FUSED, _FUSING = {"SGD", "Adam", "AdamW"}, {"cpu", "cuda"}


def optimizers(
    graph: Graph, network: nn.Module, losses: Sequence[nn.Module], world: World
) -> list[torch.optim.Optimizer]:
    """Make the optimizers for all parameters of the network and of its losses, in their groups.

    Raises:
        TrainingError: torch refuses a combination of fields on this device.
    """
    config = graph.config
    learning = {n: p for n, p in network.named_parameters() if p.requires_grad}
    for term, loss in zip(config.losses, losses, strict=True):
        learning |= {f"{term.name}.{n}": p for n, p in loss.named_parameters()}
    later = any(row.unfreezes for row in graph.rows)
    if len(config.optimizers) == 1:
        return [_made(config.optimizers[0], learning, network, losses, world, later=later)]
    parts, _ = divided(weights(config, graph.rows, graph.outputs), config.optimizers)
    return [
        _made(one, {w.name: learning[w.name] for w in own}, network, losses, world, later=later)
        for one, own in zip(config.optimizers, parts, strict=True)
    ]


def _made(
    one: Optimizing,
    learning: Mapping[str, nn.Parameter],
    network: nn.Module,
    losses: Sequence[nn.Module],
    world: World,
    *,
    later: bool,
) -> torch.optim.Optimizer:
    """Make an optimizer for some parameters, in its groups.

    If the config sets neither `foreach` nor `fused`, a fused optimizer is used if torch has one: a
    step then takes a quarter of the time. torch's fused SGD refuses weights that begin to learn
    `later`, because they have no momentum yet.
    """
    kind = type(one.optimizer).__name__
    *grouped, rest = assigned(learning, one.groups)
    groups: list[dict[str, Any]] = [{"params": [learning[n] for n in rest]}] if rest else []
    for group, names in zip(one.groups, grouped, strict=True):
        groups.append({"params": [learning[n] for n in names], **group.options})
    fields = one.optimizer.model_dump()
    if fields.get("foreach") is None and fields.get("fused", False) is None:
        sparse = any(getattr(layer, "sparse", False) for layer in network.modules())
        waits = later and kind == "SGD"
        fields["fused"] = (not sparse and not waits and _can_fuse(kind, world)) or None
    if world.sharded and "foreach" in fields and any(True for m in losses for _ in m.parameters()):
        # The weights of losses are whole, those of the network are in parts: torch refuses to step
        # both in one call.
        fields["foreach"] = False
    try:
        torchs = getattr(torch.optim, kind)
        options = differing(torchs, one.optimizer, fields)
        made: torch.optim.Optimizer = _untraced(torchs)(groups, **options)
    except (RuntimeError, ValueError) as error:
        message = f"torch refuses this {kind}: {error}"
        raise TrainingError(message) from error
    return made


def _can_fuse(kind: str, world: World) -> bool:
    """Whether torch has a fused step for weights on their device, without sparse gradients."""
    return kind in _FUSED and world.device.type in _FUSING and not world.sharded


def _untraced(kind: Any) -> Any:
    """Return an optimizer's class without the decorators that keep torch.compile from tracing it.

    They import the compiler, which takes 1.1 s in each process that trains. netbuild compiles
    networks and no optimizer. The decorator `no_grad` of the step is kept. `hooked` tells torch to
    leave out the hooks around each step, and its note for the profiler: nothing here uses them.
    """
    if not hasattr(kind.step, "__wrapped__"):
        return kind
    guarded = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in guarded}
    step: Any = torch.no_grad()(inspect.unwrap(kind.step))
    step.hooked = True
    return type(kind.__name__, (kind,), {**methods, "step": step, "__module__": kind.__module__})
