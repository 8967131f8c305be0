"""The walk over the stacks of a network. It names, repeats, wires and traces members in order.

Each step gets its context, and returns its result with its faults. `Layers` holds the layers of the
whole network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.graph.misfit import Repetition, circumstances
from netbuild.graph.row import Block, Call, Calls, Member, Row
from netbuild.graph.tracing import reuse
from netbuild.graph.tracing.layers import Layers
from netbuild.graph.tracing.level import Context, Level
from netbuild.graph.tracing.limits import Limits
from netbuild.graph.tracing.local_names import LocalNames, input_names
from netbuild.graph.tracing.members import MemberReader
from netbuild.graph.tracing.naming import called, name_of, numbered, without_number
from netbuild.graph.tracing.reuse import Recipe
from netbuild.graph.tracing.scope import UNKNOWN_SIGNAL
from netbuild.graph.value import OUTPUT, Ref
from netbuild.syntax.item import REUSE, Item, Stack, place_of
from netbuild.syntax.node import UNKNOWN, Map

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netbuild.config.config import Config
    from netbuild.config.modifiers import Modifiers
    from netbuild.diagnostics.diagnostic import Faults, Found, Span
    from netbuild.graph.tracing.layers import Results
    from netbuild.graph.tracing.reuse import Reads
    from netbuild.graph.tracing.scope import Signal
    from netbuild.syntax.expression import Names
    from netbuild.syntax.item import Child
    from netbuild.syntax.node import Node


class Use(NamedTuple):
    """A member before tracing: its item or stack, its inputs, and its modifiers."""

    part: Item | Stack
    #: None if its inputs are not known. Its other faults are still reported.
    reads: Reads | None
    frozen: bool = False
    repeat: int | None = None


class Walk:
    """Walks the stacks of a network, member by member, with the shapes of their inputs."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.layers = Layers()
        self.reader = MemberReader(config.blocks)
        self.limits = Limits()
        #: The blocks that are used.
        self.used: set[str] = set()
        self.blocks: dict[str, Call] = {}
        self.reuses: dict[str, Span] = {}

    @property
    def calls(self) -> Calls:
        """The items of blocks and of each `Reuse`, by their paths."""
        return Calls(self.blocks, self.reuses)

    def stack(
        self,
        stack: Stack,
        context: Context,
        inputs: Mapping[str, Signal],
        outputs: Node | None,
        type_: str = "",
    ) -> Found[tuple[Block, Results]]:
        """Trace the members of a stack one after the other; return its block and its results."""
        self.limits.depth = max(self.limits.depth, context.path.count("."))
        level = Level(context, inputs, stack.children)
        faults: Faults = ()
        for child in stack.children:
            if self.limits.reached:
                break
            faults += self._child(child, level)
        refs, wrong = (None, ()) if self.limits.reached else level.outputs(outputs)
        self.limits.faults += len(wrong)
        faults += wrong
        if refs is None:  # a block needs a result, also an unknown one
            refs = {OUTPUT: Ref("", next(iter(inputs)))}
            results = {OUTPUT: UNKNOWN_SIGNAL}
        else:
            results = {port: level.scope.signal(ref) for port, ref in refs.items()}
        return (Block(tuple(inputs), tuple(level.members), refs, type_), results), faults

    def _child(self, child: Child, level: Level) -> Faults:
        """Read one member of a stack, and trace it with its modifiers."""
        self.limits.members += 1
        scope = level.scope
        scope.current = child
        last = scope.before
        part, faults = self.reader.read(child.node, LocalNames(level.context.names, last))
        if part is None and scope.last is None and not faults:
            faults = (level.reads_nothing(None, self.reader, child.span),)
        if faults:
            faults = _of_layer(f"{level.path}{child.name or level.position}", faults)
        reads, wrong = level.reads(part, self.reader) if part else (None, ())
        faults += wrong
        # For a member that reads nothing, expressions know the shape of the result before it.
        x = scope.signal(reads[0][1]).tensor if reads else last
        part, numbers = without_number(part) if part else (None, None)
        names = LocalNames(level.context.names, x)
        modifiers, wrong = self.reader.modifiers(part, names) if part else (None, ())
        faults += wrong
        self.limits.faults += len(faults)
        if part is None or modifiers is None:
            return (*faults, *self._unknown(child, part, level))
        name, wrong = name_of(child, modifiers, part, level.taken)
        self.limits.faults += len(wrong)
        if name is not None:
            level.taken.add(name)
        frozen = level.context.frozen or getattr(modifiers, "freeze", False)
        use = Use(part, reads, frozen, modifiers.repeat)
        return (*faults, *wrong, *self._used(use, modifiers, name, numbers, level))

    def _unknown(self, child: Child, part: Item | Stack | None, level: Level) -> Faults:
        """Continue after a member with a fault. Its other faults are still reported."""
        faults: Faults = ()
        name = called(child) or str(level.position)
        if part is not None:
            names = LocalNames(level.context.names, level.scope.before, index=UNKNOWN)
            _, faults = self._member(Use(part, None), name, level, names)
        level.scope.add(name, {OUTPUT: UNKNOWN_SIGNAL})
        level.position += 1
        return faults

    def _used(
        self, use: Use, modifiers: Modifiers, name: str | None, numbers: Node | None, level: Level
    ) -> Faults:
        """Trace a member by its modifiers: skip it, trace it once or in a row, or as a stack."""
        scope = level.scope
        if not modifiers.when:
            scope.skip(name, use.reads[0][1] if use.reads else scope.last)
            return ()
        if use.repeat is None or name is None:
            return self._in_a_row(use, name or numbers, level)
        before = len(self.layers.rows)
        members, faults = self._repeated(use, name, level)
        self._remember(use, use.repeat, name, level, level.context.names, members, before)
        level.members += members
        level.position += 1
        return faults

    def _in_a_row(self, use: Use, name: str | Node | None, level: Level) -> Faults:
        """Trace a member once, or several times, each at its own position of the stack.

        Without a `name`, the position is the name. If `name` is a node, it is evaluated with the
        index of each repetition.
        """
        faults: Faults = ()
        for index in range(use.repeat or 1):
            if self.limits.reached:
                break
            self.limits.members += index > 0  # the first one is counted as a child
            more = {} if use.repeat is None else {"index": index}
            x = level.scope.before
            names = LocalNames(level.context.names, x, **more)
            place, wrong = self._place(name, names, level)
            before = len(self.layers.rows)
            members, within = self._member(use, place, level, names)
            self._remember(use, None, place, level, names, members, before)
            level.members += members
            new = (*wrong, *within)
            repeat = use.part.modifiers.get("repeat")  # none of what a Reuse repeats
            if index and x is not None and new and repeat is not None:
                new = _around(new, repetition=Repetition(repeat.value, index, x))
            faults += new
            if use.repeat and use.reads:  # the first input of a repetition is the one before it
                first = (use.reads[0][0], level.scope.first(place))
                use = use._replace(reads=[first, *use.reads[1:]])
            level.position += 1
        return faults

    def _place(self, name: str | Node | None, names: Names, level: Level) -> Found[str]:
        """Return the name of a member in its stack: its own name, or its number."""
        if name is None or isinstance(name, str):
            return name or str(level.position), ()
        own_name, faults = numbered(name, names, level.taken)
        self.limits.faults += len(faults)
        if own_name is not None:
            level.taken.add(own_name)
        return own_name or str(level.position), faults

    def _remember(
        self,
        use: Use,
        repeat: int | None,
        name: str,
        level: Level,
        names: Names,
        members: list[Member],
        before: int,
    ) -> None:
        """Store the recipe of a member for a Reuse; `before` is the number of layers before it."""
        part = members[0].part if members else None
        inputs = part.inputs if isinstance(part, Block) else ()
        layers = len(self.layers.rows) - before
        recipe = Recipe(use.part, names, repeat, name, inputs, layers, use.frozen)
        level.recipes.setdefault(name, recipe)

    def _repeated(self, use: Use, name: str, level: Level) -> Found[list[Member]]:
        """Trace a member several times in a row, as a stack with this name."""
        reads = use.reads
        if reads is None:
            _, faults = self._member(use, name, level, level.context.names)
            return [], faults
        alone = not reads  # such as a Parameter; the stack still needs an input
        if alone and level.scope.last is None:
            fault = level.reads_nothing(use.part, self.reader)
            self.limits.faults += 1
            return [], (fault,)
        if alone:
            reads = [(None, level.scope.last or Ref("", ""))]
        inside = [own or (f"input{n}" if n else "input") for n, (own, _) in enumerate(reads)]
        signals = [level.scope.signal(ref) for _, ref in reads]
        context = level.context._replace(path=f"{level.path}{name}.")
        within = Level(context, dict(zip(inside, signals, strict=True)))
        inner_reads: Reads = [(own, Ref("", i)) for i, (own, _) in zip(inside, reads, strict=True)]
        faults = self._in_a_row(use._replace(reads=[] if alone else inner_reads), None, within)
        if self.limits.reached:
            level.scope.add(name, {OUTPUT: UNKNOWN_SIGNAL})
            return [], faults
        last = within.scope.first(str(within.position - 1))
        level.scope.add(name, {OUTPUT: within.scope.signal(last)})
        block = Block(tuple(inside), tuple(within.members), {OUTPUT: last})
        refs = {i: ref for i, (_, ref) in zip(inside, reads, strict=True)}
        return [Member(name, block, refs, place_of(use.part))], faults

    def _member(self, use: Use, name: str, level: Level, names: Names) -> Found[list[Member]]:
        """Trace one member of a stack once, and add its results to the scope under its name.

        The list is empty after a fault.
        """
        part, reads = use.part, use.reads
        if isinstance(part, Item) and part.type.text == REUSE:
            return self._reused(part, use, name, level)
        place = f"{level.path}{name}"
        signals = [(inside, level.scope.signal(ref)) for inside, ref in reads or []]
        if reads != [] and isinstance(part, Item):  # expressions know the shape of the input
            names = LocalNames(names, signals[0][1].tensor if signals else None)
        traced: Block | Row | None
        if isinstance(part, Stack) or self.reader.is_block(part):
            inputs = {inside or "input": x for inside, x in signals} or {"input": UNKNOWN_SIGNAL}
            inner = list(inputs)
            context = Context(f"{place}.", names, use.frozen, level.context.blocks)
            (traced, results), faults = self._call(part, context, inputs)
        else:
            inner = [inside or str(number) for number, (inside, _) in enumerate(signals)]
            self.limits.layers += 1
            (traced, results), faults = self.layers.trace(
                part, place, names, None if reads is None else signals, frozen=use.frozen
            )
            self.limits.faults += len(faults)
        level.scope.add(name, results)
        if traced is None or reads is None:
            return [], faults
        refs = dict(zip(inner, (ref for _, ref in reads), strict=True))
        if isinstance(traced, Row) and reads and reads[0][0] is not None:
            order = [*traced.layer.inputs, *traced.layer.optional_inputs]
            refs = {inside: refs[inside] for inside in order if inside in refs}
        return [Member(name, traced, refs, place_of(part))], faults

    def _call(
        self, part: Item | Stack, context: Context, inputs: Mapping[str, Signal]
    ) -> Found[tuple[Block | None, Results]]:
        """Trace an inner stack, or a block with its parameters."""
        if isinstance(part, Stack):
            outputs = part.modifiers.get("outputs")
            return self.stack(part, context, inputs, outputs.value if outputs else None)
        unknown = None, {OUTPUT: UNKNOWN_SIGNAL}
        block = self.config.blocks[part.type.text]
        if block is None:  # its definition has a fault
            return unknown, ()
        if block.name in context.blocks:
            self.limits.faults += 1
            return unknown, (_contains_itself(block.name, part, context),)
        self.blocks[context.path.removesuffix(".")] = Call(part, context.names)
        own = input_names(next(iter(inputs.values())).tensor)
        values, faults = block.bind(part, context.names, {**self.config.names, **own})
        faults = _of_layer(context.path.removesuffix("."), faults)
        self.limits.faults += len(faults)
        if values is None:
            return unknown, faults
        again = block.name in self.used
        self.used.add(block.name)
        outputs = block.stack.modifiers.get("outputs")
        context = context._replace(
            names={**self.config.names, **values}, blocks=(*context.blocks, block.name)
        )
        traced, wrong = self.stack(
            block.stack, context, inputs, outputs.value if outputs else None, block.name
        )
        if again and wrong:
            wrong = _around(wrong, block=block.name)
        return traced, (*faults, *wrong)

    def _reused(self, item: Item, use: Use, name: str, level: Level) -> Found[list[Member]]:
        """Trace a member of the stack again, with the inputs of a Reuse."""
        scope, reads = level.scope, use.reads
        self.reuses[f"{level.path}{name}"] = item.type.span
        recipe, faults = reuse.find(item, level.recipes, scope)
        self.limits.faults += len(faults)
        failed = recipe and scope.signal(scope.first(recipe.module)).tensor is None
        if recipe is None or reads is None or failed:
            scope.add(name, {OUTPUT: UNKNOWN_SIGNAL})
            return [], faults
        part = reuse.part_of(recipe, item)
        if recipe.inputs:
            reads, faults = reuse.in_order(item, recipe, reads)
            self.limits.faults += len(faults)
            inputs = item.modifiers.get("inputs")
            is_layer = self.reader.layer(part) is not None
            if reads and is_layer and not (inputs and isinstance(inputs.value, Map)):
                reads = [(None, ref) for _, ref in reads]  # a repeated layer
        if reads is None:
            scope.add(name, {OUTPUT: UNKNOWN_SIGNAL})
            return [], faults
        again = Use(part, reads, recipe.frozen, recipe.repeat)
        before = len(self.layers.rows)
        if recipe.repeat is None:
            members, wrong = self._member(again, name, level, recipe.names)
        else:
            members, wrong = self._repeated(again, name, level)
        faults += wrong
        level.recipes[name] = recipe
        module = f"{level.path}{recipe.module}"
        if not faults:
            faults = self.layers.share(before, recipe.layers, f"{level.path}{name}", module, item)
            self.limits.faults += len(faults)
        faults = tuple(reuse.blamed(item, fault) for fault in faults)
        members = [member._replace(module=recipe.module) for member in members]
        return members, faults


def _of_layer(path: str, faults: Faults) -> Faults:
    """Return faults with the path of their layer."""
    return tuple([fault._replace(layer=path) for fault in faults])


def _around(
    faults: Iterable[Diagnostic], *, repetition: Repetition | None = None, block: str | None = None
) -> Faults:
    """Return faults with the repetition or the block around them, for the search for fixes."""
    changed = []
    for fault in faults:
        origin = circumstances(fault)
        if origin and repetition:
            origin = origin._replace(repetition=repetition, blocks=())
        elif origin and block:
            origin = origin._replace(blocks=(*origin.blocks, block))
        changed.append(fault._replace(origin=origin))
    return tuple(changed)


def _contains_itself(block: str, item: Item, context: Context) -> Diagnostic:
    chain = [*context.blocks[context.blocks.index(block) :], block]
    label = f"a block cannot contain itself: {' > '.join(chain)}"
    return Diagnostic("NB214", "a block that contains itself", item.type.span, label)
