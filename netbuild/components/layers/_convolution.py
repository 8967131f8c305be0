"""The base of convolutions and transposed convolutions."""

from typing import Any

from pydantic import field_validator

from netbuild.components.fields import Bool, PositiveInt, SizeFromInput, Sizes, unwanted
from netbuild.components.layers._spatial import Spatial
from netbuild.components.layers.ranges import ANY
from netbuild.components.layers.sight import Sight, every
from netbuild.components.tensor import Shape, ShapeError


class Convolution(Spatial):
    """(C, *) to (out_channels, *), in separate groups of channels."""

    is_affine = True
    results = ANY

    in_channels: SizeFromInput = None
    """Number of channels of the input."""
    out_channels: PositiveInt
    """Number of channels of the result, each with its own kernel."""
    kernel_size: Sizes
    """Size of the window along each axis; larger windows see more and cost more."""
    stride: Sizes = 1
    """Distance from one window to the next; 1 keeps the size, 2 halves it."""
    dilation: Sizes = 1
    """Distance between the values that a kernel reads; 1 reads neighbouring values."""
    groups: PositiveInt = 1
    """Number of separate groups of channels; 1 connects all channels."""
    bias: Bool = True
    """Whether each channel has a learned bias."""

    @field_validator("groups")
    @classmethod
    def _divides_out_channels(cls, groups: int, info: Any) -> int:
        out_channels = info.data.get("out_channels", 0)
        if out_channels % groups:
            raise unwanted(f"a divisor of out_channels, {out_channels}")
        return groups

    def decide(self, x: Shape) -> dict[str, Any]:
        return {"in_channels": x[0]}

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return every(x[0][0]) if axis == 0 else super().sees(axis, *x)

    def numbers(self, x: Shape) -> dict[str, int | Shape]:
        """Return the numbers for the names in the formulas of weights."""
        return {
            "in_channels": x[0],
            "out_channels": self.out_channels,
            "groups": self.groups,
            "kernel_size": self.per_axis(self.kernel_size),
        }

    def _expect_groups(self, x: Shape, groups: int) -> None:
        self.expect_axes(x)
        if x[0] % groups:
            message = f"{x[0]} input channels do not divide into {groups} groups"
            raise ShapeError("NB203", message, at="groups")
