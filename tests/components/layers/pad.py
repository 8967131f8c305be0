"""`torch.nn.functional.pad`, by hand and by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from hypothesis import strategies as st

from tests.components.layers.contract import SMALL, Case, Family, Row, Shape, Strictness, cases

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = [
    Row({"Pad": {"pad": [1, 2]}}, (3, 5), (3, 8), {}, 0),
    Row({"Pad": {"pad": [0, 1, 2, 0], "value": 1.5}}, (3, 5, 4), (3, 7, 5), {}, 0),
    Row({"Pad": {"pad": [-1, 0, 0, 0, 2, -1]}}, (3, 5, 4), (4, 5, 3), {}, 0),
    Row({"Pad": {"pad": [-1, 0, 0, -2]}}, (3, 5, 4), (3, 3, 3), {}, 0),
    Row({"Pad": {"pad": [0, 1] * 4}}, (1, 2, 1, 2), (2, 3, 2, 3), {}, 0),
    Row({"Pad": {"pad": [1, 0], "value": 7}}, (5,), (6,), {}, 0, dtype="int64"),
    Row({"Pad": {"pad": [2, 1], "mode": "reflect"}}, (3, 5), (3, 8), {}, 0),
    Row({"Pad": {"pad": [1, 0, 0, 2], "mode": "replicate"}}, (3, 5, 4), (3, 7, 5), {}, 0),
    Row({"Pad": {"pad": [1, 1, 2, 0], "mode": "circular"}}, (3, 5, 4), (3, 7, 6), {}, 0),
]

#: Paddings at a border of what each mode takes.
PADS = ([1], [], [3, 0], [4, 0], [5, 0], [-4, 0], [-5, 1], [-5, 5], [-2, 3], [0, 0], [1, 1, 1, 1])
MODES = ("constant", "reflect", "replicate", "circular")

EDGES = [
    *[
        Case("Pad", {"pad": pad, "mode": mode}, x)
        for pad in PADS
        for mode in MODES
        for x in ((4,),)
    ],
    *[
        Case("Pad", {"pad": [1, 0] * n, "mode": mode}, (2, 3, 4))
        for n in (2, 3, 4)
        for mode in MODES
    ],
    *[Case("Pad", {"pad": [1, 0], "mode": mode, "value": 0.0}, (2, 3)) for mode in MODES],
    *[
        Case("Pad", {"pad": [1, 0], "value": value}, (3,), dtype=dtype)
        for value in (2.5, 300, -1, None)
        for dtype in ("float32", "uint8", "bool", "int32")
    ],
    *[
        Case("Pad", {"pad": [1, 0], "mode": mode}, (3, 4), dtype=dtype)
        for mode in MODES
        for dtype in ("int64", "uint8", "bool")
    ],
]


def pad(pad: Shape, mode: str = "constant", value: float | None = None) -> Callable[..., Any]:
    return lambda x: torch.nn.functional.pad(x, pad, mode, value)


def drawn(x: Shape) -> st.SearchStrategy[Case]:
    """Draw numbers for one axis or more."""
    pairs = st.lists(
        st.lists(st.sampled_from([0, 0, 1, 1, 2, -1, 3]), min_size=2, max_size=2),
        min_size=1,
        max_size=max(len(x), 1),
    )
    return cases(
        "Pad",
        st.just(x),
        {"pad": pairs.map(lambda two: [n for one in two for n in one])},
        {"mode": st.sampled_from(MODES)},
    ) | cases(
        "Pad",
        st.just(x),
        {"pad": st.lists(st.integers(-2, 2), max_size=6)},
        {"value": st.sampled_from([None, 1.0, -1, 0.5])},
        dtype=st.sampled_from(["float32", "int64", "uint8", "bool"]),
    )


def pairs(case: Case) -> list[tuple[int, int, int]]:
    """Return the sizes of the padded axes, each with the places before and behind it."""
    pad = case.fields["pad"]
    return list(zip(case.x[::-1], pad[::2], pad[1::2], strict=False))


def wraps_what_is_cropped(case: Case) -> bool:
    """Tell whether torch reads memory that it has not set."""
    left = [max(n + min(a, 0) + min(b, 0), 0) for n, a, b in pairs(case)]
    longest = [max(a, b) for _, a, b in pairs(case)]
    wraps = any(pad > n for pad, n in zip(longest, left, strict=True))
    return case.fields.get("mode") == "circular" and wraps


STRICTNESS = [
    Strictness(
        "a size of 0 makes an empty tensor",
        lambda case: any(n + a + b == 0 for n, a, b in pairs(case)),
        Case("Pad", {"pad": [-4, 0]}, (4,)),
    ),
    Strictness(
        "where one side is cropped, torch wraps memory around that it has not set",
        wraps_what_is_cropped,
        Case("Pad", {"pad": [-5, 2], "mode": "circular"}, (3, 4)),
    ),
    Strictness(
        "a padding of the batch, or of no axis",
        lambda case: len(case.fields["pad"]) > 2 * len(case.x) or not case.fields["pad"],
        Case("Pad", {"pad": [0, 0, 0, 0]}, (3,)),
    ),
    Strictness(
        "a value that no place takes",
        lambda case: "value" in case.fields and case.fields.get("mode", "constant") != "constant",
        Case("Pad", {"pad": [1, 1], "mode": "circular", "value": 0.0}, (3, 4)),
    ),
]

FAMILY = Family(ROWS, {"Pad": SMALL.flatmap(drawn)}, EDGES, STRICTNESS, make={"Pad": pad})
