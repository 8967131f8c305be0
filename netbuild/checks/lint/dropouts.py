"""Lints of dropouts: dropouts in a harmful place, and dropouts that do not suit the activation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.lint.flow import Flow, described
from netbuild.checks.lint.places import replace_type
from netbuild.components.layers.ranges import LOGARITHMS, PROBABILITIES
from netbuild.diagnostics.diagnostic import Diagnostic, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.layers.layer import Layer
    from netbuild.graph.row import Row


def harmful_dropouts(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a dropout after the last layer, and of a dropout between a layer and its batch norm.

    The first sets scores to 0, and no later layer can compensate for this. The second raises the
    variance that the batch norm learns. In evaluation nothing is dropped, and the variance is lower
    (Li et al. 2019, the variance shift). A Wide ResNet (Zagoruyko and Komodakis 2016) drops values
    after the norm and the activation. This does no harm, and gets no warning.
    """
    compared = {
        row.path: loss
        for loss in reversed(flow.compared)
        if loss.loss.takes != "features"
        for value in loss.values
        if (row := flow.source(value, _stands_last))
    }
    for row in flow.graph.rows:
        if not _drops(row):
            continue
        producer = flow.source(row.sources[0], lambda layer: layer.regroups)
        norms = [reader for reader in flow.only_readers(row) if _is_batch_norm(reader.layer)]
        if row.path in compared:
            label = "this dropout sets outputs to 0 before the loss compares them"
            notes = (compared[row.path].note,)
            help_ = "remove the dropout, or move it before the last layer with weights"
            title = "a dropout after the last layer"
            yield Diagnostic("NB308", title, row.span, label, notes, help=help_, layer=row.path)
        elif producer is not None and producer.layer.is_affine and norms:
            label = "the norm learns a variance that is too large for evaluation"
            notes = (Note("between", f"{described(producer)} and {described(norms[0])}"),)
            help_ = "move the dropout after the norm and the activation"
            title = f"a dropout between {producer.type} and {norms[0].type}"
            yield Diagnostic("NB308", title, row.span, label, notes, help=help_, layer=row.path)


def _drops(row: Row) -> bool:
    """Whether a layer is a dropout that drops some values, but not all."""
    return row.layer.drops is not None and 0 < getattr(row.layer, "p", 0) < 1


def _stands_last(layer: Layer) -> bool:
    """Whether a layer may stand between the last layer with weights and the loss."""
    squashes = layer.saturates is not None or layer.results in {PROBABILITIES, LOGARITHMS}
    return layer.rearranges or (squashes and layer.drops is None)


def _is_batch_norm(layer: Layer) -> bool:
    """Whether a layer normalises over a batch in training."""
    return layer.normalises in {"batch", "processes"} and not layer.evaluates


def unfit_dropouts(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of AlphaDropout without SELU, and of SELU with another dropout.

    SELU keeps the mean at 0 and the variance at 1. AlphaDropout sets values to the lowest value of
    SELU and keeps both; a plain dropout changes the variance (Klambauer et al. 2017). In a network
    with SELU, an AlphaDropout may also stand after the input or after a layer with weights. In a
    network with norms there is no warning of a plain dropout: the norms set mean and variance.
    """
    graph = flow.graph
    selu = any(row.layer.self_normalising for row in graph.rows)
    normed = any(row.layer.normalises for row in graph.rows)
    for row in graph.rows:
        if row.layer.drops is None or not getattr(row.layer, "p", 0):
            continue
        producer = flow.source(row.sources[0], lambda layer: layer.rearranges or layer.pools)
        keeps = producer is not None and producer.layer.self_normalising
        other = producer is not None and producer.layer.activates and not keeps
        counterpart: str | None = getattr(row.layer, "counterpart", None)
        if row.layer.drops == "alpha" and (other or not selu):
            title = f"{row.type} without SELU"
            label = f"{row.type} sets values to −1.758, the lowest value of SELU"
            help_ = "use Dropout, or use SELU as the activation"
        elif row.layer.drops == "zeros" and counterpart and keeps and not normed:
            title = f"{row.type} after SELU"
            label = f"{row.type} changes the variance that SELU keeps at 1"
            help_ = f"use {counterpart}, which keeps the mean and the variance"
        else:
            continue
        notes = (Note("reads", described(producer)),) if producer else ()
        fixes = replace_type(row.item, counterpart)
        yield Diagnostic(
            "NB309", title, row.span, label, notes, help=help_, layer=row.path, fixes=fixes
        )
