"""Recurrent layers with lengths by hand: they change no weight and no multiply-add."""

from __future__ import annotations

from tests.components.layers.contract import Case, Row, Strictness
from tests.components.layers.recurrent import ROWS, with_lengths


def _with_lengths(row: Row) -> Row:
    case = with_lengths(row.case)
    return row._replace(others=case.others, names=case.names)


#: Without LSTMs that oneDNN computes in whole pages of memory.
PACKED_ROWS = [
    _with_lengths(row)
    for row in ROWS
    if not row.type.endswith("Cell") and (row.type != "LSTM" or "proj_size" in row.fields)
]
_LSTM = Case("LSTM", {"hidden_size": 2}, (4, 3))
PACKED_EDGES = [
    with_lengths(_LSTM),
    with_lengths(_LSTM, "float32"),
    with_lengths(_LSTM, "int32"),
    with_lengths(_LSTM, "int64", (4,)),
    with_lengths(_LSTM._replace(kind="GRU", x=(3,))),
]
PACKED_STRICTNESS = [
    Strictness(
        "lengths are int64, as torch stores them",
        lambda case: "lengths" in case.names and case.others[-1].dtype != "int64",
        with_lengths(_LSTM, "int32"),
    ),
    Strictness(
        "a step is a vector: torch does not look at the axes of a packed sequence",
        lambda case: "lengths" in case.names and len(case.x) != 2,
        with_lengths(_LSTM._replace(fields={"hidden_size": 1}, x=(1, 1, 1))),
    ),
]
