"""How large a network may be, however short the file that asks for it."""

from __future__ import annotations

from netbuild.diagnostics.diagnostic import MAX_FAULTS

#: Layers of a network.
MAX_LAYERS = 10_000
#: Members of all stacks and blocks together.
MAX_MEMBERS = 40_000
#: Stacks and blocks within one another.
MAX_DEPTH = 100


class Limits:
    """Counts what a walk meets; a walk that has reached a limit ends at once."""

    def __init__(self) -> None:
        self.layers = self.members = self.depth = self.faults = 0

    @property
    def reached(self) -> bool:
        """Whether the walk ends here."""
        return (
            self.faults > MAX_FAULTS
            or self.members > MAX_MEMBERS
            or self.layers > MAX_LAYERS
            or self.depth > MAX_DEPTH
        )

    @property
    def reason(self) -> str:
        """Which limit of the network itself is reached; empty for none."""
        if self.layers > MAX_LAYERS:
            return f"more than {MAX_LAYERS:,} layers"
        if self.members > MAX_MEMBERS:
            return f"more than {MAX_MEMBERS:,} members of stacks and blocks"
        if self.depth > MAX_DEPTH:
            return f"more than {MAX_DEPTH} stacks and blocks within one another"
        return ""
