"""Switchable normalisation (Luo et al. 2018), which torch does not have."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from netbuild.components.layers._channel_norm import FOLLOWS, ChannelNorm, expect_many
from netbuild.components.layers._spatial import AXES
from netbuild.components.layers.formula import Formulas, formula
from netbuild.components.layers.layer import Modes, Needs
from netbuild.components.layers.layout import Placed, Strides, elementwise
from netbuild.components.layers.sight import Sight, across
from netbuild.components.tensor import (
    Shape,
)


class _SwitchableNorm(ChannelNorm):
    """(x − mean) / √(variance + eps) with a mixture of the instance, layer and batch statistics.

    torch has no such layer: `netbuild.builder.modules` has the formula and its source.
    """

    fields_since: ClassVar[Mapping[str, str]] = {}  # netbuild's own module
    normalises = "mixture"
    modes = Modes(
        "(x − mean) / √(variance + eps) · weight + bias with a mixture of the instance, layer and "
        f"batch statistics; running statistics: {FOLLOWS}",
        "(x − mean) / √(variance + eps) · weight + bias with a mixture of the instance and layer "
        "statistics and the running statistics; without track_running_stats, as in training",
    )

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return across(axis, x[0][axis])

    def output_shape(self, x: Shape) -> Shape:
        super().output_shape(x)
        expect_many(x)
        return x

    def weights(self, x: Shape) -> dict[str, Shape]:
        return super().weights(x) | {"mean_weight": (3,), "var_weight": (3,)}

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        """As of a sum of a shift for each channel and the scaled input."""
        shift = Placed((y[0][0], *(1,) * (len(y[0]) - 1)))
        return (elementwise(y[0], (shift, *x)),)

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """The shares and the weight need a mean and a variance, and a scale for each channel."""
        found = super().needs(*x, learns=learns)
        channels = x[0].shape[0]
        workspace = 4 * channels * (3 + self.affine)
        return found if learns else found._replace(workspace=workspace)

    def workspace(self, x: Shape) -> int:
        """A mean and a variance of the sample; for each channel also mixtures and a scale.

        A frozen norm does not learn its shares, and keeps less for them.
        """
        if self._evaluates:
            return 4 * x[0] * (3 + self.affine)
        return 4 * (2 + x[0] * (4 + self.affine))

    def formulas(self, x: Shape) -> Formulas:
        found = super().formulas(x)
        three = formula("statistics", statistics=3)
        shares = {"mean_weight": three, "var_weight": three}
        terms = {"statistics": "the instance, layer and batch statistics"}
        rule = "num_features·(3 + affine)" if self._evaluates else "(2 + num_features·(4 + affine))"
        kept = formula(f"4 B·{rule}", num_features=x[0], affine=+self.affine)
        weights = {**found.weights, **shares}
        return found._replace(weights=weights, workspace=kept, terms=terms)


class SwitchableNorm1d(_SwitchableNorm):
    """Normalisation of (C, L) by a mixture of instance, layer, batch norm. Luo et al. 2018.

    - SwitchableNorm1d: {affine: false}  # 6×10 to 6×10
    """

    ranks = (2,)
    axes = AXES[1]


class SwitchableNorm2d(_SwitchableNorm):
    """Normalisation of (C, H, W) by a mixture of instance, layer, batch norm. Luo et al. 2018.

    - SwitchableNorm2d: {affine: false}  # 6×28×28 to 6×28×28
    """

    ranks = (3,)
    axes = AXES[2]


class SwitchableNorm3d(_SwitchableNorm):
    """Normalisation of (C, D, H, W) by a mixture of instance, layer, batch norm. Luo et al. 2018.

    - SwitchableNorm3d: {affine: false}  # 6×8×8×8 to 6×8×8×8
    """

    ranks = (4,)
    axes = AXES[3]
