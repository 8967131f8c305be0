"""Optimizers: https://docs.pytorch.org/docs/stable/optim.html#algorithms.

In formulas, w is a weight, g its gradient and lr the learning rate. `foreach` and `fused` choose
how torch computes a step; by default torch fuses the step where it can. `capturable` serves CUDA
graphs. `maximize` climbs instead of descending. None of these fields changes the method.
"""

from netbuild.components.component import Families
from netbuild.components.optimizers.optimizer import Optimizer, Weight

__all__ = ["OPTIMIZERS", "Optimizer", "Weight"]

OPTIMIZERS: Families[Optimizer] = Families(Optimizer, __name__, ("gradient", "adaptive"))
