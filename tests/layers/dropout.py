"""Dropouts, by hand and by chance."""

from __future__ import annotations

from tests.layers.contract import BOOLS, NUMBERS, SMALL, Case, Family, Row, Strictness, cases

ROWS = [
    # Dropout keeps the shape.
    Row({"Dropout": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Dropout": {"p": 0.2, "inplace": True}}, (64,), (64,), {}, 0),
    Row({"Dropout": {"p": 0}}, (64,), (64,), {}, 0),
    Row({"Dropout2d": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Dropout2d": {"p": 0.2, "inplace": True}}, (3, 4, 5), (3, 4, 5), {}, 0),
    Row({"AlphaDropout": {"p": 0.1}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"AlphaDropout": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"AlphaDropout": {"p": 1}}, (64,), (64,), {}, 0),
]

EDGES = []


CASES = {
    kind: cases(kind, SMALL, {}, {"p": NUMBERS, "inplace": BOOLS})
    for kind in ("Dropout", "Dropout2d", "AlphaDropout")
}

STRICTNESS = [
    Strictness(
        "torch warns that Dropout2d of anything but (C, H, W) is a mistake, and goes on",
        lambda case: case.kind == "Dropout2d" and len(case.x) != 3,
        Case("Dropout2d", {}, (4,)),
    ),
]

DECIDED = {}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, DECIDED)
