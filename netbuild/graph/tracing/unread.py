"""The layers that the built network leaves out, because nothing reads their results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.layers.operation import Operation
from netbuild.graph.row import Block, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.graph.row import Member


def left_out(block: Block) -> Iterator[str]:
    """Yield the paths of operations whose results no other built layer reads.

    A module is always called, and so is a stack. A parameter stays a parameter of its stack.
    """
    read = {ref.member for ref in block.outputs.values()}
    for member in reversed(block.members):
        part = member.part
        if isinstance(part, Block):
            yield from left_out(part)
        elif member.name not in read and isinstance(part.layer, Operation):
            yield part.path
            continue
        read |= _sources(member)


def _sources(member: Member) -> set[str]:
    """Return the names of the members that a member reads.

    The value that a constant keeps is computed once, when the network is built.
    """
    if isinstance(member.part, Row) and member.part.layer.is_tensor:
        return set()
    return {ref.member for ref in member.reads.values()}


def with_built(rows: tuple[Row, ...], block: Block) -> tuple[Row, ...]:
    """Return the rows, each with whether the built network computes it."""
    unread = set(left_out(block))
    if not unread:
        return rows
    return tuple([row._replace(is_built=row.path not in unread) for row in rows])
