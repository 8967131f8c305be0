"""The walk over the stacks of a network. It names, repeats, wires and traces members in order.

Each step gets its context, and returns its result with its faults. `Layers` holds the layers of the
whole network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.layers import LAYERS
from netbuild.components.layers.named import known_inputs
from netbuild.config.unfreezing import first_epoch
from netbuild.graph.misfit import Repetition, around, of_layer
from netbuild.graph.row import Block, Call, Calls, Row
from netbuild.graph.tracing import files, pretrained, reuse
from netbuild.graph.tracing.layers import LayerCall, Layers
from netbuild.graph.tracing.level import Context, Level, contains_itself
from netbuild.graph.tracing.limits import Limits
from netbuild.graph.tracing.local_names import LocalNames, input_names
from netbuild.graph.tracing.members import MemberReader
from netbuild.graph.tracing.naming import (
    called,
    name_of,
    numbered,
    pattern,
    without_number,
    without_outputs,
)
from netbuild.graph.tracing.reuse import Recipe
from netbuild.graph.tracing.scope import UNKNOWN_SIGNAL
from netbuild.graph.value import OUTPUT, Ref
from netbuild.syntax.item import REUSE, Item, Stack
from netbuild.syntax.node import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.config.blocks import Definition
    from netbuild.config.config import Config
    from netbuild.config.modifiers import Modifiers
    from netbuild.diagnostics.diagnostic import Faults, Found, Span
    from netbuild.graph.row import LeftOut, Member
    from netbuild.graph.tracing.layers import Results
    from netbuild.graph.tracing.reuse import Reads
    from netbuild.graph.tracing.scope import Signal
    from netbuild.graph.value import Value
    from netbuild.syntax.expression import Names
    from netbuild.syntax.item import Child
    from netbuild.syntax.node import Node, Scalar


class Use(NamedTuple):
    """A member before tracing: its item or stack, its inputs, and its modifiers."""

    part: Item | Stack
    #: None if its inputs are not known. Its other faults are still reported.
    reads: Reads | None
    frozen: bool = False
    repeat: int | None = None
    checkpoint: bool = False
    #: For a Reuse, the inputs that the module reads once for each sample.
    batched: tuple[str, ...] = ()

    def given(self, inputs: dict[str, Signal]) -> dict[str, Signal]:
        """Return the inputs of a stack as the stack reads them: shared, or for each sample."""
        if all(x.shared for x in inputs.values()):
            return inputs
        return {
            name: x._replace(shared=False) if name in self.batched else x
            for name, x in inputs.items()
        }


class Walk:
    """Walks the stacks of a network, member by member, with the shapes of their inputs."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.layers = Layers()
        self.reader = MemberReader(config.blocks)
        #: The readers of the files that are blocks, by the identity of the file.
        self.readers: dict[int, MemberReader] = {}
        self.limits = Limits()
        #: The identities of the blocks that are used.
        self.used: set[int] = set()
        self.blocks: dict[str, Call] = {}
        self.reuses: dict[str, Span] = {}
        self.left_out: dict[Value, LeftOut] = {}

    @property
    def calls(self) -> Calls:
        """The items of blocks and of each `Reuse`, by their paths."""
        return Calls(self.blocks, self.reuses, self.left_out)

    def stack(
        self,
        stack: Stack,
        context: Context,
        inputs: Mapping[str, Signal],
        outputs: Node | None,
        type_: str = "",
    ) -> Found[tuple[Block | None, Results]]:
        """Trace the members of a stack one after the other; return its block and its results.

        The block is None if a member or a result has a fault.
        """
        self.limits.depth = max(self.limits.depth, context.path.count("."))
        level = Level(context, inputs, stack.children)
        faults: Faults = ()
        for child in stack.children:
            if self.limits.end(faults):
                break
            faults += self._child(child, level)
        refs, wrong = (None, ()) if self.limits.end(faults) else level.outputs(outputs)
        faults += wrong
        if refs is None:
            return (None, {OUTPUT: UNKNOWN_SIGNAL}), faults
        results = {port: level.scope.signal(ref) for port, ref in refs.items()}
        if level.lacks_member:
            return (None, results), faults
        return (level.block(refs, type_), results), faults

    def _child(self, child: Child, level: Level) -> Faults:
        """Read one member of a stack, and trace it with its modifiers."""
        self.limits.members += 1
        scope = level.scope
        scope.current = child
        last = scope.before
        part, faults = level.context.reader.read(child.node, LocalNames(level.context.names, last))
        if faults:
            faults = of_layer(f"{level.path}{child.name or level.position}", faults)
        reads, wrong = level.reads(part) if part else (None, ())
        faults += wrong
        # For a member that reads nothing, expressions know the shape of the result before it.
        x = scope.signal(reads[0][1]) if reads else last
        child, part, numbers = without_number(child, part) if part else (child, None, None)
        names = LocalNames(level.context.names, x)
        reader = level.context.reader
        modifiers, wrong = reader.modifiers(part, names) if part else (None, ())
        faults += wrong
        if part is None or modifiers is None:
            return (*faults, *self._unknown(child, part, numbers, level))
        name, wrong = name_of(child, modifiers, part, level.taken)
        if name is not None:
            level.taken.add(name)
        frozen = level.context.frozen or getattr(modifiers, "freeze", False)
        again = getattr(modifiers, "checkpoint", False)
        use = Use(part, reads, frozen, modifiers.repeat, again)
        return (*faults, *wrong, *self._used(use, modifiers, name, numbers, level))

    def _unknown(
        self, child: Child, part: Item | Stack | None, numbers: Scalar | None, level: Level
    ) -> Faults:
        """Continue after a member with a fault. Its other faults are still reported."""
        faults: Faults = ()
        name = called(child) or str(level.position)
        if part is not None:
            names = LocalNames(level.context.names, level.scope.before, index=UNKNOWN)
            _, faults = self._member(Use(without_outputs(part), None), name, level, names)
        level.scope.add(name, {OUTPUT: UNKNOWN_SIGNAL})
        if numbers is not None:
            level.scope.unknown_names.append(pattern(numbers.text))
        level.add(None)
        return faults

    def _used(
        self, use: Use, modifiers: Modifiers, name: str | None, numbers: Scalar | None, level: Level
    ) -> Faults:
        """Trace a member by its modifiers: skip it, trace it once or in a row, or as a stack."""
        scope = level.scope
        if not modifiers.when:
            scope.skip(name, use.reads[0][1] if use.reads else scope.last)
            self.left_out.update(level.left_out(use.part, name, use.reads or ()))
            return ()
        if use.repeat is None or name is None:
            return self._in_a_row(use, name or numbers, level)
        if isinstance(use.part, Item) and use.part.type.text == REUSE:
            level.scope.add(name, {OUTPUT: UNKNOWN_SIGNAL})
            level.add(None)
            return (reuse.of_one_name(use.part, name),)
        once = use._replace(part=pretrained.without(use.part))
        member, faults = self._repeated(once, name, level)
        given, wrong = pretrained.read(use.part, level.context.names)
        if member is not None and isinstance(member.part, Block):
            member = member._replace(part=member.part._replace(pretrained=given))
        self._remember(use, use.repeat, name, level, level.context.names, member)
        level.add(member)
        return (*faults, *wrong)

    def _in_a_row(self, use: Use, name: str | Scalar | None, level: Level) -> Faults:
        """Trace a member once, or several times, each at its own position of the stack.

        Without a `name`, the position is the name. If `name` is a node, it is evaluated with the
        index of each repetition.
        """
        faults: Faults = ()
        for index in range(use.repeat or 1):
            if self.limits.end(faults):
                break
            self.limits.members += index > 0  # the first one is counted as a child
            more = {} if use.repeat is None else {"index": index}
            x = level.scope.before
            names = LocalNames(level.context.names, x, **more)
            place, wrong = self._place(name, names, level)
            member, within = self._member(use, place, level, names)
            self._remember(use, None, place, level, names, member)
            level.add(member)
            new = (*wrong, *within)
            repeat = use.part.modifiers.get("repeat")  # none of what a Reuse repeats
            if index and x and x.tensor is not None and new and repeat is not None:
                new = around(new, repetition=Repetition(repeat.value, index, x.tensor, x.value))
            faults += new
            if use.repeat and use.reads:  # the first input of a repetition is the one before it
                first = (use.reads[0][0], level.scope.first(place))
                use = use._replace(reads=[first, *use.reads[1:]])
        return faults

    def _place(self, name: str | Scalar | None, names: Names, level: Level) -> Found[str]:
        """Return the name of a member in its stack: its own name, or its number."""
        if name is None or isinstance(name, str):
            return name or str(level.position), ()
        child = level.scope.current
        by_key = child is not None and child.name is not None
        own_name, faults = numbered(name, names, level.taken, by_key=by_key)
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
        member: Member | None,
    ) -> None:
        """Store the recipe of a member for a Reuse."""
        traced, modifiers = member and member.part, (use.frozen, use.checkpoint)
        level.recipes.setdefault(name, Recipe(use.part, names, repeat, name, traced, *modifiers))

    def _repeated(self, use: Use, name: str, level: Level) -> Found[Member | None]:
        """Trace a member several times in a row, as a stack with this name; None after a fault."""
        scope, reads = level.scope, use.reads
        if reads is None:
            names = LocalNames(level.context.names, scope.before, index=UNKNOWN)
            return self._member(use, name, level, names)
        inside = [own or (f"input{n}" if n else "input") for n, (own, _) in enumerate(reads)]
        refs = dict(zip(inside, (ref for _, ref in reads), strict=True))
        if not reads:  # such as a Parameter; the stack still needs an input
            batched = [name for name, x in scope.inputs.items() if not x.shared]
            refs = {"input": Ref("", (batched or list(scope.inputs))[0])}
        inputs = use.given({own: scope.signal(ref) for own, ref in refs.items()})
        # A member that reads nothing knows the shape of the result before it.
        seen = inputs
        if not reads and scope.before is not None:
            seen = {"input": scope.before._replace(shared=inputs["input"].shared)}
        within = Level(level.context._replace(path=f"{level.path}{name}."), seen)
        if scope.before is None and not reads:
            within.scope.last = None
        inner_reads: Reads = [(own, Ref("", i)) for i, (own, _) in zip(inside, reads, strict=True)]
        faults = self._in_a_row(use._replace(reads=inner_reads), None, within)
        last = within.scope.last
        if self.limits.end(faults) or last is None:
            scope.add(name, {OUTPUT: UNKNOWN_SIGNAL})
            return None, faults
        scope.add(name, {OUTPUT: within.scope.signal(last)})
        if within.lacks_member:
            return None, faults
        return level.member(name, within.block({OUTPUT: last}), refs, use.part), faults

    def _member(self, use: Use, name: str, level: Level, names: Names) -> Found[Member | None]:
        """Trace one member of a stack once, and add its results to the scope under its name.

        The member is None after a fault.
        """
        part, reads = use.part, use.reads
        if isinstance(part, Item) and part.type.text == REUSE:
            return self._reused(use, name, level, names)
        place = f"{level.path}{name}"
        signals = [(inside, level.scope.signal(ref)) for inside, ref in reads or []]
        if reads != []:  # expressions know the shape of the input
            names = LocalNames(names, signals[0][1] if signals else UNKNOWN_SIGNAL)
        traced: Block | Row | None
        if isinstance(part, Stack) or level.context.reader.is_block(part):
            inputs = {inside or "input": x for inside, x in signals} or {"input": UNKNOWN_SIGNAL}
            block = level.context.reader.block(part)
            if block is not None and block.file is not None:
                inputs = files.renamed(block.file, inputs)
            inputs = use.given(inputs)
            inner = list(inputs)
            context = level.context.within(place, names, frozen=use.frozen)
            if use.checkpoint:
                context = context.recomputing(x for _, x in signals)
            (traced, results), faults = self._call(part, context, inputs)
            if use.checkpoint and traced is not None:
                traced = traced._replace(recomputes=True)
            own, wrong = pretrained.read(part, names)
            traced, faults = traced and traced._replace(pretrained=own), (*faults, *wrong)
        else:
            inner = [inside or str(number) for number, (inside, _) in enumerate(signals)]
            self.limits.layers += 1
            component, around = LAYERS[part.type.text], level.context.recomputed
            later = first_epoch(self.config.train.unfreeze, place) if use.frozen else None
            frozen = use.frozen and later is None
            call = LayerCall(component, part, place, level.scope, frozen, later, around)
            given = None if reads is None else signals
            (traced, results), faults = self.layers.trace(call, names, given)
        level.scope.add(name, results)
        if traced is None or reads is None:
            return None, faults
        refs = dict(zip(inner, (ref for _, ref in reads), strict=True))
        if isinstance(traced, Row) and reads and reads[0][0] is not None:
            order = known_inputs(type(traced.layer), [*refs])
            refs = {inside: refs[inside] for inside in order if inside in refs}
        return level.member(name, traced, refs, part), faults

    def _call(
        self, part: Item | Stack, context: Context, inputs: Mapping[str, Signal]
    ) -> Found[tuple[Block | None, Results]]:
        """Trace an inner stack, or a block with its parameters."""
        if isinstance(part, Stack):
            outputs = part.modifiers.get("outputs")
            return self.stack(part, context, inputs, outputs.value if outputs else None)
        unknown = None, {OUTPUT: UNKNOWN_SIGNAL}
        block, path = context.reader.block(part), context.path.removesuffix(".")
        if block is None:  # its definition has a fault
            return unknown, ()
        if block.name in context.blocks:
            return unknown, (contains_itself(block.name, part, context),)
        self.blocks[path] = Call(part, context.names, block)
        own = input_names(next(iter(inputs.values())))
        outer = {} if block.file else {**context.variables, **own}
        values, faults = block.bind(part, context.names, outer)
        if values is not None and block.file:
            rules, wrong = files.check(block, part, values, inputs)
            faults += wrong
            self.blocks[path] = Call(part, context.names, block, rules)
        faults = of_layer(path, faults)
        if values is None or faults:
            return unknown, faults
        again = id(block) in self.used
        self.used.add(id(block))
        outputs = block.stack.modifiers.get("outputs")
        context = self.inside(block, context, values)
        traced, wrong = self.stack(
            block.stack, context, inputs, outputs.value if outputs else None, block.name
        )
        if again and wrong:
            wrong = around(wrong, block=block.name)
        return traced, (*faults, *wrong)

    def inside(self, block: Definition, context: Context, values: Names) -> Context:
        """Return the context of a block's members; `values` are those of its parameters."""
        if block.file is None:
            names = {**context.variables, **values}
            return context._replace(names=names, blocks=(*context.blocks, block.name))
        reader = self.readers.setdefault(id(block.file), MemberReader(block.file.blocks))
        return context._replace(names=values, reader=reader, variables=values, blocks=())

    def _reused(self, use: Use, name: str, level: Level, names: Names) -> Found[Member | None]:
        """Trace a member of the stack again, with the inputs of a Reuse."""
        item, scope, reads, path = use.part, level.scope, use.reads, f"{level.path}{name}"
        assert isinstance(item, Item)
        names = LocalNames(names, scope.signal(reads[0][1]) if reads else UNKNOWN_SIGNAL)
        self.reuses[path] = item.type.span
        recipe, faults = reuse.find(item, level.recipes, scope, names)
        known = reads is not None and all(scope.signal(ref).tensor for _, ref in reads)
        if recipe is None or recipe.traced is None or reads is None or not known:
            scope.add(name, {OUTPUT: UNKNOWN_SIGNAL})
            return None, faults
        reads, faults = reuse.in_order(item, recipe, reads, level.context.reader.layer(recipe.part))
        if reads is None:
            scope.add(name, {OUTPUT: UNKNOWN_SIGNAL})
            return None, faults
        traced = recipe.traced
        batched = traced.batched if isinstance(traced, Block) else ()
        part = reuse.part_of(recipe, item, reads)
        again = Use(part, reads, *recipe.modifiers, batched=batched)
        before = len(self.layers.rows)
        if recipe.repeat is None:
            member, faults = self._member(again, name, level, recipe.names)
        else:
            member, faults = self._repeated(again, name, level)
        level.recipes[name] = recipe
        if member is not None and not faults:
            faults = reuse.check(item, recipe.traced, member.part, level.path + recipe.module, path)
            faults = faults or reuse.check_kept(item, self.layers.rows, level.path + recipe.module)
            self.layers.share(before, path, level.path + recipe.module)
            member = member._replace(module=recipe.module)
        return member, tuple(reuse.blamed(item, fault) for fault in faults)
