"""Pools, by hand and by chance."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from torch import nn

from tests.components.layers.contract import (
    BOOLS,
    Case,
    Family,
    Row,
    Shape,
    Strictness,
    Tensor,
    another_number_of_axes,
    cases,
    shapes,
    sizes,
    without_batch,
)

if TYPE_CHECKING:
    from collections.abc import Callable

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
    # Power averages: without padding, ⌊(n − k) / s⌋ + 1.
    Row({"LPPool1d": {"norm_type": 2, "kernel_size": 3}}, (4, 9), (4, 3), {}, 0),
    Row(
        {"LPPool1d": {"norm_type": 0.5, "kernel_size": 2, "stride": [3], "ceil_mode": True}},
        (2, 10),
        (2, 4),  # ⌈(10 − 2) / 3⌉ + 1, and the fourth begins at 9, inside
        {},
        0,
    ),
    Row(
        {"LPPool2d": {"norm_type": 2.0, "kernel_size": [3, 2], "stride": 2}},
        (3, 9, 8),
        (3, 4, 4),
        {},
        0,
    ),
    Row(
        {"LPPool2d": {"norm_type": 3, "kernel_size": 2, "stride": [1, 2]}},
        (2, 5, 6),
        (2, 4, 3),
        {},
        0,
    ),
    Row({"LPPool3d": {"norm_type": 1, "kernel_size": 2}}, (2, 4, 6, 5), (2, 2, 3, 2), {}, 0),
    Row(
        {"LPPool3d": {"norm_type": 2, "kernel_size": [1, 2, 3], "stride": [2, 1, 1]}},
        (1, 5, 3, 5),
        (1, 3, 2, 3),
        {},
        0,
    ),
    # Pools undone: (n − 1)s + k − 2p.
    Row({"MaxUnpool1d": {"kernel_size": 2}}, (4, 9), (4, 18), {}, 0, (Tensor((4, 9), "int64"),)),
    Row(
        {"MaxUnpool1d": {"kernel_size": [3], "stride": 2, "padding": [1]}},
        (2, 5),
        (2, 9),  # 4 · 2 + 3 − 2
        {},
        0,
        (Tensor((2, 5), "int64"),),
    ),
    Row(
        {"MaxUnpool2d": {"kernel_size": [2, 3], "stride": [2, 1]}},
        (3, 4, 5),
        (3, 8, 7),  # 3 · 2 + 2 and 4 · 1 + 3
        {},
        0,
        (Tensor((3, 4, 5), "int64"),),
    ),
    Row(
        {"MaxUnpool2d": {"kernel_size": 3, "stride": None, "padding": [0, 1]}},
        (1, 2, 2),
        (1, 6, 4),
        {},
        0,
        (Tensor((1, 2, 2), "int64"),),
    ),
    Row(
        {"MaxUnpool3d": {"kernel_size": 2}},
        (2, 3, 2, 1),
        (2, 6, 4, 2),
        {},
        0,
        (Tensor((2, 3, 2, 1), "int64"),),
    ),
    Row(
        {"MaxUnpool3d": {"kernel_size": [1, 2, 3], "stride": [3, 2, 1], "padding": [0, 0, 1]}},
        (1, 3, 3, 3),
        (1, 7, 6, 3),  # 2 · 3 + 1, 2 · 2 + 2, 2 · 1 + 3 − 2
        {},
        0,
        (Tensor((1, 3, 3, 3), "int64"),),
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
    Case("LPPool1d", {"norm_type": 2, "kernel_size": [2]}, (1, 4)),
    Case("LPPool1d", {"norm_type": 0, "kernel_size": 2}, (1, 4)),
    *[
        Case(
            f"LPPool{rank}d",
            {"norm_type": norm_type, "kernel_size": 2, "stride": 3, "ceil_mode": True},
            (1, *[n] * rank),
        )
        for rank in (1, 2, 3)
        for norm_type in (2, -0.5)
        for n in (1, 3, 4)
    ],
    *[
        Case(
            f"MaxUnpool{rank}d",
            {"kernel_size": k, "stride": 1, "padding": 1},
            (1, *[2] * rank),
            (Tensor((1, *[2] * rank), "int64"),),
        )
        for rank in (1, 2, 3)
        for k in (1, 2)
    ],
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


def power_averages(rank: int) -> st.SearchStrategy[Case]:
    """Draw power-average pools over `rank` axes."""
    return cases(
        f"LPPool{rank}d",
        shapes(rank),
        {
            "norm_type": st.sampled_from(
                [1, 2, 2.0, 3, 0.5, 1.5, -1, -0.5, 1e-300, 0, float("inf")]
            ),
            "kernel_size": st.integers(1, 4) | sizes(rank, 1, 4),
        },
        {"stride": st.none() | sizes(rank, 1, 4), "ceil_mode": BOOLS},
        dtype=st.sampled_from(["float32"] * 6 + ["int64", "uint8"]),
    )


def unpools(rank: int) -> st.SearchStrategy[Case]:
    """Draw pools undone over `rank` axes, with an index for each value mostly."""

    def of(x: Shape) -> st.SearchStrategy[Case]:
        indices = [Tensor(x, "int64")] * 12
        indices += [Tensor(x), Tensor(x, "int32"), Tensor((*x[:-1], x[-1] + 1), "int64")]
        return cases(
            f"MaxUnpool{rank}d",
            st.just(x),
            {"kernel_size": sizes(rank, 1, 4)},
            {
                "stride": st.none() | sizes(rank, 1, 4),
                "padding": sizes(rank, 0, 2),
                "output_size": st.none() | st.none() | sizes(rank, 1, 12),
            },
            others=st.tuples(st.sampled_from(indices)),
            dtype=st.sampled_from(["float32"] * 9 + ["int64"]),
        )

    return shapes(rank, most=5).flatmap(of)


def _is_read_in_part(case: Case) -> bool:
    """Tell lists of too many or too few numbers, of which an unpool reads some."""
    lists = [value for value in case.fields.values() if isinstance(value, list)]
    return case.kind.startswith("MaxUnpool") and any(
        len(value) != int(case.kind[-2]) for value in lists
    )


def _is_of_no_pool(case: Case) -> bool:
    zero = 0 in [*_each(case, "kernel_size"), *_each(case, "stride")]
    less = any(p < 0 for p in _each(case, "padding", 0))
    return case.kind.startswith("MaxUnpool") and (zero or less)


def _each(case: Case, name: str, default: int = 1) -> list[int]:
    """Return the numbers of a field, one for each axis."""
    value = case.fields.get(name, default)
    return value if isinstance(value, list) else [value] * int(case.kind[-2])


def _pools_nothing_but_padding(case: Case) -> bool:
    fields, rank = case.fields, int(case.kind[-2])
    if not case.kind.startswith("MaxPool") or len(case.x) != rank + 1:
        return False

    kernels, paddings = _each(case, "kernel_size"), _each(case, "padding", 0)
    strides = kernels if fields.get("stride") is None else _each(case, "stride")
    axes = zip(case.x[1:], kernels, strides, paddings, _each(case, "dilation", 1), strict=False)
    return any(
        not any(0 <= start + tap * d < n for tap in range(k))
        for n, k, s, p, d in axes
        for start in range(-p, 0, s)
    )


def _gives_nothing(case: Case) -> bool:
    rank = int(case.kind[-2])
    if not case.kind.startswith("MaxUnpool") or len(case.x) != rank + 1:
        return False
    kernels, paddings = _each(case, "kernel_size"), _each(case, "padding", 0)
    strides = kernels if case.fields.get("stride") is None else _each(case, "stride")
    axes = zip(case.x[1:], kernels, strides, paddings, strict=False)
    return any((n - 1) * s + k - 2 * p == 0 for n, k, s, p in axes)


CASES = {
    **{f"MaxPool{rank}d": max_pools(rank) for rank in (1, 2, 3)},
    **{f"AvgPool{rank}d": average_pools(rank) for rank in (1, 2, 3)},
    **{f"LPPool{rank}d": power_averages(rank) for rank in (1, 2, 3)},
    **{f"MaxUnpool{rank}d": unpools(rank) for rank in (1, 2, 3)},
}

_THREE, _FOUR = Tensor((1, 3), "int64"), Tensor((1, 4), "int64")

STRICTNESS = [
    *without_batch("MaxPool", {"kernel_size": 2}),
    *without_batch("AvgPool", {"kernel_size": 2}),
    *without_batch("LPPool", {"norm_type": 2, "kernel_size": 2}),
    *[
        strict._replace(
            example=strict.example._replace(others=(Tensor(strict.example.x, "int64"),))
        )
        for strict in without_batch("MaxUnpool", {"kernel_size": 2})
    ],
    *another_number_of_axes("MaxPool", {"kernel_size": [2]}),
    *another_number_of_axes("AvgPool", {"kernel_size": [2]}),
    *another_number_of_axes("LPPool", {"norm_type": 2, "kernel_size": 2, "stride": [1]}),
    Strictness(
        "torch runs forward, and writes outside of its memory going backward",
        _pools_nothing_but_padding,
        Case("MaxPool1d", {"kernel_size": 2, "padding": 1, "dilation": 3}, (1, 2)),
    ),
    Strictness(
        "a list for the only axis, which LPPool1d takes with an infinite norm and with no other",
        lambda case: case.kind == "LPPool1d" and isinstance(case.fields["kernel_size"], list),
        Case("LPPool1d", {"norm_type": float("inf"), "kernel_size": [2]}, (1, 4)),
    ),
    Strictness(
        "an unpool that leaves nothing makes an empty tensor",
        _gives_nothing,
        Case("MaxUnpool1d", {"kernel_size": 2, "stride": 1, "padding": 2}, (1, 3), (_THREE,)),
    ),
    Strictness(
        "a list of too many numbers, of which an unpool reads the first",
        _is_read_in_part,
        Case("MaxUnpool1d", {"kernel_size": 2, "stride": [2, 3]}, (1, 4), (_FOUR,)),
    ),
    Strictness(
        "a window or a step of 0, or a negative padding, which no pool has",
        _is_of_no_pool,
        Case("MaxUnpool1d", {"kernel_size": 0, "stride": 2}, (1, 4), (_FOUR,)),
    ),
]

UNPOOLS = {f"MaxUnpool{rank}d": rank for rank in (1, 2, 3)}


def _unpool(kind: str, rank: int) -> Callable[..., nn.Module]:
    """Return how torch makes an unpool; `output_size` is for its `forward`."""
    torchs = getattr(nn, kind)

    @wraps(torchs, updated=())
    def make(output_size: Any = None, **arguments: Any) -> nn.Module:
        module: nn.Module = torchs(**arguments)
        each = (output_size,) * rank if isinstance(output_size, int) else output_size
        module.given = {} if each is None else {"output_size": list(each)}  # type: ignore[assignment]
        return module

    return make


FAMILY = Family(
    ROWS,
    CASES,
    EDGES,
    STRICTNESS,
    make={kind: _unpool(kind, rank) for kind, rank in UNPOOLS.items()},
    call=dict.fromkeys(UNPOOLS, lambda module, *x: (module(*x, **module.given),)),
    fields={(kind, "output_size"): "an argument of forward" for kind in UNPOOLS},
)
