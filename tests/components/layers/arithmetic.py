"""Formulas, by hand and by chance; `tests/formulas.py` draws them and computes them with torch."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.components.layers.contract import (
    NAMES,
    Case,
    Family,
    Row,
    Strictness,
    Tensor,
    graph_of_case,
)
from tests.components.layers.join import ones_for_zeros
from tests.formulas import STRICTER, by_torch, drawn

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

BOOL = Tensor((4, 3), "bool")


def formula(text: str, *others: Tensor, y: tuple[int, ...] = (4, 3), **more: str) -> Row:
    """Return the row of a formula of (4, 3) and others."""
    return Row({"Formula": {"formula": text}}, (4, 3), y, {}, 0, others, **more)


ROWS = [
    # Activations that torch has no layer for.
    formula("x * sigmoid(1.702 * x)"),
    formula("0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))"),
    formula("x + sin(x) ** 2"),
    formula("exp(-x ** 2)"),
    formula("2 * sin(x)"),
    formula("1 / (1 + exp(-x))"),
    formula("where(x > 0, x, 0.01 * x)"),
    # Affine functions.
    formula("2 * x - 1"),
    formula("-(x + 3) / 4"),
    # Several inputs, which broadcast.
    formula("x * sigmoid(m)", Tensor((4, 3))),
    formula("0.5 * (x ** 2 + exp(m) - 1 - m)", Tensor((1, 3))),
    formula("(x - m) * exp(-v)", Tensor((4, 1)), Tensor((4, 1))),
    formula("lerp(x, m, 0.1) + hypot(x, m)", Tensor((4, 3))),
    formula("where(m & (x > 0), x, v)", BOOL, Tensor((1, 1))),
    formula("minimum(maximum(x, m), v)", Tensor((4, 3)), Tensor((4, 3))),
    formula("x ** m - atan2(x, m)", Tensor((4, 3))),
    # Dtypes.
    formula("x / 2", dtype="int64"),
    formula("x // 2 + x % 3", dtype="int32"),
    formula("x + 0.5", dtype="uint8"),
    formula("~x | (m > 0)", Tensor((4, 3)), dtype="bool"),
    formula("square(x)", dtype="bool"),
    formula("clamp(x, None, 6)", dtype="int64"),
]

EDGES = [
    Case("Formula", {"formula": text}, (3,), (), dtype)
    for text in ("-x", "x - 1", "x ** 2", "x ** -1", "x % 2", "~x", "x & 1", "abs(x)", "relu(x)")
    for dtype in ("float32", "int64", "uint8", "bool")
] + [
    Case("Formula", {"formula": "x + m"}, (2, 3), (Tensor((3,)),)),
    Case("Formula", {"formula": "x + m"}, (3,), (Tensor((4,)),)),
    Case("Formula", {"formula": "clamp(x, m, 1)"}, (3,), (Tensor((3,)),)),
]


def made(formula: str) -> Callable[..., torch.Tensor]:
    """Return a function that computes a formula with torch."""
    return lambda *x: by_torch(formula, dict(zip(NAMES, x, strict=False)))


def case_of(seed: int) -> Case:
    """Return a random formula with its inputs."""
    one = drawn(random.Random(seed))  # noqa: S311  no cryptography
    x, *others = one.inputs.values()
    return Case("Formula", {"formula": one.text}, x.shape, tuple(others), x.dtype)


def _is_stricter(case: Case) -> bool:
    faults = graph_of_case(case).diagnostics if case.kind == "Formula" else ()
    return bool(faults) and bool(STRICTER.search(faults[0].label))


STRICTNESS = [
    Strictness(
        "a formula that says nothing, that has no gradient, or whose numbers overflow",
        _is_stricter,
        Case("Formula", {"formula": "x + 300"}, (3,), (), "uint8"),
    ),
]

FAMILY = Family(
    ROWS,
    {"Formula": st.integers(0, 1 << 32).map(case_of)},
    EDGES,
    STRICTNESS,
    make={"Formula": made},
    data={"Formula": ones_for_zeros},
)
