"""Random numbers in the shape of an input, by hand and by chance."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from tests.components.layers.contract import SMALL, Family, Row, cases

ROWS = [
    row
    for kind in ("RandnLike", "RandLike")
    for row in (
        Row({kind: {}}, (4, 3), (4, 3), {}, 0),
        Row({kind: {}}, (2, 4, 3), (2, 4, 3), {}, 0),
    )
]

DTYPES = st.sampled_from(["float32"] * 3 + ["int64", "bool"])
CASES = {kind: cases(kind, SMALL, {}, dtype=DTYPES) for kind in ("RandnLike", "RandLike")}

FAMILY = Family(
    ROWS,
    CASES,
    make={"RandnLike": lambda: torch.randn_like, "RandLike": lambda: torch.rand_like},
)
