"""What runs have reached: metrics of the best and the last epoch, times and environments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.files import read as read_bytes
from netbuild.reports.runs import duration, shown_value
from netbuild.runs import layout
from netbuild.runs.numbers import finite, is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.runs.records import Record

#: What an environment tells, in the order of the page.
ENVIRONMENT = (
    *("netbuild", "python", "torch", "numpy", "platform", "processor", "device", "threads"),
)
#: The most bytes of the file with what a run keeps of its data.
_MOST = 1 << 26


class Outcome(NamedTuple):
    """A line of the comparison: its name, a text for each run, and a value for each run."""

    name: str
    texts: tuple[str, ...]
    values: tuple[Any, ...]


def measured(records: Sequence[Record]) -> list[Outcome]:
    """Return the metrics of the best epoch and of the last one, the epochs and the times."""
    best = [record.best or {} for record in records]
    last = [record.metrics[-1] if record.metrics else {} for record in records]
    names = [n for n in dict.fromkeys(n for e in (*best, *last) for n in e) if _is_metric(n)]
    names.sort(key=_place)
    found = [
        _outcome("epochs", [f"{r.epochs}/{_of(r)}" for r in records], [r.epochs for r in records])
    ]
    found.append(_numbers("best epoch", "epoch", best))
    found += [_numbers(f"{n.replace('_', ' ')}, best", n, best) for n in names]
    found += [_numbers(f"{n.replace('_', ' ')}, last", n, last) for n in names]
    seconds = [record.seconds for record in records]
    found.append(_outcome("time", [duration(s) for s in seconds], [round(s, 4) for s in seconds]))
    state = [record.state for record in records]
    return [*found, *([_outcome("state", state, state)] if {*state} != {"finished"} else [])]


def _is_metric(name: str) -> bool:
    return name.startswith(("train_", "val_"))


def _place(name: str) -> tuple[bool, bool]:
    """Return the place of a metric: the validation first, and its loss."""
    return not name.startswith("val_"), not name.endswith("_loss")


def _of(record: Record) -> str:
    return "?" if record.of is None else str(record.of)


def _outcome(name: str, texts: Sequence[str], values: Sequence[Any]) -> Outcome:
    return Outcome(name, tuple(texts), tuple(values))


def _numbers(title: str, name: str, epochs: Sequence[dict[str, Any]]) -> Outcome:
    values: list[Any] = [epoch.get(name) for epoch in epochs]
    texts = [shown_value(name, v) if is_number(v) else "" for v in values]
    return _outcome(title, texts, [finite(value) for value in values])


def surroundings(records: Sequence[Record], *, every: bool = False) -> list[Outcome]:
    """Return what differs in the environments and in the data; or all of it."""
    names = [n for n in ENVIRONMENT if any(n in record.environment for record in records)]
    found = []
    for name in names:
        values = [record.environment.get(name) for record in records]
        found.append(_outcome(name, ["" if v is None else str(v) for v in values], values))
    marks = [_samples(record) for record in records]
    counts = [mark and mark.get("count") for mark in marks]
    texts = [f"{count:,}" if isinstance(count, int) else "" for count in counts]
    if any(texts):
        if len({*texts}) == 1 and len({str(mark) for mark in marks}) > 1:
            texts = [
                f"{t}, checksum {(m or {}).get('checksum')}"
                for t, m in zip(texts, marks, strict=True)
            ]
        found.append(_outcome("training samples", texts, marks))
    return [one for one in found if every or len({*one.texts}) > 1]


def _samples(record: Record) -> dict[str, Any] | None:
    """Return the number and the checksum of the samples that have trained; None if unknown."""
    folder = record.folds.fold(1) if record.folds else record.folder
    try:
        kept = json.loads(read_bytes(folder / layout.DATA, _MOST))
    except (OSError, ValueError, RecursionError):
        return None
    found = kept.get("samples") if isinstance(kept, dict) else None
    return found if isinstance(found, dict) else None


def command(record: Record) -> str:
    """Return the command that has started a run, as one types it; "" if it is unknown.

    The folder of the program is left out: it belongs to one machine.
    """
    from pathlib import PurePath
    from shlex import join

    given = record.environment.get("command")
    if not isinstance(given, list) or not given or not all(isinstance(p, str) for p in given):
        return ""
    program = PurePath(given[0]).name
    if program in {"__main__.py", "netbuild", "netbuild.exe"}:
        return join(["netbuild", *given[1:]])
    return join(["python", program, *given[1:]])
