"""`netbuild runs`: what was trained, and what came of it, without torch."""

from __future__ import annotations

import io
import json
import math
import os
import re
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from netbuild.cli.terminal import console, fail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from netbuild.render.columns import Columns

#: What `netbuild train` calls the folder of a run.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(-\d{3})?")
_FILES = {"resolved.yaml", "environment.json", "metrics.jsonl", "checkpoints"}
#: How deep runs lie in a folder: NAME/TIME.
_DEPTH = 2
_RUNS = Path("runs")
#: The columns of the table of runs, and those that it does without where there is no room.
_COLUMNS = ("name", "run", "state", "epochs", "best", "loss", "metric", "time")
_WITHOUT = ((), ("best",), ("best", "time"), ("best", "metric"), ("best", "metric", "time"))
#: What of an epoch is no loss and no metric, the last left out first.
_MEASURED = ("lr", "seconds", "samples_per_second")


def runs(
    place: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="Where runs are, or one run.  [default: runs]"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only networks of this name: 'lenet*'.")
    ] = None,
    sort: Annotated[
        Literal["time", "loss", "name"],
        typer.Option(help="Newest last; lowest validation loss first; or by name."),
    ] = "time",
    format: Annotated[  # noqa: A002
        Literal["table", "json", "markdown", "csv"], typer.Option(help="How they are printed.")
    ] = "table",
) -> None:
    """List the runs in a folder, each with its best epoch; or the epochs of one run.

    \b
    netbuild runs
    netbuild runs runs/lenet5 --sort loss
    netbuild runs lenet5/2026-01-31T12-00-00
    netbuild runs --name 'lenet*' --format csv

    \b
    A run is running, finished, stopped (netbuild train --resume goes on), or
    damaged. Its loss and metric are those of the validation behind its best
    epoch, which has the lowest loss. Times are of training alone.
    """
    folder = _found(place)
    if _is_run(folder):
        _print_run(_read(folder), format)
        return
    records = [_read(path) for path in _folders(folder, _DEPTH)]
    records = [r for r in records if name is None or fnmatchcase(r.name, name)]
    records.sort(key=_ORDERS[sort])
    if format != "table":
        console().print(_written(format, [r.cells() for r in records], [*map(_described, records)]))
    elif not records:
        console().print(f"no runs in {folder}" + (f" of a network {name}" if name else ""))
    else:
        _print(_table(folder, records))
        for record in records:
            if record.problem:
                console().print(f" {record.name}/{record.folder.name}: {record.problem}")


class Record(NamedTuple):
    """What the folder of a run says: its state, what is wrong with it, and its epochs."""

    folder: Path
    state: str
    problem: str | None = None
    epochs: int = 0  # finished
    of: int | None = None
    metrics: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0
    environment: dict[str, Any] = {}  # noqa: RUF012  never changed

    @property
    def name(self) -> str:
        """The network's name."""
        return self.folder.resolve().parent.name

    @property
    def started(self) -> str:
        """When it was started, as the folder's name says it too, unless somebody changed that."""
        said = str(self.environment.get("started", ""))
        return said[:19].replace(":", "-") or self.folder.name

    @property
    def best(self) -> dict[str, Any] | None:
        """The metrics of the epoch with the lowest validation loss."""
        return min(self.metrics, key=lambda epoch: epoch["val_loss"], default=None)

    @property
    def metric(self) -> str | None:
        """The first metric that is one number."""
        names = (n.removeprefix("val_") for n in self.best or () if n.startswith("val_"))
        return next((name for name in names if name != "loss"), None)

    def cells(self) -> dict[str, str]:
        """Return its row of a table."""
        row = {"name": self.name, "run": self.folder.resolve().name, "state": self.state}
        if self.of is None:
            return row
        row["epochs"] = f"{self.epochs}/{self.of}"
        if self.best is not None:
            metric, loss = self.metric, self.best["val_loss"]
            shown = f"{metric} {_value(metric, self.best[f'val_{metric}'])}" if metric else ""
            row |= {"best": str(self.best["epoch"]), "loss": _number(loss), "metric": shown}
        return row | {"time": _duration(self.seconds)}


# Reading.


def _found(place: Path | None) -> Path:
    """Return the folder that is meant: as it is, or in runs/."""
    if place is None:
        return _RUNS
    try:
        found = next((folder for folder in (place, _RUNS / place) if folder.is_dir()), None)
    except (OSError, ValueError):  # ValueError: a path with a NUL character
        found = None
    return found or fail(f"{place} is no folder")


def _is_run(folder: Path) -> bool:
    try:
        return _TIME.fullmatch(folder.name) is not None or any(
            path.name in _FILES for path in folder.iterdir()
        )
    except OSError:
        return False


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the runs in a folder and in the folders in it."""
    try:
        inside = sorted(p for p in folder.iterdir() if p.name[0] != "." and p.is_dir())
    except OSError:
        return
    for path in inside:
        if _is_run(path):
            yield path
        elif depth > 1:
            yield from _folders(path, depth - 1)


def _read(folder: Path) -> Record:
    """Return what a folder says; what is damaged in it is said, and never raised."""
    from netbuild.diagnostic import errors, reason
    from netbuild.node import plain
    from netbuild.source import from_file

    environment, metrics = _environment(folder), _metrics(folder)
    known = Record(folder, "damaged", None, len(metrics), None, metrics, 0.0, environment)
    try:
        source = from_file(folder / "resolved.yaml")
    except (OSError, ValueError) as error:
        return known._replace(problem=f"resolved.yaml cannot be read: {reason(error)}")
    sections = {} if source.root is None or errors(source.diagnostics) else plain(source.root)
    train = sections.get("train") if isinstance(sections, dict) else None
    if not isinstance(train, dict) or not isinstance(train.get("epochs"), int):
        return known._replace(problem="resolved.yaml does not say how long it trains")
    position = _position(folder)
    spent = sum(epoch.get("seconds", 0.0) for epoch in metrics)
    if position:
        spent = position["spent"] + position["seconds"]
        known = known._replace(epochs=position["epoch"])
    known = known._replace(of=train["epochs"], seconds=spent)
    if _is_finished(train, position or _position_of(metrics, spent)):
        return known._replace(state="finished")
    if _is_locked(folder):
        return known._replace(state="running")
    if position is None:
        return known._replace(problem="it has no checkpoint to go on from")
    return known._replace(state="stopped")


def _is_finished(train: dict[str, Any], position: dict[str, Any]) -> bool:
    """Whether it has trained as long as its config says; the trainer decides it like this."""
    limits = {"epochs": "epoch", "patience": "waited", "max_steps": "total", "max_time": "spent"}
    wanted = ((train.get(limit), position[reached]) for limit, reached in limits.items())
    return any(isinstance(most, int | float) and now >= most for most, now in wanted)


def _environment(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _metrics(folder: Path) -> tuple[dict[str, Any], ...]:
    """Return the numbers of each epoch, without what was damaged."""
    try:
        text = (folder / "metrics.jsonl").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    found = []
    for line in text.splitlines():
        try:
            epoch = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(epoch, dict):
            numbers = {name: v for name, v in epoch.items() if _is_number(v)}
            found += [numbers] if {"epoch", "val_loss"} <= {*numbers} else []
    return tuple(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (type(value) is int and abs(value) < 1 << 63)


def _position(folder: Path) -> dict[str, Any] | None:
    """Return where the last checkpoint stands; None where none can be read."""
    from netbuild.pickled import Shapes

    place = folder / "checkpoints" / "last"
    # Of one that was just being replaced: see netbuild/training/checkpoint.py.
    new = place.with_name(".last.new") if place.with_name(".last.old").is_dir() else place
    path = (place if place.is_dir() else new) / "state.pt"
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.endswith("/data.pkl"))
            state = Shapes(io.BytesIO(archive.read(name))).load()
        position = state["position"]
        numbers = {name: position[name] for name in ("epoch", "waited", "total")}
        times = {name: float(position[name]) for name in ("spent", "seconds")}
    except Exception:  # noqa: BLE001  a damaged file makes its reader raise anything
        return None
    return numbers | times if all(type(n) is int for n in numbers.values()) else None


def _position_of(metrics: Sequence[dict[str, Any]], spent: float) -> dict[str, Any]:
    """Return what the epochs alone say of where a training stands."""
    losses = [epoch["val_loss"] for epoch in metrics]
    waited = len(losses) - 1 - losses.index(min(losses)) if losses else 0
    last = metrics[-1]["epoch"] if metrics else 0
    return {"epoch": last, "waited": waited, "total": 0, "spent": spent}


def _is_locked(folder: Path) -> bool:
    """Whether a training has the folder: it holds a lock on it, which ends with its process."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        return False
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a disk that has no locks
        return False
    finally:
        os.close(handle)
    return False


def _loss(record: Record) -> tuple[float, str]:
    loss = record.best["val_loss"] if record.best else math.inf
    return (math.inf if math.isnan(loss) else loss), record.started


_ORDERS: dict[str, Any] = {
    "time": lambda record: (record.started, record.folder.name),
    "loss": _loss,
    "name": lambda record: (record.name, record.started, record.folder.name),
}


# Printing.


def _print(tables: Iterable[Columns]) -> None:
    """Print the first table for which there is room, or else the last."""
    out = console()
    for made in tables:
        if made.width <= out.width:
            break
    out.print(made.text(), end="")


def _table(folder: Path, records: Sequence[Record]) -> Iterator[Columns]:
    """Yield the runs as a table, then narrower ones."""
    from netbuild.render.columns import Columns

    rows = [record.cells() for record in records]
    metrics = {record.metric for record in records if record.metric}
    header = dict(zip(_COLUMNS, _COLUMNS, strict=True))
    if len(metrics) == 1:  # its name stands above all of them
        (header["metric"],) = metrics
        start = f"{header['metric']} "
        rows = [r | {"metric": r.get("metric", "").removeprefix(start)} for r in rows]
    count = f"{len(records)} run{'s' if len(records) > 1 else ''}"
    footer = {"name": count, "time": _duration(sum(record.seconds for record in records))}
    for without in _WITHOUT:
        columns = [name for name in _COLUMNS if name not in without]
        lines = [tuple(row.get(name, "") for name in columns) for row in rows]
        heads, feet = (tuple(of.get(name, "") for name in columns) for of in (header, footer))
        yield Columns(str(folder), heads, lines, feet, words=3)


def _print_run(record: Record, format_: str) -> None:
    """Print the epochs of a run."""
    names = list(dict.fromkeys(name for epoch in record.metrics for name in epoch))
    epochs = [{name: _cell(name, epoch.get(name)) for name in names} for epoch in record.metrics]
    if format_ == "json":
        values = _described(record) | {"metrics": [*map(_plain, record.metrics)]}
        console().print(json.dumps(values, indent=2, ensure_ascii=False))
    elif format_ != "table":
        rows = [{_header(n): cell for n, cell in epoch.items()} for epoch in epochs]
        console().print(_written(format_, rows, record.metrics))
    elif record.metrics:
        _print(_epochs(record, names))
    else:
        console().print(f"{_title(record)}: no epoch has ended")
    if record.problem and format_ == "table":
        console().print(f" {record.problem}")


def _title(record: Record) -> str:
    of = "?" if record.of is None else record.of
    said = f"{record.name}/{record.folder.resolve().name}: {record.state}, {record.epochs}/{of}"
    return f"{said} epochs in {_duration(record.seconds)}"


def _epochs(record: Record, names: Sequence[str]) -> Iterator[Columns]:
    """Yield the epochs of a run as a table, then narrower ones, the best one in the footer."""
    from netbuild.render.columns import Columns

    best = record.best
    assert best is not None
    losses = ["epoch", "train_loss", "val_loss"]
    more = [n for n in names if n.startswith(("train_", "val_")) and n not in losses]
    columns = [n for n in (*losses, *more, *_MEASURED) if n in names]
    least = sorted(more, key=lambda name: name.startswith("train_"))  # in the order of importance
    for dropped in (None, *_MEASURED[::-1], *least[::-1]):
        columns = [name for name in columns if name != dropped]
        lines = [tuple(_cell(n, epoch.get(n)) for n in columns) for epoch in record.metrics]
        cells = [_cell(name, best.get(name)) for name in columns[1:]]
        heads = tuple(map(_header, columns))
        yield Columns(_title(record), heads, lines, (f"best {best['epoch']}", *cells), words=0)


def _written(
    format_: str, cells: Sequence[dict[str, str]], values: Sequence[dict[str, Any]]
) -> str:
    """Return rows as JSON, as CSV of plain values, or as a Markdown table."""
    if format_ == "json":
        return json.dumps([*map(_plain, values)], indent=2, ensure_ascii=False)
    if format_ == "csv":
        import csv

        out = io.StringIO()
        flat = [_flat(row) for row in values]
        names = [*dict.fromkeys(name for row in flat for name in row)]
        writer = csv.DictWriter(out, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)
        return out.getvalue().rstrip("\n")
    names = [*dict.fromkeys(name for row in cells for name in row)]
    rule = ["---" if name in _COLUMNS[:3] else "---:" for name in names]
    rows = [names, rule, *([row.get(name, "") for name in names] for row in cells)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _described(record: Record) -> dict[str, Any]:
    """Return a run as other programs read it."""
    return {
        "name": record.name,
        "run": str(record.folder),
        "state": record.state,
        "problem": record.problem,
        "started": record.environment.get("started"),
        "device": record.environment.get("device"),
        "epochs": record.epochs,
        "of": record.of,
        "seconds": round(record.seconds, 4),
        "best": _plain(record.best) if record.best else None,
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a run, or an epoch, as the cells of a line, the best epoch's beside the others."""
    best = row.get("best") or {}
    named = {"best_epoch" if name == "epoch" else f"best_{name}": v for name, v in best.items()}
    return {name: value for name, value in row.items() if name != "best"} | named


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return numbers as JSON has them, which knows none that is not finite."""
    return {
        n: None if isinstance(v, float) and not math.isfinite(v) else v for n, v in values.items()
    }


def _header(name: str) -> str:
    return {"samples_per_second": "samples/s"}.get(name, name.replace("_", " ", 1))


def _cell(name: str, value: Any) -> str:
    """Return a number of an epoch as people read it."""
    if value is None:
        return ""
    match name:
        case "epoch":
            return str(value)
        case "lr":
            return f"{value:.3g}"
        case "seconds":
            return _duration(value)
        case "samples_per_second":
            return f"{value:,.0f}"
    return _value(name, value)


# Much as `netbuild train` prints them, whose module needs torch.


def _value(name: str, measured: float) -> str:
    return f"{measured:.2%}" if name.endswith("accuracy") else _number(measured)


def _number(measured: float) -> str:
    return f"{measured:.4f}" if abs(measured) < 10 else f"{measured:.4g}"


def _duration(seconds: float) -> str:
    """Return a time with its two largest units."""
    if not math.isfinite(seconds):
        return ""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours < 100 else f"{hours // 24}d{hours % 24:02}h"
