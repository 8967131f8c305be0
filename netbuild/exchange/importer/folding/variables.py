"""The width of a network: a number that stands in many layers becomes a variable."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from netbuild.exchange.importer.folding.tree import Expression, Group, Leaf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.exchange.importer.folding.tree import Block, Member

#: Fields that hold a width, and those that hold it among other sizes.
_FIELDS = (
    *("out_features", "out_channels", "features", "channels", "embedding_dim", "hidden_size"),
    *("d_model", "dim_feedforward", "shape", "normalized_shape"),
)
#: A width stands at so many places, in so many different fields, and is no small number.
_PLACES, _DIFFERENT, _LEAST = 4, 3, 16
_MULTIPLES = (2, 3, 4)
_WIDTH = "width"


def with_width(root: Group, blocks: Sequence[Block]) -> tuple[Group, list[Block], dict[str, Any]]:
    """Return a network and its blocks with a variable for the width, and the variables."""
    found = [*_sizes(root), *(pair for block in blocks for pair in _sizes(block.body))]
    taken = {name for block in blocks for name in block.params}
    counts = Counter(size for _, size in found)
    for size, count in counts.most_common():
        fields = {name for name, own in found if own == size}
        if count >= _PLACES and len(fields) >= _DIFFERENT and size >= _LEAST:
            break
    else:
        return root, list(blocks), {}
    if _WIDTH in taken:
        return root, list(blocks), {}
    own = [block._replace(body=_group(block.body, size)) for block in blocks]
    return _group(root, size), own, {_WIDTH: size}


def _sizes(group: Group) -> Iterator[tuple[str, int]]:
    """Yield each size in the fields of a stack with the name of its field."""
    for member in group.members:
        if isinstance(member, Group):
            yield from _sizes(member)
            continue
        for name, value in _written(member).items():
            for one in value if isinstance(value, list | tuple) else (value,):
                if name in _FIELDS and type(one) is int:
                    yield name, one


def _written(leaf: Leaf) -> Mapping[str, Any]:
    beside = leaf.defaults
    return {n: v for n, v in leaf.arguments.items() if n not in beside or beside[n] != v}


def _group(group: Group, width: int) -> Group:
    return group._replace(members=tuple(_member(member, width) for member in group.members))


def _member(member: Member, width: int) -> Member:
    if isinstance(member, Group):
        return _group(member, width)
    own = {
        name: _value(value, width) if name in _FIELDS else value
        for name, value in _written(member).items()
    }
    return member._replace(arguments=own, defaults={})


def _value(value: Any, width: int) -> Any:
    """Return a size, or the sizes of a list, by the variable."""
    if isinstance(value, list | tuple):
        return [Expression(f"${_WIDTH}") if one == width else one for one in value]
    if type(value) is not int:
        return value
    if value == width:
        return Expression(f"${_WIDTH}")
    times = next((n for n in _MULTIPLES if value == n * width), None)
    return value if times is None else Expression(f"$({_WIDTH} * {times})")
