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

from netbuild.builder import constants, modules, operations, parametrizing, pretrained, recomputing
from netbuild.builder.initialise import initialise
from netbuild.builder.layer import layer
from netbuild.checks.trace import trace
from netbuild.components.layers._masks import Masked
from netbuild.components.layers.constant import Constant
from netbuild.components.layers.operation import Operation
from netbuild.config.config import Config
from netbuild.config.load import load
from netbuild.graph.row import Block, Row
from netbuild.graph.value import OUTPUT, Ref, state_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from netbuild.components.tensor import Shape, Tensor
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
    tables = constants.values(graph)
    made = _stack(graph.block, graph.config.name, tables, in_order=in_order, outputs=graph.outputs)
    tie(made, graph)
    initialise(made, graph)
    parametrizing.register(made, graph)
    pretrained.load(made, graph)
    for row in graph.rows:
        if row.reuses and row.layer.built_name().startswith("Packed"):
            # the module was made for a call without lengths
            made.get_submodule(row.reuses).__class__ = getattr(modules, row.layer.built_name())
        for name in row.parameters if row.frozen else ():
            made.get_parameter(state_key(row.path, name)).requires_grad_(False)
        if isinstance(row.layer, Masked) and row.layer.given:
            _evaluate_as_in_training(made.get_submodule(row.reuses or row.path), row.layer)
    return train(made, graph)


def _evaluate_as_in_training(module: nn.Module, layer: Masked) -> None:
    """Keep encoders from torch's shortcuts of evaluation that change results with masks.

    Nested tensors make padded places 0. The fused encoder layer takes every number of a mask that
    is not 0 for a hidden place; it serves only the activations that it counts as relu or gelu.
    """
    for part in module.modules():
        if isinstance(part, nn.TransformerEncoder):
            part.use_nested_tensor = False
        if isinstance(part, nn.TransformerEncoderLayer) and layer.adds_numbers:
            part.activation_relu_or_gelu = 0


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


def _stack(
    block: Block,
    name: str,
    tables: Mapping[str, torch.Tensor],
    *,
    in_order: bool,
    outputs: Mapping[str, Tensor] | None = None,
) -> nn.Module:
    """Build a stack.

    Args:
        block: the stack.
        name: the name of its class.
        tables: the values of the constants, by path.
        in_order: whether no layer of the network permutes memory.
        outputs: the results of the whole network, each of which has a value for each sample.
    """
    parts = OrderedDict(
        (member.name, _part(member.part, member.name, tables, in_order=in_order))
        for member in block.members
        if not member.module and not has_no_module(member.part)
    )
    if block.is_chain and (in_order or not block.needs_order):
        return nn.Sequential(parts)
    return _Writer(block, parts, tables, outputs or {}).module(block.type or name)


def _part(
    part: Row | Block, name: str, tables: Mapping[str, torch.Tensor], *, in_order: bool
) -> nn.Module:
    if isinstance(part, Block):
        return _stack(part, name, tables, in_order=in_order)
    if isinstance(part.layer, Constant):
        return modules.Constant(tables[part.path])
    return layer(part.layer, part.arguments)


def has_no_module(part: Row | Block) -> bool:
    """Whether a part has no module of its own: it is an operation or a tensor of its stack."""
    if not isinstance(part, Row) or (isinstance(part.layer, Constant) and not part.buffers):
        return False
    return isinstance(part.layer, Operation) or part.layer.is_tensor


class _Writer:
    """Writes a stack that is not a chain as a graph. Nodes have the names in the file."""

    def __init__(
        self,
        block: Block,
        parts: Mapping[str, nn.Module],
        tables: Mapping[str, torch.Tensor],
        outputs: Mapping[str, Tensor],
    ) -> None:
        self.block = block
        self.tables = tables
        self.outputs = outputs
        self.root = nn.Module()
        for name, part in parts.items():
            self.root.add_module(name, part)
        rows = (member.part for member in block.members if isinstance(member.part, Row))
        keeps = any(isinstance(row.layer, Constant) and row.buffers for row in rows)
        self.graph = fx.Graph(tracer_cls=modules.BufferTracer if keeps else None)
        self.tracer = fx.proxy.GraphAppendingTracer(self.graph)
        self.values: dict[Ref, fx.Proxy] = {}
        #: The tensors of this stack that have no batch axis in torch.
        self.loose: set[Ref] = set()
        #: Values that all samples share, repeated for each sample.
        self.repeated: dict[Ref, fx.Proxy] = {}

    def module(self, name: str) -> fx.GraphModule:
        """Write all members, and return a module whose `forward` calls them."""
        for port in self.block.inputs:
            self.values[Ref("", port)] = fx.Proxy(self.argument(port), self.tracer)
        for member in self.block.members:
            for port, value in self.results(member).items():
                self.values[Ref(member.name, port)] = value
                value.node.meta.setdefault("results", []).append((member.name, port))
            self.mark(member.name)
        given = tuple(self.result(port).node for port in self.block.outputs)
        self.graph.output(given if len(given) > 1 else given[0])
        self.leave_out()
        made = fx.GraphModule(self.root, self.graph, _class_name(name))
        for unread, parameter in self.root.named_parameters(recurse=False):
            if not hasattr(made, unread):
                made.register_parameter(unread, parameter)
        for unread, buffer in self.root.named_buffers(recurse=False):
            if not hasattr(made, unread):
                made.register_buffer(unread, buffer)
        return made

    def leave_out(self) -> None:
        """Leave out the functions whose results nothing reads. A stack is called all the same."""
        for node in reversed(self.graph.nodes):
            is_function = node.op in {"call_function", "call_method", "get_attr"}
            if is_function and not node.users and "stack" not in node.meta:
                self.graph.erase_node(node)

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

    def result(self, port: str) -> fx.Proxy:
        """Return a result of the stack. A result of the network has a value for each sample.

        It is a copy: a parameter that is itself a result would change with the next step.
        """
        ref = self.block.outputs[port]
        if port in self.outputs and port in self.block.shared:
            return self.repeat(ref, self.outputs[port].shape).clone()
        return self.read(ref)

    def read(self, ref: Ref) -> fx.Proxy:
        """Return a value with its batch axis, which is 1 if all samples share it."""
        return self.values[ref].unsqueeze(0) if ref in self.loose else self.values[ref]

    def repeat(self, ref: Ref, shape: Shape) -> fx.Proxy:
        """Return a value that all samples share, repeated for each sample."""
        if ref not in self.repeated:
            batch = self.values[Ref("", self.block.batched[0])].size(0)
            x = self.values[ref]
            sizes = shape if ref in self.loose else (-1,) * len(shape)
            self.repeated[ref] = x.expand(batch, *sizes)
        return self.repeated[ref]

    def results(self, member: Member) -> dict[str, fx.Proxy]:
        """Write a member, and return its results."""
        part = member.part
        if isinstance(part, Row) and part.layer.is_tensor:
            return {OUTPUT: self.tensor(member.name, part)}
        names = part.inputs if isinstance(part, Block) else member.reads
        x = [self.given(member, number, name) for number, name in enumerate(names)]
        if isinstance(part, Block):
            ports = list(part.outputs)
            name = member.module or member.name
            y: Any = self.recompute(name, part, *x) if part.recomputes else self.call(name, *x)
            several = len(ports) > 1
            return {port: y[n] if several else y for n, port in enumerate(ports)}
        if isinstance(part, Row) and part.layer.for_each_sample:
            x = [self.values[Ref("", self.block.batched[0])]]
        if part.layer.needs_order(*part.shapes):
            x = [value.contiguous() for value in x]
        return operations.results(part, self.forward(member), x)

    def given(self, member: Member, number: int, name: str) -> fx.Proxy:
        """Return an input of a member, as the member reads it."""
        ref, part = member.reads[name], member.part
        if member.repeats(name):
            return self.repeat(ref, member.shared[name])
        layer = part.layer if isinstance(part, Row) and not part.shared else None
        if name not in member.shared or not isinstance(layer, Operation):
            return self.read(ref)
        x, shape = self.values[ref], member.shared[name]
        has = layer.batch_axis(number, shape)
        if has is False:
            for _ in range(len(shape) - 1 - (ref in self.loose)):
                x = x.squeeze(0)
        return self.read(ref) if has else x

    def tensor(self, name: str, row: Row) -> fx.Proxy:
        """Write a parameter or a constant of the stack.

        A parameter begins with zeros and is initialised later. A constant that is not in
        `state_dict()` has a module: torch.fx copies any other buffer as one that is.
        """
        if isinstance(row.layer, Constant):
            self.loose.add(Ref(name, OUTPUT))
            if not row.layer.persistent:
                return self.call(name)
            self.root.register_buffer(name, self.tables[row.path])
        else:
            ((_, shape),) = row.weights.items()
            self.root.register_parameter(name, nn.Parameter(torch.zeros(shape)))
            if len(shape) == len(row.output.shape):
                self.loose.add(Ref(name, OUTPUT))
        made: fx.Proxy = self.tracer.create_proxy("get_attr", name, (), {}, _variable(name))
        return made

    def forward(self, member: Member) -> Callable[..., Any]:
        """Return a stand-in for a layer's `forward`, which writes the call into the graph."""
        assert isinstance(member.part, Row)
        layer, arguments = member.part.layer, member.part.arguments
        if not isinstance(layer, Operation):
            return partial(self.call, member.module or member.name)
        return operations.forward(layer, arguments, self.operate)

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
            made = self.operate(recomputing.recomputed, module, *x)
        else:
            made = self.operate(checkpoint, module, *x, use_reentrant=False)
        made.node.meta["stack"] = True
        return made

    def call(self, name: str, *x: Any, **keywords: Any) -> fx.Proxy:
        """Write the call of a module."""
        variable = _variable(name)
        made: fx.Proxy = self.tracer.create_proxy("call_module", name, x, keywords, variable)
        return made


def _variable(name: str) -> str | None:
    """Return the variable for the result of a member; None leaves the choice to torch.fx.

    torch.fx chooses `self` for a member called `self`, `Self` or `SELF`. The lines after it could
    then call no other member.
    """
    return "self_1" if name.lower() == "self" else None


def _class_name(name: str) -> str:
    """Return the name of a stack in the form of a Python class: `lenet-5` becomes `Lenet5`."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    joined = "".join(word[0].upper() + word[1:] for word in words)
    return joined if joined.isidentifier() else f"Stack{joined}"
