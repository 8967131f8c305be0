"""The functions of torch that operations call, at once or as nodes of a graph."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

from netbuild.components.layers.operation import Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netbuild.graph.row import Row


def forward(
    operation: Operation, arguments: Mapping[str, Any], call: Callable[..., Any]
) -> Callable[..., Any]:
    """Return the `forward` of an operation.

    `call(function, *x, **keywords)` calls a function of torch, or writes the call into a graph. The
    `forward` of an operation of several functions takes the name of a function first.
    """
    if not operation.function:
        return lambda name, *x, **keywords: call(_function(name), *x, **keywords)
    keywords = dict(arguments)
    if "dtype" in keywords:
        keywords["dtype"] = getattr(torch, keywords["dtype"])
    if operation.namespace == "torch.Tensor":
        return partial(_method, operation.function, **keywords)
    return partial(call, _function(f"{operation.namespace}.{operation.function}"), **keywords)


def results(row: Row, forward: Callable[..., Any], x: Sequence[Any]) -> dict[str, Any]:
    """Return the results of a layer by their names."""
    if isinstance(row.layer, Operation) and row.layer.gives_tuple:
        y = forward(*x)
        return {port: y[number] for number, port in enumerate(row.outputs)}
    return row.layer.run(forward, *x)


def _function(name: str) -> Callable[..., Any]:
    """Return the function with a name such as `torch.nn.functional.relu` or `operator.add`."""
    module, _, own = name.rpartition(".")
    found: Callable[..., Any] = getattr(import_module(module), own)
    return found


def _method(name: str, x: Any, *arguments: Any, **keywords: Any) -> Any:
    return getattr(x, name)(*arguments, **keywords)
