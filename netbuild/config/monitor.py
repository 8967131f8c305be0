"""`train.monitor`: the measured value that decides about the best epoch, patience and plateaus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.config.metrics import measured_keys

if TYPE_CHECKING:
    from netbuild.config.config import Config


def rises(config: Config) -> bool:
    """Whether a larger value of the monitor is better.

    A loss falls, unless an optimizer maximises it.
    """
    key = config.train.monitor
    if key is None:
        return False
    larger = measured_keys(config).get(key)
    if larger is not False or key.partition("_")[2] not in _losses(config):
        return bool(larger)
    return any(getattr(one.optimizer, "maximize", False) for one in config.optimizers)


def _losses(config: Config) -> set[str]:
    """Return the names of the losses in the run, after `train_` and `val_`."""
    metrics = {term.key for term in config.metrics}
    return {key.partition("_")[2] for key in measured_keys(config)} - metrics
