"""Padding: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.component import LARGEST
from netbuild.components.fields import Wants, many, one_of, optional, unwanted
from netbuild.components.layers import padding
from netbuild.components.layers._padding import AnyPad, FilledPad
from netbuild.components.layers.formula import Formulas, by_axis
from netbuild.components.layers.layer import Window
from netbuild.components.layers.layout import Placed, Strides
from netbuild.components.layers.operation import Operation
from netbuild.components.layers.ranges import Range
from netbuild.components.layers.sight import Sight
from netbuild.components.tensor import Shape, ShapeError, Tensor, times

_PLACE = core_schema.int_schema(strict=True, ge=-LARGEST, le=LARGEST)
_MODES = {"reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}
_T = TypeVar("_T")


class Pad(Operation):
    """Pads the last axes: (*, n) to (*, before + n + behind).

    - Pad: {pad: [1, 1, 2, 2], mode: reflect}  # 3×8×8 to 3×12×10
    """

    function = "pad"
    namespace = "torch.nn.functional"
    results = None

    pad: Annotated[
        tuple[int, ...],
        Wants("a list with two whole numbers for each axis", many(_PLACE, at_least=2)),
    ]
    """Places before and behind each axis, beginning with the last axis; negative numbers crop."""
    mode: Annotated[
        Literal["constant", "reflect", "replicate", "circular"], one_of("constant", *_MODES)
    ] = "constant"
    """What new places hold: `value`, or values of the input: mirrored, repeated or wrapped."""
    value: Annotated[
        float | None,
        Wants(
            "a number, .inf or null",
            optional(core_schema.float_schema(strict=True, allow_inf_nan=True)),
        ),
    ] = None
    """Value of the new places in the mode constant; null is 0."""

    @field_validator("pad")
    @classmethod
    def _two_for_each_axis(cls, pad: Any) -> Any:
        if len(pad) % 2:
            raise unwanted("a list with two whole numbers for each axis")
        return pad

    @field_validator("mode")
    @classmethod
    def _copies_on_three_axes(cls, mode: Any, info: Any) -> Any:
        if mode != "constant" and len(info.data.get("pad", ())) > 6:
            raise unwanted("constant for more than three axes")
        return mode

    @field_validator("value")
    @classmethod
    def _is_for_constants(cls, value: Any, info: Any) -> Any:
        if value is not None and info.data.get("mode", "constant") != "constant":
            raise unwanted("null in every mode but constant")
        return value

    @property
    def _module(self) -> AnyPad:
        """The module of torch.nn that pads these axes."""
        rank = len(self.pad) // 2
        if self.mode == "constant":
            return _constant(rank)(padding=self.pad, value=self.value or 0.0)
        found: AnyPad = getattr(padding, f"{_MODES[self.mode]}Pad{rank}d")(padding=self.pad)
        return found

    def _named(self, rule: Callable[..., _T], *x: Any) -> _T:
        """Follow a rule of the module. Its faults name the fields of this operation."""
        try:
            return rule(*x)
        except ShapeError as error:
            error.at = "pad" if error.at == "padding" else error.at
            raise

    def expect_dtypes(self, *x: Tensor) -> None:
        self._named(self._module.expect_dtypes, *x)

    def output_shape(self, x: Shape) -> Shape:
        if len(self.pad) > 2 * len(x):
            message = f"pad has numbers for {len(self.pad) // 2} axes, and the input has {len(x)}"
            raise ShapeError("NB201", f"{message}: {times(x)}", at="pad")
        return self._named(self._module.output_shape, x)

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return self._module.sees(axis, *x)

    def window(self, x: Shape) -> Window | None:
        return self._module.window(x)

    def range(self, *x: Range | None) -> Range | None:
        return self._module.range(*x)

    def saved(self, x: Shape) -> tuple[str, ...]:
        return self._module.saved(x)

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        return self._module.layouts(y, *x)

    def formulas(self, x: Shape) -> Formulas:
        found = self._module.formulas(x)
        terms = {name: text.replace("padding", "pad") for name, text in found.terms.items()}
        return found._replace(sizes=by_axis((found.sizes or {}).values()), terms=terms)


@cache
def _constant(rank: int) -> type[FilledPad]:
    """Return a padding of this many axes; torch.nn has modules for up to three."""
    own = {"__module__": __name__, "rank": rank}
    made: type[FilledPad] = type(FilledPad)("_Filled", (FilledPad,), own)
    return made
