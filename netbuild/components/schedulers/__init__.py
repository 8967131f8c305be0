"""Schedulers: https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate.

`scheduler: {StepLR: {step_size: 3}, step: epoch}`. Each has the fields of its class in
`torch.optim.lr_scheduler`, without `optimizer`, which is the file's own, and `last_epoch`, which a
checkpoint holds. LambdaLR and MultiplicativeLR need a Python function, as CyclicLR's `scale_fn`
does, and are not offered. A list with a number for each group of parameters has one.

What torch refuses when it makes a scheduler is refused, and so is what it would refuse at one of
its steps: mostly a division by zero.
"""

from netbuild.components.component import Families
from netbuild.components.schedulers.scheduler import Scheduler, Step, Use

__all__ = ["SCHEDULERS", "Scheduler", "Step", "Use"]

SCHEDULERS: Families[Scheduler] = Families(Scheduler, __name__, ("decay", "cycle", "composite"))
