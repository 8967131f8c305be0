"""An optimizer in training, with its schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from netbuild.runs.position import Position
    from netbuild.training.changes import Anew
    from netbuild.training.step.scheduler import Scheduling

#: Options of an optimizer that choose how torch computes its steps.
_KERNELS = ("foreach", "fused", "capturable")


class Stepping:
    """An optimizer and its schedule. `options` are those of each group before the first step."""

    def __init__(self, optimizer: torch.optim.Optimizer, scheduling: Scheduling) -> None:
        self.optimizer, self.scheduling = optimizer, scheduling
        self.options = [
            {name: option for name, option in group.items() if name != "params"}
            for group in optimizer.param_groups
        ]
        for options, rate in zip(self.options, scheduling.rates, strict=True):
            options["lr"] = rate

    def go_on(
        self, schedule: dict[str, Any], position: Position, anew: Anew, lowered: Sequence[bool]
    ) -> None:
        """Set the options for the next step, after the state of a checkpoint was loaded.

        Args:
            schedule: the state of the schedule.
            position: the steps that were taken.
            anew: what begins anew.
            lowered: for each group of the config, whether its rate stays as losses have lowered it.
        """
        groups = self.optimizer.param_groups
        rates = [group["lr"] for group in groups]
        for group, options in zip(groups, self.options, strict=True):
            group.update({n: o for n, o in options.items() if anew.schedule or n in _KERNELS})
        if not anew.schedule:
            self.scheduling.load_state_dict(schedule, position)
            return
        # If all weights are in groups of the config, the optimizer has no group of its own.
        # Within a warm-up, no loss has lowered the rates.
        none_stays = [False] * len(groups)
        stays = lowered[len(lowered) - len(groups) :] or none_stays
        stays = none_stays if "warming" in schedule else stays
        for group, rate, stay in zip(groups, rates, stays, strict=True):
            group["lr"] = rate if stay else group["lr"]
        self.scheduling.replay(position, {} if anew.best else schedule)
