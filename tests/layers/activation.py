"""Activations, by hand and by chance."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.layers.contract import BOOLS, DIMS, NUMBERS, SMALL, Case, Family, Row, Strictness, cases

ROWS = [
    # Activations keep the shape.
    Row({"ReLU": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"ReLU": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"ReLU6": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"ReLU6": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"LeakyReLU": {"negative_slope": 0.2}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"LeakyReLU": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"PReLU": {}}, (6, 8, 8), (6, 8, 8), {"weight": (1,)}, 0),
    Row({"PReLU": {"num_parameters": 6, "init": 0.1}}, (6, 8), (6, 8), {"weight": (6,)}, 0),
    Row({"RReLU": {"lower": 0.1, "upper": 0.1}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"RReLU": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"ELU": {"alpha": 0.5}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"ELU": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"CELU": {"alpha": 0.5}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"CELU": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"SELU": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"SELU": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"GELU": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"GELU": {"approximate": "tanh"}}, (64,), (64,), {}, 0),
    Row({"SiLU": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"SiLU": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"Sigmoid": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Sigmoid": {}}, (64,), (64,), {}, 0),
    Row({"Tanh": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Tanh": {}}, (64,), (64,), {}, 0),
    Row({"Softplus": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Softplus": {"beta": 2, "threshold": 10}}, (64,), (64,), {}, 0),
    Row({"Softmax": {}}, (10,), (10,), {}, 0),
    Row({"Softmax": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Softmax": {"dim": -1}}, (5, 10), (5, 10), {}, 0),
    Row({"LogSoftmax": {}}, (10,), (10,), {}, 0),
    Row({"LogSoftmax": {"dim": 2}}, (5, 10), (5, 10), {}, 0),
]

EDGES = [
    Case("RReLU", {"lower": 0.5}, (4,)),
    Case("RReLU", {"upper": 0.1}, (4,)),
    Case("RReLU", {"lower": -1.0, "upper": -1.0}, (4,)),
    Case("CELU", {"alpha": 0.0}, (4,)),
    Case("Softplus", {"beta": 0.0}, (4,)),
]


def _overwrites_a_negative_slope(case: Case) -> bool:
    slope = case.fields.get("negative_slope", case.fields.get("alpha", 1))
    slopes = {"LeakyReLU", "ELU", "CELU"}
    return case.kind in slopes and bool(case.fields.get("inplace")) and slope < 0


def _crosses_the_batch(case: Case) -> bool:
    if case.kind not in {"Softmax", "LogSoftmax"}:
        return False
    dim = case.fields.get("dim")
    return len(case.x) == 2 if dim is None else dim % (len(case.x) + 1) == 0


CASES = {
    **{
        kind: cases(kind, SMALL, {}, {"dim": st.none() | DIMS})
        for kind in ("Softmax", "LogSoftmax")
    },
    "PReLU": cases("PReLU", SMALL, {}, {"num_parameters": st.integers(0, 5), "init": NUMBERS}),
    "RReLU": cases("RReLU", SMALL, {}, {"lower": NUMBERS, "upper": NUMBERS, "inplace": BOOLS}),
    "CELU": cases("CELU", SMALL, {}, {"alpha": NUMBERS, "inplace": BOOLS}),
    "ELU": cases("ELU", SMALL, {}, {"alpha": NUMBERS, "inplace": BOOLS}),
    "LeakyReLU": cases("LeakyReLU", SMALL, {}, {"negative_slope": NUMBERS, "inplace": BOOLS}),
    "GELU": cases("GELU", SMALL, {}, {"approximate": st.sampled_from(["none", "tanh", "erf", ""])}),
    "Softplus": cases("Softplus", SMALL, {}, {"beta": NUMBERS, "threshold": NUMBERS}),
    **{
        kind: cases(kind, SMALL, {}, {"inplace": BOOLS})
        for kind in ("ReLU", "ReLU6", "SELU", "SiLU")
    },
    **{kind: cases(kind, SMALL) for kind in ("Sigmoid", "Tanh")},
}

STRICTNESS = [
    Strictness(
        "torch runs forward, and could not go backward from an overwritten input",
        _overwrites_a_negative_slope,
        Case("ELU", {"alpha": -1.0, "inplace": True}, (4,)),
    ),
    Strictness(
        "an operation over the batch axis mixes samples, which stay apart in a network",
        _crosses_the_batch,
        Case("Softmax", {"dim": 0}, (3,)),
    ),
    Strictness(
        "a size of 0 makes an empty tensor",
        lambda case: case.fields.get("num_parameters") == 0,
        Case("PReLU", {"num_parameters": 0}, (4,)),
    ),
]

DECIDED = {}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, DECIDED)
