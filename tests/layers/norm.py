"""Normalisations, by hand and by chance."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.layers.contract import (
    BATCH,
    BOOLS,
    NUMBERS,
    SMALL,
    Case,
    Family,
    Row,
    Strictness,
    affine,
    cases,
    shapes,
    without_batch,
)

ROWS = [
    # Norms keep the shape.
    Row({"BatchNorm1d": {}}, (120,), (120,), affine(120), 0),
    Row({"BatchNorm1d": {"momentum": None, "bias": False}}, (6, 10), (6, 10), {"weight": (6,)}, 0),
    Row({"BatchNorm1d": {"num_features": 6, "affine": False}}, (6, 10), (6, 10), {}, 0),
    Row({"BatchNorm2d": {"eps": 0.001}}, (6, 8, 8), (6, 8, 8), affine(6), 0),
    Row({"BatchNorm2d": {"track_running_stats": False}}, (6, 8, 7), (6, 8, 7), affine(6), 0),
    Row({"BatchNorm3d": {"momentum": 0.01}}, (4, 3, 4, 5), (4, 3, 4, 5), affine(4), 0),
    Row(
        {"BatchNorm3d": {"affine": False, "track_running_stats": False}},
        (4, 3, 3, 3),
        (4, 3, 3, 3),
        {},
        0,
    ),
    Row({"InstanceNorm1d": {}}, (6, 10), (6, 10), {}, 0),
    Row({"InstanceNorm1d": {"affine": True, "bias": False}}, (6, 4), (6, 4), {"weight": (6,)}, 0),
    Row({"InstanceNorm2d": {"num_features": 6}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row(
        {"InstanceNorm2d": {"affine": True, "track_running_stats": True}},
        (6, 8, 7),
        (6, 8, 7),
        affine(6),
        0,
    ),
    Row({"InstanceNorm3d": {"affine": True}}, (4, 3, 4, 5), (4, 3, 4, 5), affine(4), 0),
    Row({"InstanceNorm3d": {"track_running_stats": True}}, (4, 3, 3, 3), (4, 3, 3, 3), {}, 0),
    Row({"LayerNorm": {}}, (10, 32), (10, 32), affine(32), 0),
    Row({"LayerNorm": {"bias": False}}, (32,), (32,), {"weight": (32,)}, 0),
    Row({"LayerNorm": {"normalized_shape": [8, 7]}}, (6, 8, 7), (6, 8, 7), affine(8, 7), 0),
    Row(
        {"LayerNorm": {"normalized_shape": 7, "elementwise_affine": False}},
        (6, 8, 7),
        (6, 8, 7),
        {},
        0,
    ),
    Row({"GroupNorm": {"num_groups": 3}}, (6, 8, 8), (6, 8, 8), affine(6), 0),
    Row({"GroupNorm": {"num_groups": 2, "bias": False}}, (6,), (6,), {"weight": (6,)}, 0),
    Row(
        {"GroupNorm": {"num_groups": 1, "num_channels": 4, "affine": False}}, (4, 9), (4, 9), {}, 0
    ),
    Row({"LocalResponseNorm": {"size": 5}}, (8, 9, 9), (8, 9, 9), {}, 0),
    Row({"LocalResponseNorm": {"size": 2, "k": 2.0}}, (8, 9), (8, 9), {}, 0),
    Row({"LocalResponseNorm": {"size": 3, "beta": 1}}, (4, 2, 3, 4), (4, 2, 3, 4), {}, 0),
]

EDGES = [
    Case("BatchNorm1d", {"eps": 0.0}, (4,)),
    Case("BatchNorm2d", {}, (4, 1, 1)),
    Case("InstanceNorm1d", {"eps": 0.0}, (4, 5)),
    Case("InstanceNorm2d", {"eps": -1.0}, (4, 5, 5)),
    Case("InstanceNorm2d", {}, (4, 1, 1)),
    Case("InstanceNorm2d", {"track_running_stats": True, "momentum": None}, (4, 1, 2)),
    Case("GroupNorm", {"num_groups": 4}, (4,)),
    Case("GroupNorm", {"num_groups": 4}, (4, 1, 1)),
    Case("LayerNorm", {"eps": 0.0}, (1,)),
    Case("LocalResponseNorm", {"size": 9}, (4, 2)),
    Case("LocalResponseNorm", {"size": 9}, (4,)),
]


def channel_norms(family: str, rank: int) -> st.SearchStrategy[Case]:
    """Draw batch norms and instance norms over `rank` axes."""
    return cases(
        f"{family}{rank}d",
        shapes(rank, most=3),
        {},
        {
            "num_features": st.none() | st.sampled_from([1, 2, 4]),
            "eps": NUMBERS,
            "momentum": st.none() | NUMBERS,
            "affine": BOOLS,
            "track_running_stats": BOOLS,
            "bias": BOOLS,
        },
    )


def _normalises_the_batch(case: Case) -> bool:
    sizes = case.fields.get("normalized_shape")
    return isinstance(sizes, list) and len(sizes) == len(case.x) + 1


def _contradicts_the_input_in_vain(case: Case) -> bool:
    field = "num_channels" if case.kind == "GroupNorm" else "num_features"
    makes_weights = case.fields.get("affine", not case.kind.startswith("InstanceNorm"))
    return case.fields.get(field) not in {None, case.x[0]} and not makes_weights


CASES = {
    **{
        f"{family}{rank}d": channel_norms(family, rank)
        for family in ("BatchNorm", "InstanceNorm")
        for rank in (1, 2, 3)
    },
    "LayerNorm": SMALL.flatmap(
        lambda x: cases(
            "LayerNorm",
            st.just(x),
            {},
            {
                "normalized_shape": st.none()
                | st.integers(0, 4)
                | st.integers(1, len(x)).map(lambda n: list(x[-n:]))
                | st.just([BATCH, *x])
                | st.lists(st.integers(0, 4), max_size=3),
                "eps": NUMBERS,
                "elementwise_affine": BOOLS,
                "bias": BOOLS,
            },
        )
    ),
    "GroupNorm": cases(
        "GroupNorm",
        shapes(1, most=3) | shapes(2, most=3) | SMALL,
        {"num_groups": st.integers(0, 6)},
        {
            "num_channels": st.none() | st.integers(1, 6),
            "eps": NUMBERS,
            "affine": BOOLS,
            "bias": BOOLS,
        },
    ),
    "LocalResponseNorm": cases(
        "LocalResponseNorm",
        SMALL,
        {"size": st.integers(0, 9)},
        {"alpha": NUMBERS, "beta": NUMBERS, "k": NUMBERS},
    ),
}

STRICTNESS = [
    *without_batch("InstanceNorm", {}),
    Strictness(
        "an operation over the batch axis mixes samples, which stay apart in a network",
        _normalises_the_batch,
        Case("LayerNorm", {"normalized_shape": [BATCH, 3, 4]}, (3, 4)),
    ),
    Strictness(
        "a written number of channels is checked, even where torch makes nothing of it",
        _contradicts_the_input_in_vain,
        Case(
            "BatchNorm1d",
            {"num_features": 3, "affine": False, "track_running_stats": False},
            (4,),
        ),
    ),
]

DECIDED = {
    **{
        f"{family}Norm{rank}d": {"num_features": lambda x: x[0]}
        for family in ("Batch", "Instance")
        for rank in (1, 2, 3)
    },
    "GroupNorm": {"num_channels": lambda x: x[0]},
    "LayerNorm": {"normalized_shape": lambda x: x[-1]},
}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, DECIDED)
