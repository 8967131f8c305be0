"""Dropouts, by hand and by chance."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import nn

from tests.components.layers.contract import (
    BOOLS,
    NUMBERS,
    SMALL,
    Case,
    Family,
    Row,
    Strictness,
    cases,
    shapes,
)

ROWS = [
    # Dropout keeps the shape.
    Row({"Dropout": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Dropout": {"p": 0.2, "inplace": True}}, (64,), (64,), {}, 0),
    Row({"Dropout": {"p": 0}}, (64,), (64,), {}, 0),
    Row({"Dropout1d": {}}, (6, 8), (6, 8), {}, 0),
    Row({"Dropout1d": {"p": 0.2, "inplace": True}}, (3, 4), (3, 4), {}, 0),
    Row({"Dropout1d": {"p": 0}}, (3, 4), (3, 4), {}, 0),
    Row({"Dropout2d": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Dropout2d": {"p": 0.2, "inplace": True}}, (3, 4, 5), (3, 4, 5), {}, 0),
    Row({"Dropout2d": {"p": 0}}, (3, 4, 5), (3, 4, 5), {}, 0),
    Row({"Dropout3d": {}}, (6, 3, 4, 5), (6, 3, 4, 5), {}, 0),
    Row({"Dropout3d": {"p": 1, "inplace": True}}, (3, 2, 2, 2), (3, 2, 2, 2), {}, 0),
    Row({"AlphaDropout": {"p": 0.1}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"AlphaDropout": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"AlphaDropout": {"p": 1}}, (64,), (64,), {}, 0),
    Row({"FeatureAlphaDropout": {"p": 0.1}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"FeatureAlphaDropout": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"FeatureAlphaDropout": {"p": 0}}, (6, 8), (6, 8), {}, 0),
    Row({"StochasticDepth": {"p": 0.5, "mode": "row"}}, (6, 4, 4), (6, 4, 4), {}, 0),
    Row({"StochasticDepth": {"p": 0.4, "mode": "batch"}}, (64,), (64,), {}, 0),
    Row({"StochasticDepth": {"p": 1.0, "mode": "row"}}, (3, 4), (3, 4), {}, 0),
    Row({"StochasticDepth": {"p": 0.0, "mode": "row"}}, (3, 4), (3, 4), {}, 0),
]


class Depth(nn.Module):
    """`torchvision.ops.StochasticDepth`, whose function stands in its forward."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        if not 0 <= p <= 1 or mode not in {"batch", "row"}:
            raise ValueError(p, mode)
        self.p, self.mode = p, mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop samples."""
        if not self.training or self.p == 0.0:
            return x
        survival_rate = 1.0 - self.p
        size = [x.shape[0] if self.mode == "row" else 1] + [1] * (x.ndim - 1)
        noise = torch.empty(size, dtype=x.dtype, device=x.device).bernoulli_(survival_rate)
        if survival_rate > 0.0:
            noise.div_(survival_rate)
        return x * noise


FIELDS = {"p": NUMBERS, "inplace": BOOLS}
CASES = {
    **{
        kind: cases(kind, SMALL, {}, FIELDS)
        for kind in ("Dropout", "AlphaDropout", "FeatureAlphaDropout")
    },
    **{
        f"Dropout{rank}d": cases(f"Dropout{rank}d", shapes(rank, most=4) | SMALL, {}, FIELDS)
        for rank in (1, 2, 3)
    },
    "StochasticDepth": cases(
        "StochasticDepth", SMALL, {"p": NUMBERS, "mode": st.sampled_from(["row", "batch", "rows"])}
    ),
}

STRICTNESS = [
    Strictness(
        "without channels there is nothing to drop, where p is 0 neither",
        lambda case: case.kind == "FeatureAlphaDropout" and not case.x,
        Case("FeatureAlphaDropout", {"p": 0}, ()),
    ),
    Strictness(
        "an input without its batch axis: Dropout1d takes the samples for channels",
        lambda case: case.kind == "Dropout1d" and len(case.x) == 1,
        Case("Dropout1d", {}, (4,)),
    ),
    Strictness(
        "torch warns that Dropout2d of anything but (C, H, W) is a mistake, and goes on",
        lambda case: case.kind == "Dropout2d" and len(case.x) != 3,
        Case("Dropout2d", {}, (4,)),
    ),
    Strictness(
        "torch warns that Dropout3d of anything but (C, D, H, W) is a mistake, and goes on",
        lambda case: case.kind == "Dropout3d" and len(case.x) != 4,
        Case("Dropout3d", {}, (4, 5, 6)),
    ),
]

FAMILY = Family(ROWS, CASES, strictness=STRICTNESS, make={"StochasticDepth": Depth})
