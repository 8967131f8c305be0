"""Schedulers: https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate.

`scheduler: {StepLR: {step_size: 3}, step: epoch}`. Each scheduler has the fields of its class in
`torch.optim.lr_scheduler`, except `optimizer` and `last_epoch`: the optimizer is the one of the
file, and a checkpoint holds the last epoch. netbuild lacks LambdaLR, MultiplicativeLR and the field
`scale_fn` of CyclicLR, because they need a Python function. Where torch takes a list with a number
for each parameter group, the list has one number.

netbuild refuses a scheduler that torch refuses to construct. It also refuses a scheduler that
would fail at one of its steps, mostly by a division by zero.
"""

from netbuild.components.component import Families
from netbuild.components.schedulers.scheduler import Scheduler, Step, Use

__all__ = ["SCHEDULERS", "Scheduler", "Step", "Use"]

SCHEDULERS: Families[Scheduler] = Families(Scheduler, __name__, ("decay", "cycle", "composite"))
