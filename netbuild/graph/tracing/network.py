"""Trace the whole network of a config: its layers, its wires and its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import Diagnostic, errors
from netbuild.diagnostics.wording import brief
from netbuild.graph.row import Calls
from netbuild.graph.tracing import overwriting
from netbuild.graph.tracing.level import Context
from netbuild.graph.tracing.scope import UNKNOWN_SIGNAL, from_outside
from netbuild.graph.tracing.unread import with_built
from netbuild.graph.tracing.walk import Walk
from netbuild.syntax.item import Stack
from netbuild.syntax.node import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.components.tensor import Tensor
    from netbuild.config.config import Config
    from netbuild.diagnostics.diagnostic import Found
    from netbuild.graph.row import Block, Row


class Network(NamedTuple):
    """A traced network. After a fault it has no block, and it may have no outputs."""

    rows: tuple[Row, ...] = ()
    block: Block | None = None
    outputs: Mapping[str, Tensor] = {}
    calls: Calls = Calls()
    #: The number of members that were walked, with those that have no row.
    members: int = 0


def trace_network(config: Config) -> Found[Network]:
    """Trace the layers of a config; the result ends with the last layer whose shape is known."""
    if config.layers is None:
        return Network(), tuple(_unused_blocks(config, set())) if config.is_library else ()
    walk = Walk(config)
    context = Context("", config.names, walk.reader, config.names)
    stack, faults = context.reader.read(config.layers, config.names)
    if not isinstance(stack, Stack):
        return Network(), faults
    faults += tuple(_modifiers(stack))
    inputs = {
        name: from_outside(name, tensor, config.input_span(name))
        for name, tensor in config.inputs.items()
    }
    (block, results), wrong = walk.stack(stack, context, inputs, config.root.get("outputs"))
    rows, faults = tuple(walk.layers.rows), (*faults, *wrong)
    if walk.limits.end(faults):
        if walk.limits.reason:
            title, span = "the network is too large", config.layers.span
            faults += (Diagnostic("NB209", title, span, walk.limits.reason),)
        return Network(rows, calls=walk.calls, members=walk.limits.members), faults
    faults += tuple(_unused_blocks(config, walk.used))
    outputs = {port: y.tensor for port, y in results.items() if y.tensor is not None}
    complete = len(outputs) == len(results) and not errors(faults)
    values = {port: y.value for port, y in results.items() if y.value is not None}
    if complete and block is not None:
        rows = with_built(rows, block)
    wrong = overwriting.check(rows, values if complete else None, walk.calls, config)
    if wrong:
        paths = [row.path for row in rows]
        rows = rows[: paths.index(wrong[0].layer or "")]
    if len(outputs) < len(results) or wrong:
        return Network(rows, calls=walk.calls, members=walk.limits.members), (*faults, *wrong)
    if complete and any(row.ties for row in rows):
        from netbuild.graph.tracing import ties  # few networks have any

        rows, wrong = ties.resolved(rows)
        faults = (*faults, *wrong)
    return Network(rows, block, outputs, walk.calls, walk.limits.members), faults


def _modifiers(stack: Stack) -> Iterator[Diagnostic]:
    """Yield a fault for each modifier of the whole network, which takes no modifiers."""
    for key, _ in stack.modifiers.values():
        title = f"the whole network has no modifier {brief(key.text)}"
        yield Diagnostic("NB104", title, key.span, "unknown modifier")


def _unused_blocks(config: Config, used: set[int]) -> Iterator[Diagnostic]:
    """Yield the faults of types and fields in unused blocks, for an unknown input."""
    for block in config.blocks.values():
        if block is None or id(block) in used:
            continue
        walk = Walk(config)
        walk.used = used
        context = Context("", config.names, walk.reader, config.names)
        context = walk.inside(block, context, dict.fromkeys(block.params, UNKNOWN))
        inputs = dict.fromkeys((block.file and block.file.inputs) or ["input"], UNKNOWN_SIGNAL)
        _, faults = walk.stack(block.stack, context, inputs, None)
        # The inputs of a block get their names only where it is used.
        yield from (fault for fault in faults if fault.code.startswith("NB1"))
