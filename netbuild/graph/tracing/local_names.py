"""What an expression can name at its place; the names are put together when one is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netbuild.syntax.node import UNKNOWN

if TYPE_CHECKING:
    from netbuild.components.tensor import Tensor


class LocalNames(Mapping[str, Any]):
    """The names around an item, with the names of what it reads, and the index of a repetition."""

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
    """Return the names by which an expression knows the input of its item."""
    if x is None:
        return dict.fromkeys(("in_shape", "in_channels", "in_features"), UNKNOWN)
    if not x.shape:  # one number a sample has neither channels nor features
        return {"in_shape": ()}
    return {"in_shape": x.shape, "in_channels": x.shape[0], "in_features": x.shape[-1]}
