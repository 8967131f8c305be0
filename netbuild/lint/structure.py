"""Lints of how layers follow one another."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from netbuild.diagnostic import Diagnostic, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.graph import Graph, Row, Value

# By their names, for what a network has not need not be imported.
_AFFINE = {"Conv1d", "Conv2d", "Conv3d", "Linear"}
_DROPOUTS = {f"Dropout{rank}" for rank in ("", "1d", "2d", "3d")}
#: What an affine function passes through and stays one, dropout at least once training is over.
_TRANSPARENT = {
    *_DROPOUTS,
    "AlphaDropout",
    "FeatureAlphaDropout",
    "Flatten",
    "Identity",
    "Unflatten",
}


def collapsing_layers(graph: Graph) -> Iterator[Diagnostic]:
    """Warn of two affine layers of a kind with nothing non-linear between: they compute as one.

    What several layers read is a representation of its own, and may well be affine.
    """
    readers = Counter(source for row in graph.rows for source in row.sources)
    affine: dict[Value, Row] = {}  # the affine layer of which a value is a function
    for row in graph.rows:
        source = next(iter(row.sources), None)  # none of a Parameter
        first = affine.get(source) if source and readers[source] == 1 else None
        if row.type in _TRANSPARENT:
            if first is not None:
                affine[row.passed_on] = first
            continue
        if first is not None and _collapse(first, row):
            yield Diagnostic(
                "NB301",
                f"two {row.type} layers that are no more than one",
                row.span,
                f"nothing non-linear stands between {first.path} and this",
                (Note("first", f"{first.path} ({first.type}, line {first.span.line})"),),
                help="put an activation between them, such as ReLU",
                layer=row.path,
            )
        if row.type in _AFFINE:
            affine[row.passed_on] = row


def _collapse(first: Row, second: Row) -> bool:
    """Tell two layers that compute as one from a convolution in two parts, such as a separable."""
    groups = (getattr(row.layer, "groups", 1) for row in (first, second))
    return first.type == second.type and all(count == 1 for count in groups)
