"""One value for many, by hand and by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch
from hypothesis import strategies as st

from tests.components.layers.contract import BOOLS, Case, Family, Row, Shape, Strictness
from tests.components.layers.tensor import DTYPES, THE_BATCH, names_the_batch, over, some_dims

if TYPE_CHECKING:
    from collections.abc import Callable

Made: TypeAlias = "Callable[[torch.Tensor], torch.Tensor]"

ROWS = [
    Row({"Mean": {"dim": [2, 3]}}, (6, 4, 5), (6,), {}, 0),
    Row({"Mean": {"dim": -1, "keepdim": True}}, (6, 4), (6, 1), {}, 0),
    Row({"Mean": {"dim": 1}}, (6,), (), {}, 0),
    Row({"Sum": {"dim": 1}}, (5, 3), (3,), {}, 0),
    Row({"Sum": {"dim": [1, -1], "keepdim": True}}, (5, 3, 2), (1, 3, 1), {}, 0),
    Row({"Sum": {"dim": 1}}, (5, 3), (3,), {}, 0, dtype="bool"),
    Row({"Sum": {"dim": 2}}, (5, 3), (5,), {}, 0, dtype="int32"),
    Row({"Amax": {"dim": 1}}, (5, 3), (3,), {}, 0),
    Row({"Amax": {"dim": [-1, 1], "keepdim": True}}, (5, 3, 2), (1, 3, 1), {}, 0),
]

EDGES = [
    *[
        Case(kind, {"dim": dim}, (3, 4))
        for kind in ("Mean", "Sum", "Amax")
        for dim in (2, 3, -2, -4, [1, 2], [1, 1], [1, -2], [1, 3])
    ],
    *[
        Case(kind, {"dim": 1}, (3,), dtype=dtype)
        for kind in ("Mean", "Sum", "Amax")
        for dtype in ("int64", "int32", "uint8", "bool")
    ],
]


def mean(dim: int | Shape, keepdim: bool = False) -> Made:  # noqa: FBT001, FBT002  as torch's
    return lambda x: torch.mean(x, dim, keepdim)


def sum_(dim: int | Shape, keepdim: bool = False) -> Made:  # noqa: FBT001, FBT002  as torch's
    return lambda x: torch.sum(x, dim, keepdim)


def amax(dim: int | Shape, keepdim: bool = False) -> Made:  # noqa: FBT001, FBT002  as torch's
    return lambda x: torch.amax(x, dim, keepdim)


MAKE = {"Mean": mean, "Sum": sum_, "Amax": amax}

FLOATS = st.sampled_from(["float32"] * 6 + ["int64", "bool"])

CASES = {
    kind: over(
        kind,
        lambda x: {"dim": some_dims(x)},
        optional={"keepdim": BOOLS},
        dtypes=FLOATS if kind == "Mean" else DTYPES,
    )
    for kind in MAKE
}

STRICTNESS = [
    Strictness(
        THE_BATCH,
        lambda case: case.fields["dim"] == [] or names_the_batch(case),  # none means all
        Case("Mean", {"dim": [0, 1]}, (3, 4)),
    ),
]

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, make=MAKE)
