"""Images made larger, smaller and shuffled, by hand and by chance."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.components.layers.contract import (
    SMALL,
    Case,
    Family,
    Row,
    Strictness,
    cases,
    per_axis,
    shapes,
    sizes,
)

ROWS = [
    Row({"PixelShuffle": {"upscale_factor": 3}}, (18, 4, 5), (2, 12, 15), {}, 0),
    Row({"PixelShuffle": {"upscale_factor": 2}}, (3, 8, 2, 3), (3, 2, 4, 6), {}, 0),
    Row({"PixelShuffle": {"upscale_factor": 1}}, (3, 2, 2), (3, 2, 2), {}, 0),
    Row({"PixelUnshuffle": {"downscale_factor": 3}}, (2, 12, 15), (18, 4, 5), {}, 0),
    Row({"PixelUnshuffle": {"downscale_factor": 2}}, (3, 2, 4, 6), (3, 8, 2, 3), {}, 0),
    Row({"ChannelShuffle": {"groups": 2}}, (4, 8, 8), (4, 8, 8), {}, 0),
    Row({"ChannelShuffle": {"groups": 3}}, (6, 5), (6, 5), {}, 0),
    Row({"ChannelShuffle": {"groups": 1}}, (2, 3, 4, 5, 6), (2, 3, 4, 5, 6), {}, 0),
    Row({"Upsample": {"scale_factor": 2}}, (3, 4, 5), (3, 8, 10), {}, 0),
    Row({"Upsample": {"size": 7}}, (3, 4), (3, 7), {}, 0),
    Row(
        {"Upsample": {"size": [2, 3, 4], "mode": "nearest-exact"}},
        (2, 4, 4, 4),
        (2, 2, 3, 4),
        {},
        0,
    ),
    Row(
        {"Upsample": {"scale_factor": 1.7, "mode": "linear", "recompute_scale_factor": True}},
        (2, 5),
        (2, 8),  # ⌊8.5⌋
        {},
        0,
    ),
    Row(
        {"Upsample": {"scale_factor": [0.5, 2], "mode": "bilinear", "align_corners": True}},
        (2, 5, 4),
        (2, 2, 8),
        {},
        0,
    ),
    Row({"Upsample": {"size": [6, 3], "mode": "bicubic"}}, (1, 4, 4), (1, 6, 3), {}, 0),
    Row(
        {"Upsample": {"size": 3, "mode": "trilinear", "align_corners": False}},
        (1, 2, 4, 5),
        (1, 3, 3, 3),
        {},
        0,
    ),
    # An area is an adaptive pool, which keeps its input; a mean of everything keeps nothing.
    Row({"Upsample": {"scale_factor": 0.5, "mode": "area"}}, (2, 5, 4), (2, 2, 2), {}, 0),
    Row({"Upsample": {"size": 1, "mode": "area"}}, (2, 5, 4), (2, 1, 1), {}, 0),
    Row({"UpsamplingNearest2d": {"scale_factor": 2}}, (3, 4, 5), (3, 8, 10), {}, 0),
    Row({"UpsamplingNearest2d": {"size": [2, 9]}}, (3, 4, 5), (3, 2, 9), {}, 0),
    Row({"UpsamplingBilinear2d": {"scale_factor": [1.5, 0.5]}}, (3, 4, 5), (3, 6, 2), {}, 0),
    Row({"UpsamplingBilinear2d": {"size": 6}}, (1, 4, 4), (1, 6, 6), {}, 0),
]

EDGES = [
    *[
        Case(kind, fields, (1, 4, 100), dtype=dtype)
        for kind in ("Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d")
        for fields, dtype in (
            ({}, "float32"),
            ({"size": 3, "scale_factor": 2.0}, "float32"),
            ({"scale_factor": [1, 0.29]}, "float32"),  # 0.29 · 100 is less than 29 as doubles
            ({"scale_factor": 0.25}, "float32"),
            ({"scale_factor": 0.24}, "float32"),
            ({"scale_factor": 1e300}, "float32"),
            ({"scale_factor": 1e308}, "float32"),  # of which the product with 100 is no number
            ({"scale_factor": -1.0}, "float32"),
            ({"size": [2]}, "float32"),
            ({"size": 2}, "int64"),
        )
    ],
    Case("Upsample", {"scale_factor": 0.29, "recompute_scale_factor": True}, (1, 100)),
    Case("Upsample", {"size": 3, "recompute_scale_factor": True}, (1, 4)),
    Case("Upsample", {"size": 3, "mode": "lanczos"}, (1, 4, 4)),
    Case("Upsample", {"size": 3, "align_corners": False}, (1, 4, 4)),
    *[Case("UpsamplingNearest2d", {"size": 3}, (1, *[4] * rank)) for rank in (1, 2, 3, 4)],
    *[Case("Upsample", {"size": 3}, (1, *[4] * rank), dtype="uint8") for rank in (1, 2, 3)],
]

_RANKS = {
    "nearest": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
    "area": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
}
WHOLE = st.sampled_from(["float32"] * 4 + ["int64", "uint8"])
RARELY = st.sampled_from([None] * 4 + [True, False])


def shuffles(kind: str, field: str) -> st.SearchStrategy[Case]:
    """Draw pixel shuffles: images that divide, and anything."""
    factor = st.sampled_from([1, 2, 2, 2, 3, 3, 0, -1])
    images = st.tuples(
        st.sampled_from([4, 9, 18, 36]), st.sampled_from([2, 6, 12]), st.sampled_from([2, 6, 12])
    )
    leading = st.tuples(st.integers(1, 3))
    deep = st.builds(lambda front, image: (*front, *image), leading, images)
    return cases(kind, images | deep | SMALL, {field: factor}, dtype=WHOLE)


def channel_shuffles() -> st.SearchStrategy[Case]:
    """Draw channel shuffles."""
    x = st.one_of(*[shapes(rank, most=4) for rank in (0, 1, 2, 3)])
    return cases("ChannelShuffle", x, {"groups": st.integers(0, 4)}, dtype=WHOLE)


def upsamples(kind: str, modes: tuple[str, ...]) -> st.SearchStrategy[Case]:
    """Draw a layer that gives what a mode takes: a size, a factor, or any of both."""

    def over(mode: str, rank: int) -> st.SearchStrategy[Case]:
        factor = st.sampled_from([0.5, 1, 2, 1.5, 0.7, 2.3, 1 / 3, 3] * 3 + [0.1, 0.0, -1.0])
        size, factors = sizes(rank, 1, 9), per_axis(rank, factor)
        given: dict[str, st.SearchStrategy[Any]] = {}
        may: dict[str, st.SearchStrategy[Any]] = {}
        if kind == "Upsample":
            given["mode"] = st.just(mode)
            may = {"align_corners": RARELY, "recompute_scale_factor": RARELY}
        x = shapes(rank, most=6)
        either = {"size": st.none() | size, "scale_factor": st.none() | factors}
        return st.one_of(
            cases(kind, x, {**given, "size": size}, may, dtype=WHOLE),
            cases(kind, x, {**given, "scale_factor": factors}, may, dtype=WHOLE),
            cases(kind, x, given, {**may, **either}),
        )

    ranks = st.sampled_from([(mode, rank) for mode in modes for rank in _RANKS[mode]])
    return ranks.flatmap(lambda drawn: over(*drawn))


CASES = {
    "PixelShuffle": shuffles("PixelShuffle", "upscale_factor"),
    "PixelUnshuffle": shuffles("PixelUnshuffle", "downscale_factor"),
    "ChannelShuffle": channel_shuffles(),
    "Upsample": upsamples("Upsample", tuple(_RANKS)),
    "UpsamplingNearest2d": upsamples("UpsamplingNearest2d", ("nearest",)),
    "UpsamplingBilinear2d": upsamples("UpsamplingBilinear2d", ("bilinear",)),
}


def _values(case: Case, field: str) -> list[Any]:
    value = case.fields.get(field)
    return value if isinstance(value, list) else [value]


def _is_empty(case: Case) -> bool:
    """Tell a size of 0, or a factor that leaves nothing of some axis."""
    if case.fields.get("mode") != "area":
        return False
    factors = [factor for factor in _values(case, "scale_factor") if factor is not None]
    small = any(int(n * factor) == 0 for n in case.x[1:] for factor in factors)
    return small or 0 in _values(case, "size")


STRICTNESS = [
    *[
        Strictness(
            f"an input without its batch axis: {kind} takes the samples for channels",
            lambda case, kind=kind: case.kind == kind and len(case.x) == 2,  # type: ignore[misc]
            Case(kind, {field: 1}, (4, 4)),
        )
        for kind, field in (
            ("PixelShuffle", "upscale_factor"),
            ("PixelUnshuffle", "downscale_factor"),
        )
    ],
    Strictness(
        "bytes are interpolated on a CPU, and on no other device",
        lambda case: case.kind.startswith("Upsampl") and case.dtype == "uint8",
        Case("Upsample", {"size": 2, "mode": "bilinear"}, (1, 4, 4), dtype="uint8"),
    ),
    Strictness(
        "a factor of 0 is none to torch, where there is a size",
        lambda case: case.fields.get("scale_factor") == 0 and "size" in case.fields,
        Case("Upsample", {"size": 2, "scale_factor": 0.0}, (1, 4)),
    ),
    Strictness(
        "an area of no pixels makes an empty tensor",
        _is_empty,
        Case("Upsample", {"size": 0, "mode": "area"}, (1, 4, 4)),
    ),
]

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS)
