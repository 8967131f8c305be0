"""Which runs are listed, and in which order: `--filter`, `--sort` and `--limit`."""

from __future__ import annotations

import math
import operator
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.diagnostics.exceptions import SettingsError
from netbuild.diagnostics.wording import suggest
from netbuild.reports.comparison.settings import at, flat
from netbuild.runs.numbers import is_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netbuild.runs.records import Record

_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_CONDITION = re.compile(r"([^<>=!]+)(>=|<=|!=|==|=|>|<)(.*)", re.DOTALL)
#: What a run tells beside its settings and its metrics.
_OWN = ("name", "run", "state", "epochs", "seconds", "device")


class _Condition(NamedTuple):
    """A filter: the name of a value, how it is compared, and with what."""

    name: str
    sign: str
    wanted: Any

    def keeps(self, record: Record) -> bool:
        """Whether a run fulfils it. A run without the value does not."""
        found = told(record, self.name)
        if found is None and self.wanted is not None:
            return self.sign == "!=" and bool(record.sections)
        equal = self.sign in {"=", "==", "!="}
        if equal and isinstance(found, str) and isinstance(self.wanted, str):
            return fnmatchcase(found, self.wanted) == (self.sign != "!=")
        if not equal and not (is_number(found) and is_number(self.wanted)):
            return False
        return _SIGNS[self.sign](found, self.wanted)


def told(record: Record, name: str) -> Any:
    """Return a value of a run: a metric of its best epoch, a setting, or its state; None without.

    `accuracy` is the same as `val_accuracy`.
    """
    if name in _OWN:
        return {
            "name": record.name,
            "run": record.folder.name,
            "state": record.state,
            "epochs": record.epochs,
            "seconds": record.seconds,
            "device": record.environment.get("device"),
        }[name]
    best = record.best or {}
    for key in (name, f"val_{name}"):
        if key in best:
            return best[key]
    value = at(record.sections, name)
    if isinstance(value, dict) and len(value) == 1:  # an item: its type is its value
        return next(iter(value))
    return value


def known_names(records: Sequence[Record]) -> list[str]:
    """Return the names of all values of some runs, for filters and orders."""
    names = dict.fromkeys(_OWN)
    for record in records:
        names |= dict.fromkeys(record.best or {})
        names |= dict.fromkeys(path for path, _ in flat(dict(record.sections)))
    return list(names)


def filtered(records: Sequence[Record], conditions: Sequence[str]) -> list[Record]:
    """Return the runs that fulfil all conditions, such as `val_accuracy>0.9`.

    Raises:
        SettingsError: a condition has another form, or names what no run has.
    """
    found = list(records)
    for text in conditions:
        condition = _read(text)
        _expect_known(records, condition.name, "filter")
        found = [record for record in found if condition.keeps(record)]
    return found


def _read(text: str) -> _Condition:
    """Return a condition.

    Raises:
        SettingsError: it has another form.
    """
    from netbuild.diagnostics.diagnostic import errors
    from netbuild.syntax.node import plain
    from netbuild.syntax.parser import from_bytes

    parts = _CONDITION.fullmatch(text.strip())
    if parts is None:
        message = f"--filter {text}: write a name, a sign and a value, as in 'val_accuracy>0.9'"
        raise SettingsError(message)
    name, sign, said = (part.strip() for part in parts.groups())
    percent = _number(said[:-1]) if said.endswith("%") else None
    if percent is not None:
        return _Condition(name, sign, percent / 100)
    source = from_bytes("--filter", said.encode("utf-8", "replace"))
    value = None if source.root is None else plain(source.root)
    faults = [one for one in errors(source.diagnostics) if one.code != "NB005"]  # null is empty
    is_text = faults or isinstance(value, dict | list)
    wanted = said if is_text else value
    if sign in {">", "<", ">=", "<="} and not is_number(wanted):
        raise SettingsError(f"--filter {text}: {sign} compares numbers, and {said!r} is no number")
    return _Condition(name, sign, wanted)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _expect_known(records: Sequence[Record], name: str, option: str) -> None:
    """Refuse a name that no run has.

    Raises:
        SettingsError: the message proposes a similar one.
    """
    if not records or any(told(record, name) is not None for record in records):
        return
    known = known_names(records)
    if name in known:  # it is null everywhere
        return
    short = {path.rpartition(".")[2]: path for path in reversed(known)}
    near = short.get(name) or suggest(name, tuple(known))
    help_ = f"did you mean {near}?" if near else "such as val_loss or optimizer.SGD.lr"
    raise SettingsError(f"--{option} {name}: no run has it; {help_}")


def sorted_by(records: Sequence[Record], order: str) -> list[Record]:
    """Return runs in the order of a value. Runs without it come last.

    `metric` puts the best of the monitored values first. A `-` before another name puts the largest
    first. Records in the order of time keep it where values are equal.

    Raises:
        SettingsError: no run has such a value.
    """
    if order == "metric":
        return sorted(records, key=lambda record: _last_if_none(_monitored(record)))
    name = order.removeprefix("-")
    _expect_known(records, name, "sort")
    down = order.startswith("-")
    return sorted(records, key=lambda record: _last_if_none(told(record, name), down=down))


def _last_if_none(value: Any, *, down: bool = False) -> tuple[int, float, str]:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return 2, 0.0, ""
    if is_number(value) or isinstance(value, bool):
        return 0, -value if down else value, ""
    return 1, 0.0, str(value)


def _monitored(record: Record) -> float | None:
    """Return the monitored value of the best epoch, so that less is better; None without."""
    found = monitored(record)
    return None if found is None else -found if rises(record) else found


def monitored(record: Record) -> float | None:
    """Return the value by which the best epoch of a run was chosen; None without."""
    best = record.best or {}
    found = best.get(record.monitor, best.get("val_loss"))
    return found if is_number(found) else None


def rises(record: Record) -> bool:
    """Whether a larger value of the monitor is better.

    The losses fall. Of a metric its own definition says it, so the config is read.
    """
    if record.monitor in {"val_loss", "train_loss", "None"}:
        return False
    from netbuild.config.load import load
    from netbuild.config.monitor import rises as rising
    from netbuild.diagnostics.exceptions import ConfigError
    from netbuild.runs import layout

    name = layout.FOLDS_CONFIG if record.folds else layout.RESOLVED
    try:
        return rising(load(record.folder / name))
    except (ConfigError, OSError):
        return False


def limited(records: Sequence[Record], limit: int | None, order: str) -> list[Record]:
    """Return the first runs of an order; in the order of time, the newest ones."""
    if limit is None:
        return list(records)
    return list(records[-limit:] if order == "time" else records[:limit])
