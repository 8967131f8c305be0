"""Optimizers with losses of their own: a step in which each computes, goes backward and steps.

In each step, the players move in the order of their optimizers, on the same batches. A player
computes only what its losses read, and its gradients reach its own weights only. Optimizers with
the same losses are one player and share a backward pass.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from netbuild.builder.partial import partial
from netbuild.training.step.criterion import summed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from netbuild.config.optimizer import Optimizing
    from netbuild.training.data.batches import Batch
    from netbuild.training.step.criterion import Criterion
    from netbuild.training.step.learner import Learner
    from netbuild.training.step.stepping import Stepping


class Player:
    """The optimizers that minimise the same losses, by their numbers, and what they compute."""

    def __init__(self, learner: Learner, losses: Sequence[int], optimizers: Sequence[int]) -> None:
        self.losses, self.optimizers = losses, optimizers
        self.criterion: Criterion = learner.criterion.of(losses)
        #: The part of the network that the losses read.
        self.forward: Any = partial(learner.module, self.criterion.positions)
        if learner.train.compile:
            self.forward = torch.compile(self.forward)
        fp16 = learner.train.precision == "fp16"
        self.scaler = torch.amp.GradScaler(learner.world.device.type, enabled=fp16)


class Players:
    """All players of a training. `taken` counts the steps of the training."""

    def __init__(self, learner: Learner, optimizers: Sequence[Optimizing]) -> None:
        self.learner, self.taken = learner, 0
        self.every = [one.every for one in optimizers]
        names = learner.criterion.names
        groups: dict[tuple[int, ...], list[int]] = {}
        for number, one in enumerate(optimizers):
            read = one.losses or names
            own = tuple(n for n, name in enumerate(names) if name in read)
            groups.setdefault(own, []).append(number)
        self.all = [Player(learner, losses, own) for losses, own in groups.items()]

    def step(self, batches: Sequence[Batch], where: str) -> None:
        """Let each player take its step.

        Raises:
            TrainingError: the loss of a player is not finite.
        """
        self.taken += 1
        moves = []
        for player in self.all:
            due = [n for n in player.optimizers if self.taken % self.every[n] == 0]
            if due:
                moves.append((player, self._move(player, due, batches, where)))
        self._measure(moves, batches)

    def _move(
        self, player: Player, due: Sequence[int], batches: Sequence[Batch], where: str
    ) -> list[tuple[list[Any], Any, Tensor]]:
        """Take the step of a player. Return the losses, the outputs and the sum of each batch."""
        learner, scaler = self.learner, player.scaler
        stepping = [learner.stepping[number] for number in due]
        for one in stepping:
            one.optimizer.zero_grad()
        weights = _weights(stepping)
        found: list[tuple[list[Any], Any, Tensor]] = []
        shares = learner.shares(batches, player.criterion)
        for (x, targets), share in zip(batches, shares, strict=True):
            with learner.cast():
                y = player.forward(*learner.laid_out(x))
                own = player.criterion.losses(x, y, targets)
                part = player.criterion.total(own, y, share)
            found.append((own, y, part.detach()))
            if weights and part.requires_grad:  # else all of them begin to learn later
                scaler.scale(part).backward(inputs=weights)
        learner.value = float(summed([part for _, _, part in found]))
        learner.expect_finite(batches, where)
        learner.world.average_gradients(weights)
        learner.clip([one.optimizer for one in stepping], scaler)
        learner.move([one.optimizer for one in stepping], scaler)
        for number, one in zip(due, stepping, strict=True):
            if learner.averaged:
                learner.averaged.update(number)
            one.scheduling.after_batch()
        return found

    def _measure(self, moves: Sequence[tuple[Player, Any]], batches: Sequence[Batch]) -> None:
        """Add the losses of a step, and what the metrics see, to the sums of the epoch.

        A loss or an output that several players compute counts as the first of them has seen it.
        """
        learner, value, counted = self.learner, 0.0, False
        for number, (x, targets) in enumerate(batches):
            losses: dict[int, Any] = {}
            outputs: dict[int, Any] = {}
            for player, found in moves:
                own, y, _ = found[number]
                for n, loss in zip(player.losses, own, strict=True):
                    losses.setdefault(n, loss)
                for n, output in enumerate(y if isinstance(y, tuple) else (y,)):
                    if output is not None:
                        outputs.setdefault(n, output.detach())
            every = [losses.get(n) for n in range(len(learner.criterion.parts))]
            y = tuple(outputs.get(n) for n in range(len(learner.graph.outputs)))
            learner.measures.add(every, x, y if len(y) > 1 else y[0], targets)
            counted = counted or any(loss is not None for loss in every)
        for _, found in moves:
            value += sum(float(part) for _, _, part in found)
        learner.value = value if counted else math.nan

    def state_dict(self) -> list[dict[str, Any]]:
        """Return the states of the scalers."""
        return [player.scaler.state_dict() for player in self.all]

    def load_state_dict(self, states: Sequence[dict[str, Any]], taken: int) -> None:
        """Load the states of the scalers, after some steps of the training."""
        self.taken = taken
        if len(states) == len(self.all):  # else the config had other players
            for player, state in zip(self.all, states, strict=True):
                if state:
                    player.scaler.load_state_dict(state)


def _weights(stepping: Sequence[Stepping]) -> list[Tensor]:
    """Return the weights of some optimizers that learn now."""
    groups = [group for one in stepping for group in one.optimizer.param_groups]
    return [weight for group in groups for weight in group["params"] if weight.requires_grad]
