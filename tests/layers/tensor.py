"""Operations that rearrange, by hand and by chance."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.layers.contract import DIMS, SMALL, Case, Family, Row, Strictness, cases

ROWS = [
    # Another shape for the same values.
    Row({"Flatten": {}}, (16, 5, 5), (400,), {}, 0),
    Row({"Flatten": {"start_dim": 2, "end_dim": 3}}, (2, 3, 4, 5), (2, 12, 5), {}, 0),
    Row({"Flatten": {"start_dim": -1}}, (2, 3), (2, 3), {}, 0),
    Row({"Unflatten": {"dim": 1, "unflattened_size": [16, 5, -1]}}, (400,), (16, 5, 5), {}, 0),
    Row({"Unflatten": {"dim": -2, "unflattened_size": [2, 3]}}, (6, 4), (2, 3, 4), {}, 0),
]

EDGES = [
    Case("Flatten", {"start_dim": 2, "end_dim": 1}, (3, 4)),
    Case("Flatten", {"start_dim": 1, "end_dim": 1}, (3,)),
    Case("Unflatten", {"dim": 1, "unflattened_size": [-1]}, (4,)),
    Case("Unflatten", {"dim": -1, "unflattened_size": [-1, -1]}, (4,)),
    Case("Unflatten", {"dim": 1, "unflattened_size": []}, (4,)),
    Case("Unflatten", {"dim": 1, "unflattened_size": [0, -1]}, (4,)),
]


ROUND = st.sampled_from([1, 2, 3, 4, 6, 8, 12, 24])


def _crosses_the_batch(case: Case) -> bool:
    rank = len(case.x) + 1
    if case.kind == "Flatten":
        ends = case.fields.get("start_dim", 1), case.fields.get("end_dim", -1)
        return any(end % rank == 0 for end in ends)
    return case.kind == "Unflatten" and case.fields["dim"] % rank == 0


CASES = {
    "Flatten": cases("Flatten", SMALL, {}, {"start_dim": DIMS, "end_dim": DIMS}),
    "Unflatten": st.lists(ROUND, min_size=1, max_size=3).flatmap(
        lambda x: cases(
            "Unflatten",
            st.just(tuple(x)),
            {
                "dim": st.integers(-4, 4),
                "unflattened_size": st.lists(
                    st.sampled_from([1, 2, 3, 4, 6, -1, -1]) | st.integers(-2, 6), max_size=4
                )
                | st.sampled_from([[2, n // 2] for n in x] + [[n // 3, -1] for n in x]),
            },
        )
    ),
}

STRICTNESS = [
    Strictness(
        "an operation over the batch axis mixes samples, which stay apart in a network",
        _crosses_the_batch,
        Case("Flatten", {"start_dim": 0}, (3, 4)),
    ),
]

DECIDED = {}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, DECIDED)
