"""Joins of several tensors, by hand and by chance."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from hypothesis import strategies as st

from tests.components.layers.contract import BATCH, Case, Family, Row, Shape, Strictness, Tensor
from tests.components.layers.tensor import THE_BATCH, dims_of, names_the_batch

if TYPE_CHECKING:
    from collections.abc import Callable

Joined: TypeAlias = "Callable[..., torch.Tensor]"

ROWS = [
    # Element by element: an axis of size 1 repeats.
    Row({"Add": {}}, (4, 3), (4, 3), {}, 0, (Tensor((4, 3)),)),
    Row({"Add": {"alpha": 2.5}}, (4, 1), (4, 3), {}, 0, (Tensor((1, 3), "int64"),)),
    Row({"Add": {}}, (4, 3), (4, 3), {}, 0, (Tensor((1, 3)), Tensor((4, 1)))),
    Row({"Add": {"alpha": -2}}, (3,), (3,), {}, 0, (Tensor((3,), "int32"),), "uint8"),
    Row({"Subtract": {}}, (4, 3), (4, 3), {}, 0, (Tensor((4, 1)),)),
    Row({"Subtract": {"alpha": 3}}, (3,), (3,), {}, 0, (Tensor((3,), "uint8"),), "int64"),
    Row({"Multiply": {}}, (4, 3, 3), (4, 3, 3), {}, 0, (Tensor((4, 1, 1)),)),
    Row({"Multiply": {}}, (1, 3), (4, 3), {}, 0, (Tensor((4, 1)), Tensor((1, 1)))),
    Row({"Divide": {}}, (4, 3), (4, 3), {}, 0, (Tensor((1, 3)),)),
    Row({"Divide": {"rounding_mode": "floor"}}, (4, 3), (4, 3), {}, 0, (Tensor((4, 3)),)),
    Row({"Maximum": {}}, (4, 3), (4, 3), {}, 0, (Tensor((4, 1)),)),
    Row({"Maximum": {}}, (4, 3), (4, 3), {}, 0, (Tensor((4, 3)), Tensor((1, 3)))),
    # Lists.
    Row({"Concat": {}}, (4, 3), (6, 3), {}, 0, (Tensor((2, 3)),)),
    Row({"Concat": {"dim": -1}}, (4, 3), (4, 6), {}, 0, (Tensor((4, 1)), Tensor((4, 2)))),
    Row({"Concat": {}}, (2,), (5,), {}, 0, (Tensor((3,), "uint8"),), "bool"),
    Row({"Stack": {}}, (4, 3), (2, 4, 3), {}, 0, (Tensor((4, 3)),)),
    Row({"Stack": {"dim": -1}}, (4,), (4, 3), {}, 0, (Tensor((4,), "int64"), Tensor((4,)))),
    # For each value of the output one multiplication for each that rows and columns have.
    Row({"MatMul": {}}, (4, 3), (4, 5), {}, 60, (Tensor((3, 5)),)),
    Row({"MatMul": {}}, (2, 4, 3), (2, 4, 5), {}, 120, (Tensor((2, 3, 5)),)),
    Row({"MatMul": {}}, (1, 4, 3), (6, 4, 5), {}, 360, (Tensor((6, 3, 5)),)),
    Row({"MatMul": {}}, (2, 1, 4, 3), (2, 6, 4, 5), {}, 720, (Tensor((1, 6, 3, 5)),)),
]

EDGES = [
    *[
        Case(kind, fields, (3,), (Tensor((3,), other),), dtype)
        for kind, fields in (
            ("Add", {}),
            ("Subtract", {}),
            ("Multiply", {}),
            ("Divide", {}),
            ("Divide", {"rounding_mode": "trunc"}),
            ("Divide", {"rounding_mode": "floor"}),
            ("Maximum", {}),
            ("Concat", {}),
            ("Stack", {}),
        )
        for dtype, other in (
            ("float32", "int64"),
            ("bool", "bool"),
            ("bool", "float32"),
            ("uint8", "bool"),
            ("uint8", "int32"),
            ("uint8", "uint8"),
            ("int64", "int32"),
        )
    ],
    *[
        Case(kind, {"alpha": alpha}, (3,), (Tensor((3,), dtype),), dtype)
        for kind in ("Add", "Subtract")
        for alpha, dtype in (
            (255, "uint8"),
            (256, "uint8"),
            (-255, "uint8"),
            (-256, "uint8"),
            (2**31 - 1, "int32"),
            (1 - 2**31, "int32"),
            (1.0, "int64"),
            (1e39, "float32"),
            (-1e38, "float32"),
        )
    ],
    Case("Add", {"alpha": 7}, (3,), (Tensor((3,), "bool"),), "bool"),
    Case("Multiply", {}, (2, 3), (Tensor((3,)),)),
    Case("Maximum", {}, (3,), (Tensor((1,)), Tensor((2,)))),
    Case("Concat", {}, (2, 3), (Tensor((2, 1)),)),
    Case("Stack", {"dim": 3}, (2, 3), (Tensor((2, 3)),)),
    Case("Stack", {"dim": 4}, (2, 3), (Tensor((2, 3)),)),
    Case("Stack", {"dim": -3}, (2, 3), (Tensor((2, 3)),)),
    Case("Stack", {}, (1, 3), (Tensor((2, 3)),)),
    Case("MatMul", {}, (3,), (Tensor((3,)),)),
    Case("MatMul", {}, (2, 3), (Tensor((2, 3)),)),
    Case("MatMul", {}, (2, 2, 3), (Tensor((3, 3, 2)),)),
    Case("MatMul", {}, (2, 3), (Tensor((3, 2), "int64"),), "int64"),
    Case("MatMul", {}, (2, 3), (Tensor((3, 2), "int64"),)),
]

DTYPES = st.sampled_from(["float32"] * 6 + ["int64", "int32", "uint8", "bool"])
FEW = st.integers(1, 3)


def tensors_of(shapes: st.SearchStrategy[tuple[Shape, ...]]) -> st.SearchStrategy[list[Tensor]]:
    """Draw tensors of given shapes and of any dtype."""
    return shapes.flatmap(
        lambda drawn: st.tuples(*[st.builds(Tensor, st.just(x), DTYPES) for x in drawn]).map(list)
    )


def joins(
    kind: str,
    shapes: st.SearchStrategy[tuple[Shape, ...]],
    fields: Callable[[Shape], dict[str, st.SearchStrategy[Any]]] = lambda _: {},
    *,
    same_dtype: bool = False,
) -> st.SearchStrategy[Case]:
    """Draw a join of inputs of these shapes, whose fields may depend on the first."""

    def of(x: list[Tensor]) -> st.SearchStrategy[Case]:
        written = st.fixed_dictionaries({}, optional=fields(x[0].shape))
        others = tuple(t._replace(dtype=x[0].dtype) if same_dtype else t for t in x[1:])
        return written.map(lambda given: Case(kind, given, x[0].shape, others, x[0].dtype))

    drawn = tensors_of(shapes)
    return drawn.flatmap(of)


def meeting(*, most: int = 4, rank: int = 0) -> st.SearchStrategy[tuple[Shape, ...]]:
    """Draw shapes that go together, where some axes are 1, and now and then shapes that do not."""
    ranks = st.sampled_from([rank] if rank else [1, 2, 3])

    def narrowed(shape: list[int]) -> st.SearchStrategy[Shape]:
        return st.tuples(*[st.sampled_from([n, n, 1]) for n in shape])

    fits = ranks.flatmap(lambda n: st.lists(FEW, min_size=n, max_size=n)).flatmap(
        lambda shape: st.lists(narrowed(shape), min_size=2, max_size=most).map(tuple)
    )
    return st.one_of(fits, fits, fits, anything(most))


def anything(most: int) -> st.SearchStrategy[tuple[Shape, ...]]:
    """Draw shapes that seldom go together."""
    shape = st.lists(FEW, max_size=3).map(tuple)
    return st.lists(shape, min_size=2, max_size=most).map(tuple)


@st.composite
def behind_one_another(draw: Callable[..., Any]) -> Case:
    """Draw a Concat of inputs that differ on one axis at the most, mostly on its own."""
    x = draw(st.lists(FEW, min_size=1, max_size=3).map(tuple))
    dim = draw(dims_of(x))
    own = dim % (len(x) + 1) - 1
    place = draw(st.sampled_from([own] * 6 + list(range(len(x)))))
    sizes = draw(st.lists(FEW, min_size=1, max_size=3))
    others = tuple(
        Tensor((*x[:place], size, *x[place + 1 :]) if place >= 0 else x, draw(DTYPES))
        for size in sizes
    )
    return Case("Concat", {} if dim == 1 else {"dim": dim}, x, others, draw(DTYPES))


@st.composite
def matrices(draw: Callable[..., Any]) -> tuple[Shape, ...]:
    """Draw two stacks of matrices that can mostly be multiplied."""
    x, other = draw(meeting(most=2, rank=draw(st.sampled_from([1, 2]))))
    n, m, p = draw(FEW), draw(FEW), draw(FEW)
    keep = draw(st.booleans())
    return (
        (*x[1:], n, m) if keep else (*x, n, m),
        (*other[1:], m, p) if keep else (*other, draw(st.sampled_from([m] * 5 + [2])), p),
    )


ALPHA = st.sampled_from([1, 2, -3, 0.5, 255, 256, -256, 2**31 - 1, 1.0])


def add(alpha: float = 1) -> Joined:
    def forward(*x: torch.Tensor) -> torch.Tensor:
        if len(x) > 2 and alpha != 1:
            raise TypeError("torch.add has two inputs")
        return reduce(lambda y, other: torch.add(y, other, alpha=alpha), x)

    return forward


def subtract(alpha: float = 1) -> Joined:
    return lambda x, other: torch.sub(x, other, alpha=alpha)


def multiply() -> Joined:
    return lambda *x: reduce(torch.mul, x)


def divide(rounding_mode: str | None = None) -> Joined:
    return lambda x, other: torch.div(x, other, rounding_mode=rounding_mode)


def maximum() -> Joined:
    return lambda *x: reduce(torch.maximum, x)


def concat(dim: int = 1) -> Joined:
    return lambda *x: torch.cat(x, dim)


def stack(dim: int = 1) -> Joined:
    return lambda *x: torch.stack(x, dim)


def matmul() -> Joined:
    return torch.matmul


MAKE = {
    "Add": add,
    "Subtract": subtract,
    "Multiply": multiply,
    "Divide": divide,
    "Maximum": maximum,
    "Concat": concat,
    "Stack": stack,
    "MatMul": matmul,
}

ROUNDING = st.sampled_from([None, "trunc", "floor"])

CASES = {
    "Add": st.one_of(
        joins("Add", meeting()), joins("Add", meeting(most=2), lambda _: {"alpha": ALPHA})
    ),
    "Subtract": joins("Subtract", meeting(most=2), lambda _: {"alpha": ALPHA}),
    "Multiply": joins("Multiply", meeting()),
    "Divide": joins("Divide", meeting(most=2), lambda _: {"rounding_mode": ROUNDING}),
    "Maximum": joins("Maximum", meeting()),
    "Concat": behind_one_another() | joins("Concat", anything(3)),
    "Stack": st.one_of(
        joins(
            "Stack",
            st.tuples(st.lists(FEW, min_size=1, max_size=3).map(tuple), st.integers(2, 4)).map(
                lambda both: (both[0],) * both[1]
            ),
            lambda x: {"dim": dims_of(x, more=1)},
        ),
        joins("Stack", anything(3), lambda x: {"dim": dims_of(x, more=1)}),
    ),
    "MatMul": joins("MatMul", matrices(), same_dtype=True) | joins("MatMul", matrices()),
}


def ones_for_zeros(case: Case, batch: int = BATCH) -> list[torch.Tensor]:
    """Return inputs of which none is a whole number 0, by which nothing divides."""
    return [
        torch.rand(batch, *x.shape)
        if x.floating
        else torch.ones(batch, *x.shape, dtype=getattr(torch, x.dtype))
        for x in case.inputs
    ]


def _of_other_ranks(case: Case) -> bool:
    return len({len(x.shape) for x in case.inputs}) > 1


STRICTNESS = [
    Strictness(
        "inputs of different numbers of axes: the batch of one meets another axis of the other",
        _of_other_ranks,
        Case("Add", {}, (3,), (Tensor((BATCH, 3)),)),
    ),
    Strictness(
        "vectors, or numbers, of a sample: torch takes the batch for an axis of theirs",
        lambda case: case.kind == "MatMul" and len(case.x) < 2,
        Case("MatMul", {}, (BATCH,), (Tensor((3,)),)),
    ),
    Strictness(
        "matrices of whole numbers, which torch multiplies on a CPU only",
        lambda case: case.kind == "MatMul" and case.dtype != "float32",
        Case("MatMul", {}, (2, 3), (Tensor((3, 2), "int64"),), "int64"),
    ),
    Strictness(
        THE_BATCH,
        lambda case: case.kind in {"Concat", "Stack"} and names_the_batch(case),
        Case("Concat", {"dim": 0}, (3,), (Tensor((3,)),)),
    ),
]

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, make=MAKE, data={"Divide": ones_for_zeros})
