"""The progress of a training in a notebook: one output, with a bar and a line for each epoch."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from netbuild.reports.page import escaped
from netbuild.reports.runs import duration, number
from netbuild.reports.showing.fragment import fragment, muted, table, title
from netbuild.reports.showing.run import charts
from netbuild.training.bar import cell, fitting

if TYPE_CHECKING:
    from netbuild.runs.position import Position
    from netbuild.training.loop import Trainer
    from netbuild.training.step.metrics import Measures

#: The least seconds between two updates: each is a message to the browser.
_PAUSE = 0.25
#: The most epochs that the table shows: the newest ones.
_MOST = 12


class NotebookBar:
    """Shows a bar of all steps, a table of the newest epochs, and the curves in the end."""

    def __init__(self, trainer: Trainer) -> None:
        from IPython import display

        self.trainer = trainer
        #: The module of IPython, which has no types.
        self.ipython: Any = display
        self.metrics: list[dict[str, Any]] = trainer.run.metrics
        steps, epochs = trainer.steps, trainer.train.epochs
        self.total = None if steps is None else epochs * steps
        self.began, self.before = time.perf_counter(), trainer.position.total
        self.updated, self.said = 0.0, ""
        first = self.ipython.HTML(self._html())
        self.handle: Any = self.ipython.display(first, display_id=True)

    def begin(self) -> None:
        """Do nothing: the bar is there from the start."""

    def step(self, position: Position, measures: Measures) -> None:
        """Move the bar, at most four times a second: reading the loss waits for the device."""
        now = time.perf_counter()
        if now - self.updated < _PAUSE:
            return
        self.updated = now
        loss = number(measures.means("train")["train_loss"])
        speed = position.samples / position.seconds
        self.said = f"loss {loss} · {speed:,.0f} samples/s{self._left(now, position)}"
        self._show()

    def epoch(self, metrics: dict[str, Any]) -> None:
        """Add the line of an epoch."""
        self.metrics.append(metrics)
        if time.perf_counter() - self.updated >= _PAUSE:
            self.updated = time.perf_counter()
            self._show()

    def stopping(self) -> None:
        """Say that the training ends. A signal handler calls this, so it is shown with the next."""
        self.said = "stopping after this step"

    def close(self) -> None:
        """Show the last state."""
        self.said = f"{duration(time.perf_counter() - self.began)} · {self.trainer.run.folder}"
        self._show(curves=len(self.metrics) > 1)

    def _left(self, now: float, position: Position) -> str:
        """Return the time that the rest may take."""
        done = position.total - self.before
        if self.total is None or not done or now - self.began < 2:
            return ""
        return f" · {duration((now - self.began) / done * (self.total - position.total))} left"

    def _show(self, *, curves: bool = False) -> None:
        self.handle.update(self.ipython.HTML(self._html(curves=curves)))

    def _html(self, *, curves: bool = False) -> str:
        trainer, position = self.trainer, self.trainer.position
        of = trainer.train.epochs
        at = min(position.epoch + 1, of) if not trainer.finished else position.epoch
        share = 1.0 if trainer.finished else position.total / self.total if self.total else 0.0
        label = f"{trainer.graph.config.name}: epoch {at}/{of}"
        told = f'role="progressbar" aria-valuenow="{100 * share:.0f}" aria-label="{escaped(label)}"'
        bar = f'<div class="bar" {told}><div style="--done: {100 * share:.1f}%"></div></div>'
        pieces = [title(label), bar, muted(self.said)]
        if self.metrics:
            pieces.append(self._epochs())
        if curves:
            pieces.append(charts(self.metrics))
        return fragment(pieces)

    def _epochs(self) -> str:
        columns = fitting(self.metrics[-1], sys.maxsize)
        newest = self.metrics[-_MOST:]
        rows = [
            [cell(column, epoch.get(column.name, "")) for column in columns]
            for epoch in ({**one, "epoch": str(one["epoch"])} for one in newest)
        ]
        left = len(self.metrics) - len(newest)
        more = muted(f"{left:,} earlier epoch{'s'[: left != 1]}") if left else ""
        return more + table([column.header for column in columns], rows)
