"""Activations over an axis, by hand and by chance."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.components.layers.contract import (
    DIMS,
    SMALL,
    Case,
    Family,
    Row,
    Strictness,
    cases,
    shapes,
)

ROWS = [
    # Softmax keeps the shape.
    Row({"Softmax": {}}, (10,), (10,), {}, 0),
    Row({"Softmax": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Softmax": {"dim": -1}}, (5, 10), (5, 10), {}, 0),
    Row({"LogSoftmax": {}}, (10,), (10,), {}, 0),
    Row({"LogSoftmax": {"dim": 2}}, (5, 10), (5, 10), {}, 0),
    Row({"Softmin": {}}, (10,), (10,), {}, 0),
    Row({"Softmin": {"dim": -2}}, (5, 10), (5, 10), {}, 0),
    Row({"Softmax2d": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Softmax2d": {}}, (1, 3, 4), (1, 3, 4), {}, 0),
    # GLU halves an axis.
    Row({"GLU": {}}, (10,), (5,), {}, 0),
    Row({"GLU": {"dim": 1}}, (6, 8, 7), (3, 8, 7), {}, 0),
    Row({"GLU": {"dim": -2}}, (3, 4, 5), (3, 2, 5), {}, 0),
]

EDGES = [
    Case("Softmax", {}, (3, 4)),
    Case("Softmax", {}, ()),
    Case("Softmin", {}, (3, 4)),
    Case("Softmin", {}, (2, 3, 4)),
    Case("Softmax2d", {}, (2, 3, 4, 5)),
    Case("GLU", {}, (1,)),
    Case("GLU", {"dim": 2}, (4, 3)),
]
#: Those with a `dim` that may be left out.
SOFTMAXES = ("Softmax", "LogSoftmax", "Softmin")


def _crosses_the_batch(case: Case) -> bool:
    dim = case.fields.get("dim", -1 if case.kind == "GLU" else None)
    if dim is None:
        return case.kind in SOFTMAXES and len(case.x) in {0, 2}
    return dim % (len(case.x) + 1) == 0


CASES = {
    **{kind: cases(kind, SMALL, {}, {"dim": st.none() | DIMS}) for kind in SOFTMAXES},
    "Softmax2d": cases("Softmax2d", shapes(2, most=4)),
    "GLU": cases(
        "GLU",
        st.lists(st.sampled_from([1, 2, 2, 4, 4, 6]), min_size=1, max_size=4).map(tuple),
        {},
        {"dim": st.integers(-3, 3) | DIMS},
    ),
}

STRICTNESS = [
    Strictness(
        "an operation over the batch axis mixes samples, which stay apart in a network",
        _crosses_the_batch,
        Case("Softmax", {"dim": 0}, (3,)),
    ),
    Strictness(
        "an input without its batch axis: Softmax2d takes the samples for channels",
        lambda case: case.kind == "Softmax2d" and len(case.x) == 2,
        Case("Softmax2d", {}, (3, 4)),
    ),
]

FAMILY = Family(ROWS, CASES, EDGES, STRICTNESS)
