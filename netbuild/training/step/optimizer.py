"""torch's optimizer for all weights of a network and of its losses."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch

from netbuild.builder.arguments import differing
from netbuild.config.losses import loss_names
from netbuild.config.parameter_groups import assigned
from netbuild.diagnostics.exceptions import TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from netbuild.config.config import Config
    from netbuild.training.parallel.distributed import World

#: Optimizers and devices for which torch has a fused kernel that steps all weights at once.
_FUSED, _FUSING = {"SGD", "Adam", "AdamW"}, {"cpu", "cuda"}


def optimizer(
    config: Config, network: nn.Module, losses: Sequence[nn.Module], world: World
) -> torch.optim.Optimizer:
    """Make the optimizer for all parameters of the network and of its losses, in their groups.

    If the config sets neither `foreach` nor `fused`, a fused optimizer is used if torch has one: a
    step then takes a quarter of the time.

    Raises:
        TrainingError: torch refuses a combination of fields on this device.
    """
    assert config.optimizer is not None
    kind = type(config.optimizer).__name__
    learning = {n: p for n, p in network.named_parameters() if p.requires_grad}
    for called, loss in zip(loss_names(config.losses), losses, strict=True):
        learning |= {f"{called}.{n}": p for n, p in loss.named_parameters()}
    *grouped, rest = assigned(learning, config.groups)
    groups: list[dict[str, Any]] = [{"params": [learning[n] for n in rest]}] if rest else []
    for group, names in zip(config.groups, grouped, strict=True):
        groups.append({"params": [learning[n] for n in names], **group.options})
    fields = config.optimizer.model_dump()
    if fields.get("foreach") is None and fields.get("fused", False) is None:
        fields["fused"] = _can_fuse(kind, network, world) or None
    if world.sharded and "foreach" in fields and any(True for m in losses for _ in m.parameters()):
        # The weights of losses are whole, those of the network are in parts: torch refuses to step
        # both in one call.
        fields["foreach"] = False
    try:
        torchs = getattr(torch.optim, kind)
        options = differing(torchs, config.optimizer, fields)
        made: torch.optim.Optimizer = _untraced(torchs)(groups, **options)
    except (RuntimeError, ValueError) as error:
        message = f"torch refuses this {kind}: {error}"
        raise TrainingError(message) from error
    return made


def _can_fuse(kind: str, network: nn.Module, world: World) -> bool:
    """Whether torch has a fused step for these weights on their device."""
    sparse = any(getattr(layer, "sparse", False) for layer in network.modules())
    return kind in _FUSED and world.device.type in _FUSING and not (sparse or world.sharded)


def _untraced(kind: Any) -> Any:
    """Return an optimizer's class without the decorators that keep torch.compile from tracing it.

    They import the compiler, which takes 1.1 s in each process that trains. netbuild compiles
    networks and no optimizer. The decorator `no_grad` of the step is kept.
    """
    if not hasattr(kind.step, "__wrapped__"):
        return kind
    guarded = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in guarded}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {**methods, "step": step, "__module__": kind.__module__})
