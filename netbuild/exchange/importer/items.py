"""From a module of torch to its item: the type, and the fields that differ from their defaults.

The catalogue of layers says which fields there are. A field has the name of the module's attribute,
with the exceptions of `_READ`.
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.nn.utils import parametrize

from netbuild.builder import modules
from netbuild.components.component import FromInput, Nested
from netbuild.components.layers import LAYERS
from netbuild.exchange.importer.depths import probability

if TYPE_CHECKING:
    from collections.abc import Callable

#: Layers that torch does not have. Whoever writes one by hand gives it the same name and fields.
_OWN = ("StochasticDepth", "ScaledDotProductAttention", "ChannelShuffle")
#: Modules that are functions: `layouts` reads them, for it knows where the batch is.
VIEWS = (nn.Flatten, nn.Unflatten)
_MISSING = object()


def class_of(module: nn.Module) -> type[nn.Module]:
    """Return the class of a module, without what a parametrization puts around it."""
    kind = type(module)
    return kind.__mro__[1] if parametrize.is_parametrized(module) else kind


def is_layer(module: nn.Module) -> bool:
    """Whether the catalogue has this class, so that its call is one item."""
    kind = class_of(module)
    name = kind.__name__
    if kind.__module__ == modules.__name__ or probability(module) is not None:
        return True
    if packed(kind) is not None:
        return True
    if name not in LAYERS or not issubclass(kind, nn.Module):
        return False
    if not kind.__module__.startswith("torch.nn."):
        return name in _OWN and all(hasattr(module, field) for field in _required(name))
    return True


def packed(kind: type[nn.Module]) -> str | None:
    """Return the name of torch's recurrent layer that a class lets read `lengths`, if it does."""
    base = next((one for one in (nn.RNN, nn.LSTM, nn.GRU) if issubclass(kind, one)), None)
    if base is None or kind.__module__.startswith("torch.nn."):
        return None
    return base.__name__ if "lengths" in signature(kind.forward).parameters else None


def _required(name: str) -> list[str]:
    return [field for field, info in LAYERS[name].model_fields.items() if info.is_required()]


def fields(module: nn.Module, name: str) -> dict[str, Any]:
    """Return the fields of a module's item that differ from their defaults."""
    found: dict[str, Any] = {}
    for field, info in LAYERS[name].model_fields.items():
        if any(isinstance(mark, FromInput) for mark in info.metadata):
            continue
        if any(isinstance(mark, Nested) for mark in info.metadata):
            value: Any = _nested(module, field)
        else:
            value = _value(module, name, field)
        if value is _MISSING or (value is None and info.default is None):
            continue
        if info.is_required() or value != plain(info.default):
            found[field] = value
    return found


def plain(value: Any) -> Any:
    """Return a value as YAML holds it: equal sizes are one number."""
    if isinstance(value, (tuple, list)):
        parts = [plain(one) for one in value]
        same = len(parts) > 1 and all(one == parts[0] for one in parts)
        return parts[0] if same and isinstance(parts[0], (int, float)) else parts
    return value


def _value(module: nn.Module, name: str, field: str) -> Any:
    special = _READ.get((name, field)) or _READ.get(("", field))
    value = special(module) if special else getattr(module, field, _MISSING)
    if isinstance(value, nn.Module) or callable(value):
        return getattr(value, "__name__", type(value).__name__).lower()
    if field in {"shape", "dims"} or name in {"LayerNorm", "RMSNorm"}:
        return list(value) if isinstance(value, tuple) else value
    return _size(value)


def _size(value: Any) -> Any:
    """Return sizes as YAML holds them. A layer of one axis has a tuple of one size."""
    single = isinstance(value, tuple) and len(value) == 1 and type(value[0]) is int
    return value[0] if single else plain(value)


def _present(attribute: str) -> Callable[[nn.Module], bool]:
    return lambda module: getattr(module, attribute, None) is not None


def _below(path: str, attribute: str) -> Callable[[nn.Module], Any]:
    """Return how to read an attribute of a module inside."""
    return lambda module: getattr(module.get_submodule(path), attribute)


def _bias(module: nn.Module) -> Any:
    if getattr(module, "affine", None) is False:
        return True  # the default, for a norm without weights has none in any case
    if "bias" in module._parameters:  # noqa: SLF001  None stands there for no bias
        return module._parameters["bias"] is not None  # noqa: SLF001
    if parametrize.is_parametrized(module, "bias"):
        return True
    value = getattr(module, "bias", _MISSING)
    return value if isinstance(value, bool) or value is _MISSING else value is not None


def _stride(module: nn.Module) -> Any:
    """A pool's stride is its kernel size if nobody says otherwise."""
    stride = _size(getattr(module, "stride", _MISSING))
    pools = "Pool" in type(module).__name__ or "Unpool" in type(module).__name__
    return None if pools and stride == _size(getattr(module, "kernel_size", None)) else stride


def _normalized(module: Any) -> Any:
    """The last axis is the default, and the input decides its size."""
    return None if len(module.normalized_shape) == 1 else list(module.normalized_shape)


def _encoder_activation(module: Any) -> Any:
    kinds = {0: getattr(module.activation, "__name__", "other"), 1: "relu", 2: "gelu"}
    return kinds[getattr(module, "activation_relu_or_gelu", 0)]


#: How to read the fields that are no attribute of the module, by type and field.
_READ: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("", "bias"): _bias,
    ("", "stride"): _stride,
    ("", "batch_first"): lambda _: True,
    ("", "normalized_shape"): _normalized,
    ("PReLU", "init"): lambda _: 0.25,
    ("MultiheadAttention", "bias"): _present("in_proj_bias"),
    ("MultiheadAttention", "add_bias_kv"): _present("bias_k"),
    **{
        (kind, field): read
        for kind, attention in (
            ("TransformerEncoderLayer", "self_attn"),
            ("TransformerDecoderLayer", "self_attn"),
        )
        for field, read in {
            "nhead": _below(attention, "num_heads"),
            "dim_feedforward": _below("linear1", "out_features"),
            "dropout": _below("dropout", "p"),
            "layer_norm_eps": _below("norm1", "eps"),
            "bias": lambda module: module.linear1.bias is not None,
        }.items()
    },
    ("TransformerEncoderLayer", "activation"): _encoder_activation,
    ("TransformerEncoder", "enable_nested_tensor"): lambda _: True,  # it has no effect here
    **{
        ("Transformer", field): read
        for field, read in {
            "num_encoder_layers": lambda module: len(module.encoder.layers),
            "num_decoder_layers": lambda module: len(module.decoder.layers),
            "dim_feedforward": _below("encoder.layers.0.linear1", "out_features"),
            "dropout": _below("encoder.layers.0.dropout", "p"),
            "layer_norm_eps": _below("encoder.layers.0.norm1", "eps"),
            "norm_first": _below("encoder.layers.0", "norm_first"),
            "activation": lambda module: _encoder_activation(module.encoder.layers[0]),
            "bias": lambda module: module.encoder.layers[0].linear1.bias is not None,
        }.items()
    },
}


def _nested(module: Any, field: str) -> Any:
    """Return the item that a field holds, as YAML holds it."""
    inner = module.layers[0] if field.endswith("_layer") else getattr(module, field)
    if inner is None:
        return None
    name = type(inner).__name__
    found = fields(inner, name)
    return {name: found} if found else name


def modifiers(module: nn.Module) -> dict[str, Any]:
    """Return the keys beside the item: `freeze`, `parametrize`."""
    found: dict[str, Any] = {}
    parameters = list(module.parameters())
    if parameters and not any(one.requires_grad for one in parameters):
        found["freeze"] = True
    if parametrize.is_parametrized(module):
        found["parametrize"] = {
            name: _parametrization(each)
            for name, each in module.parametrizations.items()  # type: ignore[operator, union-attr]
        }
    return found


def unread_weights(module: nn.Module) -> str | None:
    """Return why a config cannot hold how the weights of a layer are computed; None if it can."""
    for inner in module.modules():
        for hook in inner._forward_pre_hooks.values():  # noqa: SLF001  torch has no other way
            kind = type(hook)
            if kind.__module__.startswith("torch.nn.utils."):
                name = _OLD_HOOKS.get(kind.__name__)
                there = f": use torch.nn.utils.parametrizations.{name}" if name else ""
                call = f"torch.nn.utils.{name}" if name else f"{kind.__name__} of torch.nn.utils"
                return f"{call} computes its weights by a hook, which a config does not have{there}"
    if not parametrize.is_parametrized(module):
        return None
    for name, each in module.parametrizations.items():  # type: ignore[operator, union-attr]
        if _parametrization(each) is None:
            kinds = " and ".join(type(one).__name__.lstrip("_") for one in each)
            return f"its parametrization {kinds} of {name} has no counterpart in a config"
    return None


#: The functions that compute weights by a hook, by the class of the hook.
_OLD_HOOKS = {"SpectralNorm": "spectral_norm", "WeightNorm": "weight_norm"}


def _parametrization(parametrizations: Any) -> Any:
    one = parametrizations[0]
    kind = type(one).__name__
    if len(parametrizations) > 1 or kind not in _PARAMETRIZED:
        return None
    name, defaults = _PARAMETRIZED[kind]
    given = {field: getattr(one, field) for field in defaults if hasattr(one, field)}
    given = {field: value for field, value in given.items() if value != defaults[field]}
    return {name: given} if given else name


_PARAMETRIZED: dict[str, tuple[str, dict[str, Any]]] = {
    "_SpectralNorm": ("spectral_norm", {"n_power_iterations": 1, "eps": 1e-12}),
    "_WeightNorm": ("weight_norm", {"dim": 0}),
    "_Orthogonal": ("orthogonal", {}),
}
