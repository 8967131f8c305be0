"""Norms of channels, by hand and by chance."""

from __future__ import annotations

from hypothesis import strategies as st

from netbuild.builder import modules
from tests.components.layers.contract import (
    BOOLS,
    NUMBERS,
    SMALL,
    Case,
    Family,
    Row,
    Shape,
    Strictness,
    Weights,
    affine,
    cases,
    shapes,
    without_batch,
)

#: The shares of the three statistics of a switchable norm.
SHARES: Weights = {"mean_weight": (3,), "var_weight": (3,)}

ROWS = [
    # Norms keep the shape.
    Row({"BatchNorm1d": {}}, (120,), (120,), affine(120), 0),
    Row({"BatchNorm1d": {"momentum": None, "bias": False}}, (6, 10), (6, 10), {"weight": (6,)}, 0),
    Row({"BatchNorm1d": {"num_features": 6, "affine": False}}, (6, 10), (6, 10), {}, 0),
    Row({"BatchNorm2d": {"eps": 0.001}}, (6, 8, 8), (6, 8, 8), affine(6), 0),
    Row({"BatchNorm2d": {"track_running_stats": False}}, (6, 8, 7), (6, 8, 7), affine(6), 0),
    Row({"BatchNorm3d": {"momentum": 0.01}}, (4, 3, 4, 5), (4, 3, 4, 5), affine(4), 0),
    Row(
        {"BatchNorm3d": {"affine": False, "track_running_stats": False}},
        (4, 3, 3, 3),
        (4, 3, 3, 3),
        {},
        0,
    ),
    Row({"InstanceNorm1d": {}}, (6, 10), (6, 10), {}, 0),
    Row({"InstanceNorm1d": {"affine": True, "bias": False}}, (6, 4), (6, 4), {"weight": (6,)}, 0),
    Row({"InstanceNorm2d": {"num_features": 6}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row(
        {"InstanceNorm2d": {"affine": True, "track_running_stats": True}},
        (6, 8, 7),
        (6, 8, 7),
        affine(6),
        0,
    ),
    Row({"InstanceNorm3d": {"affine": True}}, (4, 3, 4, 5), (4, 3, 4, 5), affine(4), 0),
    Row({"InstanceNorm3d": {"track_running_stats": True}}, (4, 3, 3, 3), (4, 3, 3, 3), {}, 0),
    Row({"SyncBatchNorm": {}}, (6,), (6,), affine(6), 0),
    Row({"SyncBatchNorm": {"bias": False}}, (6, 4, 5), (6, 4, 5), {"weight": (6,)}, 0),
    Row({"SyncBatchNorm": {"affine": False}}, (4, 3, 2, 2, 3), (4, 3, 2, 2, 3), {}, 0),
    Row({"LazyBatchNorm1d": {}}, (120,), (120,), affine(120), 0),
    Row({"LazyBatchNorm1d": {"momentum": None}}, (6, 10), (6, 10), affine(6), 0),
    Row({"LazyBatchNorm2d": {"bias": False}}, (6, 8, 7), (6, 8, 7), {"weight": (6,)}, 0),
    Row({"LazyBatchNorm2d": {"track_running_stats": False}}, (6, 8, 8), (6, 8, 8), affine(6), 0),
    Row({"LazyBatchNorm3d": {}}, (4, 3, 4, 5), (4, 3, 4, 5), affine(4), 0),
    Row({"LazyBatchNorm3d": {"affine": False}}, (4, 3, 3, 3), (4, 3, 3, 3), {}, 0),
    # Unlike InstanceNorm, these have weights unless told otherwise.
    Row({"LazyInstanceNorm1d": {}}, (6, 10), (6, 10), affine(6), 0),
    Row({"LazyInstanceNorm1d": {"affine": False}}, (6, 4), (6, 4), {}, 0),
    Row({"LazyInstanceNorm2d": {"track_running_stats": False}}, (6, 8, 8), (6, 8, 8), affine(6), 0),
    Row({"LazyInstanceNorm2d": {"bias": False}}, (6, 8, 7), (6, 8, 7), {"weight": (6,)}, 0),
    Row({"LazyInstanceNorm3d": {}}, (4, 3, 3, 3), (4, 3, 3, 3), affine(4), 0),
    Row({"LazyInstanceNorm3d": {"momentum": None}}, (4, 3, 4, 5), (4, 3, 4, 5), affine(4), 0),
    Row({"SwitchableNorm1d": {}}, (6, 10), (6, 10), affine(6) | SHARES, 0),
    Row({"SwitchableNorm1d": {"momentum": None, "affine": False}}, (6, 10), (6, 10), SHARES, 0),
    Row({"SwitchableNorm2d": {"eps": 0.001}}, (6, 8, 7), (6, 8, 7), affine(6) | SHARES, 0),
    Row({"SwitchableNorm2d": {"bias": False}}, (3, 4, 4), (3, 4, 4), {"weight": (3,)} | SHARES, 0),
    Row({"SwitchableNorm3d": {}}, (4, 3, 4, 5), (4, 3, 4, 5), affine(4) | SHARES, 0),
    Row(
        {"SwitchableNorm3d": {"affine": False, "track_running_stats": False}},
        (4, 3, 4, 5),
        (4, 3, 4, 5),
        SHARES,
        0,
    ),
]

EDGES = [
    Case("BatchNorm1d", {"eps": 0.0}, (4,)),
    Case("BatchNorm2d", {}, (4, 1, 1)),
    Case("SyncBatchNorm", {"eps": 0.0}, (4,)),
    Case("SyncBatchNorm", {}, (4, 1, 1)),
    Case("InstanceNorm1d", {"eps": 0.0}, (4, 5)),
    Case("InstanceNorm2d", {"eps": -1.0}, (4, 5, 5)),
    Case("InstanceNorm2d", {}, (4, 1, 1)),
    Case("InstanceNorm2d", {"track_running_stats": True, "momentum": None}, (4, 1, 2)),
    Case("LazyInstanceNorm2d", {"affine": True}, (4, 1, 1)),
    Case("LazyBatchNorm2d", {"num_features": 4}, (4, 5, 5)),
    Case("SwitchableNorm2d", {}, (4, 1, 1)),
    Case("SwitchableNorm2d", {"eps": 0.0}, (1, 1, 2)),
    Case("SwitchableNorm2d", {"num_features": 1}, (4, 3, 3)),
]

#: Norms of each family over one, two or three axes.
NORMS = {
    f"{family}{rank}d": rank
    for family in ("BatchNorm", "InstanceNorm", "SwitchableNorm")
    for rank in (1, 2, 3)
}
LAZY = {
    f"Lazy{family}{rank}d": rank for family in ("BatchNorm", "InstanceNorm") for rank in (1, 2, 3)
}
FIELDS = {
    "eps": NUMBERS,
    "momentum": st.none() | NUMBERS,
    "affine": BOOLS,
    "track_running_stats": BOOLS,
    "bias": BOOLS,
}
CHANNELS = {"num_features": st.none() | st.sampled_from([1, 2, 4])}


def channel_norms(
    kind: str, x: st.SearchStrategy[Shape], *, lazy: bool = False
) -> st.SearchStrategy[Case]:
    """Draw a norm, where its name is not a lazy one with its number of channels."""
    return cases(kind, x, {}, FIELDS if lazy else CHANNELS | FIELDS)


CASES = {
    **{kind: channel_norms(kind, shapes(rank, most=3)) for kind, rank in NORMS.items()},
    **{kind: channel_norms(kind, shapes(rank, most=3), lazy=True) for kind, rank in LAZY.items()},
    "SyncBatchNorm": channel_norms("SyncBatchNorm", SMALL),
}


def _contradicts_the_input_in_vain(case: Case) -> bool:
    makes_weights = case.fields.get("affine", not case.kind.startswith("InstanceNorm"))
    return case.fields.get("num_features") not in {None, case.x[0]} and not makes_weights


STRICTNESS = [
    *without_batch("InstanceNorm", {}),
    *without_batch("LazyInstanceNorm", {"affine": False, "track_running_stats": False}),
    Strictness(
        "a written number of channels is checked, even where torch makes nothing of it",
        _contradicts_the_input_in_vain,
        Case(
            "BatchNorm1d",
            {"num_features": 3, "affine": False, "track_running_stats": False},
            (4,),
        ),
    ),
]

DECIDED = {kind: {"num_features": lambda x: x[0]} for kind in (*NORMS, "SyncBatchNorm")}

MAKE = {
    "SwitchableNorm1d": modules.SwitchableNorm1d,
    "SwitchableNorm2d": modules.SwitchableNorm2d,
    "SwitchableNorm3d": modules.SwitchableNorm3d,
}

FIELDS_OF_TORCH = {
    ("SyncBatchNorm", "process_group"): "not offered: it is an object of a running program"
}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, DECIDED, make=MAKE, fields=FIELDS_OF_TORCH)
