"""A run that continues with another config: the parts of its state that begin anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.graph.tracing.network import trace_network

if TYPE_CHECKING:
    from typing import Any

    from netbuild.config.config import Config


class Anew(NamedTuple):
    """The parts of a run's state that begin anew after a change of its config."""

    #: The best epoch: the samples or the loss have changed, so losses cannot be compared.
    best: bool
    #: The state of the optimizer: its type, its groups or the weights that learn have changed.
    optimizer: bool
    #: The options of the optimizer, and the schedule, which is replayed up to the position.
    schedule: bool
    #: For each group of each optimizer, its own first: whether its learning rate stays as low as
    #: ReduceLROnPlateau has set it. Only a new rate in the config raises it again.
    lowered: tuple[tuple[bool, ...], ...]


def anew(before: Config, after: Config) -> Anew:
    """Return the parts that begin anew when a run changes from one config to another."""
    optimizer = _optimizer(before) != _optimizer(after)
    both = zip(_rates(before), _rates(after), strict=True) if not optimizer else ()
    return Anew(
        best=_compared(before) != _compared(after),
        optimizer=optimizer,
        schedule=_steps(before) != _steps(after),
        lowered=tuple(
            tuple(rate is not None and rate == new for rate, new in zip(old, now, strict=True))
            for old, now in both
        ),
    )


def _compared(config: Config) -> Any:
    terms = [
        (t.loss, [wire.outside for wire in t.reads], t.weight, t.target) for t in config.losses
    ]
    preparation = config.preparation
    samples = (config.data, preparation.validation, config.train.seed)
    minimised = [one.losses for one in config.optimizers if one.losses]
    normalize = preparation.normalize
    units = normalize["targets"] if isinstance(normalize, dict) else None  # of the losses
    return samples, terms, preparation.class_weights, _monitored(config), minimised, units


def _monitored(config: Config) -> Any:
    """Return the value that orders the epochs: its name, and what it measures."""
    measured = {
        f"val_{t.key}": (t.metric, t.target, [wire.outside for wire in t.reads])
        for t in config.metrics
    }
    key = config.train.monitor
    return key, measured.get(str(key).replace("train_", "val_", 1))


def _optimizer(config: Config) -> Any:
    network, _ = trace_network(config)
    learning = [row.path for row in network.rows if row.trainable]
    kinds = [
        (type(one.optimizer), one.match, one.types, [group.match for group in one.groups])
        for one in config.optimizers
    ]
    return kinds, learning


def _rates(config: Config) -> list[list[Any]]:
    """Return the rates of each optimizer's groups; None if no loss lowers them."""
    found = []
    for one, schedule in zip(config.optimizers, config.schedules, strict=True):
        own = getattr(one.optimizer, "lr", None)
        rates = [own, *(group.options.get("lr", own) for group in one.groups)]
        lowers = schedule is not None and schedule.scheduler.reads_monitor
        found.append(rates if lowers else [None] * len(rates))
    return found


def _steps(config: Config) -> Any:
    train = config.train  # a schedule may need the number of all steps
    counts = (train.batch_size, train.accumulate, train.limit_batches, train.overfit_batches)
    length = (*counts, train.max_steps)
    options = [
        (one.optimizer, one.every, [(group.match, group.options) for group in one.groups])
        for one in config.optimizers
    ]
    return options, config.schedules, train.epochs, length, _monitored(config)
