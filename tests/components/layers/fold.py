"""Images as blocks and back, by hand and by chance."""

from __future__ import annotations

from hypothesis import strategies as st

from netbuild.components.layers._sizes import positions
from tests.components.layers.contract import (
    Case,
    Family,
    Row,
    Shape,
    Strictness,
    cases,
    shapes,
    sizes,
)

ROWS = [
    Row({"Unfold": {"kernel_size": 3}}, (2, 8, 8), (18, 36), {}, 0),
    Row(
        {
            "Unfold": {
                "kernel_size": [2, 3],
                "dilation": [1, 2],
                "padding": [1, 0],
                "stride": [3, 1],
            }
        },
        (3, 9, 7),
        (18, 12),  # 4 places of ⌊(9 + 2 − 1 − 1) / 3⌋ + 1, times 3 of 7 − 2·2 − 1 + 1
        {},
        0,
    ),
    Row({"Unfold": {"kernel_size": 2}}, (3, 4, 4), (12, 9), {}, 0, dtype="bool"),
    Row({"Fold": {"output_size": 4, "kernel_size": 2}}, (8, 9), (2, 4, 4), {}, 0),
    Row(
        {
            "Fold": {
                "output_size": [9, 7],
                "kernel_size": [2, 3],
                "dilation": [1, 2],
                "padding": [1, 0],
                "stride": [3, 1],
            }
        },
        (18, 12),
        (3, 9, 7),
        {},
        0,
    ),
    Row({"Fold": {"output_size": [4, 6], "kernel_size": 2, "stride": 2}}, (4, 6), (1, 4, 6), {}, 0),
    Row({"Fold": {"output_size": 3, "kernel_size": 3}}, (9, 1), (1, 3, 3), {}, 0, dtype="bool"),
]

EDGES = [
    Case("Unfold", {"kernel_size": 4}, (1, 4, 4)),
    Case("Unfold", {"kernel_size": 5}, (1, 4, 4)),
    Case("Unfold", {"kernel_size": [2]}, (1, 4, 4)),
    Case("Fold", {"output_size": 4, "kernel_size": 4}, (16, 1)),
    Case("Fold", {"output_size": 4, "kernel_size": 5}, (25, 1)),
    # Blocks of −1 each way would multiply to one.
    Case("Fold", {"output_size": 2, "kernel_size": 4}, (16, 1)),
    Case("Fold", {"output_size": [4], "kernel_size": 2}, (4, 9)),
    Case("Fold", {"output_size": 4, "kernel_size": [2]}, (4, 9)),
    Case("Fold", {"output_size": 0, "kernel_size": 2, "padding": 2}, (4, 9)),
    Case("Fold", {"output_size": 4, "kernel_size": 2}, (6, 9)),
    Case("Fold", {"output_size": 4, "kernel_size": 2}, (4, 8)),
    *[Case("Unfold", {"kernel_size": 2}, (1, 4, 4), dtype=dtype) for dtype in ("int64", "uint8")],
    *[
        Case("Fold", {"output_size": 4, "kernel_size": 2}, (4, 9), dtype=dtype)
        for dtype in ("int64", "uint8")
    ],
]

DTYPES = st.sampled_from(["float32"] * 12 + ["bool", "int64"])
#: What the fields of both layers are, besides the kernel.
GEOMETRY = {"dilation": sizes(2, 1, 2), "padding": sizes(2, 0, 2), "stride": sizes(2, 1, 3)}


def _each(value: int | list[int]) -> list[int]:
    return value if isinstance(value, list) else [value, value]


def _fitting(case: Case) -> Case:
    """Return the case with as many channels and blocks as its fields ask for, if they go at all."""
    fields = {name: _each(value) for name, value in case.fields.items()}
    if any(len(value) != 2 for value in fields.values()) or 0 in fields.get("stride", [1, 1]):
        return case
    kernel, counts = fields["kernel_size"], []
    for axis in (0, 1):
        stride, padding, dilation = (
            fields.get(name, [default] * 2)[axis]
            for name, default in (("stride", 1), ("padding", 0), ("dilation", 1))
        )
        size = fields["output_size"][axis]
        counts.append(positions(size, kernel[axis], stride, padding, dilation))
    x: Shape = (case.x[0] * kernel[0] * kernel[1], counts[0] * counts[1])
    return case._replace(x=x) if min(*x, *counts) > 0 else case


folds = cases(
    "Fold",
    shapes(1),
    {"output_size": sizes(2, 4, 9), "kernel_size": sizes(2, 1, 3)},
    GEOMETRY,
    dtype=DTYPES,
)

CASES = {
    "Fold": st.one_of(*[folds.map(_fitting)] * 7, folds),
    "Unfold": cases(
        "Unfold", shapes(2, most=12), {"kernel_size": sizes(2, 1, 3)}, GEOMETRY, dtype=DTYPES
    ),
}

STRICTNESS = [
    Strictness(
        "an input without its batch axis: torch takes the samples for channels",
        lambda case: len(case.x) == {"Fold": 1, "Unfold": 2}[case.kind],
        Case("Unfold", {"kernel_size": 2}, (8, 8)),
    ),
]

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS)
