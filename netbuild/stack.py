"""The stacks of a network: members named, repeated and wired, their layers traced one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic_core import core_schema

from netbuild.component import Component, bare_field, fill_fields
from netbuild.diagnostic import MAX_FAULTS, Diagnostic, brief, suggest
from netbuild.expression import substitute
from netbuild.fields import OptionalCount, OptionalText, Wants
from netbuild.graph import OUTPUT, Block, Member, Reach, Ref, Row, Value
from netbuild.item import Child, Item, Stack, is_stack, name_fault, read_item, read_stack
from netbuild.layers import LAYERS
from netbuild.leaf import MAX_LAYERS, UNKNOWN_SIGNAL, Leaves, Names, TooManyError, input_names
from netbuild.node import UNKNOWN, Entry, Map, Node, Scalar
from netbuild.wiring import Scope, Signal, read_wires

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.config import Config
    from netbuild.diagnostic import Span
    from netbuild.layers.layer import Tensor

#: A value that is read with its places, by `wiring` or by `initialisation`.
_Elsewhere = Annotated[Any, Wants("a value", core_schema.any_schema())]


class Modifiers(Component):
    """What may stand beside a layer and beside a stack."""

    name: OptionalText = None
    repeat: OptionalCount = None
    inputs: _Elsewhere = None


class LayerModifiers(Modifiers):
    """What may stand beside the type of a layer."""

    init: _Elsewhere = None


class StackModifiers(Modifiers):
    """What may stand beside `layers:`."""

    outputs: _Elsewhere = None


_NO_MODIFIERS = Modifiers.model_construct()
#: What an item reads, in order: the name inside, where it is given, and the result that it means.
_Reads: TypeAlias = list[tuple[str | None, Ref]]


class Walk:
    """Walks the stacks of a network, item by item, with the shapes that reach each."""

    def __init__(self) -> None:
        self.faults: list[Diagnostic] = []
        self.leaves = Leaves(self.faults)

    def trace(self, config: Config) -> tuple[Block | None, dict[str, Tensor]]:
        """Trace a whole network; return how it is wired and what it gives, or nothing."""
        layers = config.layers
        assert layers is not None
        stack = self.part(layers, config.names)
        if not isinstance(stack, Stack):
            return None, {}
        for key, _ in stack.modifiers.values():
            title = f"the network as a whole has no {brief(key.text)}"
            self.faults.append(Diagnostic("NB104", title, key.span, "unknown"))
        inputs = {
            name: _from_outside(name, tensor, config.input_span(name))
            for name, tensor in config.inputs.items()
        }
        try:
            block, results = self.stack(stack, "", config.names, inputs, config.root.get("outputs"))
        except TooManyError:
            if self.leaves.visited > MAX_LAYERS:
                label = f"more than {MAX_LAYERS:,} layers"
                title = "the network has too many layers"
                self.faults.append(Diagnostic("NB209", title, layers.span, label))
            return None, {}
        outputs = {port: y.tensor for port, y in results.items() if y.tensor is not None}
        return (block, outputs) if len(outputs) == len(results) else (None, {})

    def stack(
        self,
        stack: Stack,
        path: str,
        names: Names,
        inputs: Mapping[str, Signal],
        outputs: Node | None = None,
    ) -> tuple[Block, dict[str, Signal]]:
        """Trace the members of a stack one after the other; return what it gives."""
        scope = Scope(inputs, [name for child in stack.children if (name := _called(child))])
        members: list[Member] = []
        taken: set[str] = set()
        position = 0
        for child in stack.children:
            last = scope.signal(scope.last) if scope.last else UNKNOWN_SIGNAL
            here = {**names, **input_names(last.tensor)}
            part = self.part(child.node, here)
            if isinstance(part, Item):
                part = self.with_misplaced_arguments(part)
            modifiers = self.modifiers(part, here) if part else None
            if part is None or modifiers is None:
                if part is not None:  # its own faults are still found
                    self.member(part, str(position), path, names, scope, None)
                scope.add(child.name or str(position), {OUTPUT: UNKNOWN_SIGNAL})
                position += 1
                continue
            name = self.name(child, modifiers, part, taken)
            reads = self.reads(part, scope)
            if modifiers.repeat is not None and name is not None:
                members += self.repeated(part, modifiers.repeat, name, path, names, scope, reads)
                position += 1
                continue
            for index in range(modifiers.repeat or 1):
                known = names if modifiers.repeat is None else {**names, "index": index}
                place = name or str(position)
                members += self.member(part, place, path, known, scope, reads)
                if reads:  # what is repeated reads itself, and all else as before
                    reads = [(reads[0][0], _first(place, scope)), *reads[1:]]
                position += 1
        given = self.outputs(outputs, scope)
        results = {port: scope.signal(ref) for port, ref in given.items()}
        return Block(tuple(inputs), tuple(members), given), results

    def reads(self, part: Item | Stack, scope: Scope) -> _Reads | None:
        """Return what an item reads: what it says, or the item before; None after a fault."""
        if "inputs" not in part.modifiers:
            if scope.last is not None:
                return [(None, scope.last)]
            label = f"this network has the inputs {', '.join(scope.inputs)}"
            help_ = "say which it reads: inputs: [" + ", ".join(scope.inputs) + "]"
            span = part.type.span if isinstance(part, Item) else part.span
            title = "a first layer that does not say what it reads"
            self.faults.append(Diagnostic("NB208", title, span, label, help=help_))
            return None
        before = len(self.faults)
        node = part.modifiers["inputs"].value
        wires = read_wires(node, "inputs", self.faults)
        found = [(wire.inside, scope.find(wire, self.faults)) for wire in wires]
        if isinstance(part, Stack) and len(wires) > 1 and not isinstance(node, Map):
            label = "a stack knows its inputs by name"
            help_ = f"give each its name inside: inputs: {{left: {wires[0].outside}, …}}"
            title = "several inputs without names"
            self.faults.append(Diagnostic("NB208", title, node.span, label, help=help_))
        if not wires or len(self.faults) > before:
            return None
        return [(inside, ref) for inside, ref in found if ref is not None]

    def outputs(self, node: Node | None, scope: Scope) -> dict[str, Ref]:
        """Return what a stack gives: what it says, or what its last member gives first."""
        assert scope.last is not None
        if node is None:
            return {OUTPUT: scope.last}
        wires = read_wires(node, "outputs", self.faults)
        found: dict[str, Ref] = {}
        for wire in wires:
            ref = scope.find(wire, self.faults)
            port = wire.inside or (OUTPUT if len(wires) == 1 else wire.outside)
            if ref is not None:
                found[port.replace(".", "_")] = ref
        return (
            found if len(found) == len(wires) > 0 else {OUTPUT: Ref("", next(iter(scope.inputs)))}
        )

    def repeated(
        self,
        part: Item | Stack,
        count: int,
        name: str,
        path: str,
        names: Names,
        scope: Scope,
        reads: _Reads | None,
    ) -> list[Member]:
        """Trace a part several times in a row, as a stack of this name."""
        if reads is None:
            self.member(part, name, path, names, scope, None)
            return []
        inside = [given or (f"input{n}" if n else "input") for n, (given, _) in enumerate(reads)]
        signals = [scope.signal(ref) for _, ref in reads]
        within = Scope(dict(zip(inside, signals, strict=True)), ())
        fed: _Reads = [(given, Ref("", i)) for i, (given, _) in zip(inside, reads, strict=True)]
        members: list[Member] = []
        for index in range(count):
            known = {**names, "index": index}
            members += self.member(part, str(index), f"{path}{name}.", known, within, fed)
            fed = [(fed[0][0], _first(str(index), within)), *fed[1:]]
        given = {OUTPUT: _first(str(count - 1), within)}
        scope.add(name, {OUTPUT: within.signal(given[OUTPUT])})
        block = Block(tuple(inside), tuple(members), given)
        refs = {i: ref for i, (_, ref) in zip(inside, reads, strict=True)}
        return [Member(name, block, refs)]

    def part(self, node: Node, names: Names) -> Item | Stack | None:
        """Read a node as the item or the stack that it is; None after a fault."""
        if len(self.faults) > MAX_FAULTS:
            raise TooManyError
        if isinstance(node, Scalar):
            node = substitute(node, names, self.faults)
            if isinstance(node, Scalar) and node.value is UNKNOWN:
                return None
        if is_stack(node) and not _is_lower_case_layer(node):
            part: Item | Stack | Diagnostic = read_stack(node)
        else:
            part = read_item(node, "layer", LAYERS)
        if isinstance(part, Diagnostic):
            self.faults.append(part)
            return None
        return part

    def modifiers(self, part: Item | Stack, names: Names) -> Modifiers | None:
        """Validate what stands beside a type or beside `layers:`; None after a fault."""
        if not part.modifiers:
            return _NO_MODIFIERS
        entries = {
            name: Entry(key, substitute(value, names, self.faults))
            for name, (key, value) in part.modifiers.items()
        }
        if isinstance(part, Item):
            return fill_fields(LayerModifiers, entries, "layer", part.type.span, self.faults)
        return fill_fields(StackModifiers, entries, "stack", part.span, self.faults)

    def with_misplaced_arguments(self, item: Item) -> Item:
        """Report arguments that stand beside their type, and go on as if they stood inside."""
        kind = item.type.text
        fields = getattr(LAYERS.get(kind), "model_fields", ())
        misplaced = {name: e for name, e in item.modifiers.items() if name in fields}
        if not misplaced:
            return item
        for name, (key, _) in misplaced.items():
            label = f"{name} is an argument of {kind}, and stands beside it"
            help_ = f"indent it below {kind}, or write {kind}: {{{name}: …}}"
            title = "an argument beside its item"
            self.faults.append(Diagnostic("NB107", title, key.span, label, help=help_))
        inside: dict[str, Entry] = {}
        if isinstance(item.arguments, Map):
            inside = item.arguments.entries
        elif item.arguments is not None and (field := bare_field(LAYERS[kind])):
            inside = {field: Entry(Scalar(field, item.arguments.span, field), item.arguments)}
        modifiers = {name: e for name, e in item.modifiers.items() if name not in misplaced}
        arguments = Map({**inside, **misplaced}, item.type.span)
        return item._replace(arguments=arguments, modifiers=modifiers)

    def name(
        self, child: Child, modifiers: Modifiers, part: Item | Stack, taken: set[str]
    ) -> str | None:
        """Return what a member is called in its stack; None for one that is named by its index."""
        name, span = child.name, child.span
        if modifiers.name is not None:
            span = part.modifiers["name"].value.span
            if name is not None:
                label = f"it is called {name} already, by its key"
                self.faults.append(Diagnostic("NB109", "a layer with two names", span, label))
                return name
            name = modifiers.name
        if name is None:
            return None
        fault = name_fault(name, span, taken, by_key=child.name is not None)
        if fault:
            self.faults.append(fault)
        taken.add(name)
        return name

    def member(
        self,
        part: Item | Stack,
        name: str,
        path: str,
        names: Names,
        scope: Scope,
        reads: _Reads | None,
    ) -> list[Member]:
        """Trace one member of a stack, once, and have its results known by its name.

        `reads` is None where what it reads is not known: its own faults are still found. The list
        is empty after a fault.
        """
        place = f"{path}{name}"
        signals = [(inside, scope.signal(ref)) for inside, ref in reads or []]
        made: Block | Row | None
        if isinstance(part, Stack):
            inputs = {inside or "input": x for inside, x in signals} or {"input": UNKNOWN_SIGNAL}
            outputs = part.modifiers.get("outputs")
            made, results = self.stack(
                part, f"{place}.", names, inputs, outputs.value if outputs else None
            )
            inner = list(inputs)
        else:
            made, results = self.leaves.trace(part, place, names, signals)
            inner = [inside or str(number) for number, (inside, _) in enumerate(signals)]
        scope.add(name, results)
        if made is None or reads is None:
            return []
        refs = dict(zip(inner, (ref for _, ref in reads), strict=True))
        if isinstance(made, Row) and reads[0][0] is not None:  # in the order of the layer's inputs
            order = [*made.layer.inputs, *made.layer.optional_inputs]
            refs = {inside: refs[inside] for inside in order if inside in refs}
        return [Member(name, made, refs)]


def _called(child: Child) -> str | None:
    """Return the name that a member is going to have."""
    name = child.node.get("name") if isinstance(child.node, Map) else None
    return child.name or (name.text if isinstance(name, Scalar) else None)


def _first(member: str, scope: Scope) -> Ref:
    """Return the result of a member that is passed on."""
    return Ref(member, next(iter(scope.members[member])))


def _from_outside(name: str, tensor: Tensor | None, span: Span) -> Signal:
    """Return an input of the network as a signal."""
    reach = None
    if tensor is not None and len(tensor.shape) > 1:
        ones = (1,) * (len(tensor.shape) - 1)
        reach = Reach(ones, ones)
    called = "the input" if name == "input" else name
    return Signal(tensor, f"{called} (line {span.line})", Value("", name), reach)


def _is_lower_case_layer(node: Node) -> bool:
    """Tell `conv2d: {out_channels: 6}`, a misspelt layer, from `conv2d: {…}`, a stack of one."""
    if not isinstance(node, Map) or len(node.entries) != 1:
        return False
    (name, (_, value)), *_ = node.entries.items()
    meant = LAYERS.get(suggest(name, tuple(LAYERS)) or "")
    if meant is None:
        return False
    if isinstance(value, Map):
        return bool(value.entries) and set(value.entries) <= set(meant.model_fields)
    return isinstance(value, Scalar) and not isinstance(value.value, str)
