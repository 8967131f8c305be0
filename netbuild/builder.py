"""From a traced config to plain torch, nested as the file.

A chain is `nn.Sequential` over an `OrderedDict`; a stack that is none is a `torch.fx.GraphModule`,
whose `forward` reads as a person would write it. Nothing of netbuild is in what it returns: the
names in the file are the names in `state_dict()`.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn

from netbuild import modules
from netbuild.config import Config, load
from netbuild.graph import Row
from netbuild.initialisation import initialise
from netbuild.layers.layer import Made, Operation
from netbuild.tracer import trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netbuild.graph import Block, Graph
    from netbuild.layers.layer import Layer


def build(path_or_config: str | Path | Config) -> nn.Module:
    """Build the network of a config file, with torch's own initial weights.

    Its modules are made on torch's default device: within `torch.device("meta")` they take no
    memory. A network of several inputs takes them in the order of the file, and one of several
    outputs gives a tuple of them.

    Raises:
        ConfigError: the config has faults.
        OSError: the file cannot be read.
    """
    config = path_or_config if isinstance(path_or_config, Config) else load(path_or_config)
    return module(trace(config))


def module(graph: Graph) -> nn.Module:
    """Build the module of a graph without faults, row by row as `summary` prints it."""
    assert graph.block is not None
    in_order = all(row.is_plain for row in graph.rows)
    made = _stack(graph.block, graph.config.name, in_order=in_order)
    initialise(made, graph)
    return made


def _stack(block: Block, name: str, *, in_order: bool) -> nn.Module:
    """Build a stack; `in_order` says that nothing in the network permutes memory."""
    parts = OrderedDict(
        (member.name, _part(member.part, member.name, in_order=in_order))
        for member in block.members
        if not _is_operation(member.part)
    )
    if block.is_chain and (in_order or not block.needs_order):
        return nn.Sequential(parts)
    return _graph(block, parts, name)


def _part(part: Row | Block, name: str, *, in_order: bool) -> nn.Module:
    if isinstance(part, Row):
        return _layer(part.layer, part.arguments)
    return _stack(part, name, in_order=in_order)


def _is_operation(part: Row | Block) -> bool:
    return isinstance(part, Row) and isinstance(part.layer, Operation)


def _layer(layer: Layer, arguments: dict[str, Any]) -> nn.Module:
    """Make a layer, and first the layers among its arguments."""
    name = layer.torch_name()
    kind: type[nn.Module] = getattr(nn, name, None) or getattr(modules, name)
    return kind(
        **{
            field: _layer(value.layer, value.arguments) if isinstance(value, Made) else value
            for field, value in arguments.items()
        }
    )


def _graph(block: Block, parts: dict[str, nn.Module], name: str) -> fx.GraphModule:
    """Write a stack that is no chain as a graph, whose nodes are called as the file calls them."""
    root = nn.Module()
    for called, part in parts.items():
        root.add_module(called, part)
    graph = fx.Graph()
    tracer = fx.proxy.GraphAppendingTracer(graph)
    values: dict[tuple[str, str], fx.Proxy] = {}
    for port in block.inputs:
        values["", port] = fx.Proxy(graph.placeholder(port), tracer)
    for member in block.members:
        inputs = [values[ref] for ref in member.reads.values()]
        if isinstance(member.part, Row):
            if member.part.layer.needs_order:
                inputs = [x.contiguous() for x in inputs]
            forward = _forward(member.part, member.name, tracer)
            results = member.part.layer.run(forward, *inputs)
        else:
            ports = list(member.part.outputs)
            ordered = [values[member.reads[port]] for port in member.part.inputs]
            y: Any = _call(tracer, member.name, *ordered)
            results = {port: y[n] for n, port in enumerate(ports)} if len(ports) > 1 else {}
            results = results or {ports[0]: y}
        values.update({(member.name, port): value for port, value in results.items()})
    given = tuple(values[ref].node for ref in block.outputs.values())
    graph.output(given if len(given) > 1 else given[0])
    for node in reversed(graph.nodes):
        if node.op in {"call_function", "call_method"} and not node.users:
            graph.erase_node(node)
    return fx.GraphModule(root, graph, _class_name(name))


def _call(tracer: fx.proxy.TracerBase, name: str, *x: Any, **keywords: Any) -> fx.Proxy:
    made: fx.Proxy = tracer.create_proxy("call_module", name, x, keywords)
    return made


def _forward(row: Row, name: str, tracer: fx.proxy.TracerBase) -> Callable[..., Any]:
    """Return what stands for a layer's `forward` while its graph is written."""
    layer = row.layer
    if not isinstance(layer, Operation):
        return partial(_call, tracer, name)
    if layer.namespace == "torch.Tensor":
        return partial(_method, layer.function, **row.arguments)
    return partial(getattr(torch, layer.function), **row.arguments)


def _method(name: str, x: Any, *arguments: Any, **keywords: Any) -> Any:
    return getattr(x, name)(*arguments, **keywords)


def _class_name(name: str) -> str:
    """Return the name of a stack as Python calls classes: `lenet-5` is `Lenet5`."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    joined = "".join(word[0].upper() + word[1:] for word in words)
    return joined if joined.isidentifier() else f"Stack{joined}"
