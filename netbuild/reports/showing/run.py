"""A run as a table: its state, its best epoch, its curves, and the metrics of all epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.reports import runs
from netbuild.reports.page.lines import Line, lines
from netbuild.reports.showing.fragment import facts, folded, fragment, muted, table, title
from netbuild.runs import records
from netbuild.runs.numbers import is_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netbuild.runs.folder import Run
    from netbuild.runs.records import Record

#: The width of each chart, in pixels.
_WIDTH = 400


class Table:
    """The epochs of a run for rich, as `netbuild runs RUN` prints them."""

    def __init__(self, run: Run) -> None:
        self.record = records.read(run.folder)

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        from rich.text import Text

        if self.record.problem or not self.record.metrics:
            yield Text(_line(self.record))
            return
        made = runs.epochs_table(self.record, options.max_width)
        made.no_wrap, made.overflow = True, "ignore"
        yield made


def line(run: Run) -> str:
    """Return what a run is in one line."""
    return _line(records.read(run.folder))


def _line(record: Record) -> str:
    place = f"{record.name}/{record.folder.resolve().name}"
    if record.problem:
        return f"{place}: {record.problem}"
    best = f", best {_best(record)}" if record.best else ""
    return f"{place}: {record.state}, {record.epochs}/{record.of} epochs{best}"


def html(run: Run) -> str:
    """Return the run as HTML."""
    record = records.read(run.folder)
    pairs = [("folder", str(run.folder)), ("state", record.problem or _state(record))]
    if record.best:
        pairs.append(("best epoch", f"{record.best['epoch']}: {_best(record)}"))
    pieces = [title(f"{record.name}/{record.folder.resolve().name}"), facts(pairs)]
    if not record.metrics:
        return fragment([*pieces, muted("no epoch has finished")])
    pieces.append(charts(record.metrics))
    pieces.append(folded("all epochs", epochs(record.metrics, record.best)))
    return fragment(pieces)


def charts(metrics: Sequence[dict[str, Any]]) -> str:
    """Return a chart of the losses, and one of the first other metric, side by side."""
    metric = records.shown_metric(metrics[-1], "val")
    made = []
    for name in ("loss", metric) if metric else ("loss",):
        drawn = [
            Line(split, [epoch["epoch"] for epoch in metrics], _values(metrics, f"{split}_{name}"))
            for split in ("train", "val")
            if any(is_number(epoch.get(f"{split}_{name}")) for epoch in metrics)
        ]
        made.append(lines(drawn, title=name or "", width=_WIDTH))
    return f'<div class="charts">{"".join(made)}</div>'


def epochs(metrics: Sequence[dict[str, Any]], best: dict[str, Any] | None = None) -> str:
    """Return the table of epochs; the best is set off."""
    names = [n for n, value in metrics[-1].items() if is_number(value) and n != "epoch"]
    header = ["epoch", *(name.replace("_", " ") for name in names)]
    rows = [
        [str(epoch["epoch"]), *(_cell(name, epoch.get(name)) for name in names)]
        for epoch in metrics
    ]
    marked = next((number for number, epoch in enumerate(metrics) if epoch is best), None)
    return table(header, rows, marked)


def _state(record: Record) -> str:
    of = "?" if record.of is None else record.of
    return f"{record.state}, {record.epochs}/{of} epochs in {runs.duration(record.seconds)}"


def _best(record: Record) -> str:
    """Return the validation loss of the best epoch, and its metric."""
    assert record.best is not None
    shown = [f"val_loss {runs.value('loss', record.best['val_loss'])}"]
    if (name := record.metric) is not None:
        shown.append(f"val_{name} {runs.value(name, record.best[f'val_{name}'])}")
    return ", ".join(shown)


def _values(metrics: Sequence[dict[str, Any]], name: str) -> list[float | None]:
    return [epoch[name] if is_number(epoch.get(name)) else None for epoch in metrics]


def _cell(name: str, value: Any) -> str:
    if not is_number(value):
        return ""
    if name in {"samples_per_second", "seconds"}:
        return f"{value:,.0f}" if name == "samples_per_second" else f"{value:.1f}"
    return runs.value(name, value)
