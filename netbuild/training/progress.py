"""What a person sees of a training: a bar on a terminal, a line for each epoch everywhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console
    from typing_extensions import Self

    from netbuild.training.position import Position

#: The least seconds between two updates of the bar.
_PAUSE = 0.1


class Progress(Protocol):
    """Is told of every step and every epoch."""

    def step(self, position: Position, *, classes: bool) -> None:
        """Note a finished step."""

    def epoch(self, metrics: dict[str, Any]) -> None:
        """Note a finished epoch."""


class Silent:
    """Prints nothing: the progress of a training that a program started."""

    def step(self, position: Position, *, classes: bool) -> None:
        """Print nothing."""

    def epoch(self, metrics: dict[str, Any]) -> None:
        """Print nothing."""


class Printed:
    """Prints a line for each epoch and, on a terminal, a bar below them for all steps."""

    def __init__(self, console: Console, epochs: int, steps: int, done: int, samples: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.console, self.epochs, self.steps = console, epochs, steps
        self.samples, self.shown, self.headed = samples, 0.0, False
        self.bar = Progress(
            TextColumn("epoch {task.fields[at]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[said]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            expand=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("", total=epochs * steps, completed=done, at="", said="")

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def step(self, position: Position, *, classes: bool) -> None:
        """Move the bar, at most every tenth of a second."""
        now = time.perf_counter()
        if not self.console.is_terminal or now - self.shown < _PAUSE:
            return
        self.shown = now
        done = position.epoch * self.steps + position.step
        means = position.sums.means("train", classes=classes)
        speed = self.bar.tasks[0].speed or 0.0  # steps a second
        said = _said(means, "train") + f"  {speed * self.samples / self.steps:,.0f} samples/s"
        at = f"{position.epoch + 1}/{self.epochs}"
        self.bar.update(self.task, completed=done, at=at, said=said)

    def epoch(self, metrics: dict[str, Any]) -> None:
        """Print the line of an epoch, and above the first one what stands in it."""
        accuracy = "accuracy" if "val_accuracy" in metrics else ""
        if not self.headed:
            headers = ("epoch", "train loss", accuracy, "val loss", accuracy, "samples/s")
            self.console.print(_columns(*headers), style="bold")
            self.headed = True
        self.console.print(
            _columns(
                f"{metrics['epoch']}/{self.epochs}",
                _loss(metrics["train_loss"]),
                f"{metrics['train_accuracy']:.2%}" if accuracy else "",
                _loss(metrics["val_loss"]),
                f"{metrics['val_accuracy']:.2%}" if accuracy else "",
                f"{metrics['samples_per_second']:,.0f}",
            )
        )


def _columns(*cells: str) -> str:
    widths = (9, 12, 10, 12, 10, 12)
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True) if cell)


def _loss(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 1e5 else f"{value:.4g}"


def _said(metrics: dict[str, Any], prefix: str) -> str:
    said = f"loss {_loss(metrics[f'{prefix}_loss'])}"
    accuracy = metrics.get(f"{prefix}_accuracy")
    return said if accuracy is None else f"{said} accuracy {accuracy:.2%}"
