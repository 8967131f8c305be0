"""What layers of attention share: their sequences and heads, and the causal mask."""

from math import gcd, inf
from typing import Annotated, Any

from pydantic_core import core_schema

from netbuild.components.fields import Wants
from netbuild.components.layers.layout import Placed
from netbuild.components.layers.sight import Sight, across, every
from netbuild.components.tensor import Shape, ShapeError, times

#: torch's own default is false, with the batch in axis 1.
BatchFirst = Annotated[bool, Wants("true: axis 0 is the batch", core_schema.literal_schema([True]))]


def expect_sequence(x: Shape, name: str) -> None:
    """Refuse an input that is not a sequence of vectors.

    Raises:
        ShapeError: the input does not have two axes.
    """
    if len(x) != 2:
        message = f"it needs 2 axes (length, features), and {name} has {len(x)}: {times(x)}"
        raise ShapeError("NB201", message)


def expect_heads(features: int, heads: int, *, at: str) -> None:
    """Refuse features that the heads cannot share evenly.

    Raises:
        ShapeError: the number of heads does not divide the number of features.
    """
    if features % heads:
        message = f"{features} features do not divide into {heads} heads"
        fitting = gcd(features, heads)
        help_ = f"{fitting} head{'s' * (fitting > 1)} would share them evenly"
        raise ShapeError("NB203", message, at=at, help=help_)


def attended(place: int, x: tuple[Shape, ...], source: int, *, causal: bool) -> Sight:
    """Return what a query, along the axis `place` of the result, sees of an input's positions."""
    if len(x) > 1 and source == 0:
        return Sight(place)
    if causal:
        return Sight(place, 1, -inf, 0)
    return across(place, x[0][0]) if len(x) == 1 else every(x[source][0])


def hidden(seen: Sight, *, loose: bool) -> Sight:
    """Return what is seen through a mask of scores: it may hide any of the positions."""
    return seen._replace(loose=True) if loose and seen.last - seen.first >= 1 else seen


def mask_seen(place: int, axis: int, mask: Shape, name: str) -> Sight:
    """Return what a query, along the axis `place` of the result, sees of a mask.

    A query reads its own row of a mask of scores, and all values of a mask of keys.
    """
    if name.endswith("padding_mask") or axis != len(mask) - 2:
        return every(mask[axis])
    return Sight(place)


def causal_mask(query: Any, key: Any) -> Any:
    """Return torch's mask (L, S) of what may not be seen: true where a key is behind its query."""
    return query.new_ones((query.size(1), key.size(1))).triu(1).bool()


def attends_to_itself(x: Shape) -> str | None:
    """Return why attention within a sequence of one position does nothing; None if it is longer."""
    if x[0] > 1:
        return None
    return f"the sequence {times(x)} has one position, and its attention weight is always 1"


def still(x: Placed) -> bool:
    """Tell whether the transposed length and batch are one axis, so that no copy is needed."""
    return x.merged(1, 0)
