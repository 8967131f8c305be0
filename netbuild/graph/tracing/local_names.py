"""The names that an expression can use at its place, looked up only when one is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netbuild.syntax.expression import SHAPE_NAMES
from netbuild.syntax.node import UNKNOWN

if TYPE_CHECKING:
    from netbuild.graph.tracing.scope import Signal


class LocalNames(Mapping[str, Any]):
    """The names around an item, the names for its input, and the index of a repetition.

    A name is looked up from the inside to the outside, since a copy of all names for each item
    would take long in a file of many variables.
    """

    def __init__(self, around: Mapping[str, Any], x: Signal | None, **more: Any) -> None:
        self.around, self.x, self.more = around, x, more

    @cached_property
    def _of_input(self) -> dict[str, Any]:
        return input_names(self.x)

    def __getitem__(self, name: str) -> Any:
        if name in SHAPE_NAMES:  # around are those of another input
            return self._of_input[name]
        around: Mapping[str, Any] = self
        while isinstance(around, LocalNames):
            if name in around.more:
                return around.more[name]
            around = around.around
        return around[name]

    def __iter__(self) -> Iterator[str]:
        inside: list[str] = [*self._of_input, *self.more]
        around = self.around
        while isinstance(around, LocalNames):
            inside = [*around.more, *inside]
            around = around.around
        outside = [name for name in around if name not in SHAPE_NAMES]
        return iter(dict.fromkeys([*outside, *inside]))

    def __len__(self) -> int:
        return sum(1 for _ in self)


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
