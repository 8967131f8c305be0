"""One stack while it is walked: its context, the names in reach, and the members so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import Diagnostic, collect
from netbuild.graph.tracing.scope import Scope
from netbuild.graph.value import OUTPUT, Ref
from netbuild.syntax.item import Stack, written_at
from netbuild.syntax.names import input_name_fault
from netbuild.syntax.node import Map
from netbuild.syntax.substitution import substitute
from netbuild.syntax.wires import read_wires

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.diagnostics.diagnostic import Found, Span
    from netbuild.graph.row import Member
    from netbuild.graph.tracing.members import MemberReader
    from netbuild.graph.tracing.reuse import Reads, Recipe
    from netbuild.graph.tracing.scope import Signal
    from netbuild.syntax.expression import Names
    from netbuild.syntax.item import Child, Item
    from netbuild.syntax.node import Node
    from netbuild.syntax.wires import Wire


class Context(NamedTuple):
    """What holds for all members of a stack: its path, and what is true around it."""

    #: With a dot behind it: `features.`; empty for the network itself.
    path: str
    #: What expressions can name.
    names: Names
    #: Whether the weights within keep the values that they begin with.
    frozen: bool = False
    #: The blocks around it, the outermost first.
    blocks: tuple[str, ...] = ()


class Level:
    """One stack while it is walked."""

    def __init__(
        self, context: Context, inputs: Mapping[str, Signal], children: Sequence[Child] = ()
    ) -> None:
        self.context = context
        self.scope = Scope(inputs, children)
        self.members: list[Member] = []
        #: How each member was traced, by its name, for a `Reuse`.
        self.recipes: dict[str, Recipe] = {}
        #: The names that members have.
        self.taken: set[str] = set()
        #: The number of the next member.
        self.position = 0

    @property
    def path(self) -> str:
        """The path of the stack, with a dot behind it."""
        return self.context.path

    def reads(self, part: Item | Stack, reader: MemberReader) -> Found[Reads | None]:
        """Return what an item reads: what it says, or the item before; None after a fault."""
        if "inputs" in part.modifiers:
            return self._named_reads(part, reader)
        layer = reader.layer(part)
        if layer is not None and not layer.inputs:
            return [], ()
        if self.scope.last is not None:
            return [(None, self.scope.last)], ()
        return None, (self.reads_nothing(part, reader),)

    def _named_reads(self, part: Item | Stack, reader: MemberReader) -> Found[Reads | None]:
        written = part.modifiers["inputs"].value
        node, faults = substitute(written, self.context.names)
        wires, wrong = read_wires(node, "inputs")
        refs, unknown = collect(self.scope.find(wire) for wire in wires)
        faults += (*wrong, *unknown)
        if isinstance(part, Stack) or reader.is_block(part):
            faults += _misnamed_inputs(node, wires)
        if not wires or faults:
            return None, faults
        inside = [wire.inside for wire in wires]
        return [(name, ref) for name, ref in zip(inside, refs, strict=True) if ref], ()

    def reads_nothing(
        self, part: Item | Stack | None, reader: MemberReader, span: Span | None = None
    ) -> Diagnostic:
        """Return the fault of a first member that does not say which of several inputs it reads."""
        where = "stack" if self.path else "network"
        if part is None:
            assert span is not None
            return self.scope.unsaid(None, span, where)
        return self.scope.unsaid(reader.layer(part), written_at(part), where)

    def outputs(self, node: Node | None) -> Found[dict[str, Ref] | None]:
        """Return what the stack gives: what it says, or what its last member gives first.

        The result is None after a fault.
        """
        if node is None:
            return {OUTPUT: self.scope.last} if self.scope.last else None, ()
        written, faults = substitute(node, self.context.names)
        wires, wrong = read_wires(written, "outputs")
        faults += wrong
        found: dict[str, Ref] = {}
        for wire in wires:
            ref, unknown = self.scope.find(wire)
            faults += unknown
            port = wire.inside or (OUTPUT if len(wires) == 1 else wire.outside)
            port = port.replace(".", "_")
            if port in found:
                faults = (*faults, _given_twice(port, wire.span))
            if ref is not None:
                found[port] = ref
        complete = not faults and len(found) == len(wires) > 0
        return found if complete else None, faults


def _misnamed_inputs(node: Node, wires: Sequence[Wire]) -> tuple[Diagnostic, ...]:
    """Return the faults of the names by which a stack or a block knows its inputs."""
    if isinstance(node, Map):
        named = (input_name_fault(name, key.span) for name, (key, _) in node.entries.items())
        return tuple(filter(None, named))
    if len(wires) < 2:
        return ()
    label = "a stack knows its inputs by name"
    help_ = f"give each its name inside: inputs: {{left: {wires[0].outside}, …}}"
    return (Diagnostic("NB208", "several inputs without names", node.span, label, help=help_),)


def _given_twice(port: str, span: Span) -> Diagnostic:
    label = f"two results are called {port}"
    help_ = "give each its name: outputs: {name: result}"
    return Diagnostic("NB213", "a result that is given twice", span, label, help=help_)
