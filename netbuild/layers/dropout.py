"""Dropout: https://docs.pytorch.org/docs/stable/nn.html#dropout-layers."""

from netbuild.fields import Bool, Probability
from netbuild.layers.layer import Layer, Memory, Shape, expect_rank, product
from netbuild.layers.spatial import AXES


class _Dropout(Layer):
    """Zeroes values with probability p in training and scales the rest by 1 / (1 − p)."""

    p: Probability = 0.5
    inplace: Bool = False

    def memory(self) -> Memory:
        return "view" if self.p == 0 else super().memory()

    def workspace(self, x: Shape) -> int:
        """The mask, as floats, which is what torch keeps on a CPU; all or nothing needs none."""
        return 4 * self.masked(x) if 0 < self.p < 1 else 0

    def masked(self, x: Shape) -> int:
        """Return how many values are dropped or kept each for itself."""
        return product(x)


class Dropout(_Dropout):
    """Zeroes single values with probability p in training; any shape to the same.

    >>> Dropout(p=0.2).output_shape((6, 28, 28))
    (6, 28, 28)
    """


class Dropout2d(_Dropout):
    """Zeroes whole channels of (C, H, W) with probability p in training.

    >>> Dropout2d().workspace((6, 28, 28))
    24
    """

    def output_shape(self, x: Shape) -> Shape:
        expect_rank(x, AXES[2], ranks=(3,))
        return x

    def memory(self) -> Memory:
        return "overwritten" if self.inplace else "new"

    def masked(self, x: Shape) -> int:
        return x[0]


class AlphaDropout(_Dropout):
    """Dropout that keeps mean 0 and variance 1 behind SELU; any shape to the same.

    >>> AlphaDropout(p=0.1).output_shape((64,))
    (64,)
    """

    def memory(self) -> Memory:
        """Torch takes `inplace` and ignores it."""
        return "view" if self.p == 0 else "new"
