"""Shifts and flips: https://docs.pytorch.org/docs/stable/generated/torch.roll.html."""

from typing import Annotated, Any

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.component import LARGEST
from netbuild.components.fields import Wants, either, many, unwanted
from netbuild.components.layers._view import Axes, axes, each
from netbuild.components.layers.layer import Window
from netbuild.components.layers.operation import Operation
from netbuild.components.layers.sight import Sight, across
from netbuild.components.tensor import Shape, axis

_SHIFT = core_schema.int_schema(strict=True, ge=-LARGEST, le=LARGEST)


_Shifts = Annotated[
    int | tuple[int, ...],
    Wants("a whole number, or a list of whole numbers", either(_SHIFT, many(_SHIFT, at_least=1))),
]


class Roll(Operation):
    """Shifts the values along axes; values past the end come in at the other end: (*) to (*).

    - Roll: {shifts: [3, 3], dims: [1, 2]}  # 14×14×96 to 14×14×96
    """

    function = "roll"
    rearranges = True
    arrangement = "channels"

    shifts: _Shifts
    """Number of places that values move along each axis; negative numbers move back."""
    dims: Axes
    """Axes along which values move, one for each shift."""

    @field_validator("dims")
    @classmethod
    def _one_for_each_shift(cls, dims: Any, info: Any) -> Any:
        shifts = info.data.get("shifts")
        if shifts is not None and len(each(dims)) != len(each(shifts)):
            raise unwanted("as many axes as there are shifts")
        return dims

    def output_shape(self, x: Shape) -> Shape:
        for dim in each(self.dims):
            axis(dim, x, at="dims")
        return x

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        places = [axis(dim, x[0], at="dims") for dim in each(self.dims)]
        shift = sum(s for place, s in zip(places, each(self.shifts), strict=True) if place == axis_)
        return Sight(axis_, 1, -shift, -shift)

    def window(self, x: Shape) -> Window | None:
        """Shifted positions wrap around; shifted channels keep their positions."""
        moved = {axis(dim, x, at="dims") for dim in each(self.dims)}
        return super().window(x) if moved == {0} else None


class Flip(Operation):
    """Reverses the order of the values along axes: (*) to (*).

    - Flip: [1, 2]  # 14×14×96 to 14×14×96
    """

    function = "flip"
    rearranges = True
    arrangement = "as input"

    dims: Axes
    """Axes whose values are reversed; 1 is the first axis after the batch."""

    def output_shape(self, x: Shape) -> Shape:
        axes(self.dims, x, at="dims")
        return x

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        """A first position comes from the last one, and a last position from the first one."""
        flipped = axis_ in axes(self.dims, x[0], at="dims")
        return across(axis_, x[0][axis_]) if flipped else Sight(axis_)

    def arguments(self, x: Shape) -> dict[str, Any]:
        """Torch takes a list only."""
        return {"dims": each(self.dims)}

    def window(self, x: Shape) -> Window | None:
        """Flipped positions change places; flipped channels keep their positions."""
        return super().window(x) if axes(self.dims, x, at="dims") == (0,) else None
