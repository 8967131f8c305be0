"""Limits for the size of a network, because a short file can describe a huge one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import MAX_FAULTS

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Faults

#: The most layers of a network.
MAX_LAYERS = 10_000
#: The most members of all stacks and blocks together.
MAX_MEMBERS = 40_000
#: The most stacks and blocks inside one another.
MAX_DEPTH = 100


class Limits:
    """Counts layers, members and depth of a walk. The walk ends at the first limit."""

    def __init__(self) -> None:
        self.layers = self.members = self.depth = 0

    def end(self, faults: Faults) -> bool:
        """Whether the walk ends here; `faults` are those of the stack so far."""
        return (
            len(faults) > MAX_FAULTS
            or self.members > MAX_MEMBERS
            or self.layers > MAX_LAYERS
            or self.depth > MAX_DEPTH
        )

    @property
    def reason(self) -> str:
        """The limit of the network that is exceeded; an empty text if there is none."""
        if self.layers > MAX_LAYERS:
            return f"more than {MAX_LAYERS:,} layers"
        if self.members > MAX_MEMBERS:
            return f"more than {MAX_MEMBERS:,} members of stacks and blocks"
        if self.depth > MAX_DEPTH:
            return f"more than {MAX_DEPTH} stacks and blocks inside one another"
        return ""
