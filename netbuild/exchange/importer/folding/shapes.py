"""The shapes that expressions know at each member of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.exchange.importer.folding.tree import Group, Leaf
from netbuild.graph.value import Ref

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.tensor import Shape, Tensor
    from netbuild.exchange.importer.folding.tree import Member
    from netbuild.exchange.importer.network import Network
    from netbuild.graph.graph import Graph


def with_shapes(tree: Group, network: Network, graph: Graph) -> Group:
    """Return a network with the shape of the first input of each member.

    `graph` is the network of the plain config. What it does not know, the reader may have said.
    """
    given = {node.path: node.outputs for node in network.nodes}
    known = {row.path: row.outputs for row in graph.rows}
    inputs = dict(zip(tree.inputs, network.inputs.values(), strict=True))
    found, _ = _of_group(tree, "", inputs, _Outputs(given, known))
    return found


class _Outputs:
    def __init__(
        self,
        given: Mapping[str, Mapping[str, Tensor]],
        known: Mapping[str, Mapping[str, Tensor]],
    ) -> None:
        self.given, self.known = given, known

    def of(self, leaf: Leaf, path: str) -> Mapping[str, Tensor]:
        """Return the results of a layer, as far as they are known."""
        return self.known.get(path) or self.given.get(leaf.path) or {}


def _of_group(
    group: Group, path: str, inputs: Mapping[str, Tensor | None], outputs: _Outputs
) -> tuple[Group, dict[str, Tensor | None]]:
    values: dict[Ref, Tensor | None] = {Ref("", name): x for name, x in inputs.items()}
    before = next(iter(inputs.values())) if len(inputs) == 1 else None
    members: list[Member] = []
    for member in group.members:
        place = f"{path}.{member.name}" if path else member.name
        first = values.get(member.reads[0][1]) if member.reads else before
        x: Shape | None = first.shape if first else None
        results: Mapping[str, Tensor | None]
        if isinstance(member, Leaf):
            results = outputs.of(member, place)
            members.append(member._replace(x=x, path=place))
        else:
            read = {own: values.get(ref) for own, ref in member.reads}
            inner, results = _of_group(member, place, read, outputs)
            members.append(inner._replace(x=x, path=place))
        values |= {Ref(member.name, port): results.get(port) for port in member.ports}
        before = values.get(Ref(member.name, member.ports[0]))
    found = {port: values.get(ref) for port, ref in group.outputs.items()}
    return group._replace(members=tuple(members)), found
