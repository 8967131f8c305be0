"""Pools, by hand and by chance."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.layers.contract import (
    BOOLS,
    Case,
    Family,
    Row,
    Strictness,
    another_number_of_axes,
    cases,
    per_axis,
    shapes,
    sizes,
    without_batch,
)

ROWS = [
    # Pools: the same rule; with ceil_mode a last window that begins inside the input counts.
    Row({"MaxPool1d": {"kernel_size": 2}}, (4, 9), (4, 4), {}, 0),
    Row(
        {
            "MaxPool1d": {
                "kernel_size": 3,
                "stride": 2,
                "padding": 1,
                "dilation": 2,
                "ceil_mode": True,
            }
        },
        (4, 10),
        (4, 5),  # ⌈(10 + 2 − 4 − 1) / 2⌉ + 1
        {},
        0,
    ),
    Row({"MaxPool1d": {"kernel_size": [3], "return_indices": True}}, (2, 7), (2, 2), {}, 0),
    Row(
        {"MaxPool2d": {"kernel_size": 3, "stride": 2, "padding": 1}},
        (8, 28, 27),
        (8, 14, 14),
        {},
        0,
    ),
    Row(
        {"MaxPool2d": {"kernel_size": [2, 3], "stride": [3, 2], "ceil_mode": True}},
        (3, 9, 10),
        (3, 3, 5),  # the fourth window of the first axis would begin at 9, outside
        {},
        0,
    ),
    Row(
        {"MaxPool2d": {"kernel_size": 2, "dilation": [2, 1], "return_indices": True}},
        (2, 8, 8),
        (2, 3, 4),
        {},
        0,
    ),
    Row({"MaxPool3d": {"kernel_size": 2}}, (1, 8, 8, 8), (1, 4, 4, 4), {}, 0),
    Row(
        {"MaxPool3d": {"kernel_size": [3, 2, 1], "stride": 1, "padding": [1, 1, 0]}},
        (2, 5, 4, 3),
        (2, 5, 5, 3),
        {},
        0,
    ),
    Row({"AvgPool1d": {"kernel_size": 3}}, (4, 9), (4, 3), {}, 0),
    Row(
        {
            "AvgPool1d": {
                "kernel_size": 4,
                "stride": 3,
                "padding": 2,
                "ceil_mode": True,
                "count_include_pad": False,
            }
        },
        (2, 10),
        (2, 4),  # ⌈(10 + 4 − 4) / 3⌉ + 1 = 5, and the fifth would begin at 12, in the padding
        {},
        0,
    ),
    Row({"AvgPool2d": {"kernel_size": 2}}, (6, 28, 28), (6, 14, 14), {}, 0),
    Row(
        {
            "AvgPool2d": {
                "kernel_size": [3, 2],
                "stride": [1, 2],
                "padding": [1, 0],
                "divisor_override": 5,
            }
        },
        (2, 6, 7),
        (2, 6, 3),
        {},
        0,
    ),
    Row({"AvgPool3d": {"kernel_size": 2, "ceil_mode": True}}, (1, 5, 5, 5), (1, 3, 3, 3), {}, 0),
    Row(
        {
            "AvgPool3d": {
                "kernel_size": [1, 2, 3],
                "stride": [2, 1, 1],
                "padding": [0, 1, 1],
                "count_include_pad": False,
                "divisor_override": -3,
            }
        },
        (2, 5, 4, 4),
        (2, 3, 5, 4),
        {},
        0,
    ),
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
]

EDGES = [
    # With ceil_mode a last window may begin at the last value, but not behind it.
    *[
        Case(
            f"{kind}Pool{rank}d",
            {"kernel_size": 2, "stride": 3, "ceil_mode": True},
            (1, *[n] * rank),
        )
        for kind in ("Max", "Avg")
        for rank in (1, 2, 3)
        for n in (3, 4)
    ],
    Case("MaxPool1d", {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True}, (1, 5)),
    Case("MaxPool1d", {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True}, (1, 6)),
    Case("AvgPool2d", {"kernel_size": 3, "padding": 1}, (1, 2, 2)),
    Case("AvgPool3d", {"kernel_size": 3, "padding": 1}, (1, 3, 3, 3)),
    Case("AvgPool3d", {"kernel_size": 3, "padding": 1}, (1, 2, 2, 2)),
    Case("AvgPool3d", {"kernel_size": 2, "ceil_mode": True}, (1, 1, 4, 4)),
    Case("MaxPool3d", {"kernel_size": 3, "padding": 1}, (1, 2, 2, 2)),
    Case("MaxPool3d", {"kernel_size": 2, "ceil_mode": True}, (1, 1, 4, 4)),
    Case("MaxPool2d", {"kernel_size": 2, "padding": 1}, (1, 1, 1)),
    Case("MaxPool2d", {"kernel_size": 3, "padding": 2}, (1, 8, 8)),
    Case("MaxPool2d", {"kernel_size": 2, "padding": 1, "dilation": 3}, (1, 2, 2)),
]


def max_pools(rank: int) -> st.SearchStrategy[Case]:
    """Draw max pools over `rank` axes."""
    return cases(
        f"MaxPool{rank}d",
        shapes(rank),
        {"kernel_size": sizes(rank, 1, 4)},
        {
            "stride": st.none() | sizes(rank, 1, 4),
            "padding": sizes(rank, 0, 2),
            "dilation": sizes(rank, 1, 3),
            "ceil_mode": BOOLS,
            "return_indices": st.sampled_from([False, False, False, True]),
        },
    )


def average_pools(rank: int) -> st.SearchStrategy[Case]:
    """Draw average pools over `rank` axes."""
    divisor = {"divisor_override": st.none() | st.integers(-2, 4)} if rank > 1 else {}
    return cases(
        f"AvgPool{rank}d",
        shapes(rank),
        {"kernel_size": sizes(rank, 1, 4)},
        {
            "stride": st.none() | sizes(rank, 1, 4),
            "padding": sizes(rank, 0, 2),
            "ceil_mode": BOOLS,
            "count_include_pad": BOOLS,
            **divisor,
        },
    )


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


def _has_size_zero(case: Case) -> bool:
    values = [case.fields.get(name) for name in ("kernel_size", "output_size")]
    return any(value == 0 or (isinstance(value, list) and 0 in value) for value in values)


def _is_a_mean_of_the_last_axes(case: Case) -> bool:
    size = case.fields.get("output_size")
    ones = size == 1 or (isinstance(size, list) and set(size) <= {1, None})
    rank = int(case.kind[-2])
    return case.kind.startswith("AdaptiveAvgPool") and ones and len(case.x) - 1 != rank


def _pools_nothing_but_padding(case: Case) -> bool:
    fields, rank = case.fields, int(case.kind[-2])
    if not case.kind.startswith("MaxPool") or len(case.x) != rank + 1:
        return False

    def each(name: str, default: Any) -> list[int]:
        value = fields.get(name, default)
        return value if isinstance(value, list) else [value] * rank

    kernels = each("kernel_size", 1)
    strides = each("stride", None) if fields.get("stride") is not None else kernels
    axes = zip(case.x[1:], kernels, strides, each("padding", 0), each("dilation", 1), strict=False)
    return any(
        not any(0 <= start + tap * d < n for tap in range(k))
        for n, k, s, p, d in axes
        for start in range(-p, 0, s)
    )


CASES = {
    **{f"MaxPool{rank}d": max_pools(rank) for rank in (1, 2, 3)},
    **{f"AvgPool{rank}d": average_pools(rank) for rank in (1, 2, 3)},
    **{
        f"Adaptive{kind}Pool{rank}d": adaptive_pools(kind, rank)
        for kind in ("Avg", "Max")
        for rank in (1, 2, 3)
    },
}

STRICTNESS = [
    *without_batch("MaxPool", {"kernel_size": 2}),
    *without_batch("AvgPool", {"kernel_size": 2}),
    *without_batch("AdaptiveMaxPool", {"output_size": 2}),
    *without_batch("AdaptiveAvgPool", {"output_size": 2}),
    *another_number_of_axes("MaxPool", {"kernel_size": [2]}),
    *another_number_of_axes("AvgPool", {"kernel_size": [2]}),
    Strictness(
        "torch runs forward, and writes outside of its memory going backward",
        _pools_nothing_but_padding,
        Case("MaxPool1d", {"kernel_size": 2, "padding": 1, "dilation": 3}, (1, 2)),
    ),
    Strictness(
        "a size of 0 makes an empty tensor",
        _has_size_zero,
        Case("AdaptiveAvgPool2d", {"output_size": 0}, (1, 4, 4)),
    ),
    Strictness(
        "an output of one value is a mean to torch, which forgets to look at the number of axes",
        _is_a_mean_of_the_last_axes,
        Case("AdaptiveAvgPool2d", {"output_size": 1}, (3, 4, 5, 6)),
    ),
]

DECIDED = {}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, DECIDED)
