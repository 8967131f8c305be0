"""Shapes and dtypes of tensors, and the error of a shape that does not fit.

A shape is a tuple of integers without the batch axis: `(C, H, W)`.
"""

from typing import Any, NamedTuple, TypeAlias

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
    """A tensor without its values: its dtype and the shape of one sample, without the batch."""

    shape: Shape
    dtype: str = "float32"

    @property
    def floating(self) -> bool:
        """Whether the tensor holds floating-point numbers."""
        return "float" in self.dtype

    @property
    def nbytes(self) -> int:
        """The bytes of one sample."""
        return product(self.shape) * BYTES[self.dtype]


class ShapeError(ValueError):
    """An input does not fit a layer.

    The message uses the words of the file, and names the numbers that do not fit. `at` is the
    field at fault, `formula` the rule with its numbers filled in, and `help` says what to write
    instead.
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


class PartError(ShapeError):
    """A part of the text of the field `at` is wrong: from its character `start` to before `end`.

    `title` says what is wrong with the text as a whole. `instead` repairs the part. Otherwise
    `known` are the words that can stand there.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        at: str,
        part: tuple[int, int],
        title: str,
        instead: str | None = None,
        known: tuple[str, ...] = (),
        help: str | None = None,  # noqa: A002  as messages call it
    ) -> None:
        super().__init__(code, message, at=at, help=help)
        self.part, self.title, self.instead, self.known = part, title, instead, known


def product(sizes: Shape) -> int:
    """Return the product of sizes; 1 for an empty shape."""
    result = 1
    for size in sizes:
        result *= size
    return result


def expect_rank(x: Shape, axes: str, *, ranks: tuple[int, ...]) -> None:
    """Refuse an input whose number of axes is not among `ranks`; `axes` names them.

    Raises:
        ShapeError: the input has another number of axes.
    """
    if len(x) not in ranks:
        wanted = " or ".join(str(rank) for rank in ranks)
        raise _wrong_rank(x, axes, wanted, plural=ranks != (1,))


def expect_at_least(rank: int, x: Shape, axes: str) -> None:
    """Refuse an input of fewer axes than `rank`; `axes` names them.

    Raises:
        ShapeError: the input has fewer axes.
    """
    if len(x) < rank:
        raise _wrong_rank(x, axes, f"at least {rank}", plural=rank > 1)


def _wrong_rank(x: Shape, axes: str, wanted: str, *, plural: bool) -> ShapeError:
    noun = "axes" if plural else "axis"
    message = f"it needs {wanted} {noun} ({axes}), and the input has {len(x)}: {times(x)}"
    return ShapeError("NB201", message)


def axis(dim: int, x: Shape, *, at: str) -> int:
    """Return the position in `x` of torch's axis `dim`; a negative `dim` counts from the end.

    Raises:
        ShapeError: there is no such axis, or it is the batch axis.
    """
    rank = len(x) + 1
    if not -rank <= dim < rank:
        message = (
            f"{at} {dim} is out of range: with the batch there are {rank} axes, "
            f"{-rank} to {rank - 1}"
        )
        raise ShapeError("NB205", message, at=at)
    if dim % rank == 0:
        raise ShapeError("NB205", f"{at} {dim} is the batch axis, and samples stay separate", at=at)
    return dim % rank - 1


def shown(value: Any) -> str:
    """Return a size or a shape in the usual notation."""
    return times(value) if isinstance(value, tuple) else str(value)


def times(x: Shape) -> str:
    """Return a shape in the usual notation: `6×28×28`, or `scalar` for one number per sample."""
    return "×".join(str(size) for size in x) or "scalar"
