"""Random numbers: https://docs.pytorch.org/docs/stable/torch.html#random-sampling."""

from collections.abc import Callable, Sequence
from typing import Any

from netbuild.components.fields import Shaped
from netbuild.components.layers.formula import Formulas, by_axis, formula
from netbuild.components.layers.layer import Window
from netbuild.components.layers.operation import Operation
from netbuild.components.layers.ranges import ANY, PROBABILITIES
from netbuild.components.layers.sight import Sight
from netbuild.components.tensor import Shape, Tensor


class _Noise(Operation):
    """Draws each value by itself, in training and in evaluation. No gradient goes through it."""

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers."""
        return True

    def feeding(self, port: str, x: Sequence[Any]) -> Sequence[Any]:
        """The values depend on no input."""
        return ()


class _Like(_Noise):
    """Draws as many values as the input has: (*) to (*)."""

    needs_float = True
    arrangement = "as input"

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        """It sees nothing of the input."""
        return Sight(axis, loose=True)


class RandnLike(_Like):
    """Values of the normal distribution with mean 0 and variance 1, in the shape of the input.

    - RandnLike  # 64 to 64
    """

    function = "randn_like"
    results = ANY


class RandLike(_Like):
    """Values from 0 to 1, each equally likely, in the shape of the input: (*) to (*).

    - RandLike  # 64 to 64
    """

    function = "rand_like"
    results = PROBABILITIES


class _Drawn(_Noise):
    """Draws values of a given shape for each sample."""

    inputs = ()
    for_each_sample = True

    shape: Shaped
    """Sizes of the values of one sample, without the batch; [] is a single number."""

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        return {"output": Tensor(self.shape)}

    def formulas(self) -> Formulas:
        return Formulas(by_axis(formula("shape", shape=size) for size in self.shape))

    def window(self, *x: Shape) -> Window | None:
        """It reads no input."""
        return None

    def arguments(self, *x: Shape) -> dict[str, Any]:
        """The shape stands in `run`, which knows the size of the batch."""
        return {"dtype": "float32"}

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        """Draw for each sample of `x`, a value with the batch in front, and on its device.

        torch.fx runs a module that it unpickles with stand-ins, which `torch.randn` does not take.
        """
        return {"output": forward(x[0].new_empty((x[0].size(0), *self.shape)))}


class Randn(_Drawn):
    """Values of the normal distribution with mean 0 and variance 1, of `shape` for each sample.

    - Randn: [8]  # 8
    """

    function = "randn_like"
    results = ANY


class Rand(_Drawn):
    """Values from 0 to 1, each equally likely, of `shape` for each sample.

    - Rand: [8]  # 8
    """

    function = "rand_like"
    results = PROBABILITIES
