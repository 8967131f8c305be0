"""Operations that move, copy or convert values, by hand and by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from hypothesis import strategies as st

from tests.components.layers.contract import DIMS, Case, Family, Row, Shape, Strictness
from tests.components.layers.tensor import (
    DTYPES,
    THE_BATCH,
    dims_of,
    names_the_batch,
    over,
    some_dims,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Made: TypeAlias = "Callable[[torch.Tensor], torch.Tensor]"

ROWS = [
    Row({"Cumsum": {"dim": 1}}, (5, 3), (5, 3), {}, 0),
    Row({"Cumsum": {"dim": -1}}, (5, 3, 2), (5, 3, 2), {}, 0),
    Row({"Cumsum": {"dim": 2}}, (5, 3), (5, 3), {}, 0, dtype="bool"),
    Row({"Cumprod": {"dim": 2}}, (5, 3, 2), (5, 3, 2), {}, 0),
    Row({"Cumprod": {"dim": -1}}, (4,), (4,), {}, 0),
    Row({"Flip": {"dims": 2}}, (5, 3), (5, 3), {}, 0),
    Row({"Flip": {"dims": [1, -1]}}, (5, 3, 2), (5, 3, 2), {}, 0),
    Row({"Flip": {"dims": -1}}, (4,), (4,), {}, 0, dtype="uint8"),
    Row({"Repeat": {"repeats": [2, 1, 3]}}, (3, 4, 1), (6, 4, 3), {}, 0),
    Row({"Repeat": {"repeats": [1, 1]}}, (3, 4), (3, 4), {}, 0),
    Row({"Repeat": {"repeats": [2]}}, (3,), (6,), {}, 0, dtype="int64"),
    Row({"RepeatInterleave": {"repeats": 3, "dim": 1}}, (2, 4), (6, 4), {}, 0),
    Row({"RepeatInterleave": {"repeats": 2, "dim": -1}}, (3, 2, 1), (3, 2, 2), {}, 0),
    Row({"RepeatInterleave": {"repeats": 1, "dim": 2}}, (3, 4), (3, 4), {}, 0),
    Row({"Tril": {}}, (4, 3), (4, 3), {}, 0),
    Row({"Tril": {"diagonal": -1}}, (2, 3, 3), (2, 3, 3), {}, 0),
    Row({"Triu": {"diagonal": 1}}, (2, 3, 4), (2, 3, 4), {}, 0),
    Row({"Triu": {}}, (3, 3), (3, 3), {}, 0, dtype="bool"),
    Row({"Diagonal": {}}, (4, 3, 2), (2, 3), {}, 0),
    Row({"Diagonal": {"offset": 1, "dim1": -2, "dim2": -1}}, (2, 3, 3), (2, 2), {}, 0),
    Row({"Diagonal": {"offset": -2, "dim1": 3}}, (2, 3, 4), (2, 2), {}, 0),
    Row({"To": {"dtype": "float32"}}, (4, 3), (4, 3), {}, 0, dtype="bool"),
    Row({"To": {"dtype": "int64"}}, (3,), (3,), {}, 0, dtype="uint8"),
    Row({"Detach": {}}, (4, 3), (4, 3), {}, 0),
    Row({"Detach": {}}, (2, 4, 3), (2, 4, 3), {}, 0),
    Row({"Detach": {}}, (3,), (3,), {}, 0, dtype="int32"),
]

EDGES = [
    *[
        Case(kind, {name: dim}, (3, 4), dtype=dtype)
        for kind, name in (("Cumsum", "dim"), ("Cumprod", "dim"), ("Flip", "dims"))
        for dim in (2, 3, -2, -3, -4)
        for dtype in ("float32", "uint8", "bool")
    ],
    Case("Flip", {"dims": [1, -2]}, (3, 4)),
    Case("Flip", {"dims": [1, 3]}, (3, 4)),
    Case("Flip", {"dims": [2, 0]}, (3, 4)),
    *[Case("Repeat", {"repeats": n}, (3, 4)) for n in ([], [2], [0, 1], [1, 1, 1])],
    Case("Repeat", {"repeats": []}, ()),
    *[
        Case("RepeatInterleave", {"repeats": n, "dim": dim}, (3,), dtype=dtype)
        for n, dim in ((0, 1), (-1, 1), (2, 2), (2, 0), (2, -1))
        for dtype in ("float32", "bool")
    ],
    *[Case(kind, {"diagonal": 9}, x) for kind in ("Tril", "Triu") for x in ((), (3,), (3, 3))],
    *[Case(kind, {}, (3, 2), dtype=t) for kind in ("Tril", "Triu") for t in ("int32", "uint8")],
    *[Case("Diagonal", {"offset": n}, (3, 4)) for n in (-3, -2, 3, 4)],
    *[Case("Diagonal", {"dim1": one, "dim2": -1}, (3, 4)) for one in (1, 2, -3, 0, 3)],
    Case("Diagonal", {}, (3,)),
    *[
        Case("To", {"dtype": to}, (3,), dtype=dtype)
        for to in ("float32", "int64", "int32", "uint8", "bool")
        for dtype in ("float32", "int64", "uint8", "bool")
    ],
]


def cumsum(dim: int) -> Made:
    return lambda x: torch.cumsum(x, dim)


def cumprod(dim: int) -> Made:
    return lambda x: torch.cumprod(x, dim)


def flip(dims: int | Shape) -> Made:
    return lambda x: x.flip(dims)


def repeat(repeats: Shape) -> Made:
    return lambda x: x.repeat(1, *repeats)


def repeat_interleave(repeats: int, dim: int) -> Made:
    return lambda x: torch.repeat_interleave(x, repeats, dim)


def tril(diagonal: int = 0) -> Made:
    return lambda x: torch.tril(x, diagonal)


def triu(diagonal: int = 0) -> Made:
    return lambda x: torch.triu(x, diagonal)


def diagonal(offset: int = 0, dim1: int = 1, dim2: int = 2) -> Made:
    return lambda x: torch.diagonal(x, offset, dim1, dim2)


def to(dtype: str) -> Made:
    return lambda x: x.to(getattr(torch, dtype))


def detach() -> Made:
    return lambda x: x.detach()


TO = st.sampled_from(["float32", "int64", "int32", "uint8", "bool"])

CASES: dict[str, Any] = {
    "Cumsum": over("Cumsum", lambda x: {"dim": dims_of(x)}),
    "Cumprod": over("Cumprod", lambda x: {"dim": dims_of(x)}),
    "Flip": over("Flip", lambda x: {"dims": some_dims(x)}),
    "Repeat": over(
        "Repeat",
        lambda x: {
            "repeats": st.lists(st.integers(1, 3), min_size=len(x), max_size=len(x))
            | st.lists(st.integers(0, 3), max_size=4)
        },
    ),
    "RepeatInterleave": over(
        "RepeatInterleave",
        lambda x: {"repeats": st.integers(1, 3) | st.integers(-1, 3), "dim": dims_of(x)},
    ),
    "Tril": over("Tril", lambda _: {}, optional={"diagonal": st.integers(-5, 5)}),
    "Triu": over("Triu", lambda _: {}, optional={"diagonal": st.integers(-5, 5)}),
    "Diagonal": over(
        "Diagonal",
        lambda x: {"dim1": dims_of(x), "dim2": dims_of(x)},
        optional={"offset": st.integers(-1, 1) | DIMS},
    ),
    "To": over("To", lambda _: {"dtype": TO}),
    "Detach": over("Detach", lambda _: {}, dtypes=DTYPES),
}


def moves_the_batch(case: Case) -> bool:
    """Tell whether a diagonal is one of the batch axis."""
    named = [case.fields.get("dim1", 1), case.fields.get("dim2", 2)]
    return case.kind == "Diagonal" and any(dim % (len(case.x) + 1) == 0 for dim in named)


def makes_nothing(case: Case) -> bool:
    """Tell whether torch gives an empty tensor."""
    n = case.fields.get("repeats")
    return n == 0 or (isinstance(n, list) and 0 in n) or case.kind == "Diagonal"


STRICTNESS = [
    Strictness(THE_BATCH, names_the_batch, Case("Cumsum", {"dim": 0}, (3, 4))),
    Strictness(THE_BATCH, moves_the_batch, Case("Diagonal", {"dim1": 0, "dim2": 1}, (3, 4))),
    Strictness(
        "a triangle of the batch and the only axis",
        lambda case: case.kind in {"Tril", "Triu"} and len(case.x) < 2,
        Case("Tril", {}, (3,)),
    ),
    Strictness(
        "an empty tensor",
        makes_nothing,
        Case("Diagonal", {"offset": 4}, (3, 4)),
    ),
    Strictness(
        "more numbers than axes: torch would repeat the batch",
        lambda case: case.kind == "Repeat" and len(case.fields["repeats"]) > len(case.x),
        Case("Repeat", {"repeats": [2, 1, 1]}, (3, 4)),
    ),
    Strictness(
        "a flip of no axes",
        lambda case: case.fields.get("dims") == [],
        Case("Flip", {"dims": []}, (3, 4)),
    ),
]

MAKE: dict[str, Callable[..., Made]] = {
    "Cumsum": cumsum,
    "Cumprod": cumprod,
    "Flip": flip,
    "Repeat": repeat,
    "RepeatInterleave": repeat_interleave,
    "Tril": tril,
    "Triu": triu,
    "Diagonal": diagonal,
    "To": to,
    "Detach": detach,
}

FIELDS = {("To", "dtype"): "a function of torch has a dtype that is not offered elsewhere"}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, make=MAKE, fields=FIELDS)
