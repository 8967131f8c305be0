"""Convolutions, by hand and by chance."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.components.layers.contract import (
    BATCH,
    BOOLS,
    Case,
    Family,
    Row,
    Strictness,
    another_number_of_axes,
    cases,
    shapes,
    sizes,
    without_batch,
)

ROWS = [
    Row(
        {"Conv1d": {"out_channels": 8, "kernel_size": 3}},
        (4, 10),
        (8, 8),
        {"weight": (8, 4, 3), "bias": (8,)},
        768,  # 8·8 values of 4·3
    ),
    Row(
        {
            "Conv1d": {
                "out_channels": 6,
                "kernel_size": 4,
                "stride": 3,
                "padding": 2,
                "dilation": 2,
                "groups": 2,
                "bias": False,
            }
        },
        (4, 20),
        (6, 6),  # ⌊(20 + 4 − 6 − 1) / 3⌋ + 1
        {"weight": (6, 2, 4)},
        288,  # 6·6 values of 2·4
    ),
    Row(
        {"Conv1d": {"out_channels": 3, "kernel_size": [5], "padding": "same", "dilation": 3}},
        (2, 16),
        (3, 16),
        {"weight": (3, 2, 5), "bias": (3,)},
        480,
    ),
    Row(
        {"Conv1d": {"out_channels": 2, "kernel_size": 4, "padding": "same"}},
        (3, 9),
        (2, 9),
        {"weight": (2, 3, 4), "bias": (2,)},
        216,
    ),
    Row(
        {"Conv1d": {"out_channels": 2, "kernel_size": 3, "padding": 2, "padding_mode": "reflect"}},
        (2, 8),
        (2, 10),
        {"weight": (2, 2, 3), "bias": (2,)},
        120,
    ),
    Row(
        {"Conv2d": {"out_channels": 6, "kernel_size": 5}},
        (1, 28, 28),
        (6, 24, 24),
        {"weight": (6, 1, 5, 5), "bias": (6,)},
        86_400,
    ),
    Row(
        {"Conv2d": {"out_channels": 6, "kernel_size": 5, "padding": 2}},
        (1, 28, 28),
        (6, 28, 28),
        {"weight": (6, 1, 5, 5), "bias": (6,)},
        117_600,
    ),
    Row(
        {
            "Conv2d": {
                "in_channels": 3,
                "out_channels": 8,
                "kernel_size": [3, 5],
                "stride": [2, 1],
                "padding": [1, 0],
                "dilation": [1, 2],
            }
        },
        (3, 11, 13),
        (8, 6, 5),  # ⌊(11 + 2 − 2 − 1) / 2⌋ + 1 and 13 − 2·4 − 1 + 1
        {"weight": (8, 3, 3, 5), "bias": (8,)},
        10_800,
    ),
    Row(
        {
            "Conv2d": {
                "out_channels": 8,
                "kernel_size": 3,
                "padding": "same",
                "groups": 4,
                "bias": False,
            }
        },
        (4, 9, 7),
        (8, 9, 7),
        {"weight": (8, 1, 3, 3)},
        4_536,
    ),
    Row(
        {"Conv2d": {"out_channels": 4, "kernel_size": 1}},
        (16, 5, 5),
        (4, 5, 5),
        {"weight": (4, 16, 1, 1), "bias": (4,)},
        1_600,
    ),
    Row(
        {
            "Conv2d": {
                "out_channels": 2,
                "kernel_size": 3,
                "padding": "valid",
                "padding_mode": "circular",
            }
        },
        (3, 6, 6),
        (2, 4, 4),
        {"weight": (2, 3, 3, 3), "bias": (2,)},
        864,
    ),
    Row(
        {
            "Conv2d": {
                "out_channels": 2,
                "kernel_size": 3,
                "stride": 2,
                "padding": [2, 1],
                "padding_mode": "circular",
            }
        },
        (3, 6, 5),
        (2, 4, 3),  # ⌊(6 + 4 − 3) / 2⌋ + 1 and ⌊(5 + 2 − 3) / 2⌋ + 1
        {"weight": (2, 3, 3, 3), "bias": (2,)},
        648,
    ),
    Row(
        {
            "Conv2d": {
                "out_channels": 2,
                "kernel_size": 3,
                "padding": 1,
                "padding_mode": "replicate",
            }
        },
        (3, 6, 5),
        (2, 6, 5),
        {"weight": (2, 3, 3, 3), "bias": (2,)},
        1_620,
    ),
    Row(
        {
            "Conv2d": {
                "out_channels": 2,
                "kernel_size": [3, 4],
                "padding": "same",
                "padding_mode": "reflect",
            }
        },
        (3, 6, 5),
        (2, 6, 5),
        {"weight": (2, 3, 3, 4), "bias": (2,)},
        2_160,
    ),
    Row(
        {"Conv2d": {"out_channels": 2, "kernel_size": [2, 3], "padding": "same"}},
        (3, 6, 5),
        (2, 6, 5),
        {"weight": (2, 3, 2, 3), "bias": (2,)},
        1_080,
    ),
    Row(
        {"Conv3d": {"out_channels": 2, "kernel_size": 3, "stride": 2}},
        (1, 9, 9, 9),
        (2, 4, 4, 4),
        {"weight": (2, 1, 3, 3, 3), "bias": (2,)},
        3_456,
    ),
    Row(
        {
            "Conv3d": {
                "out_channels": 4,
                "kernel_size": [1, 2, 3],
                "padding": [0, 1, 1],
                "groups": 2,
                "bias": False,
            }
        },
        (2, 4, 5, 6),
        (4, 4, 6, 6),
        {"weight": (4, 1, 1, 2, 3)},
        3_456,
    ),
    Row(
        {"Conv3d": {"out_channels": 2, "kernel_size": 3, "padding": "same", "dilation": 2}},
        (2, 5, 5, 5),
        (2, 5, 5, 5),
        {"weight": (2, 2, 3, 3, 3), "bias": (2,)},
        13_500,
    ),
    Row(
        {"Conv3d": {"out_channels": 1, "kernel_size": 2, "padding": 1, "padding_mode": "reflect"}},
        (2, 3, 3, 3),
        (1, 4, 4, 4),
        {"weight": (1, 2, 2, 2, 2), "bias": (1,)},
        1_024,
    ),
    Row(
        {"LazyConv1d": {"out_channels": 8, "kernel_size": 3}},
        (4, 10),
        (8, 8),
        {"weight": (8, 4, 3), "bias": (8,)},
        768,
    ),
    Row(
        {"LazyConv1d": {"out_channels": 4, "kernel_size": 3, "padding": "same", "groups": 2}},
        (6, 5),
        (4, 5),
        {"weight": (4, 3, 3), "bias": (4,)},
        180,
    ),
    Row(
        {"LazyConv2d": {"out_channels": 6, "kernel_size": 5, "bias": False}},
        (1, 8, 9),
        (6, 4, 5),
        {"weight": (6, 1, 5, 5)},
        3_000,
    ),
    Row(
        {
            "LazyConv2d": {
                "out_channels": 2,
                "kernel_size": [1, 3],
                "stride": 2,
                "padding": 1,
                "padding_mode": "circular",
            }
        },
        (3, 5, 5),
        (2, 4, 3),  # ⌊(5 + 2 − 1) / 2⌋ + 1 and ⌊(5 + 2 − 3) / 2⌋ + 1
        {"weight": (2, 3, 1, 3), "bias": (2,)},
        216,
    ),
    Row(
        {"LazyConv3d": {"out_channels": 2, "kernel_size": 3}},
        (1, 4, 4, 4),
        (2, 2, 2, 2),
        {"weight": (2, 1, 3, 3, 3), "bias": (2,)},
        432,
    ),
    Row(
        {"LazyConv3d": {"out_channels": 3, "kernel_size": 1, "dilation": 2}},
        (2, 3, 2, 1),
        (3, 3, 2, 1),
        {"weight": (3, 2, 1, 1, 1), "bias": (3,)},
        36,
    ),
]

EDGES = [
    Case("Conv2d", {"out_channels": 2, "kernel_size": 5, "padding": 1}, (1, 3, 3)),
    Case("Conv2d", {"out_channels": 2, "kernel_size": 5, "padding": 1}, (1, 2, 2)),
    Case("Conv1d", {"out_channels": 2, "kernel_size": 8, "padding": "same"}, (1, 2)),
    Case("Conv1d", {"out_channels": 2, "kernel_size": 2, "padding": "same", "stride": 2}, (1, 8)),
]


def samples_as_channels(family: str) -> list[Strictness]:
    """Return why an input without channels is refused: with as many samples it would run."""
    return [
        strict._replace(example=strict.example._replace(x=(BATCH, 8, 8)[: len(strict.example.x)]))
        for strict in without_batch(family, {"out_channels": 4, "kernel_size": 2})
    ]


def _crops(case: Case) -> bool:
    padding = case.fields.get("padding", 0)
    each = padding if isinstance(padding, list) else [padding]
    return case.fields.get("padding_mode", "zeros") != "zeros" and any(
        isinstance(p, int) and p < 0 for p in each
    )


def convolutions(kind: str, rank: int) -> st.SearchStrategy[Case]:
    """Draw convolutions over `rank` axes."""
    counts = st.sampled_from([1, 2, 3, 4, 6])
    in_channels = {"in_channels": st.none() | counts}
    return cases(
        kind,
        shapes(rank),
        {"out_channels": counts | st.sampled_from([0, 4, 6]), "kernel_size": sizes(rank, 1, 4)},
        {
            **({} if kind.startswith("Lazy") else in_channels),
            "stride": sizes(rank, 1, 3),
            "padding": sizes(rank, 0, 3) | st.sampled_from(["same", "valid"]),
            "dilation": sizes(rank, 1, 2),
            "groups": st.sampled_from([1, 1, 2, 3, 0]),
            "bias": BOOLS,
            "padding_mode": st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
        },
    )


KINDS = {f"Conv{rank}d": rank for rank in (1, 2, 3)}
LAZY = {f"Lazy{kind}": rank for kind, rank in KINDS.items()}

CASES = {kind: convolutions(kind, rank) for kind, rank in (KINDS | LAZY).items()}

STRICTNESS = [
    *samples_as_channels("Conv"),
    *samples_as_channels("LazyConv"),
    *another_number_of_axes("Conv", {"out_channels": 4, "kernel_size": 2, "stride": [2]}),
    *another_number_of_axes("LazyConv", {"out_channels": 4, "kernel_size": 2, "stride": [2]}),
    Strictness(
        "a negative padding crops, but torch takes it in some modes only: there are layers for it",
        _crops,
        Case(
            "Conv1d",
            {"out_channels": 1, "kernel_size": 1, "padding": -1, "padding_mode": "reflect"},
            (1, 3),
        ),
    ),
]

DECIDED = {kind: {"in_channels": lambda x: x[0]} for kind in KINDS}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, DECIDED)
