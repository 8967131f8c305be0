"""The classes of a file: stacks that are alike share one, and its numbers become parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netbuild.exchange.source.constructors import expression
from netbuild.exchange.source.fitting import Scope
from netbuild.exchange.source.layout import ApartError, Part, Stack, layout
from netbuild.exchange.source.needs import RESERVED, own_names
from netbuild.exchange.source.recording import is_loop
from netbuild.graph.graph import stacks
from netbuild.graph.row import Block, Row
from netbuild.graph.value import Value
from netbuild.syntax.node import Scalar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from netbuild.components.tensor import Tensor
    from netbuild.config.blocks import Definition
    from netbuild.graph.graph import Graph
    from netbuild.syntax.node import Node


@dataclass(eq=False)
class Kind:
    """A class of the file, and the stacks that are its objects."""

    name: str
    stacks: list[Stack]
    parts: list[Part]
    scope: Scope
    #: The parameters of its block in the config, with their defaults.
    params: Mapping[str, Node | None]
    #: The parameters of its constructor, in order, and their defaults.
    parameters: list[str] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    #: How it is written: `module` if its members are attributes.
    style: str = ""

    def value(self, path: str, name: str) -> Any:
        """Return the value of a parameter for the stack at a path."""
        number = next(n for n, stack in enumerate(self.stacks) if stack.path == path)
        return self.scope.points[number][name]

    def settle(self) -> None:
        """Choose the order of the parameters that its lines use: those with defaults come last."""
        names = [*self.params]
        inputs = [n for n in self.scope.points[0] if n not in names]

        def order(name: str) -> tuple[int, int, int]:
            first = 0 if name in inputs and name.split("_")[-2:-1] == ["in"] else 1
            place = names.index(name) if name in names else -1 if first == 0 else len(names)
            return (int(name in self.defaults), first, place)

        for name, default in self.params.items():
            if name in self.scope.used and isinstance(default, Scalar):
                value = default.value
                if not (isinstance(value, str) and value.startswith("$")):
                    self.defaults[name] = value
        self.parameters = sorted(self.scope.used, key=order)


class Kinds:
    """Finds the classes of a network, the inner ones first."""

    def __init__(self, graph: Graph, *, in_order: bool) -> None:
        assert graph.block is not None
        self.graph, self.in_order = graph, in_order
        self.tensors = _tensors(graph)
        self.reads = {path: inner.reads for path, inner in stacks(graph).items()}
        self.groups: dict[Hashable, list[Stack]] = {}
        self.group_of: dict[str, Hashable] = {}
        self.kind_of: dict[str, Kind] = {}
        self.kinds: list[Kind] = []
        self.settled: set[Hashable] = set()
        self.taken = {*RESERVED, *own_names()}
        self.constants = dict(graph.config.names)
        root = Stack("", graph.block, dict(graph.config.inputs))  # type: ignore[arg-type]
        self.collect(root, "root")
        self.settle("root")

    def is_chain(self, block: Block) -> bool:
        """Whether a stack is an `nn.Sequential` in torch, as `builder.module` has it."""
        return block.is_chain and (self.in_order or not block.needs_order)

    def collect(self, stack: Stack, key: Hashable) -> None:
        """Sort the stacks within a stack by the class that they may share."""
        self.groups.setdefault(key, []).append(stack)
        self.group_of[stack.path] = key
        self.inside(stack.block, stack.path, key)

    def inside(self, block: Block, path: str, key: Hashable) -> None:
        """Sort the stacks within a block at a path."""
        for member in block.members:
            inner = member.part
            if not isinstance(inner, Block) or member.module:
                continue
            place = f"{path}.{member.name}" if path else member.name
            span = member.span
            own: Hashable = ("in", key, span.document.name, span.line, span.column)
            call = self.graph.calls.blocks.get(place)
            if inner.type and call is not None and call.definition is not None:
                stack = call.definition.stack.span
                own = (inner.type, stack.document.name, stack.line, stack.column)
            elif self.is_chain(inner) or is_loop(inner):
                self.inside(inner, place, own)
                continue
            reads = {
                name: self.tensors[value]
                for name, value in self.reads[place].items()
                if value in self.tensors
            }
            self.collect(Stack(place, inner, reads), own)

    def class_of(self, path: str) -> Kind | None:
        """Return the class of the stack at a path; None if it is written within its place."""
        if path not in self.group_of:
            return None
        self.settle(self.group_of[path])
        return self.kind_of[path]

    def settle(self, key: Hashable) -> None:
        """Divide a group of stacks into classes."""
        if key in self.settled:
            return
        self.settled.add(key)
        self.share(self.groups[key])

    def share(self, stacks_: Sequence[Stack]) -> None:
        """Add as few classes as possible for some stacks."""
        shared: list[tuple[list[Stack], list[Part]]] = []
        for stack in stacks_:
            for number, (others, _) in enumerate(shared):
                try:
                    parts = layout([*others, stack], self.class_of)
                except ApartError:
                    continue
                shared[number] = ([*others, stack], parts)
                break
            else:
                shared.append(([stack], layout([stack], self.class_of)))
        for some, parts in shared:
            self.add(some, parts)

    def add(self, some: list[Stack], parts: list[Part]) -> Kind:
        """Add a class."""
        made = Kind(self.name(some[0]), some, parts, self.scope(some), self.params(some[0]))
        self.kinds.append(made)
        for stack in some:
            self.kind_of[stack.path] = made
        return made

    def divide(self, kind: Kind) -> None:
        """Replace a class by one for each stack that differs in a number."""
        place = self.kinds.index(kind)
        del self.kinds[place]
        self.taken.discard(kind.name)
        alike: dict[str, list[Stack]] = {}
        for stack in kind.stacks:
            alike.setdefault(repr(_exact(stack.block)), []).append(stack)
        made = [self.add(some, layout(some, self.class_of)) for some in alike.values()]
        outer = self.kinds[place : -len(made)]
        self.kinds = [*self.kinds[:place], *made]
        for one in outer:  # their layouts name the class that is gone
            self.taken.discard(one.name)
            self.share(one.stacks)

    def definition(self, stack: Stack) -> Definition | None:
        """Return the block of the config that a stack is a use of."""
        call = self.graph.calls.blocks.get(stack.path)
        return call.definition if call is not None and stack.block.type else None

    def params(self, stack: Stack) -> Mapping[str, Node | None]:
        """Return the parameters of the block of a stack."""
        definition = self.definition(stack)
        return {} if definition is None else definition.params

    def scope(self, some: Sequence[Stack]) -> Scope:
        """Return the names that the constructor of a class can have, with their values."""
        if some[0].path == "":
            return Scope([{}], [0], constants=self.constants)
        params = tuple(self.params(some[0]))
        points = []
        for stack in some:
            names = names_within(stack.block) or self.around_calls(stack)
            point = {
                name: names[name]
                for name in self.params(stack)
                if names is not None and _is_plain(names.get(name))
            }
            point |= {n: v for n, v in _sizes(stack.reads).items() if n not in point}
            points.append(point)
        uses = list(range(len(points)))
        return Scope(points, uses, constants=self.constants, params=params)

    def around_calls(self, stack: Stack) -> Mapping[str, Any] | None:
        """Return the names that the items of blocks in a stack know; None without one."""
        calls = self.graph.calls.blocks
        places = (stack.inner(member.name) for member in stack.block.members)
        return next((calls[place].names for place in places if place in calls), None)

    def name(self, stack: Stack) -> str:
        """Return a new name for the class of a stack."""
        from netbuild.exchange.source.naming import class_name, of_path

        wanted = stack.block.type or (
            class_name(self.graph.config.name) if not stack.path else of_path(stack.path)
        )
        if not stack.path and wanted in self.graph.config.blocks:
            wanted += "Network"
        taken = self.taken if stack.block.type else {*self.taken, *self.graph.config.blocks}
        if wanted in taken:
            wanted = next(n for k in range(2, 10_000) if (n := f"{wanted}{k}") not in taken)
        self.taken.add(wanted)
        return wanted


def derived(kind: Kind) -> Iterator[tuple[str, str]]:
    """Yield the parameters of a block whose default is an expression that all uses keep."""
    for name, default in kind.params.items():
        if isinstance(default, Scalar) and isinstance(default.value, str):
            for text in expression(default.value):
                yield name, text


def names_within(block: Block) -> Mapping[str, Any] | None:
    """Return the names that the expressions in a stack know; None without a layer."""
    for member in block.members:
        if isinstance(member.part, Row):
            return member.part.names
    for member in block.members:
        if isinstance(member.part, Block) and not member.part.type:
            found = names_within(member.part)
            if found is not None:
                return found
    return None


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))


def _sizes(reads: Mapping[str, Tensor]) -> dict[str, int]:
    """Return the channels and features of what a stack reads, by the names of an expression."""
    found: dict[str, int] = {}
    for number, (name, tensor) in enumerate(reads.items()):
        if not tensor.shape:
            continue
        prefix = "in" if number == 0 else name
        found.setdefault(f"{prefix}_channels", tensor.shape[0])
        found.setdefault(f"{prefix}_features", tensor.shape[-1])
    return found


def _tensors(graph: Graph) -> dict[Value, Tensor]:
    found = {Value(row.path, port): x for row in graph.rows for port, x in row.outputs.items()}
    for name, x in graph.config.inputs.items():
        if x is not None:
            found[Value("", name)] = x
    return found


def _exact(block: Block) -> list[Any]:
    """Return everything in which two stacks can differ."""
    found: list[Any] = []
    for member in block.members:
        part = member.part
        inner = _exact(part) if isinstance(part, Block) else (part.type, part.arguments)
        found.append((member.name, member.module, member.reads, inner))
    return found
