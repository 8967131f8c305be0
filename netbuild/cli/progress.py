"""The progress of a training in a terminal: a bar for the batches, a line for each epoch."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from netbuild.reports.runs import number, value
from netbuild.runs.records import shown_metric

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console
    from typing_extensions import Self

    from netbuild.runs.position import Position
    from netbuild.training.step.metrics import Measures

#: The least seconds between two updates of the bar.
_PAUSE = 0.1


class ProgressBar:
    """Prints a line for each epoch. On a terminal a bar below the lines shows all steps."""

    def __init__(self, console: Console, epochs: int, steps: int | None, done: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.console, self.epochs = console, epochs
        self.shown, self.headed = 0.0, False
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
        total = None if steps is None else epochs * steps
        self.task = self.bar.add_task("", total=total, completed=done, at="", said="")

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

    def step(self, position: Position, measures: Measures) -> None:
        """Move the bar, at most ten times a second: reading the loss waits for the device."""
        now = time.perf_counter()
        if not self.console.is_terminal or now - self.shown < _PAUSE:
            return
        self.shown = now
        means = measures.means("train")
        said = [f"loss {number(means['train_loss'])}"]
        metric = shown_metric(means, "train")
        said += [f"{metric} {value(metric, means[f'train_{metric}'])}"] if metric else []
        said.append(f" {position.samples / position.seconds:,.0f} samples/s")
        at = f"{position.epoch + 1}/{self.epochs}"
        self.bar.update(self.task, completed=position.total, at=at, said=" ".join(said))

    def epoch(self, metrics: dict[str, Any]) -> None:
        """Print the line of an epoch; above the first line print the header."""
        name = shown_metric(metrics, "val") or ""
        if not self.headed:
            headers = ("epoch", "train loss", name, "val loss", name, "samples/s")
            self.console.print(_columns(*headers), style="bold")
            self.headed = True
        self.console.print(
            _columns(
                f"{metrics['epoch']}/{self.epochs}",
                number(metrics["train_loss"]),
                value(name, metrics[f"train_{name}"]) if name else "",
                number(metrics["val_loss"]),
                value(name, metrics[f"val_{name}"]) if name else "",
                f"{metrics['samples_per_second']:,.0f}",
            )
        )

    def stopping(self) -> None:
        """Say what a first Ctrl-C does, and what a second one does."""
        with suppress(RuntimeError):  # the signal came while another line was written
            self.console.print(
                "stopping after this step; a second Ctrl-C stops now, at the last checkpoint"
            )


def _columns(*cells: str) -> str:
    widths = (9, 12, 10, 12, 10, 12)
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True) if cell)
