"""Metrics: https://lightning.ai/docs/torchmetrics.

Each metric states what it compares, so netbuild checks it against the network and the loss before
anything runs. The names, the arguments and the defaults are torchmetrics'.
"""

from netbuild.components.component import Families
from netbuild.components.metrics.metric import Metric

__all__ = ["METRICS", "Metric"]

METRICS: Families[Metric] = Families(
    Metric,
    __name__,
    ("accuracy", "classification", "curves", "regression", "segmentation", "ranking", "text"),
)
