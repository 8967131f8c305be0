"""Composites: schedulers made of other schedulers, in sequence or all at once."""

from bisect import bisect_right
from collections.abc import Iterator
from math import inf
from operator import is_
from typing import Annotated, Any

from pydantic import field_validator

from netbuild.components.component import Nested
from netbuild.components.fields import Wants, many, unwanted, whole
from netbuild.components.schedulers import SCHEDULERS
from netbuild.components.schedulers.scheduler import Scheduler, Use
from netbuild.components.tensor import ShapeError

_Milestones = Annotated[tuple[int, ...], Wants("a list of whole numbers", many(whole()))]


class _Composite(Scheduler):
    """A scheduler made of other schedulers."""

    schedulers: Annotated[tuple[Scheduler, ...], Nested("scheduler", SCHEDULERS, many=True)]
    """List of one or more schedulers, each with its fields."""

    def check(self, use: Use) -> None:
        if use.restarted:
            message = f"{use.owner} can only begin with it: torch cannot start it at a milestone"
            raise ShapeError("NB403", message)

    def decided(self, use: Use) -> Scheduler:
        parts = tuple([part.decided(own) for part, own in self.parts(use)])
        same = all(map(is_, parts, self.schedulers))
        return self if same else self.model_copy(update={"schedulers": parts})

    def inner(self, use: Use) -> Use:
        """Return the use of a part, from the use of the whole."""
        undone = use.undone or use.owner == SequentialLR.__name__
        return use._replace(owner=type(self).__name__, restarted=False, undone=undone)


class SequentialLR(_Composite):
    """Runs schedulers in sequence; each number of steps in `milestones` starts the next one.

    scheduler: {SequentialLR: {schedulers: [LinearLR, {CosineAnnealingLR: 5}], milestones: [5]}}
    """

    milestones: _Milestones
    """Numbers of steps at which the next scheduler begins; one fewer than schedulers."""

    @field_validator("milestones")
    @classmethod
    def _between_schedulers(cls, milestones: Any, info: Any) -> Any:
        parts = info.data.get("schedulers")
        if parts is not None and len(milestones) != len(parts) - 1:
            raise unwanted(f"a list of length {len(parts) - 1}, one fewer than schedulers")
        return milestones

    def parts(self, use: Use) -> list[tuple[Scheduler, Use]]:
        inner = self.inner(use)
        return [
            (part, inner._replace(steps=steps, length=length, restarted=restarted))
            for part, (steps, length, restarted) in zip(
                self.schedulers, self._turns(use), strict=True
            )
        ]

    def _turns(self, use: Use) -> Iterator[tuple[int | None, int | None, bool]]:
        """Yield the steps and the rates of each part, and whether it starts at a milestone."""
        ordered = list(self.milestones) == sorted(self.milestones)
        turns = zip((0, *self.milestones), (*self.milestones, inf), strict=True)
        for index, (begin, end) in enumerate(turns):
            steps = length = None
            if use.steps is not None and ordered:
                steps = int(max(0, min(use.steps, end - 1) - max(begin, 0)))
                length = int(max(1, min(use.steps, end) - max(begin, 0)))
            elif ordered and end < inf:
                length = int(max(1, end - max(begin, 0)))
            # torch finds the active part in this way. At step 0 it constructs the part.
            yield steps, length, begin >= 1 and bisect_right(self.milestones, begin) == index

    def unreached(self, last: int) -> int | None:
        return next((milestone for milestone in self.milestones if milestone > last), None)


class ChainedScheduler(_Composite):
    """Runs all schedulers at every step; their factors multiply.

    torch's field `optimizer` is missing: the schedulers share the optimizer of the file.

    scheduler: {ChainedScheduler: {schedulers: [LinearLR, {ExponentialLR: 0.95}]}}
    """

    def parts(self, use: Use) -> list[tuple[Scheduler, Use]]:
        return [(part, self.inner(use)) for part in self.schedulers]
