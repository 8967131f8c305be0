"""Limits for the size of a network, because a short file can describe a huge one.

Together they bound the time of a check: a member takes about 50 µs, and a layer 100 µs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.diagnostic import MAX_FAULTS
from netbuild.syntax.node import List, Map

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Faults

#: The most layers of a network.
MAX_LAYERS = 5_000
#: The most members of all stacks and blocks together.
MAX_MEMBERS = 10_000
#: The most values in the fields of all layers and blocks together.
MAX_VALUES = 200_000
#: The most stacks and blocks inside one another.
MAX_DEPTH = 100


class Limits:
    """Counts layers, members, values and depth of a walk. The walk ends at the first limit."""

    def __init__(self) -> None:
        self.layers = self.members = self.values = self.depth = 0

    def read(self, *values: Any) -> None:
        """Count the values of fields, after expressions were evaluated: nodes or plain values."""
        pending = [*values]
        for value in pending:
            if isinstance(value, Map):
                pending += [entry.value for entry in value.entries.values()]
            elif isinstance(value, List):
                pending += value.items
            elif type(value) in {list, tuple}:
                pending += value
        self.values += len(pending)

    def end(self, faults: Faults) -> bool:
        """Whether the walk ends here; `faults` are those of the stack so far."""
        return (
            len(faults) > MAX_FAULTS
            or self.members > MAX_MEMBERS
            or self.values > MAX_VALUES
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
        if self.values > MAX_VALUES:
            return f"more than {MAX_VALUES:,} values in the fields of its layers and blocks"
        if self.depth > MAX_DEPTH:
            return f"more than {MAX_DEPTH} stacks and blocks inside one another"
        return ""
