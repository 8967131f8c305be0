"""The contract of a scheduler: what it asks of the optimizer and of the training."""

from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from netbuild.components.component import Component
from netbuild.components.tensor import ShapeError

if TYPE_CHECKING:
    from netbuild.components.optimizers.optimizer import Optimizer

Step = Literal["epoch", "batch"]


class Use(NamedTuple):
    """What a scheduler is used for; None is what only the training will know."""

    optimizer: "Optimizer | None" = None
    total: int | None = None  # the steps that the training asks of the outermost scheduler
    steps: int | None = None  # the steps that this one makes
    owner: str = ""  # the type of the scheduler that this one is part of
    restarted: bool = False  # SequentialLR starts it at a milestone
    undone: bool = False  # SequentialLR takes its first step back, and repeats it
    grouped: bool = False  # some weights have a learning rate of their own


class Scheduler(Component):
    """A scheduler of `torch.optim.lr_scheduler`."""

    #: When it steps, unless the file says so.
    steps_every: ClassVar[Step] = "epoch"

    def check(self, use: Use) -> None:
        """Compare with the optimizer, and with the steps of the training.

        Raises:
            ShapeError: they do not go together.
        """

    def constant(self, lr: float | None, last: int) -> str | None:
        """Return the field because of which a rate is the same at all of the steps 0 to `last`.

        None where it changes. `lr` is the rate of the optimizer, if that is known.
        """
        return None

    def unreached(self, last: int) -> int | None:
        """Return the first milestone behind the step `last` that a part waits for, if any."""
        return None

    def zero_from(self) -> int | None:
        """Return the step from which on the rate is 0; None where there is none."""
        return None

    def parts(self, use: Use) -> list[tuple["Scheduler", Use]]:
        """Return the schedulers that this one is made of, and how it uses them."""
        return []


def expect_start(scheduler: Scheduler, use: Use, *, possible: bool, at: str) -> None:
    """Refuse to start at a milestone what divides by zero there.

    Raises:
        ShapeError: it is not possible.
    """
    if use.restarted and not possible:
        value = getattr(scheduler, at)
        message = f"torch divides by zero when {use.owner} starts it with {at} {value}"
        raise ShapeError("NB403", message, at=at)
