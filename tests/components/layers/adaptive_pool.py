"""Pools to a given size, by hand and by chance."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.components.layers.contract import (
    BOOLS,
    Case,
    Family,
    Row,
    Strictness,
    cases,
    per_axis,
    shapes,
    sizes,
    without_batch,
)

ROWS = [
    Row({"AdaptiveAvgPool1d": {"output_size": 1}}, (64, 100), (64, 1), {}, 0),
    Row({"AdaptiveAvgPool1d": {"output_size": 5}}, (3, 10), (3, 5), {}, 0),
    Row({"AdaptiveAvgPool1d": {"output_size": [4]}}, (3, 10), (3, 4), {}, 0),
    Row({"AdaptiveAvgPool2d": {"output_size": 1}}, (16, 7, 7), (16, 1, 1), {}, 0),
    Row({"AdaptiveAvgPool2d": {"output_size": [None, 1]}}, (16, 7, 7), (16, 7, 1), {}, 0),
    Row({"AdaptiveAvgPool2d": {"output_size": [3, 2]}}, (4, 9, 8), (4, 3, 2), {}, 0),
    Row({"AdaptiveAvgPool2d": {"output_size": 8}}, (4, 5, 5), (4, 8, 8), {}, 0),
    Row({"AdaptiveAvgPool3d": {"output_size": 2}}, (4, 8, 8, 8), (4, 2, 2, 2), {}, 0),
    Row({"AdaptiveAvgPool3d": {"output_size": [1, None, 3]}}, (2, 5, 4, 7), (2, 1, 4, 3), {}, 0),
    Row({"AdaptiveMaxPool1d": {"output_size": 5}}, (6, 8), (6, 5), {}, 0),
    Row({"AdaptiveMaxPool1d": {"output_size": 4, "return_indices": True}}, (2, 8), (2, 4), {}, 0),
    Row({"AdaptiveMaxPool2d": {"output_size": 7}}, (6, 10, 9), (6, 7, 7), {}, 0),
    Row({"AdaptiveMaxPool2d": {"output_size": [None, 2]}}, (3, 5, 6), (3, 5, 2), {}, 0),
    Row({"AdaptiveMaxPool3d": {"output_size": 1}}, (4, 8, 9, 10), (4, 1, 1, 1), {}, 0),
    Row(
        {"AdaptiveMaxPool3d": {"output_size": [2, None, 3], "return_indices": True}},
        (2, 4, 5, 6),
        (2, 2, 5, 3),
        {},
        0,
    ),
    # A ratio gives ⌊n · ratio⌋.
    Row(
        {"FractionalMaxPool2d": {"kernel_size": 3, "output_ratio": 0.7}},
        (4, 32, 30),
        (4, 22, 21),
        {},
        0,
    ),
    Row(
        {
            "FractionalMaxPool2d": {
                "kernel_size": [2, 3],
                "output_size": [3, 4],
                "return_indices": True,
            }
        },
        (2, 8, 9),
        (2, 3, 4),
        {},
        0,
    ),
    Row(
        {"FractionalMaxPool3d": {"kernel_size": 2, "output_size": 3}},
        (2, 5, 6, 7),
        (2, 3, 3, 3),
        {},
        0,
    ),
    Row(
        {
            "FractionalMaxPool3d": {
                "kernel_size": [1, 2, 3],
                "output_ratio": [0.5, 0.4, 0.3],
                "return_indices": True,
            }
        },
        (2, 6, 5, 7),
        (2, 3, 2, 2),
        {},
        0,
    ),
]

EDGES = [
    # In 3-D alone there has to be a value more than the windows need.
    *[
        Case(f"FractionalMaxPool{rank}d", {"kernel_size": k, "output_size": m}, (1, *[8] * rank))
        for rank in (2, 3)
        for k, m in ((1, 7), (1, 8), (2, 6), (2, 7), (2, 8), (8, 1), (9, 1))
    ],
    # 0.29 · 100 is less than 29 as doubles.
    Case("FractionalMaxPool2d", {"kernel_size": 1, "output_ratio": 0.29}, (1, 100, 100)),
    Case("FractionalMaxPool2d", {"kernel_size": 1, "output_ratio": [0.1, 0.5]}, (1, 10, 9)),
    Case("FractionalMaxPool2d", {"kernel_size": 2}, (1, 8, 8)),
    Case("FractionalMaxPool2d", {"kernel_size": 1, "output_ratio": 1.0}, (1, 8, 8)),
]


def adaptive_pools(mean_or_max: str, rank: int) -> st.SearchStrategy[Case]:
    """Draw pools to a given size over `rank` axes."""
    size = st.none() | st.integers(1, 9) | st.integers(0, 9)
    indices = {"return_indices": st.sampled_from([False, False, True])}
    return cases(
        f"Adaptive{mean_or_max}Pool{rank}d",
        shapes(rank),
        {"output_size": per_axis(rank, size)},
        indices if mean_or_max == "Max" else {},
    )


def fractional_pools(rank: int) -> st.SearchStrategy[Case]:
    """Draw fractional pools over `rank` axes: with a size, with a ratio, or with any of these."""
    ratio = st.sampled_from([0.3, 0.5, 0.7, 0.9, 0.34] * 3 + [0.1, 1.0, 1e-9, 0.0])
    size, ratios = sizes(rank, 1, 4), per_axis(rank, ratio)
    kernel, indices = {"kernel_size": sizes(rank, 1, 3)}, {"return_indices": BOOLS}

    def pools(
        given: dict[str, st.SearchStrategy[object]], may: dict[str, st.SearchStrategy[object]]
    ) -> st.SearchStrategy[Case]:
        x = shapes(rank, most=12)
        return cases(f"FractionalMaxPool{rank}d", x, {**kernel, **given}, {**may, **indices})

    return (
        pools({"output_size": size}, {})
        | pools({"output_ratio": ratios}, {})
        | pools({}, {"output_size": st.none() | size, "output_ratio": st.none() | ratios})
    )


def _has_size_zero(case: Case) -> bool:
    values = [case.fields.get(name) for name in ("kernel_size", "output_size")]
    return any(value == 0 or (isinstance(value, list) and 0 in value) for value in values)


def _is_read_in_part(case: Case) -> bool:
    ratio = case.fields.get("output_ratio")
    return isinstance(ratio, list) and len(ratio) > len(case.x) - 1


def _leaves_nothing(case: Case) -> bool:
    ratio = case.fields.get("output_ratio")
    ratios = ratio if isinstance(ratio, list) else [ratio or 1] * (len(case.x) - 1)
    return any(int(n * r) == 0 for n, r in zip(case.x[1:], ratios, strict=False))


def _is_a_mean_of_the_last_axes(case: Case) -> bool:
    size = case.fields.get("output_size")
    ones = size == 1 or (isinstance(size, list) and set(size) <= {1, None})
    rank = int(case.kind[-2])
    return case.kind.startswith("AdaptiveAvgPool") and ones and len(case.x) - 1 != rank


CASES = {
    **{
        f"Adaptive{kind}Pool{rank}d": adaptive_pools(kind, rank)
        for kind in ("Avg", "Max")
        for rank in (1, 2, 3)
    },
    **{f"FractionalMaxPool{rank}d": fractional_pools(rank) for rank in (2, 3)},
}

STRICTNESS = [
    *without_batch("AdaptiveMaxPool", {"output_size": 2}),
    *without_batch("AdaptiveAvgPool", {"output_size": 2}),
    *without_batch("FractionalMaxPool", {"kernel_size": 2, "output_size": 2})[1:],
    Strictness(
        "a size of 0 makes an empty tensor, and a window of 0 sees nothing",
        _has_size_zero,
        Case("AdaptiveAvgPool2d", {"output_size": 0}, (1, 4, 4)),
    ),
    Strictness(
        "a list of four ratios, of which three are read",
        _is_read_in_part,
        Case(
            "FractionalMaxPool3d",
            {"kernel_size": 1, "output_ratio": [0.5, 0.5, 0.5, 0.5]},
            (1, 4, 4, 4),
        ),
    ),
    Strictness(
        "a ratio that leaves nothing makes an empty tensor",
        _leaves_nothing,
        Case("FractionalMaxPool2d", {"kernel_size": 1, "output_ratio": 0.1}, (1, 4, 4)),
    ),
    Strictness(
        "an output of one value is a mean to torch, which forgets to look at the number of axes",
        _is_a_mean_of_the_last_axes,
        Case("AdaptiveAvgPool2d", {"output_size": 1}, (3, 4, 5, 6)),
    ),
]

_NO_SAMPLES = "not offered: torch draws them for each pass"
FIELDS = {(f"FractionalMaxPool{rank}d", "_random_samples"): _NO_SAMPLES for rank in (2, 3)}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, fields=FIELDS)
