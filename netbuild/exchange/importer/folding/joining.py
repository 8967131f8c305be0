"""Sums and products whose order says nothing: a + b is b + a, to the last bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netbuild.exchange.importer.network import Network, Node

_COMMUTATIVE = ("Add", "Multiply", "Maximum")


def with_results_first(network: Network) -> Network:
    """Return a network whose sums of two values begin with a result of their own stack.

    Blocks that lack the sum then have this result in its place.
    """
    return network._replace(nodes=tuple(map(_with_result_first, network.nodes)))


def _with_result_first(node: Node) -> Node:
    if node.type not in _COMMUTATIVE or len(node.inputs) != 2:
        return node
    (name, first), (other, second) = node.inputs
    stack = node.path.rpartition(".")[0]
    within = f"{stack}." if stack else ""
    if first.path.startswith(within) or not second.path.startswith(within):
        return node
    return node._replace(inputs=((name, second), (other, first)))
