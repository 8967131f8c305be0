"""Pools, by hand and by chance."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from torch import nn

from tests.components.layers.contract import (
    Case,
    Family,
    Row,
    Tensor,
)
from tests.components.layers.pool_cases import CASES, STRICTNESS

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
