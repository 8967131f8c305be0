"""What the folders of runs say of what was trained, read without torch.

How a folder is made and what lies in it: netbuild/training/run.py.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Where `netbuild train` puts runs.
RUNS = Path("runs")
#: What it calls the folder of a run.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(-\d{3})?")
_FILES = {"resolved.yaml", "environment.json", "metrics.jsonl", "checkpoints"}
#: How deep runs lie in a folder: NAME/TIME.
_DEPTH = 2


class Record(NamedTuple):
    """What the folder of a run says: its state, what is wrong with it, and its epochs."""

    folder: Path
    state: str
    problem: str | None = None
    epochs: int = 0  # finished
    of: int | None = None
    metrics: tuple[dict[str, Any], ...] = ()  # numbers alone
    best: dict[str, Any] | None = None  # of them, as `best_of` says
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
    def metric(self) -> str | None:
        """The first metric that is one number."""
        return shown_metric(self.best or {}, "val")


# Metrics.


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the metrics of each finished epoch, without what was damaged.

    Raises:
        OSError: they are there, and cannot be read.
    """
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            epoch = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(epoch, dict) and all(_is_number(epoch.get(n)) for n in ("epoch", "val_loss")):
            found.append(epoch)
    return found


def best_of(metrics: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the metrics of the epoch with the lowest validation loss.

    Where a change of the config has had that begin anew, epochs before it do not count.
    """
    marked = [epoch for epoch in metrics if epoch.get("best") is True]
    return marked[-1] if marked else min(metrics, key=lambda epoch: epoch["val_loss"], default=None)


def shown_metric(metrics: dict[str, Any], prefix: str) -> str | None:
    """Return the first metric that is one number, which a line has room for."""
    names = (name.removeprefix(f"{prefix}_") for name in metrics if name.startswith(f"{prefix}_"))
    numbers = (n for n in names if n != "loss" and _is_number(metrics[f"{prefix}_{n}"]))
    return next(numbers, None)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (type(value) is int and abs(value) < 1 << 63)


# Folders.


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run, by its name or by what is in it."""
    try:
        return _TIME.fullmatch(folder.name) is not None or any(
            path.name in _FILES for path in folder.iterdir()
        )
    except OSError:
        return False


def listed(folder: Path, name: str | None = None, order: str = "time") -> list[Record]:
    """Return the runs in a folder and in the folders in it.

    `name` is a pattern that the names of their networks match; the `order` is that of their
    `time`, the newest last, of their `loss`, the lowest first, or of their `name`.
    """
    records = [read(path) for path in _folders(folder, _DEPTH)]
    records = [r for r in records if name is None or fnmatchcase(r.name, name)]
    return sorted(records, key=_ORDERS[order])


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    try:
        inside = sorted(p for p in folder.iterdir() if p.name[0] != "." and p.is_dir())
    except OSError:
        return
    for path in inside:
        if is_run(path):
            yield path
        elif depth > 1:
            yield from _folders(path, depth - 1)


def _loss(record: Record) -> tuple[float, str]:
    loss = record.best["val_loss"] if record.best else math.inf
    return (math.inf if math.isnan(loss) else loss), record.started


_ORDERS: dict[str, Any] = {
    "time": lambda record: (record.started, record.folder.name),
    "loss": _loss,
    "name": lambda record: (record.name, record.started, record.folder.name),
}


# One folder.


def read(folder: Path) -> Record:
    """Return what a folder says; what is damaged in it is said, and never raised."""
    from netbuild.diagnostics.diagnostic import errors
    from netbuild.diagnostics.wording import reason
    from netbuild.syntax.node import plain
    from netbuild.syntax.parser import from_file

    epochs, environment = _epochs(folder), _environment(folder)
    metrics, marked = tuple(map(_numbers, epochs)), best_of(epochs)
    best = _numbers(marked) if marked else None
    known = Record(folder, "damaged", None, len(metrics), None, metrics, best, 0.0, environment)
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
    if _is_finished(train, position or _position_of(known)):
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


def _epochs(folder: Path) -> list[dict[str, Any]]:
    try:
        return read_metrics(folder)
    except OSError:
        return []


def _numbers(epoch: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of an epoch: tables, and what is not finite, have no room in a line."""
    return {name: value for name, value in epoch.items() if _is_number(value)}


def _position(folder: Path) -> dict[str, Any] | None:
    """Return where the last checkpoint stands; None where none can be read."""
    from netbuild.runs.pickled import Shapes

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


def _position_of(record: Record) -> dict[str, Any]:
    """Return what the epochs alone say of where a training stands."""
    last = record.metrics[-1]["epoch"] if record.metrics else 0
    waited = last - record.best["epoch"] if record.best else 0
    return {"epoch": last, "waited": waited, "total": 0, "spent": record.seconds}


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
