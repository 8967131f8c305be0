"""Losses: https://docs.pytorch.org/docs/stable/nn.html#loss-functions and kornia's.

Each loss states which outputs and which targets it takes, so netbuild checks the network and the
data before anything runs.
"""

from netbuild.components.component import Families
from netbuild.components.losses.loss import Loss

__all__ = ["LOSSES", "Loss"]

_FAMILIES = ("classes", "values", "labels", "pairs", "outputs", "masks", "images")
LOSSES: Families[Loss] = Families(Loss, __name__, _FAMILIES)
