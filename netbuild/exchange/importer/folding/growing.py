"""Concatenations that grow: each layer of a DenseNet joins the results of all layers before it.

Written as it runs, layer k of a block has k inputs. `cat([a, b, c])` is `cat([cat([a, b]), c])`, so
a layer may read what the layer before it has joined, and add its own result. Then it has one input,
and all layers of a block are alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.graph.value import OUTPUT, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.exchange.importer.network import Network, Node


class _Join(NamedTuple):
    """A concatenation: its values, and the one before it that has all of them but the last."""

    node: Node
    values: tuple[Value, ...]
    before: str | None


def with_one_input(network: Network) -> Network:
    """Return a network in which growing concatenations have two inputs each.

    Each one stands in the stack whose result it adds.
    """
    joins = _joins(network.nodes)
    later = {join.before for join in joins.values()}
    chains = {path for path, join in joins.items() if join.before or path in later}
    moved = _moved(network, {path: joins[path] for path in chains})
    if moved is None:
        return network
    places = {Value(old, OUTPUT): Value(new, OUTPUT) for old, new in moved.items()}
    nodes = []
    for node in network.nodes:
        reads = node.inputs
        if node.path in moved:
            (name, _), *_ = reads
            reads = tuple((name, value) for value in _pair(joins[node.path]))
        reads = tuple((name, places.get(value, value)) for name, value in reads)
        nodes.append(node._replace(path=moved.get(node.path, node.path), inputs=reads))
    outputs = {name: places.get(value, value) for name, value in network.outputs.items()}
    return network._replace(nodes=tuple(nodes), outputs=outputs)


def _joins(nodes: Sequence[Node]) -> dict[str, _Join]:
    """Return all concatenations of two values or more by path."""
    known: dict[tuple[object, tuple[Value, ...]], str] = {}
    found: dict[str, _Join] = {}
    for node in nodes:
        if node.type != "Concat" or node.gap or node.reuses:
            continue
        values = tuple(value for _, value in node.inputs)
        dim = node.arguments.get("dim", 1)
        found[node.path] = _Join(node, values, known.get((dim, values[:-1])))
        known.setdefault((dim, values), node.path)
    return found


def _pair(join: _Join) -> tuple[Value, ...]:
    """Return the two values that a join reads: what is joined already, and the last one."""
    if join.before is None:
        return join.values
    return Value(join.before, OUTPUT), join.values[-1]


def _moved(network: Network, joins: Mapping[str, _Join]) -> dict[str, str] | None:
    """Return the new path of each join; None if one of them fits nowhere."""
    if len(joins) < 2:
        return None
    reads: dict[str, set[Value]] = {}
    for node in network.nodes:
        stack = node.path.rpartition(".")[0]
        reads.setdefault(stack, set()).update(value for _, value in node.inputs)
    taken = {node.path for node in network.nodes} - set(joins)
    moved: dict[str, str] = {}
    for path, join in joins.items():
        first, *_ = _pair(join)
        stack = join.values[-1].path.rpartition(".")[0]
        inside = first.path.rpartition(".")[0] == stack
        if len(_pair(join)) != 2 or not (inside or first in reads.get(stack, ())):
            return None
        name = path.rpartition(".")[2]
        new, number = f"{stack}.{name}" if stack else name, 0
        while new in taken:
            number += 1
            new = f"{stack}.{name}_{number}" if stack else f"{name}_{number}"
        taken.add(new)
        moved[path] = new
    return moved
