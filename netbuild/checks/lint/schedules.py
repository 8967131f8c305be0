"""Lints of schedulers: those that change nothing, and those that leave the training alone."""

from __future__ import annotations

from math import cos, pi
from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Flow
    from netbuild.components.schedulers.scheduler import Scheduler
    from netbuild.config.config import Config


def idle_schedulers(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a scheduler that never changes the rate, or whose course ends badly too early.

    A warm-up that ends before the training does is what it is for; a rate that is 0 from some step
    on is not, nor is half a cosine that goes up again. Milestones of which some lie beyond the
    end are no fault: recipes are often cut short. Of one step nothing can be said.
    """
    graph = flow.graph
    config = graph.config
    schedule = config.scheduler
    if schedule is None:
        return
    steps = _steps(config)
    if steps is None or steps < 2:
        return
    scheduler = schedule.scheduler
    name = type(scheduler).__name__
    plural = "epochs" if schedule.step == "epoch" else "batches"
    found = _idle(scheduler, getattr(config.optimizer, "lr", None), steps - 1)
    title = f"{name} changes nothing"
    if found is None:
        found = _early(scheduler, steps - 1, plural)
        title = f"{name} ends before the training"
    if found is not None:
        field, label, help_ = found
        note = Note("training", f"{steps:,} {plural}, of which the first has step 0")
        span = config.place("scheduler", field)
        yield Diagnostic("NB317", title, span, label, (note,), help=help_)


def _steps(config: Config) -> int | None:
    """Return how often the scheduler steps, the first time for step 0; None if not known."""
    from netbuild.config.scheduler import Training  # only who has a scheduler imports them

    assert config.scheduler is not None
    samples = config.data.size if config.data else None
    of_epoch = None
    if samples is not None:
        training = samples - config.preparation.held_out(samples)
        of_epoch = config.train.steps(training)
    return config.scheduler.total(Training(config.optimizer, config.train.epochs, of_epoch))


def _idle(scheduler: Scheduler, lr: float | None, last: int) -> tuple[str, str, str | None] | None:
    """Return the field because of which a rate never changes, why, and what to do; else None."""
    late = scheduler.unreached(last)
    if late is not None:
        label = f"the training ends at step {last}, before milestone {late}"
        return "milestones", f"{label}: what is behind it never begins", None
    field = scheduler.constant(lr, last)
    if field is None:
        return None
    value = getattr(scheduler, field)
    shown = list(value) if isinstance(value, tuple) else value
    help_ = None
    if field in {"step_size", "milestones", "total_iters", "patience"}:
        help_ = f"a number below {last + (field != 'patience')} does, or more epochs"
    return field, f"with {field} {shown} the rate is the same at all {last + 1} steps", help_


def _early(scheduler: Scheduler, last: int, plural: str) -> tuple[str, str, str | None] | None:
    """Return the field because of which a course ends badly too early, why, and what to do."""
    end = scheduler.zero_from()
    if end is not None and end <= last:
        label = f"the rate is 0 in the last {last + 1 - end:,} {plural}"
        return "total_iters", label, f"write total_iters: {last + 1}"
    half: int = getattr(scheduler, "T_max", 0)
    if last > half > 0 and cos(pi * last / half) > 0:
        label = f"from step {half:,} on the rate goes up again, and the training ends high"
        return "T_max", label, f"write T_max: {last + 1}"
    return None
