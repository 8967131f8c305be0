"""Values of a graph, which are inputs and results of layers, and receptive fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from netbuild.components.layers.layer import Window
    from netbuild.components.tensor import Shape

#: The name of the only result of most layers.
OUTPUT = "output"


class Reach(NamedTuple):
    """The receptive field of a position, and the distance between neighbouring fields."""

    size: Shape
    stride: Shape

    def through(self, window: Window) -> Reach:
        """Return the reach after a window: r + (k − 1)·d·j and j·s for each axis."""
        size = tuple(
            r + (k - 1) * d * j
            for r, j, k, d in zip(
                self.size, self.stride, window.kernel, window.dilation, strict=True
            )
        )
        stride = tuple(j * s for j, s in zip(self.stride, window.stride, strict=True))
        return Reach(size, stride)

    def repeated(self, sizes: Shape, wider: Shape) -> Reach:
        """Return the reach after an axis of one position is repeated to a wider axis.

        All positions of the axis then see the same place, so its stride becomes 1.
        """
        axes = zip(self.stride, sizes, wider, strict=True)
        return Reach(self.size, tuple(1 if size == 1 < wide else s for s, size, wide in axes))

    def joined(self, other: Reach) -> Reach:
        """Return the larger reach of two paths that meet, axis by axis."""
        size = tuple(map(max, self.size, other.size))
        return Reach(size, tuple(map(max, self.stride, other.stride)))


#: The reach of a tensor that does not depend on the network's input.
NOWHERE = Reach((), ())


class Value(NamedTuple):
    """A result of the layer at a path, or an input of the network with an empty path."""

    path: str
    port: str


def state_key(path: str, parameter: str) -> str:
    """Return the key in `state_dict()` for a parameter of the layer at a path."""
    return f"{path}.{parameter}" if parameter else path


class Ref(NamedTuple):
    """The source of an input of a member: a result of another member, or an input of the stack.

    `member` is empty for an input.
    """

    member: str
    port: str


def value_name(value: Value) -> str:
    """Return the name of a value with its full path, as a message shows it."""
    if not value.path:
        return value.port
    return value.path if value.port == OUTPUT else f"{value.path}.{value.port}"
