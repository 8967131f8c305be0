"""The names that an expression can use at its place, collected only when one is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netbuild.syntax.expression import SHAPE_NAMES
from netbuild.syntax.node import UNKNOWN

if TYPE_CHECKING:
    from netbuild.graph.tracing.scope import Signal


class LocalNames(Mapping[str, Any]):
    """The names around an item, the names for its input, and the index of a repetition."""

    def __init__(self, around: Mapping[str, Any], x: Signal | None, **more: Any) -> None:
        self.around, self.x, self.more = around, x, more

    @cached_property
    def known(self) -> dict[str, Any]:
        """All names with their values.

        Stacks may stand 100 deep within one another, too deep for a function that calls itself.
        """
        inside: list[LocalNames] = []
        around: Mapping[str, Any] = self
        while isinstance(around, LocalNames) and "known" not in around.__dict__:
            inside.append(around)
            around = around.around
        found = dict(around.known if isinstance(around, LocalNames) else around)
        for one in reversed(inside):
            for name in SHAPE_NAMES:  # these are of another input
                found.pop(name, None)
            found |= {**input_names(one.x), **one.more}
        return found

    def __getitem__(self, name: str) -> Any:
        return self.known[name]

    def __contains__(self, name: object) -> bool:
        return name in self.known

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)


def input_names(x: Signal | None) -> dict[str, Any]:
    """Return the names for the input of an item: `in_shape`, `in_channels`, `in_features`.

    If there is no input (None), the names have no value, and an expression with them is a fault.
    After a fault of the input they are unknown.
    """
    if x is None:
        return {}
    if x.tensor is None:
        return dict.fromkeys(SHAPE_NAMES, UNKNOWN)
    shape = x.tensor.shape
    if not shape:  # an input with one number per sample has no channels and no features
        return {"in_shape": ()}
    return {"in_shape": shape, "in_channels": shape[0], "in_features": shape[-1]}
