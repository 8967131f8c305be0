"""Lints of schedulers: they have no effect, end too early, or misread the loss."""

from __future__ import annotations

from math import cos, pi
from typing import TYPE_CHECKING

from netbuild.checks.lint.places import set_field
from netbuild.config.monitor import rises
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.syntax.item import Item, place, read_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Flow
    from netbuild.components.schedulers.scheduler import Scheduler
    from netbuild.config.config import Config
    from netbuild.config.optimizer import Optimizing
    from netbuild.config.scheduler import Schedule
    from netbuild.diagnostics.diagnostic import Span


def idle_schedulers(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a scheduler that has no effect, ends too early, or misreads the loss.

    A scheduler without effect never changes the learning rate. A scheduler ends too early if the
    rate is 0 before the last step, or if a cosine rises again. A warm-up may end early. Some
    milestones may lie after the end: recipes are often cut short. A scheduler misreads the loss if
    it lowers the rate because the loss falls. A training of one step gets no warning.
    """
    config = flow.graph.config
    if config.scheduler is not None:
        one = config.optimizers[0] if config.optimizers else None
        yield from _idle_schedule(config, one, config.scheduler, config.items.get("scheduler"))
    for one in config.optimizers:
        if one.schedule is not None:
            beside = read_item(one.item.modifiers["scheduler"].value, "scheduler")
            item = beside if isinstance(beside, Item) else None
            yield from _idle_schedule(config, one, one.schedule, item)


def _idle_schedule(
    config: Config, one: Optimizing | None, schedule: Schedule, item: Item | None
) -> Iterator[Diagnostic]:
    """Yield the warning of one schedule; `item` is its item in the file."""
    steps = _steps(config, one, schedule)
    if steps is None or steps < 2:
        return
    optimizer = one and one.optimizer
    scheduler = schedule.scheduler
    name = type(scheduler).__name__
    plural = "epochs" if schedule.step == "epoch" else "batches"
    misread = scheduler.misread(rises=rises(config))
    if misread is not None:
        yield _misread(config, item, name, *misread)
        return
    lr = None if one and one.grouped else getattr(optimizer, "lr", None)
    found = _idle(scheduler, lr, steps - 1, warms=schedule.warmup is not None)
    title = f"{name} has no effect"
    if found is None:
        found = _early(scheduler, steps - 1, plural)
        title = f"{name} ends too early"
    if found is not None:
        field, label, help_ = found
        note = Note("training", f"{steps:,} {plural}: steps 0 to {steps - 1:,}")
        span = _place(config, item, field)
        yield Diagnostic("NB317", title, span, label, (note,), help=help_)


def _misread(
    config: Config, item: Item | None, name: str, field: str, reason: str, right: str
) -> Diagnostic:
    """Return the warning for a scheduler that misreads the loss."""
    title, help_ = f"{name} misreads the loss", f"write {field}: {right}"
    span, fixes = _place(config, item, field), set_field(item, field, right)
    return Diagnostic("NB317", title, span, reason, help=help_, fixes=fixes)


def _place(config: Config, item: Item | None, field: str) -> Span:
    """Return the place of a scheduler's field."""
    return place(item, field) if item else config.span("scheduler")


def _steps(config: Config, one: Optimizing | None, schedule: Schedule) -> int | None:
    """Return the number of steps of a scheduler, step 0 included; None if it is unknown."""
    from netbuild.config.schedules import training_of  # only a config with a scheduler needs it

    return schedule.total(training_of(one, config.data, config.preparation, config.train))


def _idle(
    scheduler: Scheduler, lr: float | None, last: int, *, warms: bool
) -> tuple[str, str, str | None] | None:
    """Return the field that keeps the rate constant, the reason and the help; None if none does."""
    late = scheduler.unreached(last)
    if late is not None:
        label = f"the training ends at step {last}, before milestone {late}"
        return "milestones", f"{label}: the next scheduler never starts", None
    field = scheduler.constant(lr, last)
    if field is None or warms:  # a warm-up changes the rate
        return None
    value = getattr(scheduler, field)
    shown = list(value) if isinstance(value, tuple) else value
    help_ = None
    if field in {"step_size", "milestones", "total_iters", "patience"}:
        help_ = f"use a number below {last + (field != 'patience')}, or train for more epochs"
    return (
        field,
        f"with {field} {shown} the learning rate is the same in all {last + 1} steps",
        help_,
    )


def _early(scheduler: Scheduler, last: int, plural: str) -> tuple[str, str, str | None] | None:
    """Return the field that ends a schedule too early, the reason and the help; else None."""
    field, end = scheduler.zero_from() or ("", last + 1)
    if end <= last:
        label = f"the learning rate is 0 in the last {last + 1 - end:,} {plural}"
        remedy = "use a number above 0" if field == "gamma" else f"write {field}: {last + 1}"
        return field, label, remedy
    half: int = getattr(scheduler, "T_max", None) or 0
    if last > half > 0 and cos(pi * last / half) > 0:
        label = f"from step {half:,} the learning rate rises again, until the end of the training"
        return "T_max", label, f"write T_max: {last + 1}"
    return None
