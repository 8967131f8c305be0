"""The base of convolutions and of transposed ones."""

from typing import Any

from pydantic import field_validator

from netbuild.components.fields import PositiveInt, SizeFromInput, Sizes, unwanted
from netbuild.components.layers._spatial import Spatial
from netbuild.components.layers.layer import ANY
from netbuild.components.tensor import Shape, ShapeError


class Convolution(Spatial):
    """(C, *) to (out_channels, *), in groups of channels that do not see each other."""

    is_affine = True
    results = ANY

    in_channels: SizeFromInput = None
    out_channels: PositiveInt
    kernel_size: Sizes
    stride: Sizes = 1

    @field_validator("groups", check_fields=False)
    @classmethod
    def _divides_out_channels(cls, groups: int, info: Any) -> int:
        out_channels = info.data.get("out_channels", 0)
        if out_channels % groups:
            raise unwanted(f"a divisor of out_channels, {out_channels}")
        return groups

    def decide(self, x: Shape) -> dict[str, Any]:
        return {"in_channels": x[0]}

    def numbers(self, x: Shape) -> dict[str, int | Shape]:
        """Return the numbers that the formulas of weights name."""
        return {
            "in_channels": x[0],
            "out_channels": self.out_channels,
            "groups": getattr(self, "groups", 1),
            "kernel_size": self.per_axis(self.kernel_size),
        }

    def _expect_groups(self, x: Shape, groups: int) -> None:
        self.expect_axes(x)
        if x[0] % groups:
            message = f"{x[0]} input channels do not divide into {groups} groups"
            raise ShapeError("NB203", message, at="groups")
