"""Operations that rearrange, by hand and by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from hypothesis import strategies as st

from tests.components.layers.contract import (
    DIMS,
    SMALL,
    Case,
    Family,
    Row,
    Shape,
    Strictness,
    cases,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Made: TypeAlias = "Callable[[torch.Tensor], torch.Tensor]"

ROWS = [
    # Another shape for the same values.
    Row({"Flatten": {}}, (16, 5, 5), (400,), {}, 0),
    Row({"Flatten": {"start_dim": 2, "end_dim": 3}}, (2, 3, 4, 5), (2, 12, 5), {}, 0),
    Row({"Flatten": {"start_dim": -1}}, (2, 3), (2, 3), {}, 0),
    Row({"Unflatten": {"dim": 1, "unflattened_size": [16, 5, -1]}}, (400,), (16, 5, 5), {}, 0),
    Row({"Unflatten": {"dim": -2, "unflattened_size": [2, 3]}}, (6, 4), (2, 3, 4), {}, 0),
    Row({"Reshape": {"shape": [7, 4]}}, (2, 14), (7, 4), {}, 0),
    Row({"Reshape": {"shape": [3, -1]}}, (2, 3, 4), (3, 8), {}, 0, dtype="int64"),
    Row({"Reshape": {"shape": []}}, (1, 1), (), {}, 0),
    Row({"Permute": {"dims": [0, 2, 3, 1]}}, (3, 4, 5), (4, 5, 3), {}, 0),
    Row({"Permute": {"dims": [-3, -1, 1]}}, (3, 4), (4, 3), {}, 0, dtype="bool"),
    Row({"Transpose": {"dim0": 1, "dim1": -1}}, (3, 4, 5), (5, 4, 3), {}, 0),
    Row({"Transpose": {"dim0": 2, "dim1": 2}}, (3, 4), (3, 4), {}, 0, dtype="int32"),
    Row({"Squeeze": {"dim": [-1, 2]}}, (3, 1, 1), (3,), {}, 0),
    Row({"Squeeze": {"dim": 1}}, (3, 1), (3, 1), {}, 0, dtype="uint8"),
    Row({"Unsqueeze": {"dim": 1}}, (3, 4), (1, 3, 4), {}, 0),
    Row({"Unsqueeze": {"dim": -1}}, (3, 4), (3, 4, 1), {}, 0, dtype="int64"),
    Row({"Expand": {"sizes": [-1, 4, 5]}}, (3, 1, 1), (3, 4, 5), {}, 0),
    Row({"Expand": {"sizes": [3, 2]}}, (1, 2), (3, 2), {}, 0, dtype="bool"),
    # The same shape.
    Row({"Roll": {"shifts": [3, -3], "dims": [1, 2]}}, (4, 5, 2), (4, 5, 2), {}, 0),
    Row({"Roll": {"shifts": 1, "dims": -1}}, (4,), (4,), {}, 0, dtype="int32"),
]

EDGES = [
    Case("Reshape", {"shape": []}, (2,)),
    Case("Reshape", {"shape": [-1]}, (2, 3)),
    Case("Reshape", {"shape": [0, -1]}, (2, 3)),
    Case("Reshape", {"shape": [4, -1]}, (2, 3)),
    Case("Reshape", {"shape": [6, -1]}, (2, 3)),
    Case("Permute", {"dims": [0]}, (3,)),
    Case("Permute", {"dims": [0, 1, 1]}, (3, 3)),
    Case("Permute", {"dims": [0, 1, -2]}, (3, 3)),
    Case("Permute", {"dims": [3, 1, 2]}, (3, 3)),
    Case("Transpose", {"dim0": 1, "dim1": 3}, (3, 3)),
    Case("Transpose", {"dim0": -2, "dim1": 2}, (3, 3)),
    Case("Squeeze", {"dim": [1, -2]}, (1, 1)),
    Case("Squeeze", {"dim": [1, 3]}, (1, 1)),
    Case("Unsqueeze", {"dim": 2}, (3,)),
    Case("Unsqueeze", {"dim": 3}, (3,)),
    Case("Unsqueeze", {"dim": -2}, (3,)),
    Case("Unsqueeze", {"dim": -4}, (3,)),
    Case("Expand", {"sizes": [3]}, (1, 1)),
    Case("Expand", {"sizes": [2, 1, 1]}, (1, 1)),
    Case("Expand", {"sizes": [-2]}, (1,)),
    Case("Roll", {"shifts": [1, 1], "dims": [1, 1]}, (3,)),
    Case("Roll", {"shifts": [1, 2], "dims": 1}, (3,)),
    Case("Roll", {"shifts": [1], "dims": 1}, (3,)),
    Case("Roll", {"shifts": [], "dims": []}, (3,)),
    Case("Roll", {"shifts": -(2**31) + 1, "dims": 1}, (3,)),
    Case("Flatten", {"start_dim": 2, "end_dim": 1}, (3, 4)),
    Case("Flatten", {"start_dim": 1, "end_dim": 1}, (3,)),
    Case("Unflatten", {"dim": 1, "unflattened_size": [-1]}, (4,)),
    Case("Unflatten", {"dim": -1, "unflattened_size": [-1, -1]}, (4,)),
    Case("Unflatten", {"dim": 1, "unflattened_size": []}, (4,)),
    Case("Unflatten", {"dim": 1, "unflattened_size": [0, -1]}, (4,)),
]

ROUND = st.sampled_from([1, 2, 3, 4, 6, 8, 12, 24])
DTYPES = st.sampled_from(["float32", "float32", "int64", "int32", "uint8", "bool"])


def dims_of(x: Shape, *, more: int = 0) -> st.SearchStrategy[int]:
    """Draw axes of an input that are no batch, and now and then any number."""
    rank = len(x) + 1 + more
    inside = st.integers(1, max(rank - 1, 1))
    return st.one_of(*[inside | inside.map(lambda dim: dim - rank)] * 6, DIMS)


def some_dims(x: Shape) -> st.SearchStrategy[Any]:
    """Draw one axis, or several, which are seldom the same twice."""
    several = st.lists(dims_of(x), max_size=3)
    apart = st.lists(dims_of(x), min_size=1, max_size=3, unique_by=lambda d: d % (len(x) + 1))
    return dims_of(x) | apart | apart | several


def over(
    kind: str,
    fields: Callable[[Shape], dict[str, st.SearchStrategy[Any]]],
    *,
    optional: Any = None,
    dtypes: st.SearchStrategy[str] = DTYPES,
) -> st.SearchStrategy[Case]:
    """Draw an operation whose fields depend on the input."""
    return SMALL.flatmap(lambda x: cases(kind, st.just(x), fields(x), optional, dtype=dtypes))


def permutations(x: Shape) -> st.SearchStrategy[list[int]]:
    """Draw orders of all axes, of which the batch mostly comes first."""
    rank = len(x) + 1
    ordered = st.permutations(range(1, rank)).map(lambda dims: [0, *dims])
    signed = st.tuples(ordered, st.lists(st.booleans(), min_size=rank, max_size=rank)).map(
        lambda both: [d - rank if minus else d for d, minus in zip(*both, strict=True)]
    )
    return st.one_of(
        ordered, signed, signed, st.permutations(range(rank)).map(list), st.lists(DIMS, max_size=4)
    )


def reshaped(x: Shape) -> st.SearchStrategy[list[int]]:
    """Draw sizes that hold an input's values, or not."""
    n = 1
    for size in x:
        n *= size
    return st.one_of(
        st.permutations(x).map(list),
        st.permutations([*x[1:], -1]).map(list),
        st.just([n]),
        st.lists(st.sampled_from([1, 2, 3, 4, -1, -1]) | st.integers(-2, 6), max_size=4),
    )


@st.composite
def split(draw: Callable[..., Any]) -> Case:
    """Draw the sizes of one axis, which mostly multiply to it."""
    x = draw(st.lists(ROUND, min_size=1, max_size=3).map(tuple))
    dim = draw(dims_of(x))
    n = x[dim % (len(x) + 1) - 1]
    parts = [part for part in (1, 2, 3, 4) if n % part == 0]
    fits = st.sampled_from(parts).flatmap(
        lambda part: st.sampled_from([[part, n // part], [-1, part], [n // part, 1, -1]])
    )
    any_sizes = st.lists(st.sampled_from([1, 2, 3, 4, 6, -1, -1]) | st.integers(-2, 6), max_size=4)
    return Case(
        "Unflatten",
        {"dim": dim, "unflattened_size": draw(st.one_of(fits, fits, fits, any_sizes))},
        x,
    )


def expanded(x: Shape) -> st.SearchStrategy[list[int]]:
    """Draw sizes for every axis, of which those of size 1 may repeat; sometimes any."""
    fits = [st.sampled_from([1, 2, 3, -1, 0] if n == 1 else [n, -1]) for n in x]
    return st.tuples(*fits).map(list) | st.lists(st.integers(-2, 4), max_size=4)


def names_the_batch(case: Case) -> bool:
    """Tell whether one of the axes that a case names is the batch."""
    fields = case.fields
    rank = len(case.x) + (2 if case.kind in {"Unsqueeze", "Stack"} else 1)
    if case.kind == "Permute":
        return [d % rank for d in fields["dims"][:1]] != [0]
    named = [fields.get(name) for name in ("dim", "dim0", "dim1", "dims")]
    if case.kind == "Flatten":
        named = [fields.get("start_dim", 1), fields.get("end_dim", -1)]
    flat = [d for dims in named for d in (dims if isinstance(dims, list) else [dims])]
    return any(d is not None and d % rank == 0 for d in flat)


THE_BATCH = "an operation over the batch axis mixes samples, which stay apart in a network"


def reshape(shape: Shape) -> Made:
    return lambda x: x.reshape(x.shape[0], *shape)


def permute(dims: Shape) -> Made:
    return lambda x: x.permute(dims)


def transpose(dim0: int, dim1: int) -> Made:
    return lambda x: x.transpose(dim0, dim1)


def squeeze(dim: int | Shape) -> Made:
    return lambda x: torch.squeeze(x, dim)


def unsqueeze(dim: int) -> Made:
    return lambda x: x.unsqueeze(dim)


def expand(sizes: Shape) -> Made:
    return lambda x: x.expand(-1, *sizes)


def roll(shifts: int | Shape, dims: int | Shape) -> Made:
    return lambda x: torch.roll(x, shifts, dims)


SHIFTS = st.integers(-9, 9) | st.lists(st.integers(-9, 9), max_size=2)

CASES = {
    "Flatten": over(
        "Flatten",
        lambda _: {},
        optional={"start_dim": st.integers(1, 2) | DIMS, "end_dim": st.just(-1) | DIMS},
    ),
    "Unflatten": split(),
    "Reshape": over("Reshape", lambda x: {"shape": reshaped(x)}),
    "Permute": over("Permute", lambda x: {"dims": permutations(x)}),
    "Transpose": over("Transpose", lambda x: {"dim0": dims_of(x), "dim1": dims_of(x)}),
    "Squeeze": over("Squeeze", lambda x: {"dim": some_dims(x)}),
    "Unsqueeze": over("Unsqueeze", lambda x: {"dim": dims_of(x, more=1)}),
    "Expand": over("Expand", lambda x: {"sizes": expanded(x)}),
    "Roll": over("Roll", lambda x: {"shifts": SHIFTS, "dims": some_dims(x)})
    | over("Roll", lambda x: {"shifts": st.integers(-9, 9), "dims": dims_of(x)}),
}

STRICTNESS = [
    Strictness(
        THE_BATCH,
        names_the_batch,
        Case("Flatten", {"start_dim": 0}, (3, 4)),
    ),
    Strictness(
        "a squeeze of no axes, or a roll over all values as if they were one row",
        lambda case: [] in (case.fields.get("dim"), case.fields.get("dims")),
        Case("Squeeze", {"dim": []}, (1, 4)),
    ),
    Strictness(
        "a size of 0 makes an empty tensor",
        lambda case: case.kind == "Expand" and 0 in case.fields["sizes"],
        Case("Expand", {"sizes": [0]}, (1,)),
    ),
]

DECIDED = {}

MAKE = {
    "Reshape": reshape,
    "Permute": permute,
    "Transpose": transpose,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Expand": expand,
    "Roll": roll,
}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, DECIDED, MAKE)
