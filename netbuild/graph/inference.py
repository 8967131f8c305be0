"""The results of a layer for inputs of certain shapes, inferred once and cached.

Networks repeat layers with equal fields and equal input shapes. The cache lives as long as the
process.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from netbuild.components.layers.layout import Placed
from netbuild.components.layers.made import Origin
from netbuild.components.layers.operation import Operation
from netbuild.components.tensor import product
from netbuild.graph.value import OUTPUT
from netbuild.syntax.node import List, Map, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Hashable

    from netbuild.components.layers.layer import Layer, Memory, Needs, Window
    from netbuild.components.layers.layout import Strides
    from netbuild.components.tensor import Shape, Tensor

#: The most cached entries. Then the cache is emptied, so that a long process stays small.
MAX_CACHED = 20_000

_results: dict[Hashable, Inferred] = {}
_layers: dict[Hashable, Layer] = {}


class Inferred:
    """A layer that fits its inputs, and the values that its rules give for them."""

    def __init__(
        self, layer: Layer, inputs: tuple[Tensor, ...], outputs: dict[str, Tensor]
    ) -> None:
        self.layer, self.inputs, self.outputs = layer, inputs, outputs
        self.type = layer.torch_name()
        self.shapes: tuple[Shape, ...] = tuple(tensor.shape for tensor in inputs)
        self.memory: Memory = layer.memory(*[Placed(x.shape, dtype=x.dtype) for x in inputs])
        self.origin = Origin(layer, self.shapes)
        self._needs: dict[tuple[tuple[Placed, ...], bool, frozenset[str] | None], Needs] = {}
        self._layouts: dict[tuple[Placed, ...], tuple[Strides, ...]] = {}

    @cached_property
    def window(self) -> Window | None:
        """The window of an output position; None if output positions have no place in the input."""
        return self.layer.window(*self.shapes)

    @cached_property
    def is_pointwise(self) -> bool:
        """Whether each output position depends only on the input position at the same place."""
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
        """The buffers in `state_dict()`, by name."""
        found = self.layer.buffers(*self.shapes)
        return dict.fromkeys(found, self.outputs[OUTPUT]) if self.layer.is_tensor else found

    @cached_property
    def params(self) -> int:
        """The number of learned values."""
        return sum(product(shape) for shape in self.weights.values())

    @cached_property
    def macs(self) -> int:
        """The number of multiplications for one sample."""
        return self.layer.macs(*self.shapes)

    def needs(
        self, x: tuple[Placed, ...], *, learns: bool, read: frozenset[str] | None = None
    ) -> Needs:
        """Return what the backward pass needs, for inputs that lie in memory like this.

        It comes from the results `read`, or from all of them.
        """
        if read is not None and len(read) == len(self.outputs):
            read = None
        key = x, learns, read
        if key not in self._needs:
            layer = self.layer
            self._needs[key] = (
                layer.needs(*x, learns=learns)
                if read is None
                else layer.needs_for(read, *x, learns=learns)
            )
        return self._needs[key]

    def layouts(self, x: tuple[Placed, ...]) -> tuple[Strides, ...]:
        """Return the strides of the results, for inputs that lie in memory like this."""
        if x not in self._layouts:
            self._layouts[x] = self.layer.layouts([y.shape for y in self.outputs.values()], *x)
        return self._layouts[x]

    def memory_of(self, x: tuple[Placed, ...]) -> Memory:
        """Return where the results lie, for inputs that lie in memory like this."""
        if self.memory != "view" or x[0].strides is None:
            return self.memory
        return self.layer.memory(*x)

    @cached_property
    def is_plain(self) -> bool:
        """Whether `nn.Sequential` can contain the layer: a module with one input and one result."""
        single = len(self.inputs) == len(self.outputs) == 1
        return single and self.layer.is_plain and not isinstance(self.layer, Operation)


def content(type_: Hashable, arguments: Node | None, *, frozen: bool) -> Hashable:
    """Return the key of a layer in the cache: its type and arguments without their spans.

    `type_` also tells the named inputs that the layer reads.
    """
    return type_, frozen, _content(arguments)


def cached_layer(content: Hashable) -> Layer | None:
    """Return the validated layer from the cache; None if it is not there."""
    return _layers.get(content)


def cached(content: Hashable, inputs: tuple[Tensor, ...]) -> Inferred | None:
    """Return the inferred layer for these inputs from the cache; None if it is not there."""
    return _results.get((content, inputs))


def store(content: Hashable, inferred: Inferred) -> None:
    """Store an inferred layer in the cache."""
    if len(_results) >= MAX_CACHED:
        _results.clear()
        _layers.clear()
    _results[content, inferred.inputs] = inferred
    _layers[content] = inferred.layer


def _content(node: Node | None) -> Hashable:
    """Return a node without its spans; 1, 1.0 and true are three different values."""
    if isinstance(node, Scalar):
        return type(node.value), node.value
    if isinstance(node, Map):
        return tuple([(name, _content(value)) for name, (_, value) in node.entries.items()])
    return tuple(map(_content, node.items)) if isinstance(node, List) else None
