"""Parts of a tensor, by hand and by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from hypothesis import strategies as st

from tests.components.layers.contract import Case, Family, Row, Strictness, cases
from tests.components.layers.tensor import DTYPES, THE_BATCH, dims_of, names_the_batch, over

if TYPE_CHECKING:
    from collections.abc import Callable

Made: TypeAlias = "Callable[[torch.Tensor], Any]"

ROWS = [
    Row({"Select": {"dim": 1, "index": 0}}, (5, 3), (3,), {}, 0),
    Row({"Select": {"dim": -1, "index": -3}}, (5, 3), (5,), {}, 0, dtype="int64"),
    Row({"Select": {"dim": 1, "index": 4}}, (5,), (), {}, 0),
    Row({"Narrow": {"dim": 1, "start": 1, "length": 4}}, (5, 3), (4, 3), {}, 0),
    Row({"Narrow": {"dim": 2, "start": -2, "length": 2}}, (5, 3), (5, 2), {}, 0, dtype="bool"),
    Row({"Chunk": {"chunks": 2}}, (6, 3), (3, 3), {}, 0),
    Row({"Chunk": {"chunks": 3, "dim": -1}}, (2, 8), (2, 3), {}, 0),  # 3, 3 and 2
    Row({"Chunk": {"chunks": 1, "dim": 2}}, (2, 8), (2, 8), {}, 0, dtype="uint8"),
]

EDGES = [
    Case("Select", {"dim": 1, "index": 3}, (3,)),
    Case("Select", {"dim": 1, "index": -3}, (3,)),
    Case("Select", {"dim": 1, "index": -4}, (3,)),
    Case("Narrow", {"dim": 1, "start": 3, "length": 1}, (3,)),
    Case("Narrow", {"dim": 1, "start": -3, "length": 3}, (3,)),
    Case("Narrow", {"dim": 1, "start": -4, "length": 1}, (3,)),
    Case("Narrow", {"dim": 1, "start": -1, "length": 2}, (3,)),
    Case("Chunk", {"chunks": 3}, (3,)),
    Case("Chunk", {"chunks": 4}, (3,)),
    Case("Chunk", {"chunks": 4}, (9,)),
    Case("Chunk", {"chunks": 1000}, (1000,)),
]


def select(dim: int, index: int) -> Made:
    return lambda x: x.select(dim, index)


def narrow(dim: int, start: int, length: int) -> Made:
    return lambda x: x.narrow(dim, start, length)


def chunk(chunks: int, dim: int = 1) -> Made:
    return lambda x: torch.chunk(x, chunks, dim)


def makes_fewer(case: Case) -> bool:
    """Tell whether torch would give fewer chunks than it is asked for."""
    rank = len(case.x) + 1
    if case.kind != "Chunk" or names_the_batch(case):
        return False
    n, chunks = case.x[case.fields.get("dim", 1) % rank - 1], case.fields["chunks"]
    return chunks > 0 and len(range(0, n, -(-n // chunks))) != chunks


CASES = {
    "Select": over(
        "Select", lambda x: {"dim": dims_of(x), "index": st.integers(-1, 0) | st.integers(-4, 3)}
    ),
    "Narrow": over(
        "Narrow",
        lambda x: {
            "dim": dims_of(x),
            "start": st.sampled_from([0, 0, 0, -1]) | st.integers(-4, 4),
            "length": st.just(1) | st.integers(0, 3),
        },
    ),
    "Chunk": st.lists(st.integers(1, 9), min_size=1, max_size=3)
    .map(tuple)
    .flatmap(
        lambda x: cases(
            "Chunk",
            st.just(x),
            {"chunks": st.integers(1, 3) | st.integers(0, 10)},
            {"dim": dims_of(x)},
            dtype=DTYPES,
        )
    ),
}

STRICTNESS = [
    Strictness(THE_BATCH, names_the_batch, Case("Select", {"dim": 0, "index": 1}, (3, 4))),
    Strictness(
        "a size of 0 makes an empty tensor",
        lambda case: case.fields.get("length") == 0,
        Case("Narrow", {"dim": 1, "start": 0, "length": 0}, (3,)),
    ),
    Strictness(
        "torch makes fewer chunks than it is asked for, and each result has a name",
        makes_fewer,
        Case("Chunk", {"chunks": 4}, (6,)),
    ),
    Strictness(
        "nobody names more than 1,000 results of one layer",
        lambda case: case.fields.get("chunks", 0) > 1000,
        Case("Chunk", {"chunks": 1001}, (1001,)),
    ),
]

FAMILY = Family(
    ROWS, CASES, EDGES, STRICTNESS, make={"Select": select, "Narrow": narrow, "Chunk": chunk}
)
