"""What a person sees of a training: a bar on a terminal, a line for each epoch everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from netbuild.runs.position import Position
    from netbuild.training.step.metrics import Measures


class Progress(Protocol):
    """Is told of every step and every epoch."""

    def step(self, position: Position, measures: Measures) -> None:
        """Note a finished step."""

    def epoch(self, metrics: dict[str, Any]) -> None:
        """Note a finished epoch."""


class Silent:
    """Prints nothing: the progress of a training that a program started."""

    def step(self, position: Position, measures: Measures) -> None:
        """Print nothing."""

    def epoch(self, metrics: dict[str, Any]) -> None:
        """Print nothing."""
