"""Composites: schedulers made of others, one after the other or all at once."""

from bisect import bisect_right
from collections.abc import Iterator
from math import inf
from typing import Annotated, Any

from pydantic import field_validator

from netbuild.components.component import Nested
from netbuild.components.fields import Wants, many, unwanted, whole
from netbuild.components.schedulers import SCHEDULERS
from netbuild.components.schedulers.scheduler import Scheduler, Use
from netbuild.components.tensor import ShapeError

_Milestones = Annotated[tuple[int, ...], Wants("a list of whole numbers", many(whole()))]


class _Composite(Scheduler):
    """A scheduler made of others."""

    schedulers: Annotated[tuple[Scheduler, ...], Nested("scheduler", SCHEDULERS, many=True)]
    """The schedulers, each with its fields; a list of one or more."""

    def check(self, use: Use) -> None:
        if use.restarted:
            message = f"{use.owner} can only begin with it: torch cannot start it at a milestone"
            raise ShapeError("NB403", message)

    def inner(self, use: Use) -> Use:
        """Return how a part is used, for one that is used like this."""
        undone = use.undone or use.owner == SequentialLR.__name__
        return use._replace(owner=type(self).__name__, restarted=False, undone=undone)


class SequentialLR(_Composite):
    """One scheduler after the other, each from its number of steps in `milestones` on.

    scheduler: {SequentialLR: {schedulers: [LinearLR, {CosineAnnealingLR: 5}], milestones: [5]}}
    """

    milestones: _Milestones
    """Numbers of steps at which the next scheduler begins; one less than schedulers."""

    @field_validator("milestones")
    @classmethod
    def _between_schedulers(cls, milestones: Any, info: Any) -> Any:
        parts = info.data.get("schedulers")
        if parts is not None and len(milestones) != len(parts) - 1:
            raise unwanted(f"a list of {len(parts) - 1}, one less than schedulers")
        return milestones

    def parts(self, use: Use) -> list[tuple[Scheduler, Use]]:
        inner = self.inner(use)
        return [
            (part, inner._replace(steps=steps, restarted=restarted))
            for part, (steps, restarted) in zip(self.schedulers, self._turns(use), strict=True)
        ]

    def _turns(self, use: Use) -> Iterator[tuple[int | None, bool]]:
        """Yield how many steps each part makes, and whether torch starts it at its milestone."""
        ordered = list(self.milestones) == sorted(self.milestones)
        turns = zip((0, *self.milestones), (*self.milestones, inf), strict=True)
        for index, (begin, end) in enumerate(turns):
            steps = None
            if use.steps is not None and ordered:
                steps = int(max(0, min(use.steps, end - 1) - max(begin, 0)))
            # As torch finds the part whose turn it is; at step 0 it is made, not started.
            yield steps, begin >= 1 and bisect_right(self.milestones, begin) == index

    def unreached(self, last: int) -> int | None:
        return next((milestone for milestone in self.milestones if milestone > last), None)


class ChainedScheduler(_Composite):
    """All schedulers at each step, each multiplying what the others give.

    Torch's `optimizer` is the one that they have.

    scheduler: {ChainedScheduler: {schedulers: [LinearLR, {ExponentialLR: 0.95}]}}
    """

    def parts(self, use: Use) -> list[tuple[Scheduler, Use]]:
        return [(part, self.inner(use)) for part in self.schedulers]
