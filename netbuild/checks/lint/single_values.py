"""Lints of layers that compute over a single value, and so say next to nothing of their input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.lint.places import is_choice, replace_type
from netbuild.components.component import bare_field
from netbuild.components.tensor import product
from netbuild.diagnostics.diagnostic import Diagnostic, Fix
from netbuild.syntax import edits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Flow
    from netbuild.graph.row import Row


def single_values(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a softmax, a norm or an attention over one value: its result is a constant or a sign.

    torch runs these layers. It refuses an InstanceNorm and, for one sample, a GroupNorm of single
    values: these are errors.
    """
    for row in flow.graph.rows:
        label = row.layer.over_one(*row.shapes)
        if label is not None:
            help_, fixes = _remedy(row)
            yield Diagnostic(
                "NB320",
                f"{row.type} over a single value",
                row.span,
                label,
                help=help_,
                layer=row.path,
                fixes=fixes,
            )


def _remedy(row: Row) -> tuple[str, tuple[Fix, ...]]:
    """Return the help for a layer over a single value, and its fixes."""
    if row.layer.softmax_axis(*row.shapes) is not None:
        return _for_softmax(row)
    if "normalized_shape" in type(row.layer).model_fields:
        return _for_norm(row)
    if "dim" in type(row.layer).model_fields:
        return "choose with dim the axis of the vectors", ()
    return "use the axis of the sequence as the first axis, or remove the attention", ()


def _for_softmax(row: Row) -> tuple[str, tuple[Fix, ...]]:
    """Return the help for a softmax: another axis, or a sigmoid for a single score."""
    other = row.layer.for_one_score
    if product(row.x) > 1 or other is None:
        return "choose with dim an axis of more values, or use Sigmoid for a single score", ()
    fixes = (
        replace_type(row.item, other)
        if row.item.arguments is None and not is_choice(row.item)
        else ()
    )
    return f"use {other}, which turns a single score into a probability", fixes


def _for_norm(row: Row) -> tuple[str, tuple[Fix, ...]]:
    """Return the help for a norm: the shortest end of the shape that has several values."""
    ends = [row.x[at:] for at in range(len(row.x) - 1, -1, -1) if product(row.x[at:]) > 1]
    if not ends:
        return f"remove {row.type}", ()
    field = "normalized_shape"
    changed = edits.set_fields(row.item, bare_field(type(row.layer)), {field: ends[0]})
    title = f"write {field}: {edits.as_yaml(ends[0])}"
    return title, () if changed is None or is_choice(row.item) else (Fix(title, changed),)
