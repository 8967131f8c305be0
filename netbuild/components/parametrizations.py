"""Parametrizations: https://docs.pytorch.org/docs/stable/nn.html#parametrizations.

Each has the name and the arguments of a function of `torch.nn.utils.parametrizations`, without
`module` and `name`. It computes a parameter from other tensors, which `state_dict()` holds in its
place: `parametrizations.weight.original` in place of `weight`.
"""

import re
import sys
from typing import Annotated, Any, ClassVar

from pydantic_core import core_schema

from netbuild.components.component import Component, declared
from netbuild.components.fields import Bool, PositiveFloat, PositiveInt, Wants, optional, whole
from netbuild.components.tensor import Shape, product

_Axis = Annotated[int | None, Wants("a whole number, or null", optional(whole()))]
_MAPS = ["matrix_exp", "cayley", "householder"]
_Map = Annotated[
    str | None,
    Wants(f"{', '.join(_MAPS)} or null", optional(core_schema.literal_schema(_MAPS))),
]


class Parametrization(Component):
    """A function of `torch.nn.utils.parametrizations`."""

    #: Whether it divides by a norm of the parameter.
    divides: ClassVar[bool] = True

    @classmethod
    def torch_name(cls) -> str:
        """Return the name of torch's function: `SpectralNorm` is `spectral_norm`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    def misfit(self, x: Shape) -> str | None:  # noqa: ARG002  for those that refuse some
        """Return what a parameter of shape `x` must have, or None if it fits."""
        return None

    def parameters(self, x: Shape) -> dict[str, Shape]:
        """Return the shapes of the learned tensors for a parameter of shape `x`."""
        return {"original": x}

    def buffers(self, x: Shape, *, transposed: bool) -> dict[str, Shape]:  # noqa: ARG002
        """Return the shapes of the buffers; `transposed` is for a transposed convolution."""
        return {}

    def arguments(self, *, transposed: bool) -> dict[str, Any]:  # noqa: ARG002
        """Return the arguments of torch's function."""
        return self.model_dump()


class SpectralNorm(Parametrization):
    """Divides a weight by its largest singular value, by power iteration. Miyato et al. 2018.

    - {Linear: 120, parametrize: {weight: spectral_norm}}
    """

    n_power_iterations: PositiveInt = 1
    """Number of power iterations in each forward pass of training; evaluation has none."""
    eps: PositiveFloat = 1e-12
    """Added to norms, so that nothing is divided by 0."""
    dim: _Axis = None
    """Axis of the outputs; null is 0, and 1 for a transposed convolution."""

    def misfit(self, x: Shape) -> str | None:  # noqa: D102  as Parametrization.misfit
        if len(x) < 2:
            return "at least two axes: a vector has no spectral norm"
        return _axis_misfit(self.dim, x)

    def buffers(self, x: Shape, *, transposed: bool) -> dict[str, Shape]:  # noqa: D102  as Parametrization.buffers
        rows = x[self.arguments(transposed=transposed)["dim"]]
        return {"0._u": (rows,), "0._v": (product(x) // rows,)}

    def arguments(self, *, transposed: bool) -> dict[str, Any]:  # noqa: D102  as Parametrization.arguments
        axis = int(transposed) if self.dim is None else self.dim
        return self.model_dump() | {"dim": axis}


class WeightNorm(Parametrization):
    """Learns the length and the direction of a weight apart. Salimans and Kingma 2016.

    - {Linear: 120, parametrize: {weight: {weight_norm: {dim: 0}}}}
    """

    dim: _Axis = 0
    """Axis with one length for each position; null is one length for the whole parameter."""

    def misfit(self, x: Shape) -> str | None:  # noqa: D102  as Parametrization.misfit
        if self.dim is not None and self.dim < 0:
            return "a dim from 0: torch takes -1 for the whole parameter; write null for it"
        return _axis_misfit(self.dim, x)

    def parameters(self, x: Shape) -> dict[str, Shape]:  # noqa: D102  as Parametrization.parameters
        lengths = tuple(size if axis == self.dim else 1 for axis, size in enumerate(x))
        return {"original0": () if self.dim is None else lengths, "original1": x}


class Orthogonal(Parametrization):
    """Keeps the rows or the columns of a matrix orthogonal. Lezcano-Casado 2019.

    - {Linear: {out_features: 120, bias: false}, parametrize: {weight: orthogonal}}
    """

    divides = False

    orthogonal_map: _Map = None
    """Map to orthogonal matrices; null is matrix_exp for a square matrix, else householder."""
    use_trivialization: Bool = True
    """Whether the map is taken around the first value, which is kept as a buffer."""

    def misfit(self, x: Shape) -> str | None:  # noqa: D102  as Parametrization.misfit
        return None if len(x) >= 2 else "at least two axes: a vector is no matrix"

    def buffers(self, x: Shape, *, transposed: bool) -> dict[str, Shape]:  # noqa: ARG002, D102  as Parametrization.buffers
        larger = max(x[-2:])
        return {"0.base": (*x[:-2], larger, larger)} if self.use_trivialization else {}


def _axis_misfit(dim: int | None, x: Shape) -> str | None:
    if dim is None or -len(x) <= dim < len(x):
        return None
    return f"an axis {dim}, the last axis is {len(x) - 1}"


PARAMETRIZATIONS = {
    component.torch_name(): component
    for component in declared(Parametrization, sys.modules[__name__]).values()
}
