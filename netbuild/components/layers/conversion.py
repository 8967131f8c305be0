"""Conversions: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html."""

from collections.abc import Sequence
from math import inf
from typing import Annotated, Any

from netbuild.components.fields import one_of
from netbuild.components.layers.layer import Memory
from netbuild.components.layers.layout import Placed, Strides
from netbuild.components.layers.operation import Operation
from netbuild.components.layers.ranges import PROBABILITIES, Range
from netbuild.components.tensor import Shape, Tensor

#: The numbers that a dtype holds; floats beyond them become any number.
_HOLDS = {
    "bool": PROBABILITIES,
    "uint8": Range(0, 255),
    "int32": Range(-(2.0**31), 2.0**31),
    "int64": Range(-(2.0**63), 2.0**63),
    "float32": Range(-inf, inf),
}


class To(Operation):
    """Converts the values to another dtype: (*) to (*). Gradients pass only from float to float.

    - To: float32  # 4×10 of int64 to 4×10
    """

    function = "to"
    namespace = "torch.Tensor"
    results = None
    arrangement = "as input"

    dtype: Annotated[str, one_of(*reversed(_HOLDS))]
    """Dtype of the result. Whole numbers lose the places after the point; 0 becomes false."""

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        return {"output": Tensor(x[0].shape, self.dtype)}

    def range(self, *x: Range | None) -> Range | None:
        """Numbers are rounded towards 0; a bool is 0 or 1."""
        if self.dtype in {"float32", "bool"}:
            return x[0] if self.dtype == "float32" else PROBABILITIES
        fits = x[0] is not None and x[0].within(_HOLDS[self.dtype])
        return x[0].with_(0) if x[0] is not None and fits else None

    def memory(self, *x: Placed) -> Memory:
        """Torch gives the very input if it has this dtype."""
        return "same" if x and x[0].dtype == self.dtype else "new"

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        return (x[0].strides,) if self.memory(*x) == "same" else super().layouts(y, *x)


class Detach(Operation):
    """Stops gradients: the same values, and nothing before this layer learns from them.

    - Detach  # 64×8×8 to 64×8×8
    """

    function = "detach"
    namespace = "torch.Tensor"
    rearranges = True
    regroups = True

    def memory(self, *x: Placed) -> Memory:
        return "view"

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        return (x[0].strides,)

    def feeding(self, port: str, x: Sequence[Any]) -> Sequence[Any]:
        """No gradient goes through it."""
        return ()
