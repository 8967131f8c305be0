"""A part of a built network: the modules on which some of its outputs depend.

The part calls the very modules of the network. A module that none of these outputs needs is not
called: it draws no random numbers, and its running statistics stay as they are.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from torch import fx, nn
from torch.utils.checkpoint import checkpoint

from netbuild.builder.recomputing import recomputed

if TYPE_CHECKING:
    from collections.abc import Collection


def partial(module: nn.Module, outputs: Collection[int]) -> nn.Module:
    """Return a module with the arguments of a network that computes only some of its outputs.

    The other outputs are None. A network with one output is returned as it is.
    """
    if not isinstance(module, fx.GraphModule):
        return module
    return _Part(module, frozenset(outputs)).module()


class _Part:
    """The nodes of a stack that some of its outputs need, found from the last one to the first."""

    def __init__(self, whole: fx.GraphModule, outputs: frozenset[int]) -> None:
        self.whole, self.outputs = whole, outputs
        self.live: set[fx.Node] = set()
        #: The parts of inner stacks, by the nodes that call them.
        self.inner: dict[fx.Node, nn.Module] = {}
        for node in reversed(whole.graph.nodes):
            if node.op == "output":
                self.live.update(self._returned(node))
            elif node in self.live:
                self.live.update(self._read(node))

    def _returned(self, node: fx.Node) -> list[Any]:
        """Return the nodes of the outputs that are needed."""
        returned = node.args[0]
        if not isinstance(returned, tuple | list):
            return [returned]
        return [one for number, one in enumerate(returned) if number in self.outputs]

    def _read(self, node: fx.Node) -> list[fx.Node]:
        """Return the nodes that a needed node reads."""
        called = self._called(node)
        if called is None:
            return node.all_input_nodes
        users = [user for user in node.users if user in self.live]
        if not all(user.target is operator.getitem for user in users):
            return node.all_input_nodes
        inner = partial(called, {user.args[1] for user in users})  # type: ignore[misc]
        inputs = [one for one in inner.graph.nodes if one.op == "placeholder"]  # type: ignore[union-attr]
        stack, x = self._stack_of(node), node.args
        stack, x = (node, x) if stack is None else (stack, x[1:])
        self.inner[stack] = inner
        read = [one for one, given in zip(x, inputs, strict=False) if given.users]
        return [one for one in (*read, stack) if isinstance(one, fx.Node) and one is not node]

    def _called(self, node: fx.Node) -> fx.GraphModule | None:
        """Return the inner stack with several outputs that a node calls, or None."""
        stack = self._stack_of(node)
        if stack is None and (node.op != "call_module" or node.kwargs):
            return None
        called = self.whole.get_submodule(str((stack or node).target))
        if not isinstance(called, fx.GraphModule):
            return None
        end = next(one for one in reversed(called.graph.nodes) if one.op == "output")
        return called if isinstance(end.args[0], tuple | list) else None

    def _stack_of(self, node: fx.Node) -> fx.Node | None:
        """Return the node of the stack whose activations are computed again; None for others."""
        stack = node.args[0] if node.args and node.target in {recomputed, checkpoint} else None
        return stack if isinstance(stack, fx.Node) else None

    def module(self) -> fx.GraphModule:
        """Return the module of the needed nodes, with the same arguments."""
        graph, made = fx.Graph(), dict[fx.Node, fx.Node]()
        modules: dict[str, Any] = {}
        for node in self.whole.graph.nodes:
            if node.op == "output":
                returned = node.args[0]
                kept = set(self._returned(node))
                several = isinstance(returned, tuple | list)
                given = tuple(made[one] if one in kept else None for one in _all(returned))
                graph.output(given if several else given[0])
            elif node.op == "placeholder" or node in self.live:
                made[node] = graph.node_copy(node, made.get)
                if node.op in {"call_module", "get_attr"}:
                    name = str(node.target)
                    if node in self.inner:
                        name = f"{name}_{node.name}_part"
                        made[node].target = name
                    modules[name] = self.inner.get(node) or _attribute(self.whole, name)
        return fx.GraphModule(modules, graph, type(self.whole).__name__)


def _all(returned: Any) -> list[Any]:
    return list(returned) if isinstance(returned, tuple | list) else [returned]


def _attribute(module: nn.Module, name: str) -> Any:
    """Return a module, a parameter or a buffer inside a module, by its path."""
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part)
    return found
