"""Activations: https://docs.pytorch.org/docs/stable/nn.html#non-linear-activations-weighted-sum-nonlinearity."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from netbuild.fields import (
    Bool,
    Float,
    PositiveInt,
    Wants,
    either,
    one_of,
    optional,
    real,
    unwanted,
    whole,
)
from netbuild.layers.layer import Layer, Shape, ShapeError, Tensor, axis, product

_NonZeroFloat = Annotated[float, Wants("a number other than 0", either(real(lt=0), real(gt=0)))]
_Kept = tuple[str, ...]


class _Activation(Layer):
    """Element by element, any shape to the same."""

    #: Whether the backward pass needs what came in or what went out.
    keeps: ClassVar[Literal["input", "output"]] = "input"

    def saved(self, x: Shape) -> _Kept:
        return ("output",) if getattr(self, "inplace", False) else (self.keeps,)


class _Leaking(_Activation):
    """Has a slope below zero; from an overwritten input its sign can be told if it is positive."""

    @field_validator("inplace", check_fields=False)
    @classmethod
    def _tells_the_sign(cls, inplace: Any, info: Any) -> Any:
        slope = info.data.get("negative_slope", info.data.get("alpha", 1))
        if inplace and slope < 0:
            raise unwanted("false where the slope is negative: torch could not go backward")
        return inplace


class _Smooth(_Activation):
    """Keeps its output; integers become floating-point numbers."""

    keeps = "output"
    needs_float = False

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        return {"output": Tensor(x[0].shape, x[0].dtype if x[0].floating else "float32")}


def _unless_overwritten(*, inplace: bool) -> _Kept:
    """Return what is kept by an activation that copies the input which it overwrites."""
    return () if inplace else ("input",)


class ReLU(_Activation):
    """max(0, x).

    >>> ReLU().output_shape((6, 28, 28))
    (6, 28, 28)
    """

    keeps = "output"
    needs_float = False

    inplace: Bool = False


class ReLU6(_Activation):
    """min(max(0, x), 6).

    >>> ReLU6().output_shape((6, 28, 28))
    (6, 28, 28)
    """

    needs_float = False

    inplace: Bool = False

    def saved(self, x: Shape) -> _Kept:
        return _unless_overwritten(inplace=self.inplace)

    def workspace(self, x: Shape) -> int:
        return 4 * product(x) * self.inplace


class LeakyReLU(_Leaking):
    """x where x > 0, else negative_slope · x.

    >>> LeakyReLU(negative_slope=0.2).output_shape((64,))
    (64,)
    """

    negative_slope: Float = 0.01
    inplace: Bool = False


class PReLU(_Activation):
    """x where x > 0, else weight · x, with one learned weight, or one a channel.

    >>> PReLU(num_parameters=6).weights((6, 28, 28))
    {'weight': (6,)}
    """

    num_parameters: PositiveInt = 1
    init: Float = 0.25

    def output_shape(self, x: Shape) -> Shape:
        if self.num_parameters not in {1, x[0]}:
            message = f"num_parameters {self.num_parameters} is neither 1 nor the {x[0]} channels"
            raise ShapeError("NB202", message, at="num_parameters")
        return x

    def weights(self, x: Shape) -> dict[str, Shape]:
        return {"weight": (self.num_parameters,)}


class RReLU(_Activation):
    """x where x > 0, else a · x with a drawn from [lower, upper] in training, their mean after.

    >>> RReLU().output_shape((6, 28, 28))
    (6, 28, 28)
    """

    lower: Float = 1 / 8
    upper: Float = Field(1 / 3, validate_default=True)
    inplace: Bool = False

    @field_validator("upper")
    @classmethod
    def _is_above_lower(cls, upper: float, info: Any) -> float:
        if upper < info.data.get("lower", upper):
            raise unwanted(f"at least lower, {info.data['lower']}")
        return upper

    def workspace(self, x: Shape) -> int:
        """The slopes that were drawn."""
        return 4 * product(x)


class ELU(_Leaking):
    """x where x > 0, else alpha · (eˣ − 1).

    >>> ELU().output_shape((6, 28, 28))
    (6, 28, 28)
    """

    alpha: Float = 1.0
    inplace: Bool = False


class CELU(_Leaking):
    """x where x > 0, else alpha · (e^(x / alpha) − 1).

    >>> CELU(alpha=0.5).output_shape((6,))
    (6,)
    """

    alpha: _NonZeroFloat = 1.0
    inplace: Bool = False


class SELU(_Activation):
    """1.0507 · ELU with alpha 1.6733, which keeps mean 0 and variance 1 (Klambauer et al. 2017).

    >>> SELU().output_shape((64,))
    (64,)
    """

    inplace: Bool = False


class GELU(_Activation):
    """x · Φ(x), Φ being the normal distribution; `approximate: tanh` for its approximation.

    >>> GELU(approximate="tanh").output_shape((64,))
    (64,)
    """

    approximate: Annotated[Literal["none", "tanh"], one_of("none", "tanh")] = "none"


class SiLU(_Activation):
    """x · sigmoid(x).

    >>> SiLU().output_shape((64,))
    (64,)
    """

    inplace: Bool = False

    def saved(self, x: Shape) -> _Kept:
        return _unless_overwritten(inplace=self.inplace)

    def workspace(self, x: Shape) -> int:
        return 4 * product(x) * self.inplace


class Sigmoid(_Smooth):
    """1 / (1 + e⁻ˣ).

    >>> Sigmoid().output_shape((6, 28, 28))
    (6, 28, 28)
    """


class Tanh(_Smooth):
    """tanh(x).

    >>> Tanh().output_shape((6, 28, 28))
    (6, 28, 28)
    """


class Softplus(_Activation):
    """log(1 + e^(beta · x)) / beta; x itself where beta · x > threshold.

    >>> Softplus(beta=2).output_shape((64,))
    (64,)
    """

    beta: Float = 1.0
    threshold: Float = 20.0


class _Softmax(_Activation):
    """Over one axis, `dim`; the others stay apart."""

    keeps = "output"

    dim: Annotated[
        int | None, Wants("a whole number, torch's number of an axis", optional(whole()))
    ] = None

    def output_shape(self, x: Shape) -> Shape:
        axis(self._dim(x), x, at="dim")
        return x

    def _dim(self, x: Shape) -> int:
        """Left out, torch takes axis 0 for an input of two axes and 1 else, with a warning."""
        if self.dim is not None:
            return self.dim
        if len(x) == 2:
            message = "without dim torch takes axis 0 of three, the batch: write dim"
            raise ShapeError("NB205", message)
        return 1

    def arguments(self, x: Shape) -> dict[str, Any]:
        return {"dim": self._dim(x)}


class Softmax(_Softmax):
    """eˣ / Σ eˣ over the axis `dim`, by default 1: the classes, or the channels.

    >>> Softmax(dim=-1).output_shape((10,))
    (10,)
    """


class LogSoftmax(_Softmax):
    """log(eˣ / Σ eˣ) over the axis `dim`, by default 1: the classes, or the channels.

    >>> LogSoftmax().arguments((10,))
    {'dim': 1}
    """
