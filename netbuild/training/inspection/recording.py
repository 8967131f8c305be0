"""Every result of every layer of a built network, while the network computes.

A built network holds chains, which are `nn.Sequential`, and stacks that are graphs of torch.fx. A
chain is called child by child, and a graph node by node, so results of operations, and each call of
a `Reuse`, are seen too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import fx, nn

from netbuild.training.step.nonfinite import tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row


class Watcher(Protocol):
    """Sees each layer before and after it computes. Values may be overwritten afterwards."""

    def before(self, row: Row, module: nn.Module | None, x: tuple[Any, ...]) -> None:
        """See the inputs of a layer. `module` is None for an operation."""

    def after(self, row: Row, port: str, y: torch.Tensor) -> None:
        """See a result of a layer."""


class Recorder:
    """Lets a watcher see all layers. It changes how the modules are called, for good."""

    def __init__(self, module: nn.Module, graph: Graph) -> None:
        self.module = module
        self.rows = {row.path: row for row in graph.rows}
        self.watcher: Watcher | None = None
        #: The path of the stack that is called, as the layers in it are named.
        self.prefix = ""
        #: The first results that were seen in this run.
        self.seen: set[str] = set()
        if self._is_stack(module):
            self._watch(module)

    def run(self, watcher: Watcher, *x: torch.Tensor) -> Any:
        """Compute the outputs, and let a watcher see all layers on the way."""
        self.watcher, self.prefix, self.seen = watcher, "", set()
        try:
            return self.module(*x)
        finally:
            self.watcher = None

    def _is_stack(self, module: Any) -> bool:
        """Whether a module is a stack of the file, and not a part of a layer of torch."""
        return isinstance(module, fx.GraphModule) or type(module) is nn.Sequential

    def _watch(self, stack: nn.Module) -> None:
        """Replace the `forward` of a stack, and of the stacks in it."""
        plain = stack.forward
        watched = self._graph if isinstance(stack, fx.GraphModule) else self._chain

        def forward(*x: Any) -> Any:
            if self.watcher is None:  # a stack that the backward pass computes again
                return plain(*x)
            before = self.prefix
            try:
                return watched(stack, before, x)
            finally:
                self.prefix = before

        stack.forward = forward
        for child in stack.children():
            if self._is_stack(child):
                self._watch(child)

    def _chain(self, stack: Any, prefix: str, x: tuple[Any, ...]) -> Any:
        (y,) = x
        for name, child in stack.named_children():
            path = f"{prefix}{name}"
            self.prefix = f"{path}."
            self._enter(path, child, (y,))
            y = child(y)
            row = self.rows.get(path)
            if row is not None:
                self._leave(row, next(iter(row.outputs)), y)
        return y

    def _graph(self, stack: Any, prefix: str, x: tuple[Any, ...]) -> Any:
        made = _Interpreter(stack, self, prefix)
        made.extra_traceback = False
        return made.run(*x)

    def _enter(self, path: str, module: nn.Module | None, x: tuple[Any, ...]) -> None:
        row = self.rows.get(path)
        if row is not None and self.watcher is not None:
            self.watcher.before(row, module, x)

    def _leave(self, row: Row, port: str, y: Any) -> None:
        key = f"{row.path}:{port}"
        if key in self.seen or not isinstance(y, torch.Tensor) or self.watcher is None:
            return
        self.seen.add(key)
        self.watcher.after(row, port, y)


class _Interpreter(fx.Interpreter):
    """Computes a stack node by node."""

    def __init__(self, stack: fx.GraphModule, recorder: Recorder, prefix: str) -> None:
        super().__init__(stack)
        self.recorder, self.prefix = recorder, prefix

    def run_node(self, n: fx.Node) -> Any:
        recorder, member = self.recorder, n.meta.get("member")
        path = f"{self.prefix}{member}"
        computes = member is not None and n.op in {"call_module", "call_function", "call_method"}
        if computes:
            recorder.prefix = f"{path}."
            module = self.fetch_attr(str(n.target)) if n.op == "call_module" else None
            args, keywords = self.fetch_args_kwargs_from_env(n)
            recorder._enter(path, module, (*args, *keywords.values()))  # noqa: SLF001
        y = super().run_node(n)
        for name, port in self._results(n, path, y):
            row = recorder.rows.get(f"{self.prefix}{name}")
            if row is not None:
                value = y if isinstance(y, torch.Tensor) else tensors(y)[0]
                recorder._leave(row, port, value)  # noqa: SLF001
        return y

    def _results(self, n: fx.Node, path: str, y: Any) -> Iterator[tuple[str, str]]:
        """Yield the results of members that a node computes, by member and name.

        The first result of a layer may have no reader: it has no node, and is in the tuple.
        """
        if isinstance(y, torch.Tensor):
            yield from n.meta.get("results", ())
            return
        row = self.recorder.rows.get(path)
        if row is not None and tensors(y):
            yield path.removeprefix(self.prefix), next(iter(row.outputs))
