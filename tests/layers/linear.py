"""Linear layers, by hand and by chance."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.layers.contract import BOOLS, SMALL, Case, Family, Row, Strictness, cases

ROWS = [
    # Linear layers.
    Row({"Identity": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Identity": {}}, (64,), (64,), {}, 0),
    Row(
        {"Linear": {"out_features": 120}},
        (400,),
        (120,),
        {"weight": (120, 400), "bias": (120,)},
        48_000,
    ),
    Row(
        {"Linear": {"in_features": 16, "out_features": 5, "bias": False}},
        (3, 7, 16),
        (3, 7, 5),
        {"weight": (5, 16)},
        1_680,  # 3·7 vectors, 16·5 for each
    ),
]

EDGES = []


CASES = {
    "Linear": cases(
        "Linear",
        SMALL,
        {"out_features": st.integers(0, 5)},
        {"in_features": st.none() | st.integers(1, 4), "bias": BOOLS},
    ),
    "Identity": cases("Identity", SMALL),
}

STRICTNESS = [
    Strictness(
        "a size of 0 makes an empty tensor",
        lambda case: case.fields.get("out_features") == 0,
        Case("Linear", {"out_features": 0}, (4,)),
    ),
]

DECIDED = {"Linear": {"in_features": lambda x: x[-1]}}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, DECIDED)
