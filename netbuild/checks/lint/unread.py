"""Lints of results and inputs that no layer reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.graph.row import Block
from netbuild.graph.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Flow
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Member


def unread_results(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a layer or a stack if nothing reads its result: its weights cannot learn."""
    graph = flow.graph
    assert graph.block is not None
    for path, member in _unread(graph.block, ""):
        label = f"no layer reads the result of {path}, and it is not an output"
        notes = _left_out(graph, Value(path, ""))
        help_ = "add the result to the inputs of a later layer, or to the outputs"
        title = "a result that no layer reads"
        yield Diagnostic("NB302", title, member.span, label, notes, help_, path)


def unread_inputs(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of an input of the network that no layer reads."""
    graph = flow.graph
    block = graph.block
    assert block is not None
    read = {ref.port for member in block.members for ref in member.reads.values() if not ref.member}
    read |= {ref.port for ref in block.outputs.values() if not ref.member}
    for name in block.inputs:
        if name not in read:
            span = graph.config.input_span(name)
            label = f"no layer reads {name}"
            notes = _left_out(graph, Value("", name))
            yield Diagnostic("NB303", "an input that no layer reads", span, label, notes)


def _left_out(graph: Graph, value: Value) -> tuple[Note, ...]:
    """Return a note on the reader that `when` leaves out."""
    reader = graph.calls.left_out.get(value)
    if reader is None:
        return ()
    said = f"{reader.name} (line {reader.span.line}) would read it, but when: false leaves it out"
    return (Note("reader", said),)


def _unread(block: Block, path: str) -> Iterator[tuple[str, Member]]:
    """Yield the path and the member of each unread result, in a stack and in its inner stacks."""
    read = {ref.member for member in block.members for ref in member.reads.values()}
    read |= {ref.member for ref in block.outputs.values()}
    for member in block.members:
        place = f"{path}{member.name}"
        if member.name not in read:
            yield place, member
        elif isinstance(member.part, Block) and member.module is None:
            yield from _unread(member.part, f"{place}.")
