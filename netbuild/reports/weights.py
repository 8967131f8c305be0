"""The tensors of a file compared with the tensors of a network: as a table and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from netbuild.components.tensor import times
from netbuild.diagnostics.escapes import of_json, one_line

if TYPE_CHECKING:
    from netbuild.components.tensor import Shape
    from netbuild.runs.weights import Comparison


def table(comparison: Comparison) -> Table:
    """Return a table of the tensors that do not fit, with both shapes."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for header in ("tensor", "file", "network", ""):
        right = header in {"file", "network"}
        made.add_column(header, justify="right" if right else "left", no_wrap=True)
    for difference in comparison.differences:
        name, file, network = difference
        made.add_row(one_line(name), _shape(file), _shape(network), difference.kind)
    return made


def counts(comparison: Comparison) -> str:
    """Return the last line: the number of tensors that fit."""
    fit, misfit = len(comparison.fitting), len(comparison.differences)
    said = f"{fit:,} of {fit + misfit:,} tensors fit"
    return said + (f"; {len(comparison.left_out):,} left out" if comparison.left_out else "")


def as_json(comparison: Comparison) -> str:
    """Return the comparison as the JSON object that other programs read."""
    document = {
        "fitting": list(comparison.fitting),
        "differences": [d._asdict() | {"kind": d.kind} for d in comparison.differences],
        "left_out": list(comparison.left_out),
    }
    return of_json(json.dumps(document, indent=2, ensure_ascii=False))


def _shape(shape: Shape | None) -> str:
    return "" if shape is None else times(shape)
