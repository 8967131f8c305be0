"""Dropouts, by hand and by chance."""

from __future__ import annotations

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
]

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

FAMILY = Family(ROWS, CASES, strictness=STRICTNESS)
