"""What a layer does to inputs of some shapes, worked out once for all the places that have both.

A network repeats its layers, and a folder of networks more so: what only depends on the fields of a
layer and on the shapes that reach it is kept, for as long as the process lives.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from netbuild.components.layers.layer import Operation, Origin
from netbuild.components.tensor import product
from netbuild.syntax.node import List, Map, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Hashable

    from netbuild.components.layers.layer import Layer, Memory, Window
    from netbuild.components.tensor import Shape, Tensor

#: More than this is forgotten, all of it: a process that checks files without end stays small.
MAX_KEPT = 20_000

_kept: dict[Hashable, Inferred] = {}
_layers: dict[Hashable, Layer] = {}


class Inferred:
    """A layer that fits its inputs, and what its rules say of them."""

    def __init__(
        self, layer: Layer, inputs: tuple[Tensor, ...], outputs: dict[str, Tensor]
    ) -> None:
        self.layer, self.inputs, self.outputs = layer, inputs, outputs
        self.type = layer.torch_name()
        self.shapes: tuple[Shape, ...] = tuple(tensor.shape for tensor in inputs)
        self.memory: Memory = layer.memory()
        self.origin = Origin(layer, self.shapes)

    @cached_property
    def window(self) -> Window | None:
        """What an output position sees; None where positions have no place any more."""
        return self.layer.window(*self.shapes)

    @cached_property
    def is_pointwise(self) -> bool:
        """Whether each position sees just the one at its place."""
        window = self.window
        return window is not None and {1}.issuperset((*window.kernel, *window.stride))

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """The arguments of torch's constructor."""
        return self.layer.arguments(*self.shapes)

    @cached_property
    def weights(self) -> dict[str, Shape]:
        """The shapes of the parameters, by their names in the module."""
        return self.layer.weights(*self.shapes)

    @cached_property
    def buffers(self) -> dict[str, Tensor]:
        """What `state_dict()` holds beside the parameters."""
        return self.layer.buffers(*self.shapes)

    @cached_property
    def params(self) -> int:
        """The number of learned values."""
        return sum(product(shape) for shape in self.weights.values())

    @cached_property
    def macs(self) -> int:
        """The multiplications for one sample."""
        return self.layer.macs(*self.shapes)

    @cached_property
    def saved(self) -> frozenset[str]:
        """The inputs and outputs, by name, that training keeps for the backward pass."""
        return frozenset(self.layer.saved(*self.shapes))

    @cached_property
    def workspace(self) -> int:
        """The bytes a sample that training keeps beside those."""
        return self.layer.workspace(*self.shapes)

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        """What each input is called."""
        names = (*self.layer.inputs, *self.layer.optional_inputs)
        if self.layer.variadic:
            names += names[-1:] * (len(self.inputs) - len(names))
        return names[: len(self.inputs)]

    @cached_property
    def is_plain(self) -> bool:
        """Whether `nn.Sequential` can hold it: a module of one input that gives its one result."""
        single = len(self.inputs) == len(self.outputs) == 1
        return single and self.layer.is_plain and not isinstance(self.layer, Operation)


def content(type_: str, arguments: Node | None) -> Hashable:
    """Return what decides the fields of a layer: all that is written of it but its places."""
    return type_, _content(arguments)


def layer(content: Hashable) -> Layer | None:
    """Return a layer that was validated before, in this file or in another one."""
    return _layers.get(content)


def known(content: Hashable, inputs: tuple[Tensor, ...]) -> Inferred | None:
    """Return what was inferred before of a layer and what reaches it."""
    return _kept.get((content, inputs))


def keep(content: Hashable, inferred: Inferred) -> None:
    """Keep what is inferred."""
    if len(_kept) >= MAX_KEPT:
        _kept.clear()
        _layers.clear()
    _kept[content, inferred.inputs] = inferred
    _layers[content] = inferred.layer


def _content(node: Node | None) -> Hashable:
    """Return a node without its places; 1, 1.0 and true are three values."""
    if isinstance(node, Scalar):
        return type(node.value), node.value
    if isinstance(node, Map):
        return tuple([(name, _content(value)) for name, (_, value) in node.entries.items()])
    return tuple(map(_content, node.items)) if isinstance(node, List) else None
