"""The stacks of a network: members named, repeated and wired, their layers traced one by one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import MAX_FAULTS, Diagnostic
from netbuild.diagnostics.exceptions import TooManyError
from netbuild.diagnostics.wording import brief
from netbuild.graph.row import Block, Member, Row
from netbuild.graph.tracing import reuse
from netbuild.graph.tracing.layer import Leaves
from netbuild.graph.tracing.members import Parts
from netbuild.graph.tracing.names import Known, input_names
from netbuild.graph.tracing.naming import called, name_of, numbered, without_number
from netbuild.graph.tracing.reuse import Reads, Recipe
from netbuild.graph.tracing.scope import UNKNOWN_SIGNAL, Scope, Signal, from_outside
from netbuild.graph.value import OUTPUT, Ref
from netbuild.syntax.expression import Names, substitute
from netbuild.syntax.item import REUSE, Child, Item, Stack
from netbuild.syntax.names import input_name_fault
from netbuild.syntax.node import UNKNOWN, Map, Node
from netbuild.syntax.wires import read_wires

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.components.tensor import Tensor
    from netbuild.config.config import Config
    from netbuild.diagnostics.diagnostic import Span

#: Stacks and blocks within one another, and members of them all; more are refused.
MAX_DEPTH = 100
MAX_MEMBERS = 40_000


class Level:
    """One stack while it is walked: where it stands, what expressions know there, what it has."""

    def __init__(
        self, path: str, names: Names, inputs: Mapping[str, Signal], children: Sequence[Child] = ()
    ) -> None:
        self.path, self.names = path, names
        self.scope = Scope(inputs, children)
        self.members: list[Member] = []
        self.recipes: dict[str, Recipe] = {}
        self.taken: set[str] = set()
        self.position = 0


class Walk:
    """Walks the stacks of a network, item by item, with the shapes that reach each."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.faults: list[Diagnostic] = []
        self.leaves = Leaves(config, self.faults)
        self.parts = Parts(config.blocks, self.faults)
        #: The blocks that are being walked, the outermost first.
        self.calling: list[str] = []
        self.called: set[str] = set()
        self.visited = 0

    def trace(self) -> tuple[Block | None, dict[str, Tensor]]:
        """Trace the whole network; return how it is wired and what it gives, or nothing."""
        config = self.config
        assert config.layers is not None
        stack = self.parts.read(config.layers, config.names)
        if not isinstance(stack, Stack):
            return None, {}
        for key, _ in stack.modifiers.values():
            title = f"the network as a whole has no {brief(key.text)}"
            self.faults.append(Diagnostic("NB104", title, key.span, "unknown"))
        inputs = {
            name: from_outside(name, tensor, config.input_span(name))
            for name, tensor in config.inputs.items()
        }
        try:
            block, results = self.stack(stack, "", config.names, inputs, config.root.get("outputs"))
        except TooManyError as error:
            if str(error):
                title = "the network has too many layers"
                fault = Diagnostic("NB209", title, config.layers.span, str(error))
                self.faults.append(fault)
            return None, {}
        self.unused()
        for signal in results.values():
            if signal.value in self.leaves.loose:
                span = self.leaves.by_path[signal.value.path].span
                label = "it has no batch axis, and the network gives it as it is"
                title = "an output that is not there for each sample"
                self.faults.append(Diagnostic("NB212", title, span, label))
        outputs = {port: y.tensor for port, y in results.items() if y.tensor is not None}
        return (block, outputs) if len(outputs) == len(results) else (None, {})

    def unused(self) -> None:
        """Find what is wrong with the fields of blocks that nothing uses, whatever they read."""
        for block in self.config.blocks.values():
            if block is None or block.name in self.called:
                continue
            walk = Walk(self.config)
            walk.called, walk.calling = self.called, [block.name]
            names = {**self.config.names, **dict.fromkeys(block.params, UNKNOWN)}
            with suppress(TooManyError):  # what was found until then is enough
                walk.stack(block.stack, "", names, {"input": UNKNOWN_SIGNAL}, None, block.name)
            # What it reads is for its user to say, by any names.
            self.faults += [fault for fault in walk.faults if fault.code.startswith("NB1")]

    def stack(
        self,
        stack: Stack,
        path: str,
        names: Names,
        inputs: Mapping[str, Signal],
        outputs: Node | None,
        type_: str = "",
    ) -> tuple[Block, dict[str, Signal]]:
        """Trace the members of a stack one after the other; return what it gives."""
        if path.count(".") > MAX_DEPTH:
            raise TooManyError(f"more than {MAX_DEPTH} stacks and blocks within one another")
        level = Level(path, names, inputs, stack.children)
        for child in stack.children:
            self.child(child, level)
        given = self.outputs(outputs, level)
        if given is None:  # something has to be given, of which nothing is known
            given = {OUTPUT: Ref("", next(iter(inputs)))}
            results = {OUTPUT: UNKNOWN_SIGNAL}
        else:
            results = {port: level.scope.signal(ref) for port, ref in given.items()}
        return Block(tuple(inputs), tuple(level.members), given, type_), results

    def child(self, child: Child, level: Level) -> None:
        """Trace one member of a stack, as often as it is repeated, if at all."""
        self.visited += 1
        if self.visited > MAX_MEMBERS:
            raise TooManyError(f"more than {MAX_MEMBERS:,} members of stacks and blocks")
        scope = level.scope
        scope.current = child
        last = self.before(scope)
        before = len(self.faults)
        part = self.parts.read(child.node, Known(level.names, last))
        if part is None and scope.last is None and len(self.faults) == before:
            self.reads_nothing(child.span, level)
        place = f"{level.path}{child.name or level.position}"
        if len(self.faults) > before:
            self.at(place, before)
        reads = self.reads(part, level) if part else None
        # What reads nothing knows the shape that it stands behind.
        x = scope.signal(reads[0][1]).tensor if reads else last
        names = Known(level.names, x)
        part, number_name = without_number(part) if part else (None, None)
        modifiers = self.parts.modifiers(part, names) if part else None
        if part is None or modifiers is None:
            if part is not None:  # its own faults are still found
                known = Known(level.names, last, index=UNKNOWN)
                self.member(part, str(level.position), level, known, None)
            scope.add(called(child) or str(level.position), {OUTPUT: UNKNOWN_SIGNAL})
            level.position += 1
            return
        name = name_of(child, modifiers, part, level.taken, self.faults)
        frozen = self.leaves.frozen
        self.leaves.frozen = frozen or getattr(modifiers, "freeze", False)
        if not modifiers.when:
            scope.skip(name, reads[0][1] if reads else scope.last)
        elif modifiers.repeat is not None and name is not None:
            before = len(self.leaves.rows)
            members = self.repeated(part, modifiers.repeat, name, level, reads)
            self.remember(part, name, level, level.names, modifiers.repeat, members, before)
            level.members += members
            level.position += 1
        else:
            self.in_a_row(part, modifiers.repeat, name or number_name, level, reads)
        self.leaves.frozen = frozen

    def at(self, place: str, before: int) -> None:
        """Have the faults found since there were `before` say the layer that they are of."""
        self.faults[before:] = [fault._replace(layer=place) for fault in self.faults[before:]]

    def before(self, scope: Scope) -> Tensor | None:
        """Return what the item above gives; None where it is not known."""
        return scope.signal(scope.last).tensor if scope.last else None

    def in_a_row(
        self,
        part: Item | Stack,
        repeat: int | None,
        name: str | Node | None,
        level: Level,
        reads: Reads | None,
    ) -> None:
        """Trace a part once, or several times under as many positions of its stack.

        `name` is what it is called instead; a node is evaluated with each index.
        """
        for index in range(repeat or 1):
            more = {} if repeat is None else {"index": index}
            x, faults = self.before(level.scope), len(self.faults)
            known = Known(level.names, x, **more)
            chosen = (
                name if isinstance(name, str) else numbered(name, known, level.taken, self.faults)
            )
            place = chosen or str(level.position)
            before = len(self.leaves.rows)
            members = self.member(part, place, level, known, reads)
            self.remember(part, place, level, known, None, members, before)
            level.members += members
            if index and x is not None and len(self.faults) > faults:
                from netbuild.graph.fixes import (
                    fields as solver,  # which a network without faults does not need
                )

                self.faults[faults:] = solver.fewer(part, index, x, self.faults[faults:])
            if reads:  # what is repeated reads itself, and all else as before
                reads = [(reads[0][0], level.scope.first(place)), *reads[1:]]
            level.position += 1

    def remember(
        self,
        part: Item | Stack,
        name: str,
        level: Level,
        names: Names,
        repeat: int | None,
        members: list[Member],
        before: int,
    ) -> None:
        """Keep how a member was traced, for a Reuse; `before` it there were so many layers."""
        made = members[0].part if members else None
        inputs = made.inputs if isinstance(made, Block) else ()
        layers = len(self.leaves.rows) - before
        level.recipes.setdefault(name, Recipe(part, names, repeat, name, inputs, layers))

    def repeated(
        self, part: Item | Stack, count: int, name: str, level: Level, reads: Reads | None
    ) -> list[Member]:
        """Trace a part several times in a row, as a stack of this name."""
        if reads is None:
            self.member(part, name, level, level.names, None)
            return []
        alone = not reads  # as a Parameter is, within a stack that stands behind something
        if alone and level.scope.last is None:
            self.reads_nothing(part, level)
            return []
        if alone:
            reads = [(None, level.scope.last or Ref("", ""))]
        inside = [given or (f"input{n}" if n else "input") for n, (given, _) in enumerate(reads)]
        signals = [level.scope.signal(ref) for _, ref in reads]
        within = Level(f"{level.path}{name}.", level.names, dict(zip(inside, signals, strict=True)))
        fed: Reads = [(given, Ref("", i)) for i, (given, _) in zip(inside, reads, strict=True)]
        fed = [] if alone else fed
        self.in_a_row(part, count, None, within, fed)
        given = {OUTPUT: within.scope.first(str(count - 1))}
        level.scope.add(name, {OUTPUT: within.scope.signal(given[OUTPUT])})
        block = Block(tuple(inside), tuple(within.members), given)
        refs = {i: ref for i, (_, ref) in zip(inside, reads, strict=True)}
        return [Member(name, block, refs, _place(part))]

    def member(
        self,
        part: Item | Stack,
        name: str,
        level: Level,
        names: Names,
        reads: Reads | None,
    ) -> list[Member]:
        """Trace one member of a stack, once, and have its results known by its name.

        `reads` is None where what it reads is not known: its own faults are still found. The list
        is empty after a fault.
        """
        if len(self.faults) > MAX_FAULTS:
            raise TooManyError
        if isinstance(part, Item) and part.type.text == REUSE:
            return self.reused(part, name, level, reads)
        place = f"{level.path}{name}"
        signals = [(inside, level.scope.signal(ref)) for inside, ref in reads or []]
        made: Block | Row | None
        if isinstance(part, Stack) or part.type.text in self.config.blocks:
            inputs = {inside or "input": x for inside, x in signals} or {"input": UNKNOWN_SIGNAL}
            inner = list(inputs)
            made, results = self.call(part, f"{place}.", names, inputs)
        else:
            inner = [inside or str(number) for number, (inside, _) in enumerate(signals)]
            known = None if reads is None else signals
            made, results = self.leaves.trace(part, place, names, known)
        level.scope.add(name, results)
        if made is None or reads is None:
            return []
        refs = dict(zip(inner, (ref for _, ref in reads), strict=True))
        if isinstance(made, Row) and reads and reads[0][0] is not None:
            order = [*made.layer.inputs, *made.layer.optional_inputs]
            refs = {inside: refs[inside] for inside in order if inside in refs}
        return [Member(name, made, refs, _place(part))]

    def call(
        self, part: Item | Stack, path: str, names: Names, inputs: Mapping[str, Signal]
    ) -> tuple[Block | None, dict[str, Signal]]:
        """Trace a stack where it is written, or a block with its parameters."""
        if isinstance(part, Stack):
            outputs = part.modifiers.get("outputs")
            return self.stack(part, path, names, inputs, outputs.value if outputs else None)
        block = self.config.blocks[part.type.text]
        if block is None:  # its definition has a fault
            return None, {OUTPUT: UNKNOWN_SIGNAL}
        if block.name in self.calling:
            chain = [*self.calling[self.calling.index(block.name) :], block.name]
            label = f"a block cannot hold itself: {' > '.join(chain)}"
            fault = Diagnostic("NB214", "a block within itself", part.type.span, label)
            self.faults.append(fault)
            return None, {OUTPUT: UNKNOWN_SIGNAL}
        own = input_names(next(iter(inputs.values())).tensor)
        known = {**self.config.names, **own}
        before = len(self.faults)
        values = block.bind(part, {**names, **own}, known, self.faults)
        self.at(path.removesuffix("."), before)
        if values is None:
            return None, {OUTPUT: UNKNOWN_SIGNAL}
        self.calling.append(block.name)
        again = block.name in self.called
        self.called.add(block.name)
        outputs = block.stack.modifiers.get("outputs")
        given = outputs.value if outputs else None
        made = self.stack(
            block.stack, path, {**self.config.names, **values}, inputs, given, block.name
        )
        self.calling.pop()
        if again and len(self.faults) > before:
            from netbuild.graph.fixes import fields as solver

            self.faults[before:] = solver.in_each(block.name, self.faults[before:])
        return made

    def reused(self, item: Item, name: str, level: Level, reads: Reads | None) -> list[Member]:
        """Trace a member of the stack again, for the inputs of this item."""
        recipe = reuse.find(item, level.recipes, level.scope, self.faults)
        failed = recipe and level.scope.signal(level.scope.first(recipe.module)).tensor is None
        if recipe is None or reads is None or failed:
            level.scope.add(name, {OUTPUT: UNKNOWN_SIGNAL})
            return []
        own = {key: e for key, e in recipe.part.modifiers.items() if key in {"init", "outputs"}}
        inputs = {key: e for key, e in item.modifiers.items() if key == "inputs"}
        part = recipe.part._replace(modifiers={**own, **inputs})
        before, faults = len(self.leaves.rows), len(self.faults)
        if recipe.inputs:
            reads = reuse.in_order(item, recipe, reads, self.faults)
            written = item.modifiers.get("inputs")
            leaf = isinstance(part, Item) and part.type.text not in self.config.blocks
            if reads and leaf and not (written and isinstance(written.value, Map)):
                reads = [(None, ref) for _, ref in reads]  # a layer that is repeated
        if reads is None:
            level.scope.add(name, {OUTPUT: UNKNOWN_SIGNAL})
            return []
        if recipe.repeat is None:
            members = self.member(part, name, level, recipe.names, reads)
        else:
            members = self.repeated(part, recipe.repeat, name, level, reads)
        level.recipes[name] = recipe
        module = f"{level.path}{recipe.module}"
        if len(self.faults) == faults:
            self.leaves.share(before, recipe.layers, f"{level.path}{name}", module, item)
        reuse.blame(item, self.faults, faults)
        return [member._replace(module=recipe.module) for member in members]

    def reads(self, part: Item | Stack, level: Level) -> Reads | None:
        """Return what an item reads: what it says, or the item before; None after a fault."""
        scope = level.scope
        if "inputs" not in part.modifiers:
            layer = self.parts.layer(part) if isinstance(part, Item) else None
            if layer is not None and not layer.inputs:
                return []
            if scope.last is not None:
                return [(None, scope.last)]
            self.reads_nothing(part, level)
            return None
        before = len(self.faults)
        node = substitute(part.modifiers["inputs"].value, level.names, self.faults)
        wires = read_wires(node, "inputs", self.faults)
        found = [(wire.inside, scope.find(wire, self.faults)) for wire in wires]
        by_name = isinstance(part, Stack) or part.type.text in self.config.blocks
        if by_name and len(wires) > 1 and not isinstance(node, Map):
            label = "a stack knows its inputs by name"
            help_ = f"give each its name inside: inputs: {{left: {wires[0].outside}, …}}"
            title = "several inputs without names"
            self.faults.append(Diagnostic("NB208", title, node.span, label, help=help_))
        if by_name and isinstance(node, Map):
            named = (input_name_fault(name, key.span) for name, (key, _) in node.entries.items())
            self.faults += filter(None, named)
        if not wires or len(self.faults) > before:
            return None
        return [(inside, ref) for inside, ref in found if ref is not None]

    def reads_nothing(self, part: Item | Stack | Span, level: Level) -> None:
        """Report a first member that does not say which of several inputs it reads."""
        span = _place(part) if isinstance(part, (Item, Stack)) else part
        layer = self.parts.layer(part) if isinstance(part, Item) else None
        where = "stack" if level.path else "network"
        self.faults.append(level.scope.unsaid(layer, span, where))

    def outputs(self, node: Node | None, level: Level) -> dict[str, Ref] | None:
        """Return what a stack gives: what it says, or what its last member gives first.

        None after a fault.
        """
        scope = level.scope
        if node is None:
            return {OUTPUT: scope.last} if scope.last else None
        before = len(self.faults)
        wires = read_wires(substitute(node, level.names, self.faults), "outputs", self.faults)
        found: dict[str, Ref] = {}
        for wire in wires:
            ref = scope.find(wire, self.faults)
            port = wire.inside or (OUTPUT if len(wires) == 1 else wire.outside)
            port = port.replace(".", "_")
            if port in found:
                label = f"two results are called {port}"
                help_ = "give each its name: outputs: {name: result}"
                title = "a result that is given twice"
                self.faults.append(Diagnostic("NB213", title, wire.span, label, help=help_))
            if ref is not None:
                found[port] = ref
        complete = len(self.faults) == before and len(found) == len(wires) > 0
        return found if complete else None


def _place(part: Item | Stack) -> Span:
    """Return where a part is written: its type, or its layers."""
    return part.type.span if isinstance(part, Item) else part.span
