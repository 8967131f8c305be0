"""Checks that a value from a file is what the state of a training is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.components.tensor import product
from netbuild.diagnostics.exceptions import WeightsError
from netbuild.runs.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The greatest number of mappings and lists in one another.
MAX_DEPTH = 50
_CONTAINERS = (dict, list, tuple)
_PLAIN = (str, int, float, bool, type(None))


def check_plain(value: Any) -> None:
    """Check that a mapping is made of mappings, lists, tuples, plain values and tensors.

    A mapping or a list may stand in several places, but not within itself. Each is looked at once,
    without recursion: a hostile file has many in one another.

    Raises:
        WeightsError: there is another value, or the mapping is too deep.
    """
    depths: dict[int, int] = {}  # of the finished containers, by their identity
    path: set[int] = set()  # the containers around the current one, and itself
    left = [value]
    while left:
        held = left[-1]
        if id(held) in depths:
            left.pop()
            continue
        inside = [one for one in _values(held) if type(one) in _CONTAINERS]
        if id(held) not in path:
            path.add(id(held))
            if any(id(one) in path for one in inside):
                raise WeightsError("it is damaged: a value lies within itself")
            left += inside
            continue
        path.remove(id(held))
        depths[id(held)] = 1 + max((depths[id(one)] for one in inside), default=0)
        if depths[id(held)] > MAX_DEPTH:
            raise WeightsError(f"it is damaged: more than {MAX_DEPTH} values lie in one another")


def _values(held: Any) -> Iterable[Any]:
    """Return the values in a container.

    Raises:
        WeightsError: one of them does not belong in a state.
    """
    values = held.values() if type(held) is dict else held
    for value in values:
        type_ = type(value)
        if type_ is Stored:
            if product(value.shape) > value.storage.numel:  # torch would give it more memory
                raise WeightsError("it has a tensor that repeats its values")
        elif type_ not in _PLAIN and type_ not in _CONTAINERS:
            raise WeightsError("it has a value that the state of a training does not have")
    return values
