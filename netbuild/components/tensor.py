"""Shapes and dtypes of tensors, and the error of a shape that does not fit.

A shape is a tuple of integers without the batch axis: `(C, H, W)`.
"""

from typing import NamedTuple, TypeAlias

Shape: TypeAlias = tuple[int, ...]

#: Bytes of one element, by torch's name of the dtype.
BYTES = {
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "bool": 1,
}


class Tensor(NamedTuple):
    """What is known of a tensor: its shape without the batch, and its dtype."""

    shape: Shape
    dtype: str = "float32"

    @property
    def floating(self) -> bool:
        """Whether it holds floating-point numbers."""
        return "float" in self.dtype

    @property
    def nbytes(self) -> int:
        """The bytes of one sample."""
        return product(self.shape) * BYTES[self.dtype]


class ShapeError(ValueError):
    """An input does not fit a layer.

    The message is in the user's words, with the numbers that came; `at` is the field to blame,
    `formula` the rule with its numbers put in, and `help` what to write instead.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        at: str | None = None,
        formula: str | None = None,
        help: str | None = None,  # noqa: A002  as messages call it
    ) -> None:
        super().__init__(message)
        self.code, self.at, self.formula, self.help = code, at, formula, help


def product(sizes: Shape) -> int:
    """Return the product of sizes; 1 for none."""
    result = 1
    for size in sizes:
        result *= size
    return result


def expect_rank(x: Shape, axes: str, *, ranks: tuple[int, ...]) -> None:
    """Refuse an input whose number of axes is not among `ranks`; `axes` names them.

    Raises:
        ShapeError: it has another number of axes.
    """
    if len(x) not in ranks:
        wanted = " or ".join(str(rank) for rank in ranks)
        raise _wrong_rank(x, axes, wanted, plural=ranks != (1,))


def expect_at_least(rank: int, x: Shape, axes: str) -> None:
    """Refuse an input of fewer axes than `rank`; `axes` names them.

    Raises:
        ShapeError: it has fewer.
    """
    if len(x) < rank:
        raise _wrong_rank(x, axes, f"at least {rank}", plural=rank > 1)


def _wrong_rank(x: Shape, axes: str, wanted: str, *, plural: bool) -> ShapeError:
    noun = "axes" if plural else "axis"
    message = f"it needs {wanted} {noun} ({axes}), and the input has {len(x)}: {times(x)}"
    return ShapeError("NB201", message)


def axis(dim: int, x: Shape, *, at: str) -> int:
    """Return the position in `x` of torch's axis `dim`, which may count from the end.

    Raises:
        ShapeError: there is no such axis, or it is the batch.
    """
    rank = len(x) + 1
    if not -rank <= dim < rank:
        message = f"{at} {dim} is no axis: with the batch there are {rank}, {-rank} to {rank - 1}"
        raise ShapeError("NB205", message, at=at)
    if dim % rank == 0:
        raise ShapeError("NB205", f"{at} {dim} is the batch, whose samples stay apart", at=at)
    return dim % rank - 1


def times(x: Shape) -> str:
    """Return a shape as people write it: `6×28×28`; one number a sample is a `scalar`."""
    return "×".join(str(size) for size in x) or "scalar"
