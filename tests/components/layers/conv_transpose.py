"""Transposed convolutions, by hand and by chance."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.components.layers.contract import (
    BOOLS,
    Case,
    Family,
    Row,
    Strictness,
    another_number_of_axes,
    cases,
    shapes,
    sizes,
)
from tests.components.layers.conv import samples_as_channels

ROWS = [
    Row(
        {"ConvTranspose1d": {"out_channels": 8, "kernel_size": 4, "stride": 2, "padding": 1}},
        (4, 10),
        (8, 20),  # 9·2 − 2 + 3 + 1
        {"weight": (4, 8, 4), "bias": (8,)},
        1_280,  # 4·10 values to 8·4
    ),
    Row(
        {
            "ConvTranspose1d": {
                "out_channels": 6,
                "kernel_size": 3,
                "stride": 2,
                "padding": 2,
                "output_padding": 2,
                "groups": 2,
                "bias": False,
                "dilation": 3,
            }
        },
        (4, 5),
        (6, 13),  # 4·2 − 4 + 3·2 + 2 + 1
        {"weight": (4, 3, 3)},
        180,  # 4·5 values to 3·3
    ),
    Row(
        {"ConvTranspose1d": {"out_channels": 2, "kernel_size": [5], "padding": 1, "dilation": 2}},
        (3, 7),
        (2, 13),  # 6 − 2 + 2·4 + 1
        {"weight": (3, 2, 5), "bias": (2,)},
        210,
    ),
    Row(
        {"ConvTranspose1d": {"out_channels": 1, "kernel_size": 2, "padding": 2}},
        (1, 9),
        (1, 6),  # 8 − 4 + 1 + 1: it looks inside the input, by one place
        {"weight": (1, 1, 2), "bias": (1,)},
        18,
    ),
    Row(
        {"ConvTranspose2d": {"out_channels": 16, "kernel_size": 2, "stride": 2}},
        (32, 7, 7),
        (16, 14, 14),
        {"weight": (32, 16, 2, 2), "bias": (16,)},
        100_352,
    ),
    Row(
        {
            "ConvTranspose2d": {
                "in_channels": 4,
                "out_channels": 2,
                "kernel_size": [3, 2],
                "padding": [0, 1],
                "output_padding": [1, 0],
                "dilation": [2, 1],
            }
        },
        (4, 5, 6),
        (2, 10, 5),  # 4 + 2·2 + 1 + 1 and 5 − 2 + 1 + 1
        {"weight": (4, 2, 3, 2), "bias": (2,)},
        1_440,
    ),
    Row(
        {"ConvTranspose2d": {"out_channels": 4, "kernel_size": 3, "stride": [1, 3], "groups": 4}},
        (4, 3, 3),
        (4, 5, 9),
        {"weight": (4, 1, 3, 3), "bias": (4,)},
        324,
    ),
    Row(
        {"ConvTranspose3d": {"out_channels": 2, "kernel_size": 3}},
        (1, 4, 3, 2),
        (2, 6, 5, 4),
        {"weight": (1, 2, 3, 3, 3), "bias": (2,)},
        1_296,
    ),
    Row(
        {
            "ConvTranspose3d": {
                "out_channels": 3,
                "kernel_size": [1, 2, 3],
                "stride": [2, 1, 2],
                "padding": [0, 1, 1],
                "output_padding": [1, 0, 1],
                "bias": False,
            }
        },
        (2, 3, 4, 3),
        (3, 6, 3, 6),  # 2·2 + 0 + 1 + 1, 3 − 2 + 1 + 1 and 2·2 − 2 + 2 + 1 + 1
        {"weight": (2, 3, 1, 2, 3)},
        1_296,  # 2·36 values to 3·6
    ),
    Row(
        {"LazyConvTranspose1d": {"out_channels": 8, "kernel_size": 3}},
        (4, 10),
        (8, 12),
        {"weight": (4, 8, 3), "bias": (8,)},
        960,
    ),
    Row(
        {"LazyConvTranspose1d": {"out_channels": 4, "kernel_size": 2, "stride": 2, "groups": 2}},
        (4, 5),
        (4, 10),
        {"weight": (4, 2, 2), "bias": (4,)},
        80,
    ),
    Row(
        {"LazyConvTranspose2d": {"out_channels": 6, "kernel_size": 5, "bias": False}},
        (1, 4, 4),
        (6, 8, 8),
        {"weight": (1, 6, 5, 5)},
        2_400,
    ),
    Row(
        {"LazyConvTranspose2d": {"out_channels": 2, "kernel_size": 2, "stride": 2, "padding": 1}},
        (3, 4, 5),
        (2, 6, 8),
        {"weight": (3, 2, 2, 2), "bias": (2,)},
        480,
    ),
    Row(
        {"LazyConvTranspose3d": {"out_channels": 2, "kernel_size": 2}},
        (1, 3, 3, 3),
        (2, 4, 4, 4),
        {"weight": (1, 2, 2, 2, 2), "bias": (2,)},
        432,
    ),
    Row(
        {"LazyConvTranspose3d": {"out_channels": 2, "kernel_size": 1, "stride": 2}},
        (3, 2, 2, 2),
        (2, 3, 3, 3),
        {"weight": (3, 2, 1, 1, 1), "bias": (2,)},
        48,
    ),
]

EDGES = [
    *[
        Case("ConvTranspose1d", {"out_channels": 2, "kernel_size": 3, **fields}, (2, 4))
        for fields in (
            {"output_padding": 1},
            {"output_padding": 1, "stride": 2},
            {"output_padding": 2, "stride": 2},
            {"output_padding": 1, "dilation": 2},
            {"output_padding": 2, "dilation": 2},
            {"padding": 2},
            {"padding": 3},
            {"padding": 4},
            {"padding_mode": "reflect"},
            {"padding_mode": "zeros"},
            {"groups": 3},
            {"in_channels": 3},
        )
    ],
    *[
        Case("ConvTranspose2d", {"out_channels": 2, "kernel_size": 3, **fields}, (2, 4, 4))
        for fields in (
            {"output_padding": [1, 0], "stride": [2, 1]},
            {"output_padding": [1, 0], "stride": [1, 2]},
            {"output_padding": [1, 1], "stride": [1, 2], "dilation": [2, 1]},
        )
    ],
]


def transposed(kind: str, rank: int) -> st.SearchStrategy[Case]:
    """Draw transposed convolutions over `rank` axes."""
    in_channels = {"in_channels": st.sampled_from([None, None, None, 2, 4])}
    return cases(
        kind,
        shapes(rank, most=6),
        {
            "out_channels": st.sampled_from([1, 2, 3, 4, 4, 6, 6, 6, 0]),
            "kernel_size": sizes(rank, 1, 4),
        },
        {
            **({} if kind.startswith("Lazy") else in_channels),
            "stride": sizes(rank, 1, 3),
            "padding": sizes(rank, 0, 1),
            "output_padding": st.just(0) | sizes(rank, 0, 1),
            "groups": st.sampled_from([1] * 8 + [2, 2, 3, 0]),
            "bias": BOOLS,
            "dilation": sizes(rank, 1, 3),
            "padding_mode": st.sampled_from(["zeros"] * 9 + ["reflect"]),
        },
    )


KINDS = {f"ConvTranspose{rank}d": rank for rank in (1, 2, 3)}
LAZY = {f"Lazy{kind}": rank for kind, rank in KINDS.items()}

CASES = {kind: transposed(kind, rank) for kind, rank in (KINDS | LAZY).items()}


def _each(case: Case, name: str, default: int = 1) -> list[int]:
    value = case.fields.get(name, default)
    return value if isinstance(value, list) else [value] * int(case.kind[-2])


def _is_empty(case: Case) -> bool:
    """Whether an axis of the output has no size."""
    names = ("kernel_size", "stride", "dilation")
    fields = [_each(case, name) for name in names]
    fields += [_each(case, name, 0) for name in ("padding", "output_padding")]
    return any(
        (n - 1) * s - 2 * p + d * (k - 1) + o + 1 == 0
        for n, k, s, d, p, o in zip(case.x[1:], *fields, strict=False)
    )


STRICTNESS = [
    *samples_as_channels("ConvTranspose"),
    *samples_as_channels("LazyConvTranspose"),
    *another_number_of_axes("ConvTranspose", {"out_channels": 4, "kernel_size": 2, "stride": [2]}),
    *another_number_of_axes(
        "LazyConvTranspose", {"out_channels": 4, "kernel_size": 2, "stride": [2]}
    ),
    Strictness(
        "a size of 0 makes an empty tensor, on a CPU alone",
        _is_empty,
        Case("ConvTranspose2d", {"out_channels": 2, "kernel_size": 3, "padding": 3}, (3, 4, 4)),
    ),
    Strictness(
        "dilation spreads nothing where kernel_size is 1, and a CPU alone does not look at it",
        lambda case: 0 in _each(case, "dilation"),
        Case("ConvTranspose1d", {"out_channels": 2, "kernel_size": 1, "dilation": 0}, (3, 4)),
    ),
]

DECIDED = {kind: {"in_channels": lambda x: x[0]} for kind in KINDS}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, DECIDED)
