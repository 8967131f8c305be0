"""Optimizers: https://docs.pytorch.org/docs/stable/optim.html#algorithms.

Throughout, w is a weight, g its gradient and lr the learning rate. `foreach` and `fused` choose how
torch computes a step, which is fused where nothing is said and torch can; `capturable` is for CUDA
graphs, `maximize` goes up instead of down, and none of them changes the method.
"""

from netbuild.components.component import Families
from netbuild.components.optimizers.optimizer import Optimizer, Weight

__all__ = ["OPTIMIZERS", "Optimizer", "Weight"]

OPTIMIZERS: Families[Optimizer] = Families(Optimizer, __name__, ("gradient", "adaptive"))
