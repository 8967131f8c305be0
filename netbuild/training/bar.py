"""The progress of a training in a terminal: a bar for the batches, a line for each epoch."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.reports.runs import number, value
from netbuild.runs.records import shown_metric, shown_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence
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
        self.shown = 0.0
        self.columns: list[Column] = []
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

    def begin(self) -> None:
        """Do nothing: the bar is there from the start."""

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
        if not self.columns:
            self.columns = fitting(metrics, self.width)
            self._print([column.header for column in self.columns], style="bold")
        shown = metrics | {"epoch": f"{metrics['epoch']}/{self.epochs}"}
        self._print([cell(column, shown[column.name]) for column in self.columns])

    @property
    def width(self) -> int:
        """The width of the table: a terminal has one, a file or a pipe takes all columns."""
        return self.console.width if self.console.is_terminal else sys.maxsize

    def _print(self, cells: Sequence[str], style: str = "") -> None:
        self.console.print(_row(self.columns, cells, self.width), style=style)

    def stopping(self) -> None:
        """Say what a first Ctrl-C does, and what a second one does."""
        with suppress(RuntimeError):  # the signal came while another line was written
            self.console.print(
                "stopping after this step; a second Ctrl-C stops now, at the last checkpoint"
            )


class Column(NamedTuple):
    """A column of the table of epochs."""

    name: str  # in the metrics of an epoch
    header: str

    @property
    def width(self) -> int:
        """The width with a gap. Losses and values may be long; a share in percent fits below."""
        least = 9 if self.name == "epoch" else 0 if self.header.endswith("accuracy") else 12
        return max(len(self.header) + 2, least)


def fitting(metrics: dict[str, Any], width: int) -> list[Column]:
    """Return the columns for some metrics: all of them, or the most that fit into a width.

    The metrics of the validation stay. The metrics of the samples that train are left out first.
    """
    ends = [Column("epoch", "epoch"), Column("samples_per_second", "samples/s")]
    train, val = (
        [Column(f"{split}_{name}", name) for name in shown_metrics(metrics, split)]
        for split in ("train", "val")
    )
    losses = [Column(f"{s}_loss", f"{s} loss") for s in ("train", "val")]
    for kept in range(len(train), -1, -1):
        columns = [ends[0], losses[0], *train[:kept], losses[1], *val, ends[1]]
        if sum(column.width for column in columns) <= width:
            return columns
    return columns[:-1]


def _row(columns: Sequence[Column], cells: Sequence[str], width: int) -> str:
    """Return a line of the table. A wider one continues on the next line, at a whole cell."""
    lines, indent = [""], " " * columns[0].width
    for column, cell in zip(columns, cells, strict=True):
        if len(lines[-1]) + column.width > width and lines[-1] not in {"", indent}:
            lines.append(indent)
        lines[-1] += f"{cell:>{column.width}}"
    return "\n".join(lines)


def cell(column: Column, measured: Any) -> str:
    """Return a value of a column in a readable form."""
    if isinstance(measured, str):
        return measured
    if column.name == "samples_per_second":
        return f"{measured:,.0f}"
    return value(column.name, measured)
