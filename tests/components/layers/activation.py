"""Activations, by hand and by chance."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.components.layers.contract import (
    BOOLS,
    NUMBERS,
    SMALL,
    Case,
    Family,
    Row,
    Strictness,
    cases,
)

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
    Row({"LogSigmoid": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"LogSigmoid": {}}, (64,), (64,), {}, 0),
    Row({"Mish": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Mish": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"Hardswish": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Hardswish": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"Hardsigmoid": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Hardsigmoid": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"Hardtanh": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Hardtanh": {"min_val": 0, "max_val": 6, "inplace": True}}, (64,), (64,), {}, 0),
    Row({"Threshold": {"threshold": 0.1, "value": 20}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Threshold": {"threshold": 0, "value": 0, "inplace": True}}, (64,), (64,), {}, 0),
    Row({"Softsign": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Softsign": {}}, (64,), (64,), {}, 0),
    Row({"Tanhshrink": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Tanhshrink": {}}, (64,), (64,), {}, 0),
    Row({"Hardshrink": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Hardshrink": {"lambd": -1.0}}, (64,), (64,), {}, 0),
    Row({"Softshrink": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Softshrink": {"lambd": 0}}, (64,), (64,), {}, 0),
]

EDGES = [
    Case("RReLU", {"lower": 0.5}, (4,)),
    Case("RReLU", {"upper": 0.1}, (4,)),
    Case("RReLU", {"lower": -1.0, "upper": -1.0}, (4,)),
    Case("CELU", {"alpha": 0.0}, (4,)),
    Case("Softplus", {"beta": 0.0}, (4,)),
    Case("Hardtanh", {"min_val": 1.0}, (4,)),
    Case("Hardtanh", {"max_val": -1.5}, (4,)),
    Case("Hardtanh", {"min_val": 0.0, "max_val": 255.0}, (4,), dtype="uint8"),
    Case("Hardtanh", {"min_val": 0.0, "max_val": 256.0}, (4,), dtype="uint8"),
    Case("Hardtanh", {"max_val": 2147483648.0}, (4,), dtype="int32"),
    Case("Hardtanh", {"max_val": 1e19}, (4,), dtype="int64"),
    Case("Threshold", {"threshold": 0.5, "value": 256}, (4,), dtype="uint8"),
    Case("Threshold", {"threshold": -0.5, "value": 2}, (4,), dtype="uint8"),
    Case("Threshold", {"threshold": -1e10, "value": 2}, (4,), dtype="int32"),
    Case("Softshrink", {"lambd": -1.0}, (4,)),
    *(
        Case(kind, {}, (4,), dtype="bool")
        for kind in ("ReLU", "ReLU6", "Hardtanh", "Softsign", "Tanhshrink", "Sigmoid", "Tanh")
    ),
    Case("Threshold", {"threshold": 0, "value": 1}, (4,), dtype="bool"),
]


def _overwrites_a_negative_slope(case: Case) -> bool:
    slope = case.fields.get("negative_slope", case.fields.get("alpha", 1))
    slopes = {"LeakyReLU", "ELU", "CELU"}
    return case.kind in slopes and bool(case.fields.get("inplace")) and slope < 0


def _has_a_limit_beyond(case: Case) -> bool:
    return case.dtype == "uint8" and any(
        case.fields.get(name, 0) < 0 for name in ("min_val", "max_val", "threshold", "value")
    )


#: What may be whole numbers.
DTYPES = st.sampled_from(["float32"] * 6 + ["int64", "int32", "uint8", "bool"])

CASES = {
    "PReLU": cases("PReLU", SMALL, {}, {"num_parameters": st.integers(0, 5), "init": NUMBERS}),
    "RReLU": cases("RReLU", SMALL, {}, {"lower": NUMBERS, "upper": NUMBERS, "inplace": BOOLS}),
    "CELU": cases("CELU", SMALL, {}, {"alpha": NUMBERS, "inplace": BOOLS}),
    "ELU": cases("ELU", SMALL, {}, {"alpha": NUMBERS, "inplace": BOOLS}),
    "LeakyReLU": cases("LeakyReLU", SMALL, {}, {"negative_slope": NUMBERS, "inplace": BOOLS}),
    "GELU": cases("GELU", SMALL, {}, {"approximate": st.sampled_from(["none", "tanh", "erf", ""])}),
    "Softplus": cases("Softplus", SMALL, {}, {"beta": NUMBERS, "threshold": NUMBERS}),
    **{
        kind: cases(kind, SMALL, {}, {"inplace": BOOLS}, dtype=DTYPES)
        for kind in ("ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid")
    },
    **{
        kind: cases(kind, SMALL, dtype=DTYPES)
        for kind in ("Sigmoid", "Tanh", "LogSigmoid", "Softsign", "Tanhshrink")
    },
    "Hardtanh": cases(
        "Hardtanh",
        SMALL,
        {},
        {
            "min_val": st.sampled_from([-1.0, -0.5, 0.0, 0.1]),
            "max_val": st.sampled_from([0.1, 1, 6.0, 30.0]) | NUMBERS,
            "inplace": BOOLS,
        },
        dtype=DTYPES,
    ),
    "Threshold": cases(
        "Threshold",
        SMALL,
        {"threshold": NUMBERS, "value": NUMBERS},
        {"inplace": BOOLS},
        dtype=DTYPES,
    ),
    **{kind: cases(kind, SMALL, {}, {"lambd": NUMBERS}) for kind in ("Hardshrink", "Softshrink")},
}

STRICTNESS = [
    Strictness(
        "torch runs forward, and could not go backward from an overwritten input",
        _overwrites_a_negative_slope,
        Case("ELU", {"alpha": -1.0, "inplace": True}, (4,)),
    ),
    Strictness(
        "torch cuts or wraps a negative number to fit an input that has none",
        _has_a_limit_beyond,
        Case("Hardtanh", {"min_val": -0.5}, (4,), dtype="uint8"),
    ),
]

FIELDS = {
    ("Hardtanh", "min_value"): "not offered: torch warns that it is min_val by a name of old",
    ("Hardtanh", "max_value"): "not offered: torch warns that it is max_val by a name of old",
}

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS, fields=FIELDS)
