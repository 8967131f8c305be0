"""A lint of formulas that have a name: `relu(x)` is the layer ReLU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.lint.places import is_choice
from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix
from netbuild.syntax.edits import is_computed
from netbuild.syntax.node import Map, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Flow
    from netbuild.graph.row import Row


def named_formulas(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a formula for which there is a layer: lints and readers know the layer better."""
    for row in flow.graph.rows:
        twin = row.layer.twin
        if twin is not None:
            yield Diagnostic(
                "NB330",
                f"a {row.type} for which there is a layer",
                row.span,
                f"{row.layer.written} is {twin}",
                help=f"write {twin}",
                layer=row.path,
                fixes=_replaced(row, twin),
            )


def _replaced(row: Row, twin: str) -> tuple[Fix, ...]:
    """Return the fix that writes the layer in place of the formula."""
    item = row.item
    start, node = item.type.span, item.arguments
    if node is None or is_choice(item) or is_computed(node) or start.line == 0:
        return ()
    end = node.span
    if end.document is not start.document:
        return ()
    whole = start._replace(end_line=end.end_line, end_column=end.end_column)
    beside = [entry.key.span.line for entry in item.modifiers.values()]
    in_lines = any(line != start.line for line in beside)
    edits = [Edit(whole, f"{twin}:" if in_lines and ":" not in twin else twin)]
    inputs = item.modifiers.get("inputs")
    if inputs is not None and isinstance(inputs.value, Map):
        (wire,) = [entry.value for entry in inputs.value.entries.values()]
        if not isinstance(wire, Scalar):
            return ()
        edits.append(Edit(inputs.value.span, wire.text))
    return (Fix(f"replace the formula with {twin}", tuple(edits), safe=True),)
