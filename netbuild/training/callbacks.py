"""Objects of a program that a training calls at each step and epoch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.exceptions import StopTraining
from netbuild.training import randomness
from netbuild.training.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import nn

    from netbuild.runs.folder import Run
    from netbuild.runs.position import Position
    from netbuild.training.loop import Trainer
    from netbuild.training.step.metrics import Measures


class Callback:
    """The base class of what a training calls. Each method here does nothing.

    A method may raise `StopTraining`: the training then ends as if it had finished, after the step
    or the epoch, with its state in the checkpoint `last`. Any other exception ends the training and
    reaches the caller of `train`. The last checkpoint stays, and the run can be resumed.

    A method may draw random numbers and put the network into evaluation: behind it, the generators
    and the modes are as they were, so that the training stays the same.
    """

    def on_train_begin(self, run: Run, module: nn.Module) -> None:
        """Run before the first step. `module` is the network, whose weights will change."""

    def on_step_end(self, step: int, loss: float) -> None:
        """Run after each step of an optimizer, counted from 1 through all epochs.

        The loss is NaN if no label of the step counts.
        """

    def on_epoch_end(self, epoch: int, metrics: Mapping[str, Any]) -> None:
        """Run after each epoch, counted from 1, with a line of `metrics.jsonl`.

        The epoch is validated, and its checkpoints are written.
        """

    def on_train_end(self, run: Run) -> None:
        """Run when the training has ended, but not after an exception or a signal."""


def expect_callbacks(callbacks: Sequence[Callback]) -> None:
    """Raise an error unless this is a list of callbacks, before a run is made.

    Raises:
        TypeError: names the type.
    """
    given = callbacks if isinstance(callbacks, Iterable) else (callbacks,)
    wrong = [one for one in given if not isinstance(one, Callback)]
    if given is not callbacks or wrong:
        found = wrong[0] if wrong else callbacks
        name = found.__name__ if isinstance(found, type) else type(found).__name__
        what = f"the class {name}" if isinstance(found, type) else f"an object of {name}"
        message = f"callbacks is a list of objects of netbuild.Callback, and {what} was given"
        raise TypeError(message)


class Calls(Silent):
    """Calls the callbacks of a training. `stopped` is whether one of them has ended it."""

    def __init__(self, trainer: Trainer, callbacks: Sequence[Callback]) -> None:
        self.trainer, self.callbacks = trainer, callbacks
        self.stopped = False

    def begin(self) -> None:
        """Call `on_train_begin`."""
        run, module = self.trainer.run, self.trainer.learner.module
        self._each(lambda one: one.on_train_begin(run, module))

    def step(self, position: Position, measures: Measures) -> None:  # noqa: ARG002
        """Call `on_step_end`."""
        self._each(lambda one: one.on_step_end(position.total, self.trainer.learner.value))

    def epoch(self, metrics: dict[str, Any]) -> None:
        """Call `on_epoch_end`. A callback gets a copy, which it may change."""
        self._each(lambda one: one.on_epoch_end(metrics["epoch"], dict(metrics)))

    def end(self) -> None:
        """Call `on_train_end`."""
        self._each(lambda one: one.on_train_end(self.trainer.run))

    def _each(self, call: Callable[[Callback], None]) -> None:
        """Call all callbacks. All of them hear of a step, also if one ends the training."""
        if not self.callbacks:
            return
        states = randomness.state()
        modes = [(part, part.training) for part in self.trainer.learner.module.modules()]
        for one in self.callbacks:
            self._called(call, one)
        randomness.restore(states)
        for part, mode in modes:
            part.training = mode

    def _called(self, call: Callable[[Callback], None], one: Callback) -> None:
        try:
            call(one)
        except StopTraining:
            self.stopped = True
            self.trainer.stop()
