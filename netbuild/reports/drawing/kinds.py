"""The kind of a layer, by its traits and its family. It decides the colour and the mark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.layers.operation import Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from netbuild.components.layers.layer import Layer

#: The kinds in the order of the legend, each with its name there.
KINDS = {
    "input": "input",
    "output": "output",
    "stack": "stack of layers",
    "convolution": "convolution",
    "linear": "linear",
    "attention": "attention",
    "recurrent": "recurrent",
    "embedding": "embedding",
    "norm": "normalisation",
    "activation": "activation",
    "pooling": "pooling",
    "dropout": "dropout",
    "join": "joins several",
    "shape": "shape only",
    "operation": "operation",
    "tensor": "tensor",
    "fault": "fault",
}

#: The kinds that the traits of a layer tell, the first that is true.
_BY_TRAIT: tuple[tuple[str, Callable[[Layer], bool]], ...] = (
    ("tensor", lambda layer: layer.is_tensor),
    ("dropout", lambda layer: layer.drops is not None),
    ("norm", lambda layer: layer.normalises is not None),
    ("activation", lambda layer: layer.activates),
    ("convolution", lambda layer: layer.is_affine and layer.slides),
    ("linear", lambda layer: layer.is_affine),
    ("pooling", lambda layer: layer.pools or layer.slides),
    ("shape", lambda layer: layer.rearranges and not layer.variadic),
)
#: The kinds of families: the modules that define a layer or what it derives from.
_BY_FAMILY = {
    "_convolution": "convolution",
    "_attending": "attention",
    "transformer": "attention",
    "transformer_layer": "attention",
    "attention": "attention",
    "dot_product": "attention",
    "_recurrent": "recurrent",
    "recurrent": "recurrent",
    "recurrent_cell": "recurrent",
    "embedding": "embedding",
    "activation": "activation",
    "softmax": "activation",
    "norm": "norm",
    "_channel_norm": "norm",
    "pool": "pooling",
    "adaptive_pool": "pooling",
    "power_pool": "pooling",
    "unpool": "pooling",
    "normalize": "norm",
    "pad": "shape",
    "noise": "tensor",
}


def kind_of(layer: Layer) -> str:
    """Return the kind of a layer."""
    families = [base.__module__.rpartition(".")[2] for base in type(layer).__mro__]
    by_family = [_BY_FAMILY[family] for family in families if family in _BY_FAMILY]
    if by_family:
        return by_family[0]
    for kind, is_so in _BY_TRAIT:
        if is_so(layer):
            return kind
    if layer.variadic or len(layer.inputs) > 1:
        return "join"
    return "operation" if isinstance(layer, Operation) else "shape"
