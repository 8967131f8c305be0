"""The places of a template with values that may differ, and the way to each of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.exchange.importer.folding.vectors import equal, same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.tensor import Shape
    from netbuild.exchange.importer.folding.template import Part, Slot
    from netbuild.exchange.importer.folding.vectors import Vector

#: Fields with a size of each axis. Each size may be an expression of its own.
_BY_AXIS = {"Reshape", "Parameter", "Expand", "Unflatten", "LayerNorm"}
#: Fields that are no size of a tensor, although they are numbers. They follow from no shape.
_NO_SIZES = (
    *("stride", "kernel_size", "padding", "dilation", "p", "depth", "repeat", "dim", "k"),
    *("start_dim", "end_dim", "index", "diagonal", "num_layers", "output_padding"),
)


class Place(NamedTuple):
    """A value that differs: where it stands, and what it is in each use."""

    part: Part
    field: str
    #: The position in a list; None for the whole value.
    axis: int | None
    vector: Vector
    #: The names of the stacks and members that lead to it.
    way: tuple[str, ...]

    @property
    def is_size(self) -> bool:
        """Whether it may be a size of a tensor."""
        return not any(re.fullmatch(rf"(.*_)?{name}\d*", self.field) for name in _NO_SIZES)

    def is_like(self, other: Place) -> bool:
        """Whether equal values of both say something: two sizes, or two numbers of a window."""
        kinds = [_kind(one.field) for one in (self, other)]
        return (self.is_size and other.is_size) or kinds[0] == kinds[1]

    def follows(self, base: Place) -> bool:
        """Whether it may be a multiple of another value: a size of a size, padding of a kernel."""
        if re.fullmatch(r"(.*_)?padding\d*", self.field):
            return re.fullmatch(r"(.*_)?kernel_size\d*", base.field) is not None
        return self.is_size and base.is_size


def _kind(field: str) -> str:
    """Return the kind of a field: `window`, or its name without a member and a number."""
    found = re.fullmatch(r"(?:.*_)?(stride|kernel_size|padding|dilation)\d*", field)
    return "window" if found else re.sub(r"\d+$", "", field).rpartition("_")[2]


def key(place: Place) -> str:
    """Return the name of a field, with the number of the axis in a list."""
    return place.field if place.axis is None else f"{place.field}.{place.axis}"


def all_default(part: Part, slot: Slot) -> bool:
    """Whether a field has its default in all uses."""
    pairs = zip(slot.values, slot.defaults, part.present, strict=True)
    return all(equal(v, d) for v, d, there in pairs if there)


def parts_of(part: Part, way: tuple[str, ...]) -> Iterator[tuple[Part, tuple[str, ...]]]:
    """Yield a part and all parts inside, with the names that lead there."""
    yield part, way
    for number, one in enumerate(part.parts or ()):
        yield from parts_of(one, (*way, one.name or str(number)))


def around(whole: Part, part: Part) -> Part:
    """Return the stack that holds a part."""
    return next(one for one, _ in parts_of(whole, ()) if any(p is part for p in one.parts or ()))


def differs_by_itself(whole: Part, part: Part) -> bool:
    """Whether a member is missing where the stack around it is there."""
    return part.present != around(whole, part).present


def shape_before(stack: Part, part: Part, i: int) -> Shape | None:
    """Return the shape of what a missing member would have read."""
    if not part.reads:
        return None
    source = part.reads[0][1]
    parts = {one.number: one for one in stack.parts or ()}
    while source[0]:
        one = parts[source[0]]
        if one.present[i]:  # the next member that reads it knows its shape
            for other in stack.parts or ():
                if other.present[i] and other.reads and other.reads[0][1] == source:
                    return other.x[i]
            return None
        if not one.reads:
            return None
        source = one.reads[0][1]
    return stack.x[i] if len(stack.inputs) == 1 else None


def places_of(whole: Part) -> Iterator[Place]:
    """Yield the values of a template that may differ."""
    for part, way in parts_of(whole, ()):
        for name, slot in part.slots.items():
            if part is whole or all_default(part, slot):
                continue
            pairs = zip(slot.values, part.present, strict=True)
            vector = tuple(_plain(value) if there else None for value, there in pairs)
            if part.type in _BY_AXIS and not same(vector) and (rank := _rank(vector)):
                for axis in range(rank):
                    own = tuple(None if v is None else v[axis] for v in vector)
                    yield Place(part, name, axis, own, way)
            else:
                yield Place(part, name, None, vector, way)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _rank(vector: Vector) -> int:
    """Return the length of all lists in a vector; 0 if they differ, or if one is no list."""
    lengths = {len(v) if isinstance(v, list) else 0 for v in vector if v is not None}
    return lengths.pop() if len(lengths) == 1 else 0
