"""A run that goes on with another config: what of its state begins anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.schedulers.decay import ReduceLROnPlateau

if TYPE_CHECKING:
    from typing import Any

    from netbuild.config.config import Config


class Anew(NamedTuple):
    """What a change of the config has begin anew."""

    #: Which epoch is best: other samples train and validate, or another loss compares them.
    best: bool
    #: What the optimizer keeps of weights: it is another one, or has other groups.
    optimizer: bool
    #: The options of the optimizer, and the schedule, which is then where it would be by now.
    schedule: bool
    #: Of each group, that of the optimizer itself first, whether the rate stays that losses have
    #: lowered: nothing but another rate raises it again.
    lowered: tuple[bool, ...]


def anew(before: Config, after: Config) -> Anew:
    """Return what does not go on as it was."""
    optimizer = _optimizer(before) != _optimizer(after)
    both = zip(_rates(before), _rates(after), strict=True) if not optimizer else ()
    lowered = all(_lowers(config) for config in (before, after))
    return Anew(
        best=_compared(before) != _compared(after),
        optimizer=optimizer,
        schedule=_steps(before) != _steps(after),
        lowered=tuple(lowered and one == other for one, other in both),
    )


def _compared(config: Config) -> Any:
    terms = [(t.loss, [wire.outside for wire in t.reads], t.weight) for t in config.terms]
    preparation = config.preparation
    samples = (config.data, preparation.validation, config.train.seed)
    return samples, terms, preparation.class_weights


def _optimizer(config: Config) -> Any:
    return type(config.optimizer), [group.match for group in config.groups]


def _rates(config: Config) -> list[Any]:
    own = getattr(config.optimizer, "lr", None)
    return [own, *(group.options.get("lr", own) for group in config.groups)]


def _lowers(config: Config) -> bool:
    schedule = config.scheduler
    return schedule is not None and isinstance(schedule.scheduler, ReduceLROnPlateau)


def _steps(config: Config) -> Any:
    train = config.train  # OneCycleLR goes by the number of all steps
    counts = (train.batch_size, train.accumulate, train.limit_batches, train.overfit_batches)
    options = (config.optimizer, [(group.match, group.options) for group in config.groups])
    return options, config.scheduler, train.epochs, counts
