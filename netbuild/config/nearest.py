"""Fixes of a number that a field does not take: the numbers that its author may have meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.diagnostic import Edit, Fix
from netbuild.syntax.node import List, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from netbuild.syntax.node import Node

#: The usual values of fields, which are guesses.
_USUAL = {"kernel_size": (3, 2, 1), "stride": (2,), "padding": (1,), "kernel": (3,)}
#: Sizes that no author writes as 1.
_WIDTHS = ("out_features", "out_channels", "hidden_size", "embedding_dim")
#: What the number of a field stands for.
_MEANING = dict.fromkeys(_WIDTHS, "the number of values that the layer gives, such as 64")
_MEANING |= {
    "kernel_size": "the number of positions below the window, such as 3",
    "scale_factor": "the factor by which each axis grows, such as 2",
    "num_embeddings": "the number of different whole numbers that the layer reads, such as 1000",
}


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
    if whole and isinstance(value, float) and value.is_integer() and abs(value) < 1 << 31:
        yield int(value)
    if "from 0 to 1" in phrase and 1 < value <= 100:
        yield value / 100
    if least and value < int(least[1]) and field not in _WIDTHS:
        yield int(least[1])


def advice(component: type[BaseModel], node: Node, field: str, *, is_fixed: bool) -> str | None:
    """Return the help for numbers that a field does not take; None for other values and fields.

    `is_fixed` tells whether a fix offers another number, so that the default is no news.
    """
    from netbuild.syntax.calls import from_input

    parts = node.items if isinstance(node, List) else (node,)
    numbers = [part.value for part in parts if isinstance(part, Scalar)]
    if len(numbers) < len(parts) or not all(type(value) in {int, float} for value in numbers):
        return None
    if from_input(component, field):
        return f"the input decides {field}: leave it out"
    if isinstance(node, List) and numbers[1:] and (other := _of_axes(component, len(numbers))):
        return f"a list with a value for each of {len(numbers)} axes belongs to {other}"
    if field in _MEANING:
        return f"{field} is {_MEANING[field]}"
    default = component.model_fields[field].default
    if is_fixed or type(default) not in {int, float}:
        return None
    return f"leave {field} out for its default, {default:.3g}"


def _of_axes(component: type[BaseModel], axes: int) -> str | None:
    """Return the layer such as Conv2d of another number of axes; None if there is none."""
    from netbuild.components.layers import LAYERS

    family, rank = component.__name__[:-2], component.__name__[-2:]
    other = f"{family}{axes}d"
    is_other = re.fullmatch("[123]d", rank) and rank != f"{axes}d"
    return other if is_other and other in LAYERS else None
