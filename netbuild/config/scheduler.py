"""The section `scheduler:`: a scheduler, when it steps, and whether it goes with the training."""

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
    """What stands beside the type of a scheduler."""

    step: Annotated[
        Step | None,
        Wants("epoch or batch", optional(core_schema.literal_schema(["epoch", "batch"]))),
    ] = None
    """When the scheduler steps: after each epoch or batch; null is what suits its type."""


class Schedule(NamedTuple):
    """A scheduler, and when it steps."""

    scheduler: Scheduler
    step: Step

    def total(self, training: "Training") -> int | None:
        """Return how often it steps in a training; None where that is not known yet."""
        if self.step == "epoch":
            return training.epochs
        return None if training.batches is None else training.epochs * training.batches


class Training(NamedTuple):
    """What a file says of its training that a scheduler has to go with."""

    optimizer: Optional["Optimizer"]
    epochs: int
    batches: int | None  # of an epoch; None where only the data itself knows
    grouped: bool = False  # whether some weights have a learning rate of their own


_REMEDIES = {
    "cycle_momentum": "write cycle_momentum: false",
    "total_steps": "leave total_steps out: it is then the number that the training makes",
    "max_lr": "leave lr out of the groups, or take a scheduler that begins with each one's rate",
    "steps_per_epoch": "leave it out, and epochs: the training knows how many steps it makes",
}


def read_schedule(item: Item, training: Training) -> Found[Schedule | None]:
    """Return the schedule that an item stands for; None after a fault."""
    component, faults = find(item, SCHEDULERS, "scheduler")
    scheduler: Scheduler | None = None
    modifiers = Stepping.model_fields
    if component:
        scheduler, faults = fill(component, item)
        faults += check_modifiers(item, component, "scheduler", allowed=modifiers)
    beside = {name: entry for name, entry in item.modifiers.items() if name in modifiers}
    stepping, wrong = fill_fields(Stepping, beside, "scheduler", item.type.span)
    faults += wrong
    if scheduler is None or stepping is None:
        return None, faults
    schedule = Schedule(scheduler, stepping.step or scheduler.steps_every)
    return schedule, (*faults, *_check(schedule, item, training))


def _check(schedule: Schedule, item: Item, training: Training) -> Iterator[Diagnostic]:
    """Yield what keeps a schedule from going with the training."""
    scheduler = schedule.scheduler
    if isinstance(scheduler, ReduceLROnPlateau) and schedule.step == "batch":
        label = "it reads the validation loss, which is there once an epoch"
        span = item.modifiers["step"].value.span
        yield Diagnostic("NB403", _title(scheduler), span, label)
    for (path, part), error in misfits(schedule, training):
        span = place(_written(item, path), error.at)
        remedy = _REMEDIES.get(error.at or "")
        yield Diagnostic(error.code, _title(part), span, str(error), help=remedy)


def misfits(
    schedule: Schedule, training: Training
) -> Iterator[tuple[tuple[tuple[int, ...], Scheduler], ShapeError]]:
    """Yield why schedulers do not go with the training, each with its place among the parts."""
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
    return f"{type(scheduler).__name__} does not go with the training"


def _written(item: Item, path: tuple[int, ...]) -> Item:
    """Return the item of a part; the one around it where that is written as a variable."""
    for number in path:
        part = inner(item, "schedulers", number)
        if part is None:
            break
        item = part
    return item
