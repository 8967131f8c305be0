"""The wires between the members of nested stacks: what each stack reads and gives, by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from netbuild.exchange.importer.folding.nesting import Box, boxes, is_stateless
from netbuild.exchange.importer.folding.tree import Group, Leaf
from netbuild.graph.value import OUTPUT, Ref, Value
from netbuild.syntax.names import RESERVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netbuild.exchange.importer.network import Network, Node

#: The first results of nodes that do not say what they give.
_FIRST = {"Chunk": "0", "Split": "0", "Topk": "values", "Sort": "values"}
#: The parameters of layers that are tied, where another stack has the same module.
_TIED = ("Embedding", "Linear", "Conv1d", "Conv2d", "Conv3d", "LayerNorm")


def nested(network: Network) -> Group:
    """Return a network as nested stacks."""
    return _Wiring(network).root()


class _Call(NamedTuple):
    """A stack that runs again: the first stack, and what its values are in the second call."""

    first: str
    pairs: Mapping[Value, Value]


class _Wiring:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.nodes = {node.path: node for node in network.nodes}
        self.passed: dict[Value, Value | None] = {}
        self.calls: dict[str, _Call] = {}
        self.tree = boxes(network)
        self._find_calls()
        self.readers: dict[Value, list[str]] = {}
        for node in network.nodes:
            for _, value in self.reads(node):
                self.readers.setdefault(value, []).append(node.path)
        for value in network.outputs.values():
            self.readers.setdefault(self.source(value) or value, []).append("")
        for path, call in self.calls.items():  # what another call gives, the first one gives too
            for one, other in call.pairs.items():
                within = f"{path}."
                outside = [r for r in self.readers.get(other, ()) if not r.startswith(within)]
                if outside and other.path.startswith(within):
                    self.readers.setdefault(one, []).append("")
        #: The inputs of each stack that was wired, by its path.
        self.needs: dict[str, dict[Value, str]] = {}
        #: The results of each stack that was wired.
        self.gives: dict[str, dict[Value, str]] = {}
        self.homes: dict[str, tuple[Box, str]] = {}
        self._settle(self.tree)

    def _settle(self, box: Box) -> None:
        for name, child in box.children.items():
            if isinstance(child, Box):
                self._settle(child)
            else:
                self.homes[child.path] = (box, name)

    def source(self, value: Value) -> Value | None:
        """Return a value, or what a gap on its way passes on; None if a gap reads nothing."""
        node = self.nodes.get(value.path)
        if node is None or node.gap is None:
            return value
        if value not in self.passed:
            self.passed[value] = None
            self.passed[value] = self.source(node.inputs[0][1]) if node.inputs else None
        return self.passed[value]

    def reads(self, node: Node) -> list[tuple[str, Value]]:
        """Return what a node reads, without what a gap would have made from nothing."""
        if node.gap:
            return []
        found = [(name, self.source(value)) for name, value in node.inputs]
        return [(name, value) for name, value in found if value is not None]

    def _find_calls(self) -> None:
        """Pair the values of each stack that runs again with those of its first call."""
        for stack in self.network.stacks.values():
            if stack.reuses is None or any(stack.path.startswith(f"{p}.") for p in self.calls):
                continue
            first, again = self._inside(stack.reuses), self._inside(stack.path)
            whole = self._is_whole(stack.reuses, first) and self._is_whole(stack.path, again)
            same = stack.path.rpartition(".")[0] == stack.reuses.rpartition(".")[0]
            pairs = _pairs(first, again) if same and whole else None
            if pairs is not None:
                self.calls[stack.path] = _Call(stack.reuses, pairs)

    def _is_whole(self, path: str, nodes: Sequence[Node]) -> bool:
        """Whether a stack is still there, with these nodes and no others."""
        box: Box | Node | None = self.tree
        for name in path.split("."):
            box = box.children.get(name) if isinstance(box, Box) else None
        return isinstance(box, Box) and {n.path for n in box.nodes()} == {n.path for n in nodes}

    def _inside(self, path: str) -> list[Node]:
        return [node for node in self.network.nodes if node.path.startswith(f"{path}.")]

    def root(self) -> Group:
        """Return the whole network."""
        names = {Value("", name): name for name in self.network.inputs}
        if len(names) == 1 and next(iter(names.values())) in ("x", OUTPUT):
            names = dict.fromkeys(names, "input")
        if len(names) == 1 and "input" in self.tree.children:
            names = dict.fromkeys(names, "x")
        self.needs[""] = names
        members = self._members(self.tree, names)
        outputs = {
            name: self._ref(self.source(value) or value, self.tree, names)
            for name, value in self.network.outputs.items()
        }
        notes = tuple(self.tree.notes)
        type_ = self.network.name
        return Group("", type_, tuple(names.values()), members, outputs, (), {}, (), notes)

    def _members(self, box: Box, inputs: Mapping[Value, str]) -> tuple[Leaf | Group, ...]:
        """Return the members of a stack; notes of gaps go to the member behind them."""
        found: list[Leaf | Group] = []
        notes: list[str] = []
        for name, child in box.children.items():
            member: Leaf | Group | None
            if isinstance(child, Box):
                member = self._stack(child, box, inputs)
                if isinstance(member, Group) and not member.members:
                    notes += [*member.notes, *member.notes_below]
                    continue
            elif child.gap:
                notes.append(f"gap: {child.path}: {child.type}: {child.gap}")
                continue
            else:
                member = self._leaf(child, name, box, inputs)
            found.append(member._replace(notes=(*notes, *member.notes)))
            notes = []
        box.notes += notes
        return tuple(found)

    def _leaf(self, node: Node, name: str, box: Box, inputs: Mapping[Value, str]) -> Leaf:
        reads = tuple((own, self._ref(value, box, inputs)) for own, value in self.reads(node))
        ports = tuple(node.outputs) or (_first(node),)
        made = Leaf(name, node.type, node.arguments, reads, node.modifiers, ports, path=node.path)
        if node.reuses is None:
            return made
        home, first = self.homes.get(node.reuses, (None, ""))
        if home is box:
            return made._replace(type="Reuse", arguments={}, module=first)
        if is_stateless(node):
            return made
        tied = _tie(node, home, first)
        if tied:
            return made._replace(modifiers={**made.modifiers, "tie": tied})
        return made._replace(notes=(f"gap: {node.path}: it has the weights of {node.reuses}",))

    def _stack(self, box: Box, around: Box, inputs: Mapping[Value, str]) -> Leaf | Group:
        call = self.calls.get(box.path)
        if call is not None:
            return self._again(box, call, around, inputs)
        inside = {node.path for node in box.nodes()}
        needs = [
            value
            for node in box.nodes()
            for _, value in self.reads(node)
            if value.path not in inside
        ]
        named = self._named(box, list(dict.fromkeys(needs)))
        self.needs[box.path] = named
        members = self._members(box, named)
        gives = [
            value
            for value, readers in self.readers.items()
            if value.path in inside and any(path not in inside for path in readers)
        ]
        outputs = self._outputs(box, gives, members, named)
        reads = tuple((own, self._ref(value, around, inputs)) for value, own in named.items())
        made = Group(box.name, box.type, tuple(named.values()), members, outputs, reads)
        return made._replace(notes_below=tuple(box.notes), path=box.path)

    def _again(self, box: Box, call: _Call, around: Box, inputs: Mapping[Value, str]) -> Leaf:
        """Return the `Reuse` of a stack that ran before."""
        first = next(
            name
            for name, child in around.children.items()
            if isinstance(child, Box) and child.path == call.first
        )
        needs = self.needs[call.first]
        reads = tuple(
            (own, self._ref(self.source(call.pairs.get(v, v)) or v, around, inputs))
            for v, own in needs.items()
        )
        gives = self.gives[call.first]
        self.gives[box.path] = {call.pairs.get(v, v): name for v, name in gives.items()}
        ports = tuple(gives.values())
        return Leaf(box.name, "Reuse", {}, reads, {}, ports, module=first, path=box.path)

    def _named(self, box: Box, needs: Sequence[Value]) -> dict[Value, str]:
        """Return the names of a stack's inputs: `input` for a single one."""
        stack = self.network.stacks.get(box.path)
        forward = {value: name for name, value in (stack.inputs.items() if stack else ())}
        taken = {*box.children}
        if len(needs) == 1 and "input" not in taken:
            return {needs[0]: "input"}
        wanted = sorted(needs, key=lambda v: list(forward).index(v) if v in forward else 99)
        found: dict[Value, str] = {}
        for value in wanted:
            own = forward.get(value) or (value.port if not value.path else "")
            if not re.fullmatch(r"[a-z][A-Za-z0-9_]*", own) or own in RESERVED or own == "input":
                own = ""
            options = [own] if own else []
            options += ["x", "y", "z", *(f"x{n}" for n in range(4, len(needs) + 9))]
            name = next(o for o in options if o not in taken)
            taken.add(name)
            found[value] = name
        return found

    def _outputs(
        self,
        box: Box,
        gives: Sequence[Value],
        members: Sequence[Leaf | Group],
        inputs: Mapping[Value, str],
    ) -> dict[str, Ref]:
        """Return the results of a stack, the last member's first one in front."""
        refs = [(value, self._ref(value, box, inputs)) for value in gives]
        if members:
            last = Ref(members[-1].name, members[-1].ports[0])
            refs.sort(key=lambda pair: pair[1] != last)
            if not refs:
                self.gives[box.path] = {}
                return {OUTPUT: last}
        if len(refs) == 1:
            self.gives[box.path] = {refs[0][0]: OUTPUT}
            return {OUTPUT: refs[0][1]}
        found: dict[str, Ref] = {}
        self.gives[box.path] = {}
        first_ports = {member.name: member.ports[0] for member in members}
        for value, ref in refs:
            plain = ref.port == first_ports[ref.member]
            name = ref.member if plain else f"{ref.member}_{ref.port}".replace(".", "_")
            found[name] = ref
            self.gives[box.path][value] = name
        return found

    def _ref(self, value: Value, box: Box, inputs: Mapping[Value, str]) -> Ref:
        """Return the name of a value in a stack."""
        if value in inputs:
            return Ref("", inputs[value])
        for home, name in self._way(value.path):
            if home is box:
                child = box.children[name]
                if isinstance(child, Box):
                    return Ref(name, self.gives[child.path][value])
                return Ref(name, value.port)
        return Ref("", value.port)

    def _way(self, path: str) -> Iterable[tuple[Box, str]]:
        """Yield the stacks around a node with the name of the member that holds it."""
        if path not in self.homes:
            return
        home, name = self.homes[path]
        yield home, name
        yield from self._above.get(home.path, ())

    @property
    def _above(self) -> dict[str, list[tuple[Box, str]]]:
        """The stacks around each stack, with the names of the members there."""
        if not hasattr(self, "_known_above"):
            self._known_above: dict[str, list[tuple[Box, str]]] = {"": []}
            self._walk_above(self.tree)
        return self._known_above

    def _walk_above(self, box: Box) -> None:
        for name, child in box.children.items():
            if isinstance(child, Box):
                self._known_above[child.path] = [(box, name), *self._known_above[box.path]]
                self._walk_above(child)


def _pairs(first: Sequence[Node], again: Sequence[Node]) -> dict[Value, Value] | None:
    """Return the values of a second call by those of the first; None if the calls differ."""
    if not first or [node.type for node in first] != [node.type for node in again]:
        return None
    pairs: dict[Value, Value] = {}
    for one, other in zip(first, again, strict=True):
        if [name for name, _ in one.inputs] != [name for name, _ in other.inputs]:
            return None
        ports = {*one.outputs, *other.outputs} or {_first(one)}
        found = [(Value(one.path, p), Value(other.path, p)) for p in ports]
        found += [(v, w) for (_, v), (_, w) in zip(one.inputs, other.inputs, strict=True)]
        if any(pairs.setdefault(v, w) != w for v, w in found):
            return None
    return pairs


def _first(node: Node) -> str:
    """Return the name of a node's first result."""
    return next(iter(node.outputs), _FIRST.get(node.type, OUTPUT))


def _tie(node: Node, home: Box | None, first: str) -> dict[str, str]:
    """Return the `tie` of a layer to the layer with the same module in another stack."""
    if home is None or node.type not in _TIED:
        return {}
    path = f"{home.path}.{first}" if home.path else first
    names = ["weight"]
    if node.type != "Embedding" and node.arguments.get("bias", True):
        names.append("bias")
    return {name: f"{path}.{name}" for name in names}
