"""A network with its loss and its optimizer: taking a step, and validating.

A step computes the gradients of one batch or of several, unscales and clips them, and then steps
the optimizer, the scheduler and the average of the weights. The number of samples is the weight of
a batch. So several small batches, or several processes, make the same step as one large batch.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from torch import nn

from netbuild.config.optimizer import has_players
from netbuild.diagnostics.exceptions import TrainingError
from netbuild.training.errors import refused
from netbuild.training.step import nonfinite as guard
from netbuild.training.step.criterion import summed
from netbuild.training.step.ema import Averaged
from netbuild.training.step.memory_format import with_channels_last
from netbuild.training.step.metrics import Measures
from netbuild.training.step.saved import expect_optimizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from torch import Tensor

    from netbuild.graph.graph import Graph
    from netbuild.runs.position import Position
    from netbuild.training.changes import Anew
    from netbuild.training.data.batches import Batch
    from netbuild.training.parallel.distributed import World
    from netbuild.training.step.criterion import Criterion
    from netbuild.training.step.stepping import Stepping

#: The types of 16 bits, by the precisions of a config.
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Network(NamedTuple):
    """The network of a training, on its device."""

    module: nn.Module
    #: The module, or its wrapper that averages gradients over processes.
    forward: Any
    #: Whether images have their channels last in memory.
    channels_last: bool


class Moving(Protocol):
    """Takes each step of a training in place of its learner."""

    def step(self, batches: Sequence[Batch], where: str) -> None:
        """Take a step with the gradients of some batches together."""

    def state_dict(self) -> Any:
        """Return the state for a checkpoint."""

    def load_state_dict(self, states: Sequence[Any], taken: int) -> None:
        """Load the state of a checkpoint, after some steps of the training."""


class Learner:
    """A network in training. `measures` are the sums of the current epoch."""

    def __init__(
        self,
        graph: Graph,
        network: Network,
        criterion: Criterion,
        stepping: Sequence[Stepping],
        world: World,
    ) -> None:
        config, module = graph.config, network.module
        train = config.train
        self.train, self.world, self.channels_last = train, world, network.channels_last
        self.graph, self.module, self.criterion = graph, module, criterion
        #: All modules that may learn, by their names in a checkpoint of parts.
        self.learning = nn.ModuleDict({"network": module, "loss": criterion.module})
        self.stepping = stepping
        self.optimizers = [one.optimizer for one in stepping]
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        #: All weights that an optimizer steps.
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=train.precision == "fp16")
        owned = self.optimizers if has_players(config.optimizers) else ()
        self.averaged = Averaged(module, train.ema, owned) if train.ema else None
        self.forward = network.forward
        #: The modules whose gradients torch does not average over the processes.
        alone = network.forward is module and not world.sharded
        self.unshared = self.learning if alone else criterion.module
        #: The module that is validated and saved: the one that trains, or its average.
        self.validated = self.averaged.module if self.averaged else module
        self.validation: Any = self.validated  # the same module, or its compiled version
        if train.compile:
            # torch compiles again for a batch of another size, such as the last batch.
            self.forward = torch.compile(self.forward)
            self.validation = torch.compile(self.validation)
        self.metrics = config.metrics
        self.measures = self.new_measures()
        #: The loss of the last step; NaN if no label of the step counts.
        self.value = math.nan
        #: The players that take the steps, if optimizers have losses of their own.
        self.players: Moving | None = None

    def _called(self, error: BaseException) -> str:
        """Return the layer, the loss or the optimizer that raised an exception, with its line."""
        from netbuild.training.step.blame import Parts

        networks = (self.module, self.validated)
        return Parts(self.graph, networks, self.criterion, self.optimizers).called(error)

    def new_measures(self, *, keeping: bool = False) -> Measures:
        """Return empty sums; `keeping` also measures what needs every prediction."""
        return Measures(self.criterion, self.metrics, self.world.device, keeping=keeping)

    def step(self, batches: Sequence[Batch], where: str) -> None:
        """Take one step with the gradients of some batches together.

        LBFGS computes the loss several times in a step. The first value counts: it belongs to the
        weights before the step.

        Args:
            batches: the inputs and targets of each batch.
            where: the epoch and the step, as a message names them.

        Raises:
            TrainingError: torch refused the step, or its loss is not finite.
        """
        with refused("the step", self._called):
            if self.players:
                self.players.step(batches, where)
                return
            shares = self.shares(batches, self.criterion)
            lbfgs = self.optimizers[0]  # it is the only one: it computes the loss itself
            if isinstance(lbfgs, torch.optim.LBFGS):
                first = iter([True])
                lbfgs.step(  # type: ignore[no-untyped-call]
                    lambda: self._gradients(batches, shares, where, measured=next(first, False))
                )
            else:
                self._gradients(batches, shares, where, measured=True)
                self.move(self.optimizers, self.scaler)
        if self.averaged:
            self.averaged.update()
        for one in self.stepping:
            one.scheduling.after_batch()

    def _gradients(
        self, batches: Sequence[Batch], shares: list[Any], where: str, *, measured: bool
    ) -> Any:
        """Compute the gradients of a step, and return its loss."""
        for parameter in self.parameters:
            parameter.grad = None
        losses: list[Tensor] = []
        counted = False
        for number, ((x, targets), share) in enumerate(zip(batches, shares, strict=True), start=1):
            with self.world.gradients_stay(self.forward, last=number == len(batches)):
                with self.cast():
                    y = self.forward(*self.laid_out(x))
                    own = self.criterion.losses(x, y, targets)
                    part = self.criterion.total(own, y, share)
                losses.append(part.detach())
                counted = counted or any(loss is not None for loss in own)
                if measured and number == len(batches):
                    watched = self.world.watched(summed(losses))
                self.scaler.scale(part).backward()
            if measured:
                self.measures.add(own, x, y, targets)
        if measured:
            self.value = watched()
            self.expect_finite(batches, where)
            self.value = self.value if counted else math.nan
        self.world.average_gradients(self.unshared.parameters())
        self.clip(self.optimizers, self.scaler)
        return summed(losses)

    def shares(self, batches: Sequence[Batch], criterion: Criterion) -> list[list[Any] | None]:
        """Return the weight of each loss of each batch in the loss of the step; None for 1.

        A mean is over the samples of all batches and of all processes. torch averages the gradients
        of the processes.
        """
        size = self.world.size
        if len(batches) == size == 1:
            return [None]
        of_batches = [criterion.weights(x, targets) for x, targets in batches]
        found = []
        for weights in zip(*of_batches, strict=True):  # of each loss
            if weights[0] is None:
                found.append([size] * len(batches))
                continue
            each = torch.stack([torch.as_tensor(w).to(self.world.device).float() for w in weights])
            total = self.world.sum(each.sum())  # 0 if no label of the step counts
            found.append(list(each / torch.where(total > 0, total, 1) * size))
        return [list(shares) for shares in zip(*found, strict=True)]

    def cast(self) -> Any:
        """Return the context in which the network computes with the precision of the config."""
        dtype = HALVES.get(self.train.precision)
        if dtype is None:
            return contextlib.nullcontext()
        # The cache keeps a copy of every weight until the context ends. A process of a sharded
        # network holds a weight only for a moment.
        cached = not self.world.sharded
        return torch.autocast(self.world.device.type, dtype=dtype, cache_enabled=cached)

    def laid_out(self, x: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return inputs in the memory format of the network."""
        return with_channels_last(x) if self.channels_last else x

    def expect_finite(self, batches: Sequence[Batch], where: str) -> None:
        """Refuse a loss that is not finite, before it changes a weight.

        Raises:
            TrainingError: the message names the first layer whose output is not finite.
        """
        finite = math.isfinite(self.value)
        if not self._in_any(not finite):
            return
        with self.cast():
            whys = [guard.culprit(self.module, self.laid_out(x)) for x, _ in batches]
        why = next(filter(None, whys), None)
        why = why or "the outputs of the network are finite, so the loss itself computes this value"
        message = f"the loss is {self.value} {where}: {why}; a lower learning rate often helps"
        if self.world.sharded:  # the processes have run the network together
            message = next(filter(None, self.world.gather("" if finite else message)))
        raise TrainingError(message)

    def _in_any(self, found: bool) -> bool:  # noqa: FBT001  a value, not an option
        """Return a flag. The processes of a sharded network agree on it, to go on together."""
        return self.world.any(found) if self.world.sharded else found

    def clip(
        self, optimizers: Sequence[torch.optim.Optimizer], scaler: torch.amp.GradScaler
    ) -> None:
        """Clip the gradients of some optimizers together to the limits of the config."""
        norm, value = self.train.clip_grad_norm, self.train.clip_grad_value
        if norm is None and value is None:
            return
        for optimizer in optimizers:
            scaler.unscale_(optimizer)
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        parameters = [p for group in groups for p in group["params"]]
        if norm is not None:
            self.world.clip_norm(parameters, norm)
        if value is not None:
            # One after the other, if the weights of a loss are whole and those of the network not.
            one_by_one = self.world.sharded
            torch.nn.utils.clip_grad_value_(parameters, value, foreach=not one_by_one and None)

    @staticmethod
    def move(optimizers: Sequence[torch.optim.Optimizer], scaler: torch.amp.GradScaler) -> None:
        """Step some optimizers, whose gradients are scaled.

        A scaler refuses an optimizer without any gradient: its weights begin to learn later.
        """
        for optimizer in optimizers:
            if not scaler.is_enabled() or _has_gradients(optimizer):
                scaler.step(optimizer)
        if not scaler.is_enabled() or any(map(_has_gradients, optimizers)):
            scaler.update()

    @torch.no_grad()
    def validate(self, batches: Iterable[Batch]) -> Measures:
        """Return the loss and the metrics of all samples, as sums, in evaluation mode.

        Raises:
            TrainingError: torch refused a batch.
        """
        self.validated.eval()
        self.world.share_buffers(self.validated)
        measures = self.new_measures(keeping=True)
        with refused("the validation", self._called):
            for x, targets in batches:
                with self.cast():
                    y = self.validation(*self.laid_out(x))
                    losses = self.criterion.losses(x, y, targets)
                measures.add(losses, x, y, targets)
            measures.merge_all(self.world)
        return measures

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint. The validated weights are in the checkpoint already.

        In a checkpoint of parts, the parts also hold the state of the optimizer.
        """
        return {
            "optimizer": None if self.world.sharded else _each(self.optimizers),
            "scheduler": _each([one.scheduling for one in self.stepping]),
            "scaler": (self.players or self.scaler).state_dict(),
            "loss": self.criterion.module.state_dict(),
            "measures": self.measures.of_all(self.world),
            "averaged": self.averaged.state_dict() if self.averaged else {},
            "model": self.module.state_dict() if self.averaged else {},
        }

    def save_parts(self, folder: Path) -> None:
        """Write this process's part of the weights and of the optimizer's state."""
        from netbuild.training.parallel import shards  # the import loads much of torch

        shards.save(folder, self.learning, self.optimizers)

    def load_parts(self, folder: Path, anew: Anew) -> None:
        """Load the parts that all processes have written."""
        from netbuild.training.parallel import shards

        shards.load(folder, self.learning, [] if anew.optimizer else self.optimizers)

    def _load_scalers(self, state: Any, taken: int) -> None:
        """Load the state of each scaler, after some steps of the training."""
        if self.players:
            self.players.load_state_dict(_list(state), taken)
        elif isinstance(state, dict) and state:  # else the run had several
            self.scaler.load_state_dict(state)

    def load_state_dict(self, state: dict[str, Any], position: Position, anew: Anew) -> None:
        """Load the state of a checkpoint. The validated weights have to be loaded before."""
        self.criterion.load_state_dict(state["loss"])
        if state["optimizer"] is not None and not anew.optimizer:
            states = _list(state["optimizer"])
            for optimizer, saved in zip(self.optimizers, states, strict=True):
                expect_optimizer(optimizer, saved)
            self.world.load_optimizers(self.learning, self.optimizers, states)
        schedules = _list(state["scheduler"])
        if len(schedules) != len(self.stepping):  # the config had another number of optimizers
            schedules = [{} for _ in self.stepping]
        lowered = anew.lowered or [() for _ in self.stepping]
        for one, schedule, stays in zip(self.stepping, schedules, lowered, strict=True):
            one.go_on(schedule, position, anew, stays)
        self._load_scalers(state["scaler"], position.total)
        if self.world.writes:  # the sums of all processes count once
            self.measures.load_state_dict(state["measures"])
        if state["model"]:  # the weights in training, if their average was validated
            self.module.load_state_dict(state["model"])
        elif self.averaged:  # the average begins with this resumption
            self.module.load_state_dict(self.averaged.module.state_dict())
        if self.averaged and state["averaged"]:
            self.averaged.load_state_dict(state["averaged"])


def _has_gradients(optimizer: torch.optim.Optimizer) -> bool:
    return any(p.grad is not None for group in optimizer.param_groups for p in group["params"])


def _each(parts: Sequence[Any]) -> Any:
    """Return the states of all parts; without a list if there is one part, as most runs have."""
    states = [part.state_dict() for part in parts]
    return states if len(states) > 1 else states[0]


def _list(state: Any) -> list[Any]:
    return state if isinstance(state, list) else [state]
