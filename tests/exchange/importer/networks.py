"""A network as a reader returns it, made from a config: blocks and repeats are written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.components.layers.layer import Layer
from netbuild.components.layers.made import Made
from netbuild.components.layers.named import Named
from netbuild.exchange.importer.network import Network, Node, Stack
from netbuild.graph.graph import results, stacks

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Block, Row


def network_of(graph: Graph) -> Network:
    """Return the network of a graph, as a reader would have read it."""
    inner = stacks(graph)
    calls = {
        path: _module(path, stack.member.module)
        for path, stack in inner.items()
        if stack.member.module is not None
    }
    found = {
        path: Stack(
            path,
            stack.block.type or _class(path),
            calls.get(path),
            dict(stack.reads and {v: k for v, k in stack.reads.items()}),
        )
        for path, stack in inner.items()
    }
    nodes = tuple(_node(row) for row in graph.rows)
    return Network(graph.config.name, graph.config.inputs, nodes, results(graph), found)


def _module(path: str, name: str) -> str:
    above = path.rpartition(".")[0]
    return f"{above}.{name}" if above else name


def _class(path: str) -> str:
    return "Sequential"


def _node(row: Row) -> Node:
    layer = row.layer
    names = layer.input_names(len(row.sources))
    if layer.names_inputs:
        names = tuple(layer.input_names(len(row.sources)))
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
