"""A network as a reader returns it, made from a config: blocks and repeats are written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.checks.trace import infer
from netbuild.components.layers.layer import Layer
from netbuild.config.load import read
from netbuild.exchange.importer.network import Network, Node, Stack
from netbuild.graph.graph import results, stacks
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row


def graph_of(text: str) -> Graph:
    """Return the graph of a config's text."""
    return infer(read(from_bytes("network.yaml", text.encode())))


def network_of(graph: Graph) -> Network:
    """Return the network of a graph, as a reader would have read it.

    The graph has no Constant that keeps the value of its input: a reader knows the values only.
    """
    found = {
        path: Stack(
            path,
            stack.block.type or "Sequential",
            _module(path, stack.member.module),
            stack.reads,
        )
        for path, stack in stacks(graph).items()
    }
    nodes = tuple(map(_node, graph.rows))
    return Network(graph.config.name, graph.config.inputs, nodes, results(graph), found)


def _module(path: str, name: str | None) -> str | None:
    above = path.rpartition(".")[0]
    return f"{above}.{name}" if above and name else name


def _node(row: Row) -> Node:
    layer = row.layer
    names = layer.input_names(len(row.sources))
    return Node(
        row.path,
        row.item.type.text if row.item.type.text != "Reuse" else row.type,
        _arguments(layer),
        tuple(zip(names, row.sources, strict=True)),
        row.outputs,
        row.reuses,
        _modifiers(row),
    )


def _arguments(layer: Layer) -> dict[str, Any]:
    """Return the fields that differ from their defaults, as YAML holds them."""
    found = {}
    for name, field in type(layer).model_fields.items():
        value = getattr(layer, name)
        if field.is_required() or value != field.default:
            found[name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Layer):
        return {type(value).__name__: _arguments(value) or None}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value


def _modifiers(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if row.ties:
        found["tie"] = {name: tie.target for name, tie in row.ties.items()}
    if row.parametrized:
        found["parametrize"] = {
            name: {one.by.torch_name(): one.by.model_dump()}
            for name, one in row.parametrized.items()
        }
    if row.frozen:
        found["freeze"] = True
    return found
