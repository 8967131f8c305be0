"""Shared by layers with several inputs: broadcasting, and the dtype of all inputs together."""

from netbuild.components.layers.formula import Equation, by_axis
from netbuild.components.tensor import Shape, ShapeError, Tensor, times

#: Two dtypes promote to the later one of this list:
#: https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc.
_PROMOTION = ("bool", "uint8", "int32", "int64", "float32")


def promoted(*x: Tensor) -> str:
    """Return the dtype in which torch computes with all these tensors.

    >>> promoted(Tensor((3,), "uint8"), Tensor((3,), "int32"))
    'int32'
    """
    return max((tensor.dtype for tensor in x), key=_PROMOTION.index)


def broadcast(*x: Shape) -> Shape:
    """Return the common shape of inputs that are combined element by element.

    Axes of size 1 repeat: https://docs.pytorch.org/docs/stable/notes/broadcasting.html.

    >>> broadcast((16, 8, 8), (16, 1, 1))
    (16, 8, 8)

    Raises:
        ShapeError: two inputs have different sizes on an axis, and neither size is 1.
    """
    expect_same_rank(*x)
    return tuple(size_of(place, x) for place in range(len(x[0])))


_WIDEST = "the largest of the inputs"


def broadcast_formulas(*x: Shape) -> dict[str, Equation] | None:
    """Return the formulas of `broadcast`'s sizes; None if all inputs have the same shape."""
    if len(set(x)) == 1:
        return None
    axes = zip(*x, strict=True)
    return by_axis(
        Equation(_WIDEST, {_WIDEST: f"max({', '.join(map(str, sizes))})"}) for sizes in axes
    )


def expect_same_rank(*x: Shape) -> None:
    """Refuse inputs with different numbers of axes.

    Raises:
        ShapeError: torch aligns shapes at their last axis, so the batch axes would not meet.
    """
    for number, shape in enumerate(x, start=1):
        if len(shape) != len(x[0]):
            raise ShapeError(
                "NB212",
                f"input 1 is {times(x[0])} and input {number} is {times(shape)}: torch aligns"
                " the last axes, so the batch of one meets another axis of the other",
            )


def size_of(place: int, x: tuple[Shape, ...]) -> int:
    first = next((number for number, shape in enumerate(x) if shape[place] != 1), 0)
    size = x[first][place]
    for number, shape in enumerate(x):
        if shape[place] not in {1, size}:
            raise contradiction(
                place, (first, x[first]), (number, shape), "must be equal, or one of them 1"
            )
    return size


def contradiction(
    place: int, one: tuple[int, Shape], other: tuple[int, Shape], wanted: str
) -> ShapeError:
    """Return the fault of an axis on which two inputs differ; an input is its number and shape."""
    said = [
        f"{shape[place]} in input {number + 1} ({times(shape)})" for number, shape in (one, other)
    ]
    return ShapeError("NB212", f"axis {place + 1} is {' and '.join(said)}: the sizes {wanted}")


def expect_no_bool(*x: Tensor) -> None:
    """Refuse booleans: torch does not subtract them.

    Raises:
        ShapeError: names the input with booleans.
    """
    for number, tensor in enumerate(x, start=1):
        if tensor.dtype == "bool":
            raise ShapeError("NB207", f"it subtracts numbers, and input {number} is bool")
