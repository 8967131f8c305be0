"""The interface through which a training reports its steps and epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from netbuild.runs.position import Position
    from netbuild.training.step.metrics import Measures


class Progress(Protocol):
    """An object that a training calls after every step and every epoch."""

    def begin(self) -> None:
        """Report that the first step follows. The run has a checkpoint."""

    def step(self, position: Position, measures: Measures) -> None:
        """Report a finished step, with the sums of the current epoch."""

    def epoch(self, metrics: dict[str, Any]) -> None:
        """Report a finished epoch, with its metrics."""

    def stopping(self) -> None:
        """Report that the training ends after the current step. A signal handler calls this."""


class Silent:
    """Reports nothing: for a training that a program starts."""

    def begin(self) -> None:
        """Do nothing."""

    def step(self, position: Position, measures: Measures) -> None:
        """Do nothing."""

    def epoch(self, metrics: dict[str, Any]) -> None:
        """Do nothing."""

    def stopping(self) -> None:
        """Do nothing."""


class Several:
    """Reports to several objects, in their order."""

    def __init__(self, *progress: Progress) -> None:
        self.all = progress

    def begin(self) -> None:
        """Report that the first step follows."""
        for one in self.all:
            one.begin()

    def step(self, position: Position, measures: Measures) -> None:
        """Report a finished step."""
        for one in self.all:
            one.step(position, measures)

    def epoch(self, metrics: dict[str, Any]) -> None:
        """Report a finished epoch."""
        for one in self.all:
            one.epoch(metrics)

    def stopping(self) -> None:
        """Report that the training ends after the current step."""
        for one in self.all:
            one.stopping()


class LastEpoch(Silent):
    """Keeps the metrics of the last epoch."""

    def __init__(self) -> None:
        self.metrics: dict[str, Any] = {}

    def epoch(self, metrics: dict[str, Any]) -> None:
        """Keep the metrics of a finished epoch."""
        self.metrics = metrics
