"""Stacks of one kind, laid side by side: which members they share, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.layers.constant import Constant
from netbuild.components.layers.made import Made
from netbuild.components.layers.operation import Operation
from netbuild.exchange.source.recording import is_loop
from netbuild.graph.row import Block, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from netbuild.components.tensor import Tensor
    from netbuild.graph.row import Member


class ApartError(Exception):
    """Two stacks have no common class."""


class Stack(NamedTuple):
    """A stack at its place: its path, and the tensors that it reads, by name."""

    path: str
    block: Block
    reads: dict[str, Tensor]

    def inner(self, name: str) -> str:
        """Return the path of a member."""
        return f"{self.path}.{name}" if self.path else name


class Place(NamedTuple):
    """A member of a stack, and its path."""

    member: Member
    path: str


@dataclass
class Part:
    """An item of a stack, and the members that it is in each of several stacks."""

    key: Hashable
    #: The members in each stack: none if `when` leaves the item out, several if it is repeated.
    runs: list[list[Place]]
    #: How a stack is written: with a class of its own, within its place, or as a list for a loop.
    kind: str = "row"
    #: The class of a stack with a class of its own.
    class_: Any = None
    #: The parts of a stack that is written within its place.
    inner: list[Part] = field(default_factory=list)

    @property
    def places(self) -> list[Place]:
        """All members, stack by stack."""
        return [place for run in self.runs for place in run]

    @property
    def first(self) -> Member:
        """Its first member."""
        return self.places[0].member

    @property
    def is_optional(self) -> bool:
        """Whether some of the stacks lack it."""
        return any(not run for run in self.runs)

    @property
    def is_repeated(self) -> bool:
        """Whether a stack has several of its members."""
        return any(len(run) > 1 for run in self.runs)

    @property
    def has_module(self) -> bool:
        """Whether its members have modules of their own."""
        return self.first.module is None and not is_function(self.first.part)


def is_function(part: Row | Block) -> bool:
    """Whether a part is an operation or a tensor of its stack, without a module."""
    return isinstance(part, Row) and (isinstance(part.layer, Operation) or part.layer.is_tensor)


def layout(stacks: Sequence[Stack], class_of: Callable[[str], Any]) -> list[Part]:
    """Lay stacks side by side, and return their parts in order.

    `class_of` gives the class of the stack at a path; None for a stack within its place.

    Raises:
        ApartError: they have members of different kinds, or in another order.
    """
    each = [_runs(stack) for stack in stacks]
    longest = max(each, key=len)
    order = list(longest)
    for runs in each:
        if [key for key in order if key in runs] != list(runs):
            raise ApartError
    parts = [Part(key, [runs.get(key, []) for runs in each]) for key in order]
    parts = [one for part in parts for one in _described(part, class_of)]
    _expect_same_wires(stacks, parts)
    return parts


def _runs(stack: Stack) -> dict[Hashable, list[Place]]:
    """Return the members of a stack by the item that they come from."""
    found: dict[Hashable, list[Place]] = {}
    before: Hashable = None
    for member in stack.block.members:
        span = member.span
        key: Hashable = (span.document.name, span.line, span.column)
        if member.module:
            key = ("Reuse", member.name, member.module)
        place = Place(member, stack.inner(member.name))
        if key == before:
            found[key].append(place)
            continue
        before = key
        while key in found:
            key = (key, 2)
        if key != before:
            before = key
        found[key] = [place]
    return found


def _described(part: Part, class_of: Callable[[str], Any]) -> list[Part]:
    """Return a part with what it is; or a part for each turn, if the turns of a loop differ.

    Raises:
        ApartError: its members are of different kinds.
    """
    try:
        _describe(part, class_of)
    except ApartError:
        counts = {len(run) for run in part.runs}
        if len(counts) > 1 or counts == {1}:
            raise
        turns = range(counts.pop())
        parts = [Part((part.key, turn), [[run[turn]] for run in part.runs]) for turn in turns]
        for one in parts:
            _describe(one, class_of)
        return parts
    return [part]


def _describe(part: Part, class_of: Callable[[str], Any]) -> None:
    """Find out how the members of a part are written.

    Raises:
        ApartError: they are of different kinds.
    """
    if len({_signature(place.member) for place in part.places}) > 1:
        raise ApartError
    if not isinstance(part.first.part, Block) or part.first.module:
        return
    classes = [class_of(place.path) for place in part.places]
    if any(one is not classes[0] for one in classes):
        raise ApartError
    if classes[0] is not None:
        part.kind, part.class_ = "class", classes[0]
        return
    part.kind = "list" if is_loop(part.first.part) else "chain"
    inside = [Stack(place.path, _block(place.member), {}) for place in part.places]
    part.inner = layout(inside, class_of)


def _block(member: Member) -> Block:
    assert isinstance(member.part, Block)
    return member.part


def _signature(member: Member) -> Hashable:
    """Return what is equal for members of one class, which differ in numbers only."""
    part = member.part
    if isinstance(part, Block):
        return ("stack", is_loop(part), part.recomputes, member.module, tuple(part.outputs))
    layer = part.layer
    made = tuple(
        (name, value.layer.built_name() if isinstance(value, Made) else None)
        for name, value in part.arguments.items()
    )
    constant = _constant(layer) if isinstance(layer, Constant) and layer.source else ""
    parametrized = tuple((name, repr(one.by)) for name, one in part.parametrized.items())
    axes = tuple(map(len, part.inferred.weights.values()))
    return (part.type, layer.built_name(), member.module, made, constant, parametrized, axes)


def _constant(layer: Constant) -> str:
    """Return what is equal for constants of one class: all but whole numbers of a function."""
    name, arguments, dtype = layer.call()
    whole = name != "tensor" and all(type(value) is int for value in arguments)
    return f"{name} {dtype} {layer.persistent} {len(arguments) if whole else arguments}"


def _expect_same_wires(stacks: Sequence[Stack], parts: Sequence[Part]) -> None:
    """Refuse stacks whose members read from different places.

    Where an item is left out, its reader reads what the item would have read.

    Raises:
        ApartError: the wires differ.
    """
    full = max(stacks, key=lambda stack: len(stack.block.members))
    optional = [part for part in parts if part.is_optional]
    repeated = [part for part in parts if part.is_repeated]
    if repeated and not all(stack.block.is_chain for stack in stacks):
        counts = {tuple(len(run) for run in part.runs) for part in repeated}
        if any(len(set(runs)) > 1 for runs in counts):
            raise ApartError
    if full.block.is_chain and all(stack.block.is_chain for stack in stacks):
        return
    for part in optional:
        _expect_one_input(part)
    replaced = {
        part.first.name: next(iter(part.first.reads.values())) for part in optional if part.places
    }
    wired = {member.name: _wires(member) for member in full.block.members}
    for stack in stacks:
        missing = {name for name in replaced if name not in {m.name for m in stack.block.members}}
        for member in stack.block.members:
            wires = [
                replaced[ref.member] if ref.member in missing else ref
                for ref in wired.get(member.name, ())
            ]
            if wires != list(_wires(member)):
                raise ApartError
        ends = [
            replaced[ref.member] if ref.member in missing else ref
            for ref in full.block.outputs.values()
        ]
        if ends != list(stack.block.outputs.values()):
            raise ApartError


def _wires(member: Member) -> tuple[Any, ...]:
    return tuple(member.reads.values())


def _expect_one_input(part: Part) -> None:
    """Refuse an item that is left out and is no module with one input.

    Raises:
        ApartError: `forward` cannot leave it out in one line.
    """
    if len(part.first.reads) != 1 or not part.has_module or part.is_repeated:
        raise ApartError
    if len(part.first.part.outputs) != 1 or part.kind == "list":
        raise ApartError
    if isinstance(part.first.part, Block) and part.first.part.recomputes:
        raise ApartError
