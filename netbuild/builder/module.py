"""From a traced config to plain torch, with the same nesting as the file.

A chain becomes an `nn.Sequential` over an `OrderedDict`. Any other stack becomes a
`torch.fx.GraphModule` with a readable `forward`. The module does not need netbuild. The names in
the file are the names in its `state_dict()`.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn
from torch.utils.checkpoint import checkpoint

from netbuild.builder import modules, parametrizing, pretrained
from netbuild.builder.arguments import differing
from netbuild.builder.initialise import initialise
from netbuild.checks.trace import trace
from netbuild.components.layers.layer import Made, Operation
from netbuild.components.layers.parameter import Parameter
from netbuild.config.config import Config
from netbuild.config.load import load
from netbuild.graph.row import Block, Row
from netbuild.graph.value import OUTPUT, Ref, Value, state_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from netbuild.components.layers.layer import Layer
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Member


def build(path_or_config: str | Path | Config) -> nn.Module:
    """Build the network of a config file, with torch's own initial weights or `pretrained:` ones.

    The modules are made on torch's default device: within `torch.device("meta")` they use no
    memory. The module takes its inputs in the order of the file, each with the batch as axis 0. It
    returns one output, or a tuple of several outputs.

    Raises:
        ConfigError: the config has faults.
        OSError: the file cannot be read.
    """
    config = path_or_config if isinstance(path_or_config, Config) else load(path_or_config)
    return module(trace(config))


def module(graph: Graph) -> nn.Module:
    """Build the module of a graph without faults."""
    assert graph.block is not None
    in_order = all(row.is_plain for row in graph.rows)
    parameters = (row for row in graph.rows if isinstance(row.layer, Parameter))
    loose = frozenset(
        row.passed_on for row in parameters if row.inferred.weights[""] == row.output.shape
    )
    made = _stack(graph.block, graph.config.name, loose, in_order=in_order)
    tie(made, graph)
    initialise(made, graph)
    parametrizing.register(made, graph)
    pretrained.load(made, graph)
    for row in graph.rows:
        for name in row.parameters if row.frozen else ():
            made.get_parameter(state_key(row.path, name)).requires_grad_(False)
    return train(made, graph)


def tie(made: nn.Module, graph: Graph) -> None:
    """Let each tied parameter of a module be the very parameter that its file names."""
    for name, target in graph.ties.items():
        within, _, own = name.rpartition(".")
        setattr(made.get_submodule(within), own, made.get_parameter(target))


def train(made: nn.Module, graph: Graph) -> nn.Module:
    """Put a network into training mode, and its frozen norms into evaluation mode."""
    made.train()
    for row in graph.rows:
        if row.layer.evaluates and not row.reuses:
            made.get_submodule(row.path).eval()
        if row.frozen and not row.reuses:  # a spectral norm keeps its vectors, as a norm does
            for name in row.parametrized:
                parametrizing.computing(made, row, name).eval()
    return made


def _stack(block: Block, name: str, loose: frozenset[Value], *, in_order: bool) -> nn.Module:
    """Build a stack. `in_order` says that no layer of the network permutes memory.

    `loose` are the results without a batch axis.
    """
    parts = OrderedDict(
        (member.name, _part(member.part, member.name, loose, in_order=in_order))
        for member in block.members
        if not member.module and not has_no_module(member.part)
    )
    if block.is_chain and (in_order or not block.needs_order):
        return nn.Sequential(parts)
    return _Writer(block, parts, loose).module(block.type or name)


def _part(part: Row | Block, name: str, loose: frozenset[Value], *, in_order: bool) -> nn.Module:
    if isinstance(part, Row):
        return layer(part.layer, part.arguments)
    return _stack(part, name, loose, in_order=in_order)


def has_no_module(part: Row | Block) -> bool:
    """Whether a part has no module of its own: it is an operation or a parameter."""
    return isinstance(part, Row) and isinstance(part.layer, (Operation, Parameter))


def layer(described: Layer, arguments: dict[str, Any]) -> nn.Module:
    """Make a layer. Arguments that are layers are made first."""
    name = described.built_name()
    kind: type[nn.Module] = getattr(nn, name, None) or getattr(modules, name)
    return kind(
        **{
            field: layer(value.layer, value.arguments) if isinstance(value, Made) else value
            for field, value in differing(kind, described, arguments).items()
        }
    )


class _Writer:
    """Writes a stack that is not a chain as a graph. Nodes have the names in the file."""

    def __init__(
        self, block: Block, parts: Mapping[str, nn.Module], loose: frozenset[Value]
    ) -> None:
        self.block = block
        self.loose = loose
        self.root = nn.Module()
        for name, part in parts.items():
            self.root.add_module(name, part)
        self.graph = fx.Graph()
        self.tracer = fx.proxy.GraphAppendingTracer(self.graph)
        self.values: dict[Ref, fx.Proxy] = {}
        #: Parameters with a batch axis of 1, each with the sizes for its expansion after that axis.
        self.shared: dict[Ref, tuple[int, ...]] = {}
        #: These parameters, repeated for each sample.
        self.repeated: dict[Ref, fx.Proxy] = {}

    def module(self, name: str) -> fx.GraphModule:
        """Write all members, and return a module whose `forward` calls them."""
        for port in self.block.inputs:
            self.values[Ref("", port)] = fx.Proxy(self.argument(port), self.tracer)
        for member in self.block.members:
            for port, value in self.results(member).items():
                self.values[Ref(member.name, port)] = value
            self.mark(member.name)
        given = tuple(self.read(ref).node for ref in self.block.outputs.values())
        self.graph.output(given if len(given) > 1 else given[0])
        for node in reversed(self.graph.nodes):
            if node.op in {"call_function", "call_method", "get_attr"} and not node.users:
                self.graph.erase_node(node)
        made = fx.GraphModule(self.root, self.graph, _class_name(name))
        for unread, parameter in self.root.named_parameters(recurse=False):
            if not hasattr(made, unread):
                made.register_parameter(unread, parameter)
        return made

    def mark(self, member: str) -> None:
        """Give the last nodes the name of their member, for messages about operations."""
        for node in reversed(self.graph.nodes):
            if node.op == "placeholder" or "member" in node.meta:
                return
            node.meta["member"] = member

    def argument(self, port: str) -> fx.Node:
        """Write an argument of `forward`.

        torch.fx copies an argument with the name of a builtin to another variable. No other
        argument may have the name of this variable: `input` becomes `input_2` beside `input_1`.
        """
        name = port
        if fx.Graph().placeholder(port).name != port:
            others = self.block.inputs
            name = next(new for n in count(1) if (new := f"{port}_{n}") not in others)
        return self.graph.create_node("placeholder", port, name=name)

    def read(self, ref: Ref) -> fx.Proxy:
        """Return a value. A Parameter with a batch axis of 1 is repeated for each sample."""
        if ref not in self.shared:
            return self.values[ref]
        if ref not in self.repeated:
            batch = self.values[Ref("", self.block.batched[0])].size(0)
            self.repeated[ref] = self.values[ref].expand(batch, *self.shared[ref])
        return self.repeated[ref]

    def results(self, member: Member) -> dict[str, fx.Proxy]:
        """Write a member, and return its results."""
        part = member.part
        if isinstance(part, Block):
            ports = list(part.outputs)
            x = [self.read(member.reads[port]) for port in part.inputs]
            name = member.module or member.name
            y: Any = self.recompute(name, part, *x) if part.recomputes else self.call(name, *x)
            several = len(ports) > 1
            return {port: y[n] if several else y for n, port in enumerate(ports)}
        if isinstance(part.layer, Parameter):
            return {OUTPUT: self.parameter(member.name, part)}
        refs = list(member.reads.values())
        # An operation that broadcasts repeats a Parameter itself, if another value has the batch.
        sources = zip(refs, part.sources, strict=True)
        alone = all(ref in self.shared or value in self.loose for ref, value in sources)
        repeats = isinstance(part.layer, Operation) and part.layer.broadcasts
        if repeats and not alone:
            x = [self.values[ref] for ref in refs]
        else:
            x = [self.read(ref) for ref in refs]
        if part.layer.needs_order(*part.shapes):
            x = [value.contiguous() for value in x]
        results: dict[str, fx.Proxy] = part.layer.run(self.forward(member), *x)
        return results

    def parameter(self, name: str, row: Row) -> fx.Proxy:
        """Write a parameter of the stack. It begins with zeros and is initialised later."""
        ((_, shape),) = row.weights.items()
        self.root.register_parameter(name, nn.Parameter(torch.zeros(shape)))
        if len(shape) > len(row.output.shape):
            self.shared[Ref(name, OUTPUT)] = (-1,) * len(row.output.shape)
        made: fx.Proxy = self.tracer.create_proxy("get_attr", name, (), {})
        return made

    def forward(self, member: Member) -> Callable[..., Any]:
        """Return a stand-in for a layer's `forward`, which writes the call into the graph."""
        assert isinstance(member.part, Row)
        layer, arguments = member.part.layer, member.part.arguments
        if not isinstance(layer, Operation):
            return partial(self.call, member.module or member.name)
        if layer.namespace == "torch.Tensor":
            return partial(_method, layer.function, **arguments)
        return partial(self.operate, getattr(torch, layer.function), **arguments)

    def operate(self, function: Any, *x: Any, **keywords: Any) -> fx.Proxy:
        """Write the call of a function.

        The node is written directly: the parser of torch 2.6 refuses a size that is a proxy.
        """
        made: fx.Proxy = self.tracer.create_proxy("call_function", function, x, keywords)
        return made

    def recompute(self, name: str, stack: Block, *x: Any) -> fx.Proxy:
        """Write the call of a stack whose activations the backward pass computes again."""
        module = self.tracer.create_proxy("get_attr", name, (), {})
        if stack.has_statistics:
            return self.operate(modules.recomputed, module, *x)
        return self.operate(checkpoint, module, *x, use_reentrant=False)

    def call(self, name: str, *x: Any, **keywords: Any) -> fx.Proxy:
        """Write the call of a module."""
        made: fx.Proxy = self.tracer.create_proxy("call_module", name, x, keywords)
        return made


def _method(name: str, x: Any, *arguments: Any, **keywords: Any) -> Any:
    return getattr(x, name)(*arguments, **keywords)


def _class_name(name: str) -> str:
    """Return the name of a stack in the form of a Python class: `lenet-5` becomes `Lenet5`."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    joined = "".join(word[0].upper() + word[1:] for word in words)
    return joined if joined.isidentifier() else f"Stack{joined}"
