"""The names that an expression can use at its place, collected only when one is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netbuild.syntax.node import UNKNOWN

if TYPE_CHECKING:
    from netbuild.components.tensor import Tensor


class LocalNames(Mapping[str, Any]):
    """The names around an item, the names for its input, and the index of a repetition."""

    def __init__(self, around: Mapping[str, Any], x: Tensor | None, **more: Any) -> None:
        self._around, self._x, self._more = around, x, more

    @cached_property
    def _all(self) -> dict[str, Any]:
        return {**self._around, **input_names(self._x), **self._more}

    def __getitem__(self, name: str) -> Any:
        return self._all[name]

    def __contains__(self, name: object) -> bool:
        return name in self._all

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def input_names(x: Tensor | None) -> dict[str, Any]:
    """Return the names for the input of an item: `in_shape`, `in_channels`, `in_features`."""
    if x is None:
        return dict.fromkeys(("in_shape", "in_channels", "in_features"), UNKNOWN)
    if not x.shape:  # an input with one number per sample has no channels and no features
        return {"in_shape": ()}
    return {"in_shape": x.shape, "in_channels": x.shape[0], "in_features": x.shape[-1]}
