"""Fixes of a number that a field does not take: the numbers that its author may have meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.diagnostic import Edit, Fix
from netbuild.syntax.node import Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.syntax.node import Node

#: The usual values of fields, which are guesses.
_USUAL = {"kernel_size": (3, 2, 1), "stride": (2,), "padding": (1,), "kernel": (3,)}
#: Sizes that no author writes as 1.
_WIDTHS = ("out_features", "out_channels", "hidden_size", "embedding_dim")


def nearest_numbers(node: Node, field: str, phrase: str) -> tuple[Fix, ...]:
    """Return the fixes for a number outside of the range in `phrase`."""
    if not isinstance(node, Scalar) or type(node.value) not in {int, float}:
        return ()
    likely = [*dict.fromkeys(_likely(node.value, field, phrase))]
    guesses = [number for number in _USUAL.get(field, ()) if number not in likely]
    return tuple(
        Fix(f"write {number}", (Edit(node.span, str(number)),), guess=number in guesses)
        for number in [*likely, *guesses]
    )


def _likely(value: Any, field: str, phrase: str) -> Iterator[Any]:
    """Yield the value without its sign, as a whole number, as a part of 100, and the bounds."""
    least = re.search(r"of at least (\d+)", phrase)
    whole = "whole number" in phrase
    if value < 0 and (value == int(value) or not whole):
        yield int(-value) if value == int(value) else -value
    if whole and isinstance(value, float) and value == int(value) and abs(value) < 1 << 31:
        yield int(value)
    if "from 0 to 1" in phrase and 1 < value <= 100:
        yield value / 100
    if least and value < int(least[1]) and field not in _WIDTHS:
        yield int(least[1])


def example(node: Node, field: str) -> str | None:
    """Return the help for a width that no other number is near to; None for other fields."""
    if field in _WIDTHS and isinstance(node, Scalar) and type(node.value) is int:
        return f"{field} is the number of values that the layer gives, such as 64"
    return None
