"""The schedule of each optimizer: its warm-up, its steps, and what its length decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.config.schedules import training_of
from netbuild.config.training_length import warmup_steps
from netbuild.reports.explanation.step import FormulaStep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.config.config import Config
    from netbuild.config.scheduler import Schedule
    from netbuild.config.training_length import Training


class ScheduleExplanation(NamedTuple):
    """The schedule of an optimizer, with its numbers."""

    optimizer: str
    scheduler: str
    #: When the scheduler steps: after each epoch or after each batch.
    every: str
    steps: tuple[FormulaStep, ...]


def schedules(config: Config) -> tuple[ScheduleExplanation, ...]:
    """Explain the schedules of a config, in the order of its optimizers."""
    found = []
    for one, schedule in zip(config.optimizers, config.schedules, strict=True):
        if schedule is not None:
            training = training_of(one, config.data, config.preparation, config.train)
            steps = tuple(_steps(schedule, training))
            names = type(one.optimizer).__name__, type(schedule.scheduler).__name__
            found.append(ScheduleExplanation(*names, schedule.step, steps))
    return tuple(found)


def _steps(schedule: Schedule, training: Training) -> Iterator[FormulaStep]:
    yield _training(training)
    if schedule.warmup is not None:
        yield _warmup(schedule.warmup, training)
    total = schedule.total(training)
    if total is None:
        return
    if schedule.step == "batch":
        warm = warmup_steps(schedule.warmup, training)
        rule, numbers = "training", ""
        if schedule.warmup is not None:
            rule, numbers = "training − warm-up", f"{training.steps:,} − {warm:,}"
        yield FormulaStep("schedule", rule, numbers, total, note="steps, one after each batch")
    else:
        before = training.begun_epochs - total
        rule = "epochs − epochs of the warm-up" if before else "epochs"
        numbers = f"{training.begun_epochs:,} − {before:,}" if before else ""
        yield FormulaStep("schedule", rule, numbers, total, note="steps, one after each epoch")
    yield from _decided(schedule, training)


def _training(training: Training) -> FormulaStep:
    """Return the step with the number of all steps of the optimizer."""
    if training.steps is None:
        return FormulaStep("training", "", "", None, note="its length is known with the data")
    rule, numbers, note = "max_steps", "", ""
    if training.batches is not None:
        whole = training.epochs * training.batches
        rule, numbers = "epochs · steps of an epoch", f"{training.epochs:,} · {training.batches:,}"
        if training.max_steps is not None:
            rule, numbers = (
                f"least of ({rule}) and max_steps",
                f"{whole:,} or {training.max_steps:,}",
            )
    if training.every > 1:
        rule, note = f"({rule}) / every", f"the optimizer takes one of {training.every} steps"
        numbers = f"({numbers or training.max_steps}) / {training.every}"
    return FormulaStep("training", rule, numbers, training.steps, note=note)


def _warmup(warmup: int | str, training: Training) -> FormulaStep:
    steps = warmup_steps(warmup, training)
    if steps is None:
        return FormulaStep("warm-up", "", "", None, note=f"{warmup} of the training")
    note = f"step n has (n + 1)/{steps} of the rate"
    if isinstance(warmup, int):
        return FormulaStep("warm-up", "warmup", "", steps, note=note)
    if warmup.endswith("%"):
        numbers = f"{warmup} · {training.steps:,}"
        return FormulaStep("warm-up", "warmup · training", numbers, steps, note=note)
    numbers = f"{warmup.split()[0]} · {training.batches:,}"
    numbers += f" / {training.every}" if training.every > 1 else ""
    return FormulaStep("warm-up", "warmup · steps of an epoch", numbers, steps, note=note)


def _decided(schedule: Schedule, training: Training) -> Iterator[FormulaStep]:
    """Yield the fields of schedulers that the length of the training decides."""
    pending = [(schedule.scheduler, schedule.use(training))]
    while pending:
        scheduler, use = pending.pop(0)
        pending += scheduler.parts(use)
        field = scheduler.open_field()
        if field == "total_steps":
            yield FormulaStep(field, "schedule", "", use.total)
        elif field is not None:
            filled = getattr(scheduler.decided(use), field)
            rule = "steps between its milestones" if use.owner == "SequentialLR" else "schedule"
            yield FormulaStep(field, rule, "", filled)
