"""The section `scheduler:`: a scheduler, when it steps, and whether it fits the training."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, NamedTuple, Optional

from pydantic_core import core_schema

from netbuild.components.component import Component
from netbuild.components.fields import Wants, optional
from netbuild.components.schedulers import SCHEDULERS
from netbuild.components.schedulers.decay import ReduceLROnPlateau
from netbuild.components.schedulers.scheduler import Scheduler, Step, Use
from netbuild.components.tensor import ShapeError
from netbuild.config.filling import check_modifiers, fill, fill_fields, find
from netbuild.diagnostics.diagnostic import Diagnostic, Found
from netbuild.syntax.item import Item, inner, place

if TYPE_CHECKING:
    from netbuild.components.optimizers.optimizer import Optimizer


class Stepping(Component):
    """The modifiers of a scheduler."""

    step: Annotated[
        Step | None,
        Wants("epoch or batch", optional(core_schema.literal_schema(["epoch", "batch"]))),
    ] = None
    """When the scheduler steps: after each epoch or batch; null takes the default of its type."""


class Schedule(NamedTuple):
    """A scheduler, and when it steps."""

    scheduler: Scheduler
    step: Step

    def total(self, training: "Training") -> int | None:
        """Return the number of its steps in a training; None if it is not known yet."""
        if self.step == "epoch":
            return training.epochs
        return None if training.batches is None else training.epochs * training.batches


class Training(NamedTuple):
    """The parts of a training that a scheduler has to fit."""

    optimizer: Optional["Optimizer"]
    epochs: int
    batches: int | None  # per epoch; None if only the loaded data tells
    grouped: bool = False  # whether a parameter group has its own learning rate


_REMEDIES = {
    "cycle_momentum": "write cycle_momentum: false",
    "total_steps": "leave total_steps out: the default is the number of steps of the training",
    "max_lr": "leave lr out of the groups, or use a scheduler that starts from each group's rate",
    "steps_per_epoch": "leave it and epochs out: the number of steps then comes from the training",
}


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
    schedule = Schedule(scheduler, stepping.step or scheduler.steps_every)
    return schedule, (*faults, *_check(schedule, item, training))


def _check(schedule: Schedule, item: Item, training: Training) -> Iterator[Diagnostic]:
    """Yield the faults of a schedule that does not fit the training."""
    scheduler = schedule.scheduler
    if isinstance(scheduler, ReduceLROnPlateau) and schedule.step == "batch":
        label = "ReduceLROnPlateau reads the validation loss, which exists once per epoch"
        span = item.modifiers["step"].value.span
        yield Diagnostic("NB403", _title(scheduler), span, label)
    for (path, part), error in misfits(schedule, training):
        span = place(_item_of(item, path), error.at)
        remedy = _REMEDIES.get(error.at or "")
        yield Diagnostic(error.code, _title(part), span, str(error), help=remedy)


def misfits(
    schedule: Schedule, training: Training
) -> Iterator[tuple[tuple[tuple[int, ...], Scheduler], ShapeError]]:
    """Yield each scheduler that does not fit the training, with its path and its error."""
    steps = schedule.total(training)
    first: tuple[int, ...] = ()
    use = Use(training.optimizer, steps, steps, grouped=training.grouped)
    pending = [(first, schedule.scheduler, use)]
    while pending:
        path, scheduler, use = pending.pop()
        try:
            scheduler.check(use)
        except ShapeError as error:
            yield (path, scheduler), error
        parts = enumerate(scheduler.parts(use))
        pending += [((*path, number), part, inner) for number, (part, inner) in parts]


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
