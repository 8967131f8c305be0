"""Paddings, by hand and by chance."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.components.layers.contract import Case, Family, Row, Shape, Strictness, cases

MODES = ("Zero", "Constant", "Reflection", "Replication", "Circular")
#: What a padding needs beside its sizes.
REQUIRED: dict[str, dict[str, Any]] = {"Constant": {"value": 0.5}}


def pad(mode: str, padding: Any, x: Shape, y: Shape, dtype: str = "float32") -> Row:
    """Return a row of a padding, whose rank is in the number of its sizes."""
    rank = len(padding) // 2 if isinstance(padding, list) else len(x) - 1
    config = {f"{mode}Pad{rank}d": {"padding": padding, **REQUIRED.get(mode, {})}}
    return Row(config, x, y, {}, 0, dtype=dtype)


ROWS = [
    # The first two numbers are for the last axis, the next two for the one before it.
    *[
        row
        for mode in MODES
        for row in (
            pad(mode, 2, (3, 5), (3, 9)),
            pad(mode, [3, 1], (3, 4), (3, 8)),
            pad(mode, [-1, 2], (3, 5), (3, 6)),
            pad(mode, 1, (2, 3, 4), (2, 5, 6)),
            pad(mode, [1, 0, 2, -1], (2, 5, 4), (2, 6, 5)),
            pad(mode, 1, (2, 3, 4, 5), (2, 5, 6, 7)),
            pad(mode, [0, 1, 1, 1, -1, 2], (1, 4, 3, 2), (1, 5, 5, 3)),
            pad(mode, -1, (2, 3, 4, 5), (2, 1, 2, 3)),
        )
    ],
    # Without channels: a sample is its last axes.
    *[pad(mode, [2, 1], (6,), (9,)) for mode in MODES],
    # Before its last axes, a constant padding takes any others.
    pad("Zero", [1, 2], (2, 3, 4, 5), (2, 3, 4, 8)),
    # Whole numbers are padded as well.
    pad("Circular", [2, 1], (3, 6), (3, 9), dtype="int64"),
    pad("Zero", [2, 1], (3, 6), (3, 9), dtype="bool"),
    pad("Circular", [2, 1], (3, 6), (3, 9), dtype="bool"),
    Row({"ConstantPad1d": {"padding": [0, 2], "value": -1}}, (8,), (10,), {}, 0, dtype="int64"),
]

EDGES = [
    # As much as there is, one more, and as much as is left after a crop on the other side.
    *[
        Case(f"{mode}Pad1d", {"padding": padding, **REQUIRED.get(mode, {})}, (2, 4))
        for mode in MODES
        for padding in (
            *(3, 4, 5),
            *([2, -1], [3, -1], [4, -1], [-1, 3], [-1, 4], [-2, 2], [-2, 3]),
            *([-4, 4], [4, -4], [-5, 4], [-5, 5], [4, -5], [5, -5], [-5, 2], [-9, 8], [8, -9]),
            *(-1, -2, -3, [-4, 0], [0, -3], [0, -4]),
            *([], [1], [1, 2, 3], [1, 1, 1, 1]),
        )
    ],
    *[
        Case(f"{mode}Pad2d", {"padding": padding, **REQUIRED.get(mode, {})}, (2, 3, 4))
        for mode in MODES
        for padding in ([4, 4, 1, 1], [1, 1, 3, 3], [0, 0, -2, -1], [-2, -2, -1, 0], [2, 2])
    ],
    *[
        Case(f"{mode}Pad{rank}d", {"padding": 1, **REQUIRED.get(mode, {})}, (2,) * axes)
        for mode in MODES
        for rank in (1, 2, 3)
        for axes in range(1, 6)
    ],
    *[
        Case(f"{mode}Pad1d", {"padding": 1, **REQUIRED.get(mode, {})}, (3, 4), dtype=dtype)
        for mode in MODES
        for dtype in ("int64", "int32", "uint8", "bool")
    ],
    *[
        Case("ConstantPad1d", {"padding": padding, "value": value}, (4,), dtype=dtype)
        for padding in (1, 0, [-1, 0])
        for value, dtype in (
            (-1, "uint8"),
            (255, "uint8"),
            (255.5, "uint8"),
            (2147483647, "int32"),
            (-2147483649, "int32"),
            (1e20, "int64"),
            (9223372036854775807, "int64"),
            (1e20, "bool"),
            (3.4028234663852886e38, "float32"),
            (-3.4028234663852887e38, "float32"),
            (1e300, "float32"),
            (float("inf"), "float32"),
            (float("-inf"), "float32"),
            (float("inf"), "int64"),
            (float("-inf"), "uint8"),
            (float("inf"), "bool"),
        )
    ],
]


def paddings(mode: str, rank: int) -> st.SearchStrategy[Case]:
    """Draw paddings of `rank` axes, smaller ones more often."""
    amount = st.one_of(st.integers(0, 2), st.integers(-1, 2), st.integers(-7, 7))
    lengths = st.sampled_from([2 * rank] * 15 + [rank, 2 * rank - 1, 2 * rank + 2])
    value = st.sampled_from([0, 0.5, 3, -1, 300, 1e39])
    size = st.sampled_from([4, 3, 4, 3, 5, 2, 1] if rank == 3 else [4, 5, 6, 3, 2, 1])
    axes = st.sampled_from([rank + 1] * 8 + [rank, rank + 2, rank - 1])
    return cases(
        f"{mode}Pad{rank}d",
        axes.flatmap(lambda n: st.tuples(*[size] * max(n, 1))),
        {
            "padding": amount
            | lengths.flatmap(lambda n: st.lists(amount, min_size=n, max_size=n))
            | st.lists(st.integers(0, 1), min_size=2 * rank, max_size=2 * rank),
            **({"value": value} if mode == "Constant" else {}),
        },
        dtype=st.sampled_from(["float32"] * 8 + ["int64", "uint8", "bool"]),
    )


CASES = {f"{mode}Pad{rank}d": paddings(mode, rank) for mode in MODES for rank in (1, 2, 3)}


def _pairs(case: Case) -> list[tuple[int, int, int]]:
    """Return an axis with what is put before and behind it, for each that is padded."""
    rank, padding = int(case.kind[-2]), case.fields["padding"]
    each = padding if isinstance(padding, list) else [padding] * 2 * rank
    return list(zip(case.x[::-1], each[::2], each[1::2], strict=False))


def _leaves_nothing(case: Case) -> bool:
    return any(n + before + behind == 0 for n, before, behind in _pairs(case))


def _wraps_what_is_cropped(case: Case) -> bool:
    return case.kind.startswith("Circular") and any(
        max(before, behind) > n + min(before, 0) + min(behind, 0)
        for n, before, behind in _pairs(case)
    )


def _pads_other_axes(case: Case) -> bool:
    padding, rank = case.fields["padding"], int(case.kind[-2])
    return isinstance(padding, list) and len(padding) != 2 * rank


def _pads_the_batch(case: Case) -> bool:
    return len(case.x) < int(case.kind[-2])


STRICTNESS = [
    Strictness(
        "a size of 0 makes an empty tensor",
        _leaves_nothing,
        Case("ZeroPad2d", {"padding": -2}, (3, 4, 4)),
    ),
    Strictness(
        "where one side is cropped, torch wraps memory around that it has not set",
        _wraps_what_is_cropped,
        Case("CircularPad1d", {"padding": [-5, 2]}, (3, 4)),
    ),
    Strictness(
        "a list has two numbers for each axis: torch takes another's for the axes it is meant for",
        _pads_other_axes,
        Case("ZeroPad1d", {"padding": [1, 1, 1, 1]}, (3, 4)),
    ),
    Strictness(
        "padding the batch axis would add samples",
        _pads_the_batch,
        Case("ZeroPad3d", {"padding": 1}, (3, 4)),
    ),
]

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS)
