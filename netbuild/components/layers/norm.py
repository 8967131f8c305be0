"""Layer and group normalisation: uses the statistics of each sample.

https://docs.pytorch.org/docs/stable/nn.html#normalization-layers
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from netbuild.components.component import FromInput
from netbuild.components.fields import (
    Bool,
    Float,
    PositiveInt,
    SizeFromInput,
    Wants,
    either,
    many,
    optional,
    real,
    whole,
)
from netbuild.components.first_values import FirstValues, scale_and_shift
from netbuild.components.layers._spatial import AXES
from netbuild.components.layers.formula import Equation, Formulas, Numbers, biased, formula
from netbuild.components.layers.layer import Layer, Needs, parameters
from netbuild.components.layers.layout import Placed
from netbuild.components.layers.ranges import ANY, Range
from netbuild.components.layers.sight import Sight, across
from netbuild.components.tensor import (
    Shape,
    ShapeError,
    expect_at_least,
    expect_rank,
    product,
    times,
)

_OptionalFloat = Annotated[float | None, Wants("a number or null", optional(real()))]
_TrailingSizes = Annotated[
    int | tuple[int, ...] | None,
    Wants(
        "a whole number of at least 1, or a list of such numbers",
        optional(either(whole(1), many(whole(1), at_least=1))),
    ),
    FromInput(),
]
#: With 1, torch's backward pass fails.
_AtLeastTwo = Annotated[int, Wants("a whole number of at least 2", whole(2))]


#: The largest `eps` that leaves next to nothing but the sign of a single value.
_SMALL = 1e-2


class _Norm(Layer):
    """Keeps the shape of the input, and keeps the input for the backward pass."""

    normalises = "sample"
    results: ClassVar[Range | None] = ANY

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)


class _TrailingNorm(_Norm):
    """Normalises over the last axes: (*, *normalized_shape) to the same shape.

    By default, `normalized_shape` is the last axis.
    """

    normalized_shape: _TrailingSizes = None
    """Sizes of the last axes, which are normalised together; by default the last axis."""
    eps: _OptionalFloat = None
    """Added to the mean square to avoid a division by 0; null is the dtype's machine epsilon."""
    elementwise_affine: Bool = True
    """Whether each place on these axes has a learned factor."""

    def output_shape(self, x: Shape) -> Shape:
        expect_at_least(1, x, "features")
        return x

    def decide(self, x: Shape) -> dict[str, Any]:
        many = isinstance(self.normalized_shape, tuple)
        return {"normalized_shape": self.sizes(x) if many else x[-1]}

    def sizes(self, x: Shape) -> Shape:
        """Return the sizes of the normalised axes."""
        written = self.normalized_shape
        return x[-len(written) :] if isinstance(written, tuple) else x[-1:]

    def places(self, x: Shape) -> int:
        """Return the number of normalised groups in a sample."""
        return product(x) // product(self.sizes(x))

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        normalised = axis >= len(x[0]) - len(self.sizes(x[0]))
        return across(axis, x[0][axis]) if normalised else Sight(axis)

    def weights(self, x: Shape) -> dict[str, Shape]:
        return {"weight": self.sizes(x)} if self.elementwise_affine else {}

    def first_values(self, x: Shape) -> dict[str, FirstValues]:
        return scale_and_shift(self.weights(x))

    def formulas(self, x: Shape) -> Formulas:
        each = formula("∏ normalized_shape", normalized_shape=self.sizes(x))
        return Formulas(weights=biased(each, each, self.weights(x)), workspace=self.kept(x))

    def kept(self, x: Shape) -> Equation:
        """Return the formula of `workspace`."""
        raise NotImplementedError


class LayerNorm(_TrailingNorm):
    """(x − mean) / √(variance + eps) · weight + bias over the last axes; any shape to the same.

    By default, `normalized_shape` is the last axis.

    - LayerNorm: {normalized_shape: [28, 28]}  # 6×28×28 to 6×28×28
    """

    eps: Float = 1e-5
    """Added to the variance to avoid a division by 0."""
    bias: Bool = True
    """Whether each place also has a learned bias, if elementwise_affine is true."""

    def workspace(self, x: Shape) -> int:
        """A mean and a deviation for each normalised group."""
        return 8 * self.places(x)

    def over_one(self, x: Shape) -> str | None:
        if product(self.sizes(x)) > 1:
            return None
        always = "the bias" if self.elementwise_affine and self.bias else "0"
        return f"{_one_value(self.sizes(x), x)} minus its own mean is 0: the result is {always}"

    def centres(self, *x: Shape) -> bool:
        """If it normalises only axes after the channels."""
        return len(self.sizes(x[0])) < len(x[0])

    def kept(self, x: Shape) -> Equation:
        return Equation("8 B·places", {"places": self.places(x)})

    def weights(self, x: Shape) -> dict[str, Shape]:
        weights = super().weights(x)
        return weights | {"bias": self.sizes(x)} if weights and self.bias else weights


class RMSNorm(_TrailingNorm):
    """x / √(mean of x² + eps) · weight over the last axes; any shape to the same.

    By default, `normalized_shape` is the last axis, and `eps` is the machine epsilon of the dtype.

    - RMSNorm  # 10×64 to 10×64
    """

    arrangement = "channels"

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """The input and the root for its gradient, the normalised input for the weight's."""
        numbers = self.places(x[0].shape) if x[0].gradient else 0
        if self.elementwise_affine and learns:
            numbers += product(x[0].shape)
        return Needs((0,) if x[0].gradient else (), (), 4 * numbers)

    def workspace(self, x: Shape) -> int:
        """The root for each normalised group, and the normalised input if there is a weight."""
        return 4 * (self.places(x) + product(x) * self.elementwise_affine)

    def over_one(self, x: Shape) -> str | None:
        """With a large `eps`, more than the sign is left."""
        if product(self.sizes(x)) > 1 or (self.eps or 0) > _SMALL:
            return None
        return f"{_one_value(self.sizes(x), x)} divided by its own size keeps only its sign"

    def kept(self, x: Shape) -> Equation:
        rule = "4 B·(places + ∏ input)" if self.elementwise_affine else "4 B·places"
        return Equation(rule, {"places": self.places(x), "input": x})


class GroupNorm(_Norm):
    """Group normalisation of (C, *): over * and the channels of each of `num_groups` groups.

    - GroupNorm: 3  # 6×28×28 to 6×28×28
    """

    fields_since: ClassVar[Mapping[str, str]] = {"bias": "2.12"}

    num_groups: PositiveInt
    """Number of groups of channels, each normalised separately; 1 takes all channels together."""
    num_channels: SizeFromInput = None
    """Number of channels of the input."""
    eps: Float = 1e-5
    """Added to the variance to avoid a division by 0."""
    affine: Bool = True
    """Whether each channel has a learned factor."""
    bias: Bool = True
    """Whether each channel also has a learned bias, if affine is true."""

    def output_shape(self, x: Shape) -> Shape:
        expect_at_least(1, x, "channels")
        if x[0] % self.num_groups:
            message = f"{x[0]} channels do not divide into {self.num_groups} groups"
            raise ShapeError("NB203", message, at="num_groups")
        if product(x) == self.num_groups:
            message = f"{times(x)} in {self.num_groups} groups leaves one value in each group"
            raise ShapeError("NB210", message, at="num_groups")
        return x

    def decide(self, x: Shape) -> dict[str, Any]:
        return {"num_channels": x[0]}

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        alone = axis == 0 and self.num_groups == x[0][0]
        return Sight(axis) if alone else across(axis, x[0][axis])

    arrangement = "channels"

    def keeps_itself(self, x: Placed) -> bool:
        return x.in_order or x.channels_last

    def centres(self, *x: Shape) -> bool:
        """If each channel is a group."""
        return self.num_groups == x[0][0]

    def workspace(self, x: Shape) -> int:
        """A mean and a deviation for each group."""
        return 8 * self.num_groups

    def weights(self, x: Shape) -> dict[str, Shape]:
        return parameters((x[0],), (x[0],) if self.bias else None) if self.affine else {}

    def first_values(self, x: Shape) -> dict[str, FirstValues]:
        return scale_and_shift(self.weights(x))

    def formulas(self, x: Shape) -> Formulas:
        each = formula("num_channels", num_channels=x[0])
        kept = formula("8 B·num_groups", num_groups=self.num_groups)
        return Formulas(weights=biased(each, each, self.weights(x)), workspace=kept)


class _LocalNorm(_Norm):
    """x / (k + alpha / size · Σ x²)^beta over `size` neighbouring channels."""

    size: PositiveInt
    """Number of neighbouring channels whose squares are added up."""
    alpha: Float = 1e-4
    """Factor of the mean square of the neighbours."""
    beta: Float = 0.75
    """Power of the divisor; 0 divides by 1."""
    k: Float = 1.0
    """Added to the neighbours' term to avoid a division by 0."""

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return across(0, x[0][0]) if axis == 0 else Sight(axis)


class LocalResponseNorm(_LocalNorm):
    """x / (k + alpha / size · Σ x²)^beta over `size` neighbouring channels; (C, *) to the same.

    - LocalResponseNorm: 5  # 96×54×54 to 96×54×54
    """

    results = None

    def needs_order(self, *x: Shape) -> bool:
        return True

    def keeps_itself(self, x: Placed) -> bool:
        return x.in_order

    def output_shape(self, x: Shape) -> Shape:
        expect_at_least(2, x, "channels and at least one more axis")
        return x

    def workspace(self, x: Shape) -> int:
        """The squares, padded by `size` − 1 channels, and two intermediate results of the power."""
        return 4 * (2 * product(x) + (x[0] + self.size - 1) * product(x[1:]))

    def formulas(self, x: Shape) -> Formulas:
        numbers: Numbers = {"input": x, "channels": x[0], "size": self.size, "others": x[1:]}
        rule = "4 B·(2·∏ input + (channels + size − 1)·∏ others)"
        return Formulas(workspace=Equation(rule, numbers))


class CrossMapLRN2d(_LocalNorm):
    """x / (k + alpha / size · Σ x²)^beta over `size` neighbouring channels; (C, H, W) to the same.

    - CrossMapLRN2d: 5  # 96×54×54 to 96×54×54
    """

    results = None

    size: _AtLeastTwo

    def output_shape(self, x: Shape) -> Shape:
        expect_rank(x, AXES[2], ranks=(3,))
        return x

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input", "output")

    def workspace(self, x: Shape) -> int:
        """The divisor before its power."""
        return 4 * product(x)

    def formulas(self, x: Shape) -> Formulas:
        return Formulas(workspace=formula("4 B·∏ input", input=x))


def _one_value(sizes: Shape, x: Shape) -> str:
    """Return the words for the single value of the last axes."""
    axes = "the last axis has" if len(sizes) == 1 else f"the last {len(sizes)} axes have"
    return f"{axes} one value in {times(x)}, and a value"
