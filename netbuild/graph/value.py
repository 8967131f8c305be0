"""Values of a graph: results of layers and inputs, and the receptive field of a position."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from netbuild.components.layers.layer import Window
    from netbuild.components.tensor import Shape

#: The result that a reader gets who names none.
OUTPUT = "output"


class Reach(NamedTuple):
    """The receptive field of a position, and how far apart neighbouring positions look."""

    size: Shape
    stride: Shape

    def through(self, window: Window) -> Reach:
        """Return the reach behind a window: r + (k − 1)·d·j and j·s for each axis."""
        size = tuple(
            r + (k - 1) * d * j
            for r, j, k, d in zip(
                self.size, self.stride, window.kernel, window.dilation, strict=True
            )
        )
        stride = tuple(j * s for j, s in zip(self.stride, window.stride, strict=True))
        return Reach(size, stride)

    def repeated(self, sizes: Shape, wider: Shape) -> Reach:
        """Return the reach where an axis of one position is repeated to a wider one.

        All its positions look at the same place then, and its stride says nothing more.
        """
        axes = zip(self.stride, sizes, wider, strict=True)
        return Reach(self.size, tuple(1 if size == 1 < wide else s for s, size, wide in axes))

    def joined(self, other: Reach) -> Reach:
        """Return the largest over two paths that meet."""
        size = tuple(map(max, self.size, other.size))
        return Reach(size, tuple(map(max, self.stride, other.stride)))


#: What does not come from the network's input looks nowhere, and joins what does.
NOWHERE = Reach((), ())


class Value(NamedTuple):
    """A result of a layer, by its path, or an input of the network, whose path is empty."""

    path: str
    port: str


def state_key(path: str, parameter: str) -> str:
    """Return what `state_dict()` calls a parameter of the layer at a path."""
    return f"{path}.{parameter}" if parameter else path


class Ref(NamedTuple):
    """What a member reads: a result of a member of its stack, or an input of the stack.

    `member` is empty for an input.
    """

    member: str
    port: str


def value_name(value: Value) -> str:
    """Return a result as `inputs` names it, from outside all stacks."""
    if not value.path:
        return value.port
    return value.path if value.port == OUTPUT else f"{value.path}.{value.port}"
