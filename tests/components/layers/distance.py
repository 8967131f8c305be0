"""Distances, by hand and by chance."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.components.layers.contract import BATCH, BOOLS, Case, Family, Row, Strictness, Tensor
from tests.components.layers.join import joins, meeting
from tests.components.layers.tensor import THE_BATCH, dims_of, names_the_batch

ROWS = [
    Row({"CosineSimilarity": {}}, (8,), (), {}, 0, (Tensor((8,)),)),
    Row({"CosineSimilarity": {"dim": 2}}, (4, 8), (4,), {}, 0, (Tensor((1, 8)),)),
    Row({"CosineSimilarity": {"eps": 0.1}}, (4, 1), (3,), {}, 0, (Tensor((1, 3)),)),
    Row({"PairwiseDistance": {}}, (8,), (), {}, 0, (Tensor((8,)),)),
    Row({"PairwiseDistance": {"p": 1, "keepdim": True}}, (4, 8), (4, 1), {}, 0, (Tensor((4, 8)),)),
    Row({"PairwiseDistance": {"eps": 0.1}}, (4, 1), (4,), {}, 0, (Tensor((1, 3)),)),
]

EDGES = [
    *[
        Case(kind, {}, (3,), (Tensor((3,), other),), dtype)
        for kind in ("CosineSimilarity", "PairwiseDistance")
        for dtype, other in (
            ("float32", "int64"),
            ("uint8", "float32"),
            ("int64", "int64"),
            ("float32", "bool"),
            ("bool", "bool"),
        )
    ],
    *[
        Case("CosineSimilarity", {"eps": eps}, (3,), (Tensor((3,)),))
        for eps in (0, -1e-8, 3.4028234663852886e38, 1e39)
    ],
    Case("CosineSimilarity", {"dim": 2}, (3,), (Tensor((3,)),)),
    Case("CosineSimilarity", {"dim": -1}, (3,), (Tensor((1,)),)),
    Case("CosineSimilarity", {"dim": -2}, (3, 1), (Tensor((1, 2)),)),
    Case("CosineSimilarity", {"dim": -2}, (3, 2), (Tensor((1, 3)),)),
    *[
        Case("PairwiseDistance", {"p": p}, (3,), (Tensor((3,)),))
        for p in (0, 0.5, 3, -1, 1e300, -1e300)
    ],
    Case("PairwiseDistance", {"eps": 1e300}, (3,), (Tensor((3,)),)),
    Case("PairwiseDistance", {}, (2, 3), (Tensor((3,)),)),
    Case("PairwiseDistance", {}, (2,), (Tensor((3,)),)),
]

CASES = {
    "CosineSimilarity": joins(
        "CosineSimilarity",
        meeting(most=2),
        lambda x: {"dim": dims_of(x), "eps": st.sampled_from([1e-8, 0.1, 0, -1.0])},
    ),
    "PairwiseDistance": joins(
        "PairwiseDistance",
        meeting(most=2),
        lambda _: {
            "p": st.sampled_from([2.0, 1, 0, 0.5, -1, 3]),
            "eps": st.sampled_from([1e-6, 0, -1.0]),
            "keepdim": BOOLS,
        },
    ),
}

STRICTNESS = [
    Strictness(
        "inputs of different numbers of axes: the batch of one meets another axis of the other",
        lambda case: len(case.x) != len(case.others[0].shape),
        Case("PairwiseDistance", {}, (3,), (Tensor((BATCH, 3)),)),
    ),
    Strictness(
        THE_BATCH,
        lambda case: not case.x or names_the_batch(case),
        Case("CosineSimilarity", {"dim": 0}, (3,), (Tensor((3,)),)),
    ),
]

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS)
