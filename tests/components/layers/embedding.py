"""Look-up tables, by hand and by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.components.layers.contract import (
    BOOLS,
    SMALL,
    Case,
    Family,
    Row,
    Strictness,
    Tensor,
    cases,
)

if TYPE_CHECKING:
    import torch

ROWS = [
    # Looking up multiplies nothing.
    Row(
        {"Embedding": {"num_embeddings": 9, "embedding_dim": 4}},
        (5,),
        (5, 4),
        {"weight": (9, 4)},
        0,
        dtype="int64",
    ),
    Row(
        {"Embedding": {"num_embeddings": 3, "embedding_dim": 2, "padding_idx": -3, "sparse": True}},
        (2, 5),
        (2, 5, 2),
        {"weight": (3, 2)},
        0,
        dtype="int32",
    ),
    Row(
        {"EmbeddingBag": {"num_embeddings": 9, "embedding_dim": 4}},
        (5,),
        (4,),
        {"weight": (9, 4)},
        0,
        dtype="int64",
    ),
    Row(
        {"EmbeddingBag": {"num_embeddings": 3, "embedding_dim": 2, "mode": "max"}},
        (7,),
        (2,),
        {"weight": (3, 2)},
        0,
        dtype="int64",
    ),
    Row(
        {"EmbeddingBag": {"num_embeddings": 3, "embedding_dim": 2, "mode": "sum"}},
        (7,),
        (2,),
        {"weight": (3, 2)},
        0,
        (Tensor((7,)),),
        dtype="int64",
    ),
    Row(
        {
            "EmbeddingBag": {
                "num_embeddings": 5,
                "embedding_dim": 3,
                "scale_grad_by_freq": True,
                "mode": "sum",
                "padding_idx": 4,
            }
        },
        (6,),
        (3,),
        {"weight": (5, 3)},
        0,
        dtype="int64",
    ),
]

SIZES = {"num_embeddings": 3, "embedding_dim": 2}

EDGES = [
    *[
        Case(kind, {**SIZES, "padding_idx": index}, (4,), dtype="int64")
        for kind in ("Embedding", "EmbeddingBag")
        for index in (-4, -3, 2, 3)
    ],
    *[
        Case(kind, SIZES, (4,), dtype=dtype)
        for kind in ("Embedding", "EmbeddingBag")
        for dtype in ("float32", "int32", "uint8", "bool")
    ],
    *[
        Case("Embedding", {**SIZES, "max_norm": most, "norm_type": p}, (4,), dtype="int64")
        for most in (-1.0, 0.0, 1)
        for p in (-1.0, 0.0, 2)
    ],
    Case("EmbeddingBag", SIZES, (4, 2), dtype="int64"),
    Case("EmbeddingBag", {**SIZES, "mode": "max", "sparse": True}, (4,), dtype="int64"),
    Case("EmbeddingBag", {**SIZES, "mode": "max", "scale_grad_by_freq": True}, (4,), dtype="int64"),
    *[
        Case("EmbeddingBag", {**SIZES, "mode": mode}, (4,), (factors,), dtype="int64")
        for mode in ("sum", "mean", "max")
        for factors in (Tensor((4,)), Tensor((3,)), Tensor((4, 1)), Tensor((4,), "int64"))
    ],
]

FIELDS = {
    "padding_idx": st.none() | st.integers(-4, 4),
    "max_norm": st.none() | st.sampled_from([-1.0, 0, 0.5, 2.0]),
    "norm_type": st.sampled_from([-1.0, 0, 1, 2.0, 3.0]),
    "scale_grad_by_freq": BOOLS,
    "sparse": BOOLS,
}
REQUIRED = {
    "num_embeddings": st.sampled_from([1, 2, 3, 4, 4, 4, 0]),
    "embedding_dim": st.sampled_from([1, 2, 3, 3, 0]),
}
DTYPES = st.sampled_from(["int64"] * 5 + ["int32"] * 5 + ["float32", "uint8", "bool"])
LENGTHS = st.integers(1, 4).map(lambda length: (length,))


def _bags(x: tuple[int, ...]) -> st.SearchStrategy[Case]:
    shape = st.sampled_from([x, x, x, (*x, 1), (3,)])
    dtype = st.sampled_from(["float32"] * 6 + ["int64"])
    factors = st.tuples(st.builds(Tensor, shape, dtype))
    return cases(
        "EmbeddingBag",
        st.just(x),
        REQUIRED,
        FIELDS | {"mode": st.sampled_from(["sum", "mean", "max"]), "include_last_offset": BOOLS},
        others=st.just(()) | factors,
        dtype=DTYPES,
    )


def call_bag(
    module: Any, x: torch.Tensor, factors: torch.Tensor | None = None
) -> tuple[torch.Tensor]:
    """Call an EmbeddingBag without offsets, which stand between its two inputs."""
    return (module(x, None, factors),)


CASES = {
    "Embedding": cases("Embedding", SMALL, REQUIRED, FIELDS, dtype=DTYPES),
    "EmbeddingBag": st.one_of(*[LENGTHS] * 9, SMALL).flatmap(_bags),
}

STRICTNESS = [
    Strictness(
        "a size of 0 makes an empty tensor",
        lambda case: case.fields.get("embedding_dim") == 0,
        Case("Embedding", {"num_embeddings": 3, "embedding_dim": 0}, (4,), dtype="int64"),
    ),
    Strictness(
        "torch runs forward, and refuses to go backward",
        lambda case: (
            case.fields.get("sparse", False) and case.fields.get("scale_grad_by_freq", False)
        ),
        Case(
            "Embedding", {**SIZES, "sparse": True, "scale_grad_by_freq": True}, (4,), dtype="int64"
        ),
    ),
]

FAMILY = Family(
    ROWS,
    CASES,
    EDGES,
    STRICTNESS,
    call={"EmbeddingBag": call_bag},
    fields={
        ("Embedding", "_weight"): "a table that is given is not written in a file",
        ("Embedding", "_freeze"): "the same of one that does not learn",
        ("EmbeddingBag", "_weight"): "a table that is given is not written in a file",
    },
)
