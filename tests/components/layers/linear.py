"""Linear layers, by hand and by chance."""

from __future__ import annotations

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
    Row({"LazyLinear": {"out_features": 3}}, (8,), (3,), {"weight": (3, 8), "bias": (3,)}, 24),
    Row({"LazyLinear": {"out_features": 2, "bias": False}}, (5, 4), (5, 2), {"weight": (2, 4)}, 40),
    Row(
        {"Bilinear": {"out_features": 5}},
        (3,),
        (5,),
        {"weight": (5, 3, 4), "bias": (5,)},
        80,  # for each of 5: x1 by a matrix of 3·4, and the 4 that come of it by x2
        (Tensor((4,)),),
    ),
    Row(
        {"Bilinear": {"in1_features": 2, "in2_features": 3, "out_features": 4, "bias": False}},
        (6, 7, 2),
        (6, 7, 4),
        {"weight": (4, 2, 3)},
        1_512,  # 6·7 pairs, 4·(2·3 + 3) for each
        (Tensor((6, 7, 3)),),
    ),
]

EDGES = [
    Case("Bilinear", {"out_features": 2}, (2, 3), (Tensor((1, 3)),)),
    Case("Bilinear", {"out_features": 2}, (2, 3), (Tensor((3,)),)),
    Case("Bilinear", {"in1_features": 4, "out_features": 2}, (3,), (Tensor((3,)),)),
    Case("Bilinear", {"in2_features": 3, "out_features": 2}, (4,), (Tensor((3,)),)),
    Case("Bilinear", {"out_features": 2}, (3,), (Tensor((3,), "int64"),)),
]


def pairs() -> st.SearchStrategy[Case]:
    """Draw two inputs that mostly differ on the last axis only."""
    sizes = st.integers(1, 3)
    return st.tuples(SMALL, sizes, st.booleans() | st.just(value=True), SMALL).flatmap(
        lambda drawn: cases(
            "Bilinear",
            st.just(drawn[0]),
            {"out_features": st.integers(1, 4) | st.integers(0, 4)},
            {
                "in1_features": st.sampled_from([None, None, *drawn[0][-1:], 2]),
                "in2_features": st.sampled_from([None, None, drawn[1], 2]),
                "bias": BOOLS,
            },
            others=st.just((Tensor((*drawn[0][:-1], drawn[1]) if drawn[2] else drawn[3]),)),
        )
    )


CASES = {
    "Linear": cases(
        "Linear",
        SMALL,
        {"out_features": st.integers(0, 5)},
        {"in_features": st.none() | st.integers(1, 4), "bias": BOOLS},
    ),
    "LazyLinear": cases("LazyLinear", SMALL, {"out_features": st.integers(0, 5)}, {"bias": BOOLS}),
    "Bilinear": pairs(),
    "Identity": cases("Identity", SMALL),
}

STRICTNESS = [
    Strictness(
        "one number a sample: torch takes the samples for features",
        lambda case: case.kind == "LazyLinear" and not case.x,
        Case("LazyLinear", {"out_features": 3}, ()),
    ),
    Strictness(
        "a size of 0 makes an empty tensor",
        lambda case: case.fields.get("out_features") == 0,
        Case("Linear", {"out_features": 0}, (4,)),
    ),
]

DECIDED = {
    "Linear": {"in_features": lambda x: x[-1]},
    "Bilinear": {"in1_features": lambda x, _: x[-1], "in2_features": lambda _, x: x[-1]},
}

UNCOUNTED = {
    "Bilinear": "the counter does not look into _trilinear, which multiplies matrices",
}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, DECIDED, uncounted=UNCOUNTED)
