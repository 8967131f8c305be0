"""Values by their positions and in their order, by hand and by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from hypothesis import strategies as st

from tests.components.layers.contract import (
    BOOLS,
    Case,
    Family,
    Row,
    Shape,
    Strictness,
    Tensor,
    cases,
)
from tests.components.layers.tensor import DTYPES, THE_BATCH, dims_of, names_the_batch, over

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor as Values


def index(*shape: int, dtype: str = "int64") -> tuple[Tensor, ...]:
    """Return the input with the positions."""
    return (Tensor(shape, dtype),)


ROWS = [
    Row({"Gather": {"dim": 1}}, (5, 3), (2, 3), {}, 0, index(2, 3)),
    Row({"Gather": {"dim": -1}}, (5, 3, 4), (2, 3, 6), {}, 0, index(2, 3, 6)),
    Row({"Gather": {"dim": 2}}, (5, 3), (5, 1), {}, 0, index(5, 1), "bool"),
    Row({"TakeAlongDim": {"dim": 1}}, (5, 3), (2, 3), {}, 0, index(2, 1)),
    Row({"TakeAlongDim": {"dim": -1}}, (1, 3), (4, 2), {}, 0, index(4, 2)),
    Row({"TakeAlongDim": {"dim": 2}}, (2, 5, 3), (2, 7, 3), {}, 0, index(2, 7, 3)),
    Row({"TakeAlongDim": {"dim": 1}}, (5,), (3,), {}, 0, index(3), "uint8"),
    Row({"Topk": {"k": 2}}, (3, 5), (3, 2), {}, 0),
    Row({"Topk": {"k": 3, "dim": 1, "largest": False, "sorted": False}}, (4, 3), (3, 3), {}, 0),
    Row({"Topk": {"k": 5, "dim": -1}}, (5,), (5,), {}, 0, dtype="int32"),
    Row({"Sort": {}}, (3, 5), (3, 5), {}, 0),
    Row({"Sort": {"dim": 1, "descending": True, "stable": True}}, (4, 3), (4, 3), {}, 0),
    Row({"Sort": {"dim": -1}}, (4,), (4,), {}, 0),
    Row({"OneHot": {"num_classes": 4}}, (5,), (5, 4), {}, 0, dtype="int64"),
    Row({"OneHot": {"num_classes": 2}}, (2, 3), (2, 3, 2), {}, 0, dtype="int64"),
]

EDGES = [
    *[
        Case(kind, {"dim": dim}, (3, 4), index(*there, dtype=dtype))
        for kind in ("Gather", "TakeAlongDim")
        for dim in (1, -1, 0, 3)
        for there in ((3, 4), (2, 4), (3, 2), (1, 4), (4, 4), (4,), (3, 4, 1))
        for dtype in ("int64", "int32")
        if dtype == "int64" or there == (3, 4)
    ],
    *[Case("Topk", {"k": k, "dim": dim}, (3, 4)) for k in (0, 3, 4, 5) for dim in (1, -1, 0, 3)],
    *[
        Case(kind, fields, (3, 4), dtype=dtype)
        for kind, fields in (
            ("Topk", {"k": 2}),
            ("Sort", {"dim": 1}),
            ("OneHot", {"num_classes": 3}),
        )
        for dtype in ("float32", "int64", "int32", "uint8", "bool")
    ],
    *[Case("Sort", {"dim": dim}, (3, 4)) for dim in (0, -2, -3, 3)],
    Case("OneHot", {"num_classes": 1}, ()),
    Case("OneHot", {"num_classes": 0}, (3,)),
    Case("Sort", {}, ()),
]


def gather(dim: int) -> Callable[..., Values]:
    return lambda x, index: torch.gather(x, dim, index)


def take_along_dim(dim: int) -> Callable[..., Values]:
    return lambda x, indices: torch.take_along_dim(x, indices, dim)


def topk(
    k: int,
    dim: int = -1,
    largest: bool = True,  # noqa: FBT001, FBT002  as torch's
    sorted: bool = True,  # noqa: A002, FBT001, FBT002  the same
) -> Callable[..., Any]:
    return lambda x: torch.topk(x, k, dim, largest, sorted)


def sort(
    dim: int = -1,
    descending: bool = False,  # noqa: FBT001, FBT002  as torch's
    stable: bool = False,  # noqa: FBT001, FBT002  the same
) -> Callable[..., Any]:
    return lambda x: torch.sort(x, dim=dim, descending=descending, stable=stable)


def one_hot(num_classes: int) -> Callable[..., Values]:
    return lambda x: torch.nn.functional.one_hot(x, num_classes)


def positions(case: Case, batch: int) -> list[Values]:
    """Return values, and positions that exist."""
    first, second = case.inputs
    x = torch.rand(batch, *first.shape)
    x = x if first.floating else (200 * x).round()
    dim = case.fields["dim"]
    n = x.shape[dim] if -x.dim() <= dim < x.dim() else 1
    there = torch.randint(n, (batch, *second.shape))
    return [x.to(getattr(torch, first.dtype)), there.to(getattr(torch, second.dtype))]


@st.composite
def by_position(draw: Callable[..., Any], kind: str) -> Case:
    """Draw an input, and positions whose shape mostly fits it."""
    x: Shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple))
    dim = draw(dims_of(x))
    there = list(x)
    for place in range(len(x)):
        change = draw(st.integers(0, 5))
        there[place] = {0: 1, 1: there[place] + 1}.get(change, there[place])
    if -len(x) <= dim <= len(x) and dim % (len(x) + 1):
        there[dim % (len(x) + 1) - 1] = draw(st.integers(1, 5))
    dtype = draw(st.sampled_from(["int64"] * 7 + ["int32", "bool"]))
    return Case(kind, {"dim": dim}, x, index(*there, dtype=dtype), draw(DTYPES))


CASES = {
    "Gather": by_position("Gather"),
    "TakeAlongDim": by_position("TakeAlongDim"),
    "Topk": over(
        "Topk",
        lambda x: {"k": st.integers(1, 2) | st.integers(0, 5), "dim": dims_of(x)},
        optional={"largest": BOOLS, "sorted": BOOLS},
    ),
    "Sort": over(
        "Sort", lambda x: {"dim": dims_of(x)}, optional={"descending": BOOLS, "stable": BOOLS}
    ),
    "OneHot": cases(
        "OneHot",
        st.lists(st.integers(1, 4), max_size=3).map(tuple),
        {"num_classes": st.integers(1, 4) | st.integers(-1, 4)},
        dtype=st.sampled_from(["int64"] * 6 + ["int32", "float32", "bool"]),
    ),
}

STRICTNESS = [
    Strictness(
        THE_BATCH,
        lambda case: names_the_batch(case) or (case.kind in {"Topk", "Sort"} and not case.x),
        Case("Gather", {"dim": 0}, (3, 4), index(3, 4)),
    ),
    Strictness(
        "older releases of torch take positions in int64 only",
        lambda case: case.kind == "Gather" and case.others[0].dtype == "int32",
        Case("Gather", {"dim": 1}, (3, 4), index(3, 4, dtype="int32")),
    ),
    Strictness(
        "an empty result",
        lambda case: case.fields.get("k") == 0,
        Case("Topk", {"k": 0}, (3, 4)),
    ),
    Strictness(
        "the number of classes is no number of the data",
        lambda case: case.fields.get("num_classes") in {0, -1},
        Case("OneHot", {"num_classes": -1}, (3,), dtype="int64"),
    ),
]

MAKE: dict[str, Callable[..., Any]] = {
    "Gather": gather,
    "TakeAlongDim": take_along_dim,
    "Topk": topk,
    "Sort": sort,
    "OneHot": one_hot,
}
DATA = {"Gather": positions, "TakeAlongDim": positions}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, make=MAKE, data=DATA)
