"""Norms of samples, by hand and by chance."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st

from netbuild.components.tensor import product
from tests.components.layers.contract import (
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
)

ROWS = [
    # Norms keep the shape.
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
    Row({"RMSNorm": {}}, (10, 32), (10, 32), {"weight": (32,)}, 0),
    Row({"RMSNorm": {"normalized_shape": [8, 7]}}, (6, 8, 7), (6, 8, 7), {"weight": (8, 7)}, 0),
    Row({"RMSNorm": {"eps": 0.01, "elementwise_affine": False}}, (6, 8, 7), (6, 8, 7), {}, 0),
    Row({"RMSNorm": {"normalized_shape": 32}}, (32,), (32,), {"weight": (32,)}, 0),
    Row({"CrossMapLRN2d": {"size": 5}}, (8, 9, 7), (8, 9, 7), {}, 0),
    Row({"CrossMapLRN2d": {"size": 2, "k": 2.0, "beta": 1}}, (3, 4, 5), (3, 4, 5), {}, 0),
]

EDGES = [
    Case("GroupNorm", {"num_groups": 4}, (4,)),
    Case("GroupNorm", {"num_groups": 4}, (4, 1, 1)),
    Case("LayerNorm", {"eps": 0.0}, (1,)),
    Case("RMSNorm", {"eps": 0.0}, (1,)),
    Case("RMSNorm", {"eps": -1.0}, (4,)),
    Case("RMSNorm", {"normalized_shape": [2, 3, 4]}, (3, 4)),
    Case("LocalResponseNorm", {"size": 9}, (4, 2)),
    Case("LocalResponseNorm", {"size": 9}, (4,)),
    Case("CrossMapLRN2d", {"size": 2}, (1, 1, 1)),
    Case("CrossMapLRN2d", {"size": 9}, (4, 2, 2)),
    Case("CrossMapLRN2d", {"size": 0}, (4, 2, 2)),
    Case("CrossMapLRN2d", {"size": 3}, (4, 2)),
]


def trailing_norms(kind: str, fields: dict[str, st.SearchStrategy[Any]]) -> Any:
    """Draw norms over the last axes, which they name mostly as the input has them."""
    return SMALL.flatmap(
        lambda x: cases(
            kind,
            st.just(x),
            {},
            {
                "normalized_shape": st.none()
                | st.integers(0, 4)
                | st.integers(1, max(len(x), 1)).map(lambda n: list(x[-n:]))
                | st.just([BATCH, *x])
                | st.lists(st.integers(0, 4), max_size=3),
                "elementwise_affine": BOOLS,
                **fields,
            },
        )
    )


def _normalises_the_batch(case: Case) -> bool:
    sizes = case.fields.get("normalized_shape")
    return isinstance(sizes, list) and len(sizes) == len(case.x) + 1


CASES = {
    "LayerNorm": trailing_norms("LayerNorm", {"eps": NUMBERS, "bias": BOOLS}),
    "RMSNorm": trailing_norms("RMSNorm", {"eps": st.none() | NUMBERS}),
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
    "CrossMapLRN2d": cases(
        "CrossMapLRN2d",
        shapes(2, most=3),
        {"size": st.integers(0, 9)},
        {"alpha": NUMBERS, "beta": NUMBERS, "k": NUMBERS},
    ),
}

STRICTNESS = [
    Strictness(
        "an operation over the batch axis mixes samples, which stay apart in a network",
        _normalises_the_batch,
        Case("LayerNorm", {"normalized_shape": [BATCH, 3, 4]}, (3, 4)),
    ),
    Strictness(
        "a written number of channels is checked, even where torch makes nothing of it",
        lambda case: (
            case.kind == "GroupNorm"
            and case.fields.get("num_channels") not in {None, case.x[0]}
            and not case.fields.get("affine", True)
        ),
        Case("GroupNorm", {"num_groups": 1, "num_channels": 3, "affine": False}, (4,)),
    ),
    Strictness(
        "with several samples, torch runs groups of one value and gives the bias; it refuses one",
        lambda case: (
            case.kind == "GroupNorm"
            and product(case.x) == case.fields["num_groups"]
            and case.x != ()
        ),
        Case("GroupNorm", {"num_groups": 4}, (4, 1, 1)),
    ),
    Strictness(
        "torch runs forward, and could not go backward through a window of one channel",
        lambda case: case.kind == "CrossMapLRN2d" and case.fields["size"] == 1,
        Case("CrossMapLRN2d", {"size": 1}, (4, 3, 3)),
    ),
]

DECIDED = {
    "GroupNorm": {"num_channels": lambda x: x[0]},
    "LayerNorm": {"normalized_shape": lambda x: x[-1]},
    "RMSNorm": {"normalized_shape": lambda x: x[-1]},
}


class _Saving(torch.autograd.Function):
    """Passes a tensor on, and saves another one as functions are meant to."""

    @staticmethod
    def forward(context: Any, y: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        """Return y."""
        context.save_for_backward(kept)
        return y.view_as(y)

    @staticmethod
    def backward(_: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Return the gradient of y as it came."""
        return gradient, None


def _call_cross_map(module: Any, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Show what torch keeps as an attribute, where no hook sees it."""
    y = module(x)
    return (y if y.grad_fn is None else _Saving.apply(y, y.grad_fn.scale),)


FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, DECIDED, call={"CrossMapLRN2d": _call_cross_map})
