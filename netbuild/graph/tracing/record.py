"""Where a walk met what it traced: the items as they are written, with what they could name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.graph.tracing.names import Known
from netbuild.syntax.item import REUSE, Item

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.tensor import Tensor
    from netbuild.diagnostics.diagnostic import Span
    from netbuild.syntax.expression import Names


class Call(NamedTuple):
    """An item of a layer or a block as it is written, and what its expressions can name."""

    item: Item
    names: Mapping[str, Any]


class Record:
    """The calls of layers and blocks by their paths, and where a `Reuse` calls one again."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.reuses: dict[str, Span] = {}

    def note(self, item: Item, path: str, names: Names, reads: Tensor | None) -> None:
        """Note an item at its path; `reads` is its first input, or None where it has none."""
        if item.type.text == REUSE:
            self.reuses[path] = item.type.span
        else:
            self.calls[path] = Call(item, names if reads is None else Known(names, reads))
