"""A run that goes on with another config: what of its state begins anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any

    from netbuild.config import Config


class Anew(NamedTuple):
    """What a change of the config has begin anew."""

    #: Which epoch is best: other samples train and validate.
    best: bool = False
    #: What the optimizer keeps of weights: it is another one, or has other groups.
    optimizer: bool = False
    #: The options of the optimizer.
    options: bool = False
    #: The schedule of the learning rate, which is then where it would be by now.
    schedule: bool = False


def anew(before: Config, after: Config) -> Anew:
    """Return what does not go on as it was."""
    return Anew(*(part(before) != part(after) for part in (_samples, _optimizer, _options, _steps)))


def _samples(config: Config) -> Any:
    return config.data, config.preparation.validation, config.train.seed


def _optimizer(config: Config) -> Any:
    return type(config.optimizer), [group.match for group in config.groups]


def _options(config: Config) -> Any:
    return config.optimizer, [(group.match, group.options) for group in config.groups]


def _steps(config: Config) -> Any:
    train = config.train  # OneCycleLR goes by the number of all steps
    counts = (train.batch_size, train.accumulate, train.limit_batches, train.overfit_batches)
    return _options(config), config.scheduler, train.epochs, counts
