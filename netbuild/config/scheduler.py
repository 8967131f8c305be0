"""The section `scheduler:`: a scheduler, when it steps, and whether it fits the training.

    scheduler: {CosineAnnealingLR, warmup: 5%}

Step n of a warm-up of w steps has (n + 1)/w of the rate. The schedule follows, and is shorter.
"""

import re
from collections.abc import Iterator
from typing import Annotated, NamedTuple

from pydantic_core import core_schema

from netbuild.components.component import Component
from netbuild.components.fields import Wants, either, optional, unwanted, whole
from netbuild.components.schedulers import SCHEDULERS
from netbuild.components.schedulers.cycle import CyclicLR, OneCycleLR
from netbuild.components.schedulers.scheduler import Scheduler, Step, Use
from netbuild.components.tensor import ShapeError
from netbuild.config.filling import check_modifiers, fill, fill_fields, find
from netbuild.config.training_length import Training, warmup_steps
from netbuild.diagnostics.diagnostic import Diagnostic, Found
from netbuild.syntax.item import Item, inner, place

_WARMUP = "a number of steps such as 500, a share such as 5%, or a length such as 2 epochs"


def _length(text: str) -> str:
    """Return the text of a warm-up. Other texts raise an error of a validator."""
    number = re.match(r"[0-9.]*[1-9]", text)
    if number is None or (text.endswith("%") and float(text.removesuffix("%")) > 100):
        raise unwanted(_WARMUP)
    return text


class Stepping(Component):
    """The modifiers of a scheduler."""

    step: Annotated[
        Step | None,
        Wants("epoch or batch", optional(core_schema.literal_schema(["epoch", "batch"]))),
    ] = None
    """When the scheduler steps: after each epoch or batch; null takes the default of its type."""
    warmup: Annotated[
        int | str | None,
        Wants(
            _WARMUP,
            optional(
                either(
                    whole(1),
                    core_schema.no_info_after_validator_function(
                        _length,
                        core_schema.str_schema(
                            strict=True,
                            pattern=r"^([0-9]{1,3}(\.[0-9]{1,9})? ?%|[0-9]{1,9} epochs?)$",
                        ),
                    ),
                )
            ),
        ),
    ] = None
    """How long the rate rises to its first value: 500 (steps), 5% or 2 epochs; null: not at all."""


class Schedule(NamedTuple):
    """A scheduler, when it steps, and the warm-up before its first step."""

    scheduler: Scheduler
    step: Step
    warmup: int | str | None = None

    def total(self, training: Training) -> int | None:
        """Return the number of its steps in a training; None if it is not known yet."""
        warmup = warmup_steps(self.warmup, training)
        if self.step == "batch":
            steps = training.steps
            return None if steps is None or warmup is None else max(0, steps - warmup)
        before = 0 if warmup == 0 else warmup and training.epoch_ends(warmup)
        return None if before is None else max(0, training.begun_epochs - before)

    def decided(self, training: Training) -> Scheduler:
        """Return the scheduler with the fields that the length of the training decides."""
        return self.scheduler.decided(self.use(training))

    def use(self, training: Training) -> Use:
        """Return the use of the scheduler in a training."""
        steps = self.total(training)
        optimizer = training.optimizer
        use = Use(optimizer, steps, steps, steps)
        return use._replace(grouped=training.grouped, rises=training.rises)


_REMEDIES = {
    "cycle_momentum": "write cycle_momentum: false",
    "total_steps": "leave total_steps out: the default is the number of steps of the training",
    "max_lr": "leave lr out of the groups, or use a scheduler that starts from each group's rate",
    "warmup": "write a shorter one, such as 5%",
    "steps_per_epoch": "leave it and epochs out: the number of steps then comes from the training",
}

_LIMITS = "write train: {max_steps: …}, or {limit_batches: …}, or a number here"


def read_schedule(item: Item, training: Training) -> Found[Schedule | None]:
    """Read the schedule of an item; None after a fault."""
    component, faults = find(item, SCHEDULERS, "scheduler")
    scheduler: Scheduler | None = None
    modifiers = Stepping.model_fields
    if component:
        scheduler, faults = fill(component, item)
        faults += check_modifiers(item, component, "scheduler", allowed=modifiers)
    step = {name: entry for name, entry in item.modifiers.items() if name in modifiers}
    stepping, wrong = fill_fields(Stepping, step, "scheduler", item.type.span)
    faults += wrong
    if scheduler is None or stepping is None:
        return None, faults
    schedule = Schedule(scheduler, stepping.step or scheduler.steps_every, stepping.warmup)
    return schedule, (*faults, *_check(schedule, item, training))


def _check(schedule: Schedule, item: Item, training: Training) -> Iterator[Diagnostic]:
    """Yield the faults of a schedule that does not fit the training."""
    scheduler = schedule.scheduler
    if scheduler.reads_monitor and schedule.step == "batch":
        label = "ReduceLROnPlateau reads train.monitor, which is measured once per epoch"
        span = item.modifiers["step"].value.span
        yield Diagnostic("NB403", _title(scheduler), span, label)
    for (path, part), error in misfits(schedule, training):
        span = place(_item_of(item, path), error.at)
        if error.at == "warmup":
            span = item.modifiers["warmup"].value.span
        remedy = _LIMITS if str(error).startswith(_UNKNOWN) else _REMEDIES.get(error.at or "")
        yield Diagnostic(error.code, _title(part), span, str(error), help=error.help or remedy)


def misfits(
    schedule: Schedule, training: Training
) -> Iterator[tuple[tuple[tuple[int, ...], Scheduler], ShapeError]]:
    """Yield each scheduler that does not fit the training, with its path and its error."""
    first: tuple[int, ...] = ()
    use = schedule.use(training)
    pending = [(first, schedule.decided(training), use)]
    while pending:
        path, scheduler, use = pending.pop()
        try:
            if schedule.warmup is not None:
                _check_warmup(schedule.warmup, scheduler, training)
            scheduler.check(use)
            _check_length(scheduler, use, training)
        except ShapeError as error:
            yield (path, scheduler), error
        parts = enumerate(scheduler.parts(use))
        pending += [((*path, number), part, inner) for number, (part, inner) in parts]


def _check_warmup(written: int | str, part: Scheduler, training: Training) -> None:
    """Check the warm-up before a scheduler.

    Raises:
        ShapeError: the warm-up does not fit the scheduler or the training.
    """
    if isinstance(part, OneCycleLR | CyclicLR):
        message = f"{type(part).__name__} has a warm-up of its own, and sets the rate at each step"
        raise ShapeError("NB403", message, at="warmup", help="leave warmup out")
    warmup, steps = warmup_steps(written, training), training.steps
    if warmup is None and training.endless:
        raise ShapeError("NB403", f"{_UNKNOWN}, so nobody knows {written} of it", at="warmup")
    if warmup is not None and steps is not None and warmup > steps:
        length = f"{warmup:,} steps" + (f" ({written})" if isinstance(written, str) else "")
        message = f"the warm-up has {length}, and the training {steps:,}"
        raise ShapeError("NB403", message, at="warmup")


def _check_length(scheduler: Scheduler, use: Use, training: Training) -> None:
    """Check that a training with a known length decides what a scheduler leaves open.

    Raises:
        ShapeError: the training is a stream, whose length is unknown.
    """
    field = scheduler.open_field()
    if field is not None and use.length is None and training.endless:
        message = f"{_UNKNOWN}, so {field} cannot be left out"
        raise ShapeError("NB403", message, at=field)


#: The reason why nothing can be computed from the length of a stream.
_UNKNOWN = "nobody knows how many steps a stream has"


def _title(scheduler: Scheduler) -> str:
    return f"{type(scheduler).__name__} does not fit the training"


def _item_of(item: Item, path: tuple[int, ...]) -> Item:
    """Return the item of a part of a schedule; if the part is a variable, the item around it."""
    for number in path:
        part = inner(item, "schedulers", number)
        if part is None:
            break
        item = part
    return item
