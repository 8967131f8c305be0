"""Check that a training measures what `train.monitor` names, and that schedules follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.config.metrics import measured_keys
from netbuild.config.monitor import rises
from netbuild.diagnostics.diagnostic import Diagnostic, errors
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.syntax.item import Item, place, read_item
from netbuild.syntax.node import Map

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.components.schedulers.scheduler import Scheduler
    from netbuild.config.config import Config
    from netbuild.config.optimizer import Optimizing
    from netbuild.diagnostics.diagnostic import Span


def check(config: Config) -> Iterator[Diagnostic]:
    """Yield the faults of the monitor, and those of schedules that read another direction."""
    if config.losses and not errors(config.diagnostics):
        yield from _check_key(config)
        yield from _check_written(config)
    for one, schedule in zip(config.optimizers, config.schedules, strict=True):
        if schedule is not None and schedule.scheduler.reads_monitor:
            yield from _check_mode(config, one, schedule.scheduler)


def _check_key(config: Config) -> Iterator[Diagnostic]:
    """Yield the fault of a monitor that nothing measures, or that orders no epochs."""
    key, keys, span = config.train.monitor, measured_keys(config), _place(config)
    if key is None:
        yield from _check_without(config)
    elif key not in keys:
        help_, fixes = did_you_mean(key, keys, span)
        help_ = help_ or f"it measures {', '.join(_ordering(keys))}"
        title = f"no value is called {brief(key)}"
        label = "the training does not measure it"
        yield Diagnostic("NB418", title, span, label, help=help_, fixes=fixes)
    elif keys[key] is None:
        title = f"{key} orders no epochs"
        label = "it is not one number, or neither a larger nor a smaller value is better"
        yield Diagnostic("NB418", title, span, label)


def _ordering(keys: Mapping[str, bool | None]) -> list[str]:
    """Return the values of the validation that order epochs."""
    return [name for name, up in keys.items() if name.startswith("val_") and up is not None]


def _check_written(config: Config) -> Iterator[Diagnostic]:
    """Yield the fault of a training that minimises several sums and names no monitor."""
    train = config.root.get("train")
    written = isinstance(train, Map) and "monitor" in train.entries
    first = next((one for one in config.optimizers if one.losses), None)
    if written or first is None or len({one.losses for one in config.optimizers}) == 1:
        return
    label = "the sum of the losses of several optimizers orders no epochs"
    help_ = "write train: {monitor: val_…}, or {monitor: null} to keep the newest epoch"
    span = first.item.modifiers["losses"].value.span
    yield Diagnostic("NB418", "a training without a monitor", span, label, help=help_)


def _check_without(config: Config) -> Iterator[Diagnostic]:
    """Yield the faults of `monitor: null`, with which no epoch is better than another."""
    span = _place(config)
    title, help_ = "a training without a monitor", "name a value such as val_loss"
    if not any(one.losses for one in config.optimizers):
        label = "all optimizers minimise the same loss, which orders the epochs"
        yield Diagnostic("NB418", title, span, label, help="leave monitor out")
    elif config.train.patience is not None:
        label = "patience counts the epochs without a better value"
        yield Diagnostic("NB418", title, config.place("train", "patience"), label, help=help_)
    for one, schedule in zip(config.optimizers, config.schedules, strict=True):
        if schedule is not None and schedule.scheduler.reads_monitor:
            item = scheduler_item(config, one)
            label = "ReduceLROnPlateau reads the monitor"
            there = item.type.span if item else span
            yield Diagnostic("NB418", title, there, label, help=help_)


def _place(config: Config) -> Span:
    """Return the place of the value of `monitor`; of `train` if the default counts."""
    train = config.root.get("train")
    entry = train.entries.get("monitor") if isinstance(train, Map) else None
    return entry.value.span if entry else config.span("train")


def scheduler_item(config: Config, one: Optimizing | None) -> Item | None:
    """Return the item of a schedule in the file, as it is written there."""
    beside = one.item.modifiers.get("scheduler") if one else None
    if beside is None:
        return config.items.get("scheduler")
    item = read_item(beside.value, "scheduler")
    return item if isinstance(item, Item) else None


def _check_mode(config: Config, one: Optimizing, scheduler: Scheduler) -> Iterator[Diagnostic]:
    """Yield the fault of a `mode` that contradicts the direction of the monitor."""
    up, mode = rises(config), getattr(scheduler, "mode", None)
    if config.train.monitor is None or mode in {None, "max" if up else "min"}:
        return
    item = scheduler_item(config, one)
    span = place(item, "mode") if item else config.span("scheduler")
    better = "a larger" if up else "a smaller"
    label = f"{better} {config.train.monitor} is better, and mode {mode} says otherwise"
    help_ = f"leave mode out: the monitor decides it, here {'max' if up else 'min'}"
    title = "ReduceLROnPlateau does not fit the training"
    yield Diagnostic("NB403", title, span, label, help=help_)
