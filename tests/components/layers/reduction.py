"""One value for many, by hand and by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch
from hypothesis import strategies as st

from tests.components.layers.contract import BOOLS, Case, Family, Row, Shape, Strictness
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
    Row({"Mean": {"dim": [2, 3]}}, (6, 4, 5), (6,), {}, 0),
    Row({"Mean": {"dim": -1, "keepdim": True}}, (6, 4), (6, 1), {}, 0),
    Row({"Mean": {"dim": 1}}, (6,), (), {}, 0),
    Row({"Sum": {"dim": 1}}, (5, 3), (3,), {}, 0),
    Row({"Sum": {"dim": [1, -1], "keepdim": True}}, (5, 3, 2), (1, 3, 1), {}, 0),
    Row({"Sum": {"dim": 1}}, (5, 3), (3,), {}, 0, dtype="bool"),
    Row({"Sum": {"dim": 2}}, (5, 3), (5,), {}, 0, dtype="int32"),
    Row({"Amax": {"dim": 1}}, (5, 3), (3,), {}, 0),
    Row({"Amax": {"dim": [-1, 1], "keepdim": True}}, (5, 3, 2), (1, 3, 1), {}, 0),
    Row({"Var": {"dim": [2, 3]}}, (3, 4, 5), (3,), {}, 0),
    Row({"Var": {"dim": -1, "correction": 0, "keepdim": True}}, (5, 3), (5, 1), {}, 0),
    Row({"Std": {"dim": 1}}, (5, 3), (3,), {}, 0),
    Row({"Std": {"dim": [1, -1], "correction": 2, "keepdim": True}}, (5, 3, 2), (1, 3, 1), {}, 0),
    Row({"Logsumexp": {"dim": 1}}, (5, 3), (3,), {}, 0),
    Row({"Logsumexp": {"dim": [2, 1], "keepdim": True}}, (5, 3, 2), (1, 1, 2), {}, 0),
    Row({"VectorNorm": {"dim": 1}}, (5, 3), (3,), {}, 0),
    Row({"VectorNorm": {"ord": 1, "dim": [2, 3], "keepdim": True}}, (3, 4, 5), (3, 1, 1), {}, 0),
    Row({"VectorNorm": {"ord": float("inf"), "dim": -1}}, (5, 3), (5,), {}, 0),
    Row({"VectorNorm": {"ord": 3.5, "dim": 1}}, (4,), (), {}, 0),
    Row({"Prod": {"dim": 1}}, (5, 3), (3,), {}, 0),
    Row({"Prod": {"dim": -1, "keepdim": True}}, (5, 3), (5, 1), {}, 0),
    Row({"Argmax": {"dim": 1}}, (5, 3), (3,), {}, 0),
    Row({"Argmax": {"dim": -1, "keepdim": True}}, (5, 4), (5, 1), {}, 0),
    Row({"Normalize": {}}, (4, 3), (4, 3), {}, 0),
    Row({"Normalize": {"p": 1, "dim": -1}}, (4, 3, 2), (4, 3, 2), {}, 0),
    Row({"Normalize": {"p": 3.0, "dim": 2, "eps": 0.5}}, (4, 3), (4, 3), {}, 0),
]

#: Those of one axis only.
SINGLE = ("Prod", "Argmax")

EDGES = [
    *[
        Case(kind, {"dim": dim}, (3, 4))
        for kind in (
            "Mean",
            "Sum",
            "Amax",
            "Var",
            "Std",
            "Logsumexp",
            "VectorNorm",
            "Prod",
            "Argmax",
        )
        for dim in (2, 3, -2, -4, [1, 2], [1, 1], [1, -2], [1, 3])
        if kind not in SINGLE or isinstance(dim, int)
    ],
    *[Case("Normalize", {"dim": dim}, (3, 4)) for dim in (2, 3, -2, -3, -4, 0)],
    *[Case("Normalize", {"p": p}, (3,)) for p in (0, -1, 0.5, float("inf"), -float("inf"))],
    *[Case("Normalize", {"eps": eps}, (3,)) for eps in (0, -1)],
    *[Case("VectorNorm", {"ord": p, "dim": 1}, (3,)) for p in (0, -1, 0.5, -float("inf"))],
    *[
        Case(kind, {"dim": dim, "correction": correction}, (2, 1))
        for kind in ("Var", "Std")
        for dim in (1, 2, [1, 2])
        for correction in (0, 1, 2, 3)
    ],
    *[
        Case(kind, {"dim": 1}, (3,), dtype=dtype)
        for kind in ("Mean", "Sum", "Amax", "Std", "Logsumexp", "VectorNorm", "Prod", "Argmax")
        for dtype in ("int64", "int32", "uint8", "bool")
    ],
]


def mean(dim: int | Shape, keepdim: bool = False) -> Made:  # noqa: FBT001, FBT002  as torch's
    return lambda x: torch.mean(x, dim, keepdim)


def sum_(dim: int | Shape, keepdim: bool = False) -> Made:  # noqa: FBT001, FBT002  as torch's
    return lambda x: torch.sum(x, dim, keepdim)


def amax(dim: int | Shape, keepdim: bool = False) -> Made:  # noqa: FBT001, FBT002  as torch's
    return lambda x: torch.amax(x, dim, keepdim)


def var(dim: int | Shape, *, correction: int = 1, keepdim: bool = False) -> Made:
    return lambda x: torch.var(x, dim, correction=correction, keepdim=keepdim)


def std(dim: int | Shape, *, correction: int = 1, keepdim: bool = False) -> Made:
    return lambda x: torch.std(x, dim, correction=correction, keepdim=keepdim)


def logsumexp(dim: int | Shape, keepdim: bool = False) -> Made:  # noqa: FBT001, FBT002  as torch's
    return lambda x: torch.logsumexp(x, dim, keepdim)


def vector_norm(*, ord: float = 2, dim: int | Shape, keepdim: bool = False) -> Made:  # noqa: A002
    return lambda x: torch.linalg.vector_norm(x, ord, dim, keepdim)


def prod(dim: int, keepdim: bool = False) -> Made:  # noqa: FBT001, FBT002  as torch's
    return lambda x: torch.prod(x, dim, keepdim)


def argmax(dim: int, keepdim: bool = False) -> Made:  # noqa: FBT001, FBT002  as torch's
    return lambda x: torch.argmax(x, dim, keepdim)


def normalize(p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Made:
    return lambda x: torch.nn.functional.normalize(x, p, dim, eps)


MAKE: dict[str, Callable[..., Made]] = {
    "Mean": mean,
    "Sum": sum_,
    "Amax": amax,
    "Var": var,
    "Std": std,
    "Logsumexp": logsumexp,
    "VectorNorm": vector_norm,
    "Prod": prod,
    "Argmax": argmax,
}
#: What each may have besides its axes.
OPTIONAL = {
    **{kind: {"correction": st.integers(0, 2)} for kind in ("Var", "Std")},
    "VectorNorm": {"ord": st.sampled_from([0, 1, 2, 3, -1, 0.5, float("inf")])},
}
FLOATS_ONLY = ("Mean", "Var", "Std", "VectorNorm", "Normalize")

FLOATS = st.sampled_from(["float32"] * 6 + ["int64", "bool"])

CASES = {
    kind: over(
        kind,
        lambda x, kind=kind: {"dim": dims_of(x) if kind in SINGLE else some_dims(x)},  # type: ignore[misc]
        optional={"keepdim": BOOLS, **OPTIONAL.get(kind, {})},
        dtypes=FLOATS if kind in FLOATS_ONLY else DTYPES,
    )
    for kind in MAKE
}
CASES["Normalize"] = over(
    "Normalize",
    lambda x: {"dim": dims_of(x)},
    optional={
        "p": st.sampled_from([0, 1, 2, 3.5, -1, float("inf")]),
        "eps": st.sampled_from([0.0, 1e-3]),
    },
    dtypes=FLOATS,
)
MAKE["Normalize"] = normalize


def divides_by_nothing(case: Case) -> bool:
    """Tell whether torch gives nan for a variance, and warns of it."""
    if case.kind not in {"Var", "Std"} or names_the_batch(case):
        return False
    dims = case.fields["dim"]
    n = 1
    for dim in dims if isinstance(dims, list) else [dims]:
        n *= case.x[dim % (len(case.x) + 1) - 1]
    return n <= case.fields.get("correction", 1)


STRICTNESS = [
    Strictness(
        THE_BATCH,
        lambda case: case.fields.get("dim") == [] or names_the_batch(case),  # none means all
        Case("Mean", {"dim": [0, 1]}, (3, 4)),
    ),
    Strictness(
        "torch gives nan, and warns, for a variance that divides by 0",
        divides_by_nothing,
        Case("Var", {"dim": 1}, (1, 4)),
    ),
    Strictness(
        "eps is the smallest norm, and no norm is negative",
        lambda case: case.fields.get("eps", 0) < 0,
        Case("Normalize", {"eps": -1.0}, (3, 4)),
    ),
]

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, make=MAKE)
