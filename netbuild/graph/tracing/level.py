"""One stack during the walk: its context, its names, and its members so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import Diagnostic, collect
from netbuild.graph.row import Block, LeftOut, Member, Recomputed
from netbuild.graph.tracing.local_names import LocalNames
from netbuild.graph.tracing.scope import Scope
from netbuild.graph.value import OUTPUT, Ref, Value
from netbuild.syntax.item import Item, Stack, place_of
from netbuild.syntax.names import input_name_fault, output_name_fault
from netbuild.syntax.node import Map, is_null
from netbuild.syntax.substitution import substitute
from netbuild.syntax.wires import read_wires

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netbuild.diagnostics.diagnostic import Found, Span
    from netbuild.graph.row import Row
    from netbuild.graph.tracing.members import MemberReader
    from netbuild.graph.tracing.reuse import Reads, Recipe
    from netbuild.graph.tracing.scope import Signal
    from netbuild.syntax.expression import Names
    from netbuild.syntax.item import Child
    from netbuild.syntax.node import Node
    from netbuild.syntax.wires import Wire


class Context(NamedTuple):
    """The path of a stack, and the facts that hold for all its members."""

    #: Ends with a dot, such as `features.`; empty for the network itself.
    path: str
    #: The names for expressions.
    names: Names
    #: Knows the types of the file in which the members are written.
    reader: MemberReader
    #: The variables of this file.
    variables: Names
    #: Whether the weights inside keep their first values.
    frozen: bool = False
    #: The blocks around the stack, the outermost first.
    blocks: tuple[str, ...] = ()
    #: The outermost stack, this one or around it, that the backward pass computes again.
    recomputed: Recomputed | None = None

    def within(self, place: str, names: Names, *, frozen: bool) -> Context:
        """Return the context of the stack at a place inside this one."""
        return self._replace(path=f"{place}.", names=names, frozen=frozen)

    def recomputing(self, inputs: Iterable[Signal]) -> Context:
        """Return the context if the backward pass computes this stack again."""
        known = [(x.value, x.tensor) for x in inputs if x.value and x.tensor is not None]
        here = Recomputed(self.path.removesuffix("."), tuple(known))
        return self._replace(recomputed=self.recomputed or here)


class Level:
    """One stack during the walk."""

    def __init__(
        self, context: Context, inputs: Mapping[str, Signal], children: Sequence[Child] = ()
    ) -> None:
        self.context = context
        self.scope = Scope(inputs, children)
        self.members: list[Member] = []
        #: Whether a fault keeps a member out of `members`.
        self.lacks_member = False
        #: The recipe of each member by name, for a `Reuse`.
        self.recipes: dict[str, Recipe] = {}
        #: The names of the members.
        self.taken: set[str] = set()
        #: The number of the next member.
        self.position = 0

    @property
    def path(self) -> str:
        """The path of the stack, with a dot at the end."""
        return self.context.path

    def add(self, member: Member | None) -> None:
        """Add a member at the next position; None after a fault."""
        self.position += 1
        if member is None:
            self.lacks_member = True
        else:
            self.members.append(member)

    def block(self, outputs: Mapping[str, Ref], type_: str = "") -> Block:
        """Return the stack with its wires."""
        inputs = self.scope.inputs
        batched = tuple([name for name, x in inputs.items() if not x.shared])
        shared = tuple([port for port, ref in outputs.items() if self.scope.signal(ref).shared])
        return Block(tuple(inputs), batched, tuple(self.members), outputs, type_, shared)

    def member(
        self, name: str, part: Row | Block, reads: Mapping[str, Ref], item: Item | Stack
    ) -> Member:
        """Return a layer or a stack as a member of this stack."""
        signals = {inside: self.scope.signal(ref) for inside, ref in reads.items()}
        shared = {inside: x.tensor.shape for inside, x in signals.items() if x.shared and x.tensor}
        return Member(name, part, reads, place_of(item), shared=shared)

    def reads(self, part: Item | Stack) -> Found[Reads | None]:
        """Return the inputs of a part: its `inputs`, or the last result; None after a fault."""
        reader = self.context.reader
        if "inputs" in part.modifiers:
            return self._named_reads(part, reader)
        layer = reader.layer(part)
        if layer is not None and not layer.inputs:
            return [], ()
        if self.scope.last is not None:
            return [(None, self.scope.last)], ()
        return None, (self.reads_nothing(part, reader),)

    def _named_reads(self, part: Item | Stack, reader: MemberReader) -> Found[Reads | None]:
        names = LocalNames(self.context.names, None)  # the inputs decide the shape
        node, faults = substitute(part.modifiers["inputs"].value, names)
        wires, wrong = read_wires(node, "inputs")
        refs, unknown = collect(self.scope.find(wire) for wire in wires)
        faults += (*wrong, *unknown)
        if isinstance(part, Stack) or reader.is_block(part):
            faults += _misnamed_inputs(node, wires)
        if not wires or faults:
            return None, faults
        inside = [wire.inside for wire in wires]
        return [(name, ref) for name, ref in zip(inside, refs, strict=True) if ref], ()

    def reads_nothing(self, part: Item | Stack, reader: MemberReader) -> Diagnostic:
        """Return the fault of a first member that does not name one of several inputs."""
        where = "stack" if self.path else "network"
        return self.scope.unnamed(reader.layer(part), place_of(part), where)

    def outputs(self, node: Node | None) -> Found[dict[str, Ref] | None]:
        """Return the results of the stack: its `outputs`, or the first result of its last member.

        The result is None after a fault.
        """
        if node is None or is_null(node):
            if self.scope.last is None and not (self.members or self.lacks_member):
                return None, (self._no_result(),)
            return {OUTPUT: self.scope.last} if self.scope.last else None, ()
        evaluated, faults = substitute(node, self.context.names)
        wires, wrong = read_wires(evaluated, "outputs")
        faults += (*wrong, *_misnamed_outputs(evaluated))
        outputs: dict[str, Ref] = {}
        for wire in wires:
            ref, unknown = self.scope.find(wire)
            faults += unknown
            port = OUTPUT if len(wires) == 1 else wire.outside.replace(".", "_")
            port = port if wire.inside is None else wire.inside
            if port in outputs:
                faults = (*faults, _same_name(port, wire.span))
            if ref is not None:
                outputs[port] = ref
        complete = not faults and len(outputs) == len(wires) > 0
        return outputs if complete else None, faults

    def _no_result(self) -> Diagnostic:
        """Return the fault of a stack of several inputs in which `when` leaves out all members."""
        label = "`when` leaves out all layers, and no single input takes their place"
        where = "stack" if self.path else "network"
        span = self.scope.children[0].span
        help_ = f"name the results of the {where}: outputs: …"
        return Diagnostic("NB208", f"a {where} without a result", span, label, help=help_)

    def left_out(
        self, part: Item | Stack, name: str | None, reads: Sequence[tuple[str | None, Ref]]
    ) -> dict[Value, LeftOut]:
        """Return what a member would read, if `when` did not leave it out."""
        type_ = part.type.text if isinstance(part, Item) else "a stack"
        reader = LeftOut(name or type_, place_of(part))
        return {
            Value(f"{self.path}{ref.member}", "") if ref.member else Value("", ref.port): reader
            for _, ref in reads
            if ref.member or not self.path
        }


def _misnamed_inputs(node: Node, wires: Sequence[Wire]) -> tuple[Diagnostic, ...]:
    """Return the faults of the names of a stack's or a block's inputs."""
    if isinstance(node, Map):
        names = (input_name_fault(name, key.span) for name, (key, _) in node.entries.items())
        return tuple(filter(None, names))
    if len(wires) < 2:
        return ()
    label = "each of several inputs of a stack needs a name"
    help_ = f"give each input a name: inputs: {{left: {wires[0].outside}, …}}"
    return (Diagnostic("NB208", "several inputs without names", node.span, label, help=help_),)


def _misnamed_outputs(node: Node) -> tuple[Diagnostic, ...]:
    """Return the faults of the names of a stack's outputs."""
    if not isinstance(node, Map):
        return ()
    names = (output_name_fault(name, key.span) for name, (key, _) in node.entries.items())
    return tuple(filter(None, names))


def _same_name(port: str, span: Span) -> Diagnostic:
    label = f"two outputs are called {port}"
    help_ = "give each output its own name: outputs: {name: result}"
    return Diagnostic("NB213", "two outputs with the same name", span, label, help=help_)


def contains_itself(block: str, item: Item, context: Context) -> Diagnostic:
    """Return the fault of a block that its own members use."""
    chain = [*context.blocks[context.blocks.index(block) :], block]
    label = f"a block cannot contain itself: {' > '.join(chain)}"
    return Diagnostic("NB214", "a block that contains itself", item.type.span, label)
