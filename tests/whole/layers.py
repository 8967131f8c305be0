"""One layer: its fields, its module or function, and the inputs that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from tests.whole import modules
from tests.whole.network import DROPOUTS
from tests.whole.operations import ALIGNING, OPERATIONS
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
    #: A tensor of the stack: a parameter, or a buffer.
    parameter: torch.Tensor | None
    call: Callable[..., tuple[torch.Tensor, ...]]
    #: How many inputs stand before those that are given by name.
    first: int | None = None

    def with_names(self, first: int, names: tuple[str, ...]) -> Layer:
        """Return a layer that is called with the last inputs by name."""

        def call(*x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return self.call(*x[:first], **dict(zip(names, x[first:], strict=True)))

        return self._replace(call=call, first=first) if names else self


def known(kind: str) -> str:
    """Return the layer that a name stands for.

    Raises:
        Refusal: no layer is called so.
    """
    kind = kind.removeprefix("Lazy")
    if kind in OPERATIONS or kind in {"Parameter", "Constant"} or hasattr(nn, kind):
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
    if kind == "Constant":
        return ("value", *_MADE, "dtype", "persistent")
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
    if kind == "Constant":
        return _constant(fields)
    if kind in OPERATIONS:
        function = OPERATIONS[kind][0]

        def call(*values: torch.Tensor, **named: torch.Tensor) -> tuple[torch.Tensor, ...]:
            results = function(*values, **fields, **named)
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

    def call(*_: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (parameter if batched else parameter.unsqueeze(0),)

    return Layer("Parameter", fields, None, parameter, call)


#: The functions of torch that make a constant.
_MADE = ("arange", "linspace", "logspace", "eye", "ones", "zeros", "full")


def _constant(fields: dict[str, Any]) -> Layer:
    (kind,) = (field for field in fields if field not in {"dtype", "persistent"})
    dtype = getattr(torch, fields["dtype"]) if "dtype" in fields else None
    given = fields[kind]
    if kind == "value":
        value = torch.tensor(given, dtype=dtype)
    else:
        listed = given if isinstance(given, list) else [given]
        listed = [listed] if kind in {"ones", "zeros"} else listed
        value = getattr(torch, kind)(*listed, dtype=dtype)
    keeps = fields.get("persistent", False)

    def call(*_: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if value._version:
            raise Refusal("a constant that is overwritten")
        return (value.unsqueeze(0),)

    return Layer("Constant", fields, None, value if keeps else None, call)


def expect_inputs(layer: Layer, x: Sequence[torch.Tensor], shared: Sequence[bool]) -> None:
    """Refuse inputs that would mix samples, or that would get one draw for all samples.

    Raises:
        Refusal: they would.
    """
    if layer.module is not None:
        modules.checked_rank(layer.kind, x[: layer.first])
        modules.checked_axes(layer.kind, layer.module, x)
        modules.checked_values(layer.kind, layer.module, x)
    if x and all(shared):
        state = torch.get_rng_state()
        layer.call(*x)
        drops = layer.module is not None and _drops_all(layer.module, layer.kind)
        if drops or not torch.equal(torch.get_rng_state(), state):
            raise Refusal("one draw for all samples")


def _drops_all(module: nn.Module, kind: str) -> bool:
    """Whether a layer drops all values somewhere within it: torch needs no draw for this."""
    return any(
        1 in {getattr(part, "dropout", 0), getattr(part, "p", 0)}
        for part in module.modules()
        if part is not module or kind not in DROPOUTS
        if isinstance(part, (nn.MultiheadAttention, nn.RNNBase)) or type(part).__name__ in DROPOUTS
    )


def repeating(
    layer: Layer, x: Sequence[torch.Tensor], shared: Sequence[bool]
) -> tuple[Callable[..., tuple[torch.Tensor, ...]], Sequence[torch.Tensor]]:
    """Return a call and inputs that repeat what all samples share.

    It is repeated once for each sample, or for more axes.
    """

    def call(*given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return layer.call(*repeated(layer.kind, given, shared))

    return call if any(shared) else layer.call, repeated(layer.kind, x, shared)


def repeated(
    kind: str, x: Sequence[torch.Tensor], shared: Sequence[bool]
) -> Sequence[torch.Tensor]:
    """Return inputs, of which the shared ones repeat as a layer reads them."""
    if len(shared) < 2:
        return x
    pairs = list(zip(x, shared, strict=True))
    if kind in ALIGNING:
        rank = max(t.dim() for t in x)
        if any(t.dim() < rank for t, once in pairs if not once):
            raise Refusal("a value of each sample with fewer axes")
        return tuple(_with_axes(t, rank, kind) if once else t for t, once in pairs)
    batch = next((len(t) for t, once in pairs if not once), 1)
    return tuple(t.expand(batch, *t.shape[1:]) if once else t for t, once in pairs)


def _with_axes(x: torch.Tensor, rank: int, kind: str) -> torch.Tensor:
    """Return a tensor with axes of size 1 behind the batch."""
    if kind == "MatMul" and x.dim() < 3:
        return x
    return x.reshape(1, *(1,) * (rank - x.dim()), *x.shape[1:])
