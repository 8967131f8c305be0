"""The `forward` of a class, from the recorded steps of all stacks that share it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from netbuild.diagnostics.exceptions import ExportError
from netbuild.exchange.source.body import Body, live
from netbuild.exchange.source.constructors import texts
from netbuild.exchange.source.fitting import MISSING
from netbuild.exchange.source.layout import ApartError
from netbuild.exchange.source.recording import record
from netbuild.exchange.source.surviving import mark
from netbuild.exchange.source.text import Argument, Code, Group, Text, call, lines, literal
from netbuild.exchange.source.values import Name, plain, same, step_of
from netbuild.graph.row import Block, Row

if TYPE_CHECKING:
    from netbuild.exchange.source.fitting import Scope
    from netbuild.exchange.source.kinds import Kind, Kinds
    from netbuild.exchange.source.needs import Needs
    from netbuild.exchange.source.recording import Recording
    from netbuild.exchange.source.values import Step
    from netbuild.graph.row import Member


class Class(Protocol):
    """The class whose `forward` is written."""

    kind: Kind
    kinds: Kinds
    scope: Scope
    is_root: bool

    @property
    def needs(self) -> Needs:
        """What the file must have."""

    def access(self, name: str) -> str:
        """Return the code of a module or a tensor of the stack."""

    def attribute(self, code: Code) -> Code:
        """Return an expression of parameters in `forward`, which reads them from `self`."""

    def inputs(self) -> list[str]:
        """Return the variables of the inputs of `forward`."""


class Steps:
    """The steps of the stacks of a class, side by side."""

    def __init__(self, class_: Class) -> None:
        self.class_ = class_
        stacks = class_.kind.stacks
        optional = {part.first.name for part in class_.kind.parts if part.is_optional}
        outputs = class_.kinds.graph.outputs if class_.is_root else {}
        in_order = class_.kinds.in_order
        self.all = [record(one.block, outputs, optional, in_order=in_order) for one in stacks]
        sizes = [len(stack.block.members) for stack in stacks]
        self.number = sizes.index(max(sizes))
        self.keys = [_keys(one) for one in self.all]
        self.cache: dict[tuple[Step, bool], list[Code]] = {}

    @property
    def main(self) -> Recording:
        """The steps of the stack with all members."""
        return self.all[self.number]

    @property
    def block(self) -> Block:
        """The stack with all members."""
        return self.class_.kind.stacks[self.number].block

    def given(self, step: Step, *, attributes: bool) -> list[Code]:
        """Return the code of the literals of a step, for all stacks.

        Args:
            step: a step of the stack with all members.
            attributes: whether parameters are attributes of `self`.
        """
        if (step, attributes) not in self.cache:
            self.cache[step, attributes] = self._given(step, attributes=attributes)
        return self.cache[step, attributes]

    def _given(self, step: Step, *, attributes: bool) -> list[Code]:
        key = next(key for key, one in self.keys[self.number].items() if one is step)
        others = [keys.get(key) for keys in self.keys]
        found: list[Code] = []
        for number, value in enumerate(step.literals):
            values: list[Any] = []
            for one in others:
                if one is not None and len(one.literals) != len(step.literals):
                    raise ApartError
                values.append(MISSING if one is None else one.literals[number])
            if isinstance(value, Name) or all(v is MISSING or same(v, value) for v in values):
                found.append(plain(value))
                continue
            name = next(iter([*step.keywords][-1:]), "") or "size"
            members = {m.name: m.part for m in self.block.members}
            part = members.get(step.part)
            hints = texts(part.item) if isinstance(part, Row) else ()
            made = self.class_.scope.fit(values, name, hints)
            found.append(self.class_.attribute(made) if attributes else made)
        return found


def _keys(recording: Recording) -> dict[tuple[Any, int], Step]:
    """Return the steps by the member that makes them, and their number there."""
    counts: dict[Any, int] = {}
    found = {}
    for step in recording.steps:
        number = counts.get(step.part, 0)
        counts[step.part] = number + 1
        found[step.part, number] = step
    return found


def write(class_: Class) -> list[str]:
    """Return the lines of `forward`."""
    steps = Steps(class_)
    main = steps.main
    members = {member.name: member for member in steps.block.members}
    needed = live(
        main.steps, main.results, lambda step: step.is_kept and _acts(members.get(step.part))
    )
    inputs = class_.inputs()
    mark(needed, steps.block, inputs)
    arguments = {
        step_of(value): name for value, name in zip(main.inputs.values(), inputs, strict=True)
    }
    body = Body(
        needed,
        main.results,
        arguments,
        class_.access,
        lambda step: steps.given(step, attributes=True),
    )
    _need(class_, needed)
    count = len(main.results)
    class_.needs.imports.add("from torch import Tensor")
    result = "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"
    typed = tuple(Argument(Text(f"{name}: Tensor")) for name in inputs)
    head = Group("def forward(", (Argument(Text("self")), *typed))
    return [*lines(head, 4, after=f" -> {result}:"), *body.write()]


def _need(class_: Class, steps: list[Step]) -> None:
    """Tell what the steps need in the file."""
    for step in steps:
        if step.kind == "function" and step.name.startswith("torch.nn.functional."):
            class_.needs.imports.add("import torch.nn.functional as F")
        elif step.kind == "function" and step.name.startswith("torch."):
            class_.needs.imports.add("import torch")
        if any(isinstance(one, Name) for one in step.literals):
            class_.needs.imports.add("import torch")
        if step.kind == "checkpoint":
            class_.needs.imports.add("from torch.utils.checkpoint import checkpoint")
            if step.name == "recomputed":
                class_.needs.define("recomputing", "recomputed")
        if step.kind == "loop":
            member = next(
                m for s in class_.kind.stacks for m in s.block.members if m.name == step.part
            )
            if isinstance(member.part, Block):
                _need_loop(class_, member.part)


def _need_loop(class_: Class, block: Block) -> None:
    for member in block.members:
        if isinstance(member.part, Block) and member.part.recomputes:
            class_.needs.imports.add("from torch.utils.checkpoint import checkpoint")
            if member.part.has_statistics:
                class_.needs.define("recomputing", "recomputed")


def held(class_: Class, name: str) -> list[str]:
    """Return the statements that compute and keep the constants of a class with inputs.

    They stand at the last of these constants, and for the other ones there are none.

    Raises:
        ExportError: a value comes from outside of the stack.
    """
    steps = Steps(class_)
    values = steps.main.held
    if name != [*values][-1]:
        return []
    needed = live(steps.main.steps, [*values.values()], lambda _: False)
    if any(step.kind == "input" for step in needed):
        member = next(m for m in steps.block.members if m.name == name)
        where = f"{member.span.document.name}:{member.span.line}"
        message = f"{where}: {name} keeps a value of another stack, and Python source cannot"
        raise ExportError(f"{message} compute it there: put its layers into one stack")
    _need(class_, needed)
    body = Body(
        needed,
        [*values.values()],
        {},
        class_.access,
        lambda step: steps.given(step, attributes=False),
    )
    found, made = body.ends()
    members = {member.name: member.part for member in steps.block.members}
    for own, code in zip(values, made, strict=True):
        part = members[own]
        persistent = isinstance(part, Row) and bool(part.buffers)
        last = {} if persistent else {"persistent": Text("False")}
        found += lines(call("self.register_buffer", literal(own), code, **last), 8)
    return found


def _acts(member: Member | None) -> bool:
    """Whether a call changes something although nothing reads its result, as a norm does."""
    if member is None:
        return False
    part = member.part
    if isinstance(part, Block):
        return any(map(_acts, part.members))
    overwrites = bool(getattr(part.layer, "inplace", False))
    return bool(part.buffers) or part.layer.draws or overwrites
