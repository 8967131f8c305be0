"""The schedules of a config: the section `scheduler:`, or one beside each optimizer of a list."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from netbuild.components.schedulers import SCHEDULERS
from netbuild.config.scheduler import Schedule, read_schedule
from netbuild.config.training_length import Training
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.syntax.item import read_item
from netbuild.syntax.node import is_null, is_unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.components.datasets.dataset import Dataset
    from netbuild.config.optimizer import Optimizing
    from netbuild.config.preparation import Preparation
    from netbuild.config.sections import Sections
    from netbuild.config.train import Train
    from netbuild.diagnostics.diagnostic import Found


def read_section(
    sections: Sections, optimizers: Sequence[Optimizing], training: Training
) -> Found[Schedule | None]:
    """Read the section `scheduler:`, which is for a single optimizer; None after a fault."""
    if sections.root.get("scheduler") is None:
        return None, ()
    item, faults = sections.item("scheduler", "scheduler", SCHEDULERS)
    if item is None:
        return None, faults
    if len(optimizers) > 1 or any(one.schedule for one in optimizers):
        title = "a scheduler for several optimizers"
        label = "each optimizer of a list has a schedule of its own"
        help_ = f"write it beside an optimizer: {{Adam: …, scheduler: {item.type.text}}}"
        if len(optimizers) == 1:
            title, label = "two schedulers of one optimizer", "another stands beside the optimizer"
            help_ = "remove one of them"
        return None, (*faults, Diagnostic("NB403", title, item.type.span, label, help=help_))
    schedule, wrong = read_schedule(item, training)
    return schedule, (*faults, *wrong)


def read_beside(one: Optimizing, training: Training) -> Found[Optimizing]:
    """Read the modifier `scheduler` of an optimizer in a list."""
    entry = one.item.modifiers.get("scheduler")
    if entry is None or is_null(entry.value) or is_unknown(entry.value):
        return one, ()
    item = read_item(entry.value, "scheduler", SCHEDULERS)
    if isinstance(item, Diagnostic):
        return one, (item,)
    schedule, faults = read_schedule(item, training)
    return one._replace(schedule=schedule), faults


def training_of(
    one: Optimizing | None,
    data: Dataset | None,
    preparation: Preparation,
    train: Train,
    *,
    whole: bool = False,
) -> Training:
    """Return the training of an optimizer, as far as the config tells it.

    `whole` leaves out a smaller last batch.
    """
    training = preparation.trained(data) if data and data.size else None
    batches = None if training is None else train.steps(training, whole=whole)
    endless = data is not None and data.streams
    if endless and train.limit_batches is not None:
        batches = ceil(train.limit_batches / train.accumulate)
    return Training(
        one and one.optimizer,
        train.epochs,
        batches,
        grouped=bool(one and one.grouped),
        max_steps=train.max_steps,
        every=one.every if one else 1,
        endless=endless,
    )
