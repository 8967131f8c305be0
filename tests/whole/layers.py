"""One layer: its fields, its module or function, and the inputs that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from tests.whole import modules
from tests.whole.operations import ALIGNING, OPERATIONS, expect_aligned
from tests.whole.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Fields of modules that hold items themselves.
_NESTED = ("encoder_layer", "decoder_layer")


class Layer(NamedTuple):
    """A layer that can be called; `arguments` are all of its fields that are given or decided."""

    kind: str
    arguments: dict[str, Any]
    module: nn.Module | None
    parameter: nn.Parameter | None
    call: Callable[..., tuple[torch.Tensor, ...]]


def known(kind: str) -> str:
    """Return the layer that a name stands for.

    Raises:
        Refusal: no layer is called so.
    """
    kind = kind.removeprefix("Lazy")
    if kind in OPERATIONS or kind == "Parameter" or hasattr(nn, kind):
        return kind
    raise Refusal(f"no layer is called {kind}")


def reads(kind: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of inputs that a layer needs, and of others that it may read."""
    return modules.READS.get(kind, (("input",), ()))


def arguments(kind: str, given: Any, x: Sequence[torch.Tensor]) -> dict[str, Any]:
    """Return all fields: those given, in one of the three forms, and those that the input decides.

    Raises:
        Refusal: an unknown field, or one that contradicts the input.
    """
    order = _order(kind)
    follows = _decided(kind, x) if x else {}
    if given is None:
        given = {}
    elif not isinstance(given, dict):
        given = {_bare(kind, order, follows): given}
    for field, value in given.items():
        if field not in order:
            raise Refusal(f"{kind} has no field {field}")
        if field in follows and value != follows[field]:
            raise Refusal(f"{field} {value} contradicts the input")
        if field in _NESTED:
            given = {**given, field: _nested(value, x)}
    return {**_default_norm(kind, given, x), **follows, **given}


def _order(kind: str) -> tuple[str, ...]:
    if kind in OPERATIONS:
        return OPERATIONS[kind][1]
    return ("shape", "batch_axis") if kind == "Parameter" else modules.fields(kind)


def _decided(kind: str, x: Sequence[torch.Tensor]) -> dict[str, Any]:
    return {} if kind in OPERATIONS else modules.decided(kind, x)


def _bare(kind: str, order: tuple[str, ...], follows: dict[str, Any]) -> str:
    if kind in {"LayerNorm", "RMSNorm"}:
        raise Refusal("the input decides the first field")
    free = [field for field in order if field not in follows]
    if not free or (len(free) < len(order) and not _required(kind, free[0])):
        raise Refusal(f"{kind} takes no bare value")
    return free[0]


def _required(kind: str, field: str) -> bool:
    return field in {
        *("out_channels", "out_features", "hidden_size", "num_heads", "nhead", "kernel_size"),
    } or (kind == "GroupNorm" and field == "num_groups")


def _default_norm(kind: str, given: dict[str, Any], x: Sequence[torch.Tensor]) -> dict[str, Any]:
    if kind in {"LayerNorm", "RMSNorm"} and "normalized_shape" not in given:
        return {"normalized_shape": x[0].shape[-1]}
    return {}


def _nested(value: Any, x: Sequence[torch.Tensor]) -> tuple[str, Any]:
    """Return the type and all fields of an item in a field."""
    if isinstance(value, str):
        value = {value: None}
    if not isinstance(value, dict) or len(value) != 1:
        raise Refusal("nothing may stand beside a nested type")
    ((kind, given),) = value.items()
    return kind, arguments(kind, given, x)


def made(kind: str, fields: dict[str, Any], x: Sequence[torch.Tensor]) -> Layer:
    """Return a layer for its fields.

    Raises:
        Refusal: what it does would touch the batch axis.
    """
    if kind == "Parameter":
        return _parameter(fields)
    if kind in OPERATIONS:
        function = OPERATIONS[kind][0]

        def call(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
            results = function(*values, **fields)
            return results if isinstance(results, tuple) else (results,)

        return Layer(kind, fields, None, None, call)
    modules.checked_rank(kind, x)
    built = {
        key: modules.made(*value) if key in _NESTED else value for key, value in fields.items()
    }
    module = modules.made(kind, built)
    return Layer(kind, fields, module, None, modules.call(kind, module, fields))


def _parameter(fields: dict[str, Any]) -> Layer:
    shape = fields.get("shape")
    if not isinstance(shape, list):
        raise Refusal("a Parameter needs a shape")
    batched = fields.get("batch_axis", True)
    parameter = nn.Parameter(torch.zeros([*([1] if batched else []), *shape]))

    def call(batch: int) -> tuple[torch.Tensor, ...]:
        return (parameter.expand(batch, *shape) if batched else parameter,)

    return Layer("Parameter", fields, None, parameter, call)


def expect_inputs(layer: Layer, x: Sequence[torch.Tensor], shared: Sequence[bool]) -> None:
    """Refuse inputs that would mix samples.

    Raises:
        Refusal: they would.
    """
    if layer.kind in ALIGNING:
        expect_aligned(x, shared)
    elif any(shared):
        raise Refusal("no other layer reads a Parameter without a batch axis")
    if layer.module is not None:
        modules.checked_rank(layer.kind, x)
        modules.checked_axes(layer.kind, layer.module, x)
        modules.checked_values(layer.kind, layer.module, x)
