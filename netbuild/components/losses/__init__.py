"""Losses: https://docs.pytorch.org/docs/stable/nn.html#loss-functions.

Each says what it wants of the network's output and of the data, so that both are checked before
anything runs.
"""

from netbuild.components.component import Families
from netbuild.components.losses.loss import Loss

__all__ = ["LOSSES", "Loss"]

LOSSES: Families[Loss] = Families(Loss, __name__, ("classes", "values", "labels", "pairs"))
