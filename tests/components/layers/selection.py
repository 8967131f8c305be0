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
    Row({"Split": {"split_size_or_sections": 2}}, (5, 3), (2, 3), {}, 0),  # 2, 2 and 1
    Row({"Split": {"split_size_or_sections": [1, 3], "dim": -1}}, (2, 4), (2, 1), {}, 0),
    Row({"Split": {"split_size_or_sections": 9, "dim": 2}}, (2, 4), (2, 4), {}, 0, dtype="int32"),
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
    *[
        Case("Split", {"split_size_or_sections": size, "dim": dim}, (2, 4))
        for size in (0, -1, 1, 3, 4, [4], [2, 2], [3, 2], [2, 1], [0, 4], [2, -1], [])
        for dim in (2, -1, 0, 3)
    ],
    Case("Split", {"split_size_or_sections": 1}, (1000,)),
    Case("Split", {"split_size_or_sections": 1}, (1001,)),
]


def select(dim: int, index: int) -> Made:
    return lambda x: x.select(dim, index)


def narrow(dim: int, start: int, length: int) -> Made:
    return lambda x: x.narrow(dim, start, length)


def chunk(chunks: int, dim: int = 1) -> Made:
    return lambda x: torch.chunk(x, chunks, dim)


def split(split_size_or_sections: int | list[int], dim: int = 1) -> Made:
    return lambda x: torch.split(x, split_size_or_sections, dim)


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
    "Split": over(
        "Split",
        lambda _: {
            "split_size_or_sections": st.integers(0, 5) | st.lists(st.integers(0, 3), max_size=3)
        },
        optional={"dim": st.integers(-2, 2)},
    ),
}


def empty_parts(case: Case) -> bool:
    """Tell whether torch gives a part without values."""
    size = case.fields.get("split_size_or_sections")
    return size == 0 or (isinstance(size, list) and 0 in size)


STRICTNESS = [
    Strictness(THE_BATCH, names_the_batch, Case("Select", {"dim": 0, "index": 1}, (3, 4))),
    Strictness(
        "a size of 0 makes an empty tensor",
        lambda case: case.fields.get("length") == 0,
        Case("Narrow", {"dim": 1, "start": 0, "length": 0}, (3,)),
    ),
    Strictness(
        "a part without values",
        empty_parts,
        Case("Split", {"split_size_or_sections": [0, 3]}, (3,)),
    ),
    Strictness(
        "torch makes fewer chunks than it is asked for, and each result has a name",
        makes_fewer,
        Case("Chunk", {"chunks": 4}, (6,)),
    ),
    Strictness(
        "nobody names more than 1,000 results of one layer",
        lambda case: case.fields.get("chunks", 0) > 1000 or case.x == (1001,),
        Case("Chunk", {"chunks": 1001}, (1001,)),
    ),
]

FAMILY = Family(
    ROWS,
    CASES,
    EDGES,
    STRICTNESS,
    make={"Select": select, "Narrow": narrow, "Chunk": chunk, "Split": split},
    fields={("Split", "dim"): "1 instead of 0, the batch"},
)
