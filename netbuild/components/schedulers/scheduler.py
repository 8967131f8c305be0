"""The contract of a scheduler: what it needs from the optimizer and the training."""

from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from netbuild.components.component import Component
from netbuild.components.tensor import ShapeError

if TYPE_CHECKING:
    from netbuild.components.optimizers.optimizer import Optimizer

Step = Literal["epoch", "batch"]


class Use(NamedTuple):
    """How a scheduler is used; None marks facts that only the training knows."""

    optimizer: "Optimizer | None" = None
    total: int | None = None  # the steps of the outermost scheduler in the training
    steps: int | None = None  # the steps of this scheduler
    length: int | None = None  # the rates that this scheduler gives: of steps 0 to length - 1
    owner: str = ""  # the type of the scheduler that contains this one
    restarted: bool = False  # SequentialLR starts it at a milestone
    undone: bool = False  # SequentialLR undoes its first step and repeats it
    grouped: bool = False  # some weights have their own learning rate
    rises: bool = False  # a larger value of the monitor is better


class Scheduler(Component):
    """A scheduler of `torch.optim.lr_scheduler`."""

    #: How often it steps, if the file does not say it.
    steps_every: ClassVar[Step] = "epoch"
    #: Whether it reads the monitor of the training, and has a `mode`.
    reads_monitor: ClassVar[bool] = False

    def check(self, use: Use) -> None:
        """Check the scheduler against the optimizer and the steps of the training.

        Raises:
            ShapeError: the scheduler does not fit them.
        """

    def decided(self, use: Use) -> "Scheduler":
        """Return the scheduler with the fields that the length of its training decides.

        They stay open as long as the length is unknown.
        """
        return self

    def open_field(self) -> str | None:
        """Return a field that the length of the training still has to decide; None if all have."""
        return None

    def constant(self, lr: float | None, last: int) -> str | None:
        """Return the field that keeps the rate constant over the steps 0 to `last`.

        None if the rate changes. `lr` is the optimizer's rate, or None if it is unknown.
        """
        return None

    def misread(self, *, rises: bool) -> tuple[str, str, str] | None:
        """Return a field that misreads the monitor, the reason, and a right value, or None.

        `rises` tells whether a larger value is better.
        """
        return None

    def unreached(self, last: int) -> int | None:
        """Return the first milestone after the step `last`; None if there is none."""
        return None

    def zero_from(self) -> tuple[str, int] | None:
        """Return the field that makes the rate 0, and the first step of it; None if none does."""
        return None

    def parts(self, use: Use) -> list[tuple["Scheduler", Use]]:
        """Return the schedulers inside this one, each with its use."""
        return []


def expect_start(scheduler: Scheduler, use: Use, *, possible: bool, at: str) -> None:
    """Refuse a scheduler that divides by zero when it starts at a milestone.

    Raises:
        ShapeError: names the field at fault.
    """
    if use.restarted and not possible:
        value = getattr(scheduler, at)
        message = f"torch divides by zero when {use.owner} starts it with {at} {value}"
        raise ShapeError("NB403", message, at=at)
