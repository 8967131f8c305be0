"""Lints of dropouts: where they do harm, and which of them goes with which activation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.lint.flow import Flow, called
from netbuild.checks.lint.places import retyped
from netbuild.components.layers.layer import LOGARITHMS, PROBABILITIES
from netbuild.diagnostics.diagnostic import Diagnostic, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.layers.layer import Layer
    from netbuild.graph.row import Row


def harmful_dropouts(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a dropout of what the loss compares, and of one between a layer and its batch norm.

    The first sets scores to 0 that nothing behind it can make up for. Behind the second the batch
    norm gets to know a variance that is larger than that of evaluation, where nothing is dropped
    (Li et al. 2019, the variance shift). A Wide ResNet (Zagoruyko and Komodakis 2016) drops behind
    norm and activation, which is another thing.
    """
    compared = {
        row.path: loss
        for loss in reversed(flow.compared)
        if loss.loss.takes != "features"
        for value in loss.values
        if (row := flow.behind(value, _stands_last))
    }
    for row in flow.graph.rows:
        if not _drops(row):
            continue
        maker = flow.behind(row.sources[0], lambda layer: layer.regroups)
        norms = [reader for reader in flow.only_readers(row) if _is_batch_norm(reader.layer)]
        if row.path in compared:
            label = "it sets outputs to 0 that the loss compares"
            notes = (compared[row.path].note,)
            help_ = "leave it out, or put it in front of the last layer with weights"
            title = "a dropout behind the last layer"
            yield Diagnostic("NB308", title, row.span, label, notes, help=help_, layer=row.path)
        elif maker is not None and maker.layer.is_affine and norms:
            label = "the norm learns a variance that evaluation, without dropout, has not"
            notes = (Note("between", f"{called(maker)} and {called(norms[0])}"),)
            help_ = "put it behind the norm and the activation"
            title = f"a dropout between {maker.type} and {norms[0].type}"
            yield Diagnostic("NB308", title, row.span, label, notes, help=help_, layer=row.path)


def _drops(row: Row) -> bool:
    """Whether a layer is a dropout of some values, not of none or all."""
    return row.layer.drops is not None and 0 < getattr(row.layer, "p", 0) < 1


def _stands_last(layer: Layer) -> bool:
    """Whether a layer is put behind scores, and what it gives is still what a loss compares."""
    squashes = layer.saturates is not None or layer.results in {PROBABILITIES, LOGARITHMS}
    return layer.rearranges or (squashes and layer.drops is None)


def _is_batch_norm(layer: Layer) -> bool:
    """Whether a layer keeps the statistics of batches."""
    return layer.normalises in {"batch", "processes"}


def unfit_dropouts(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of AlphaDropout without SELU, and of SELU with another dropout.

    AlphaDropout sets values to what SELU gives far below 0, and keeps mean 0 and variance 1, which
    a plain dropout behind SELU does not (Klambauer et al. 2017). In a network with SELU it may well
    stand behind the input or a layer with weights; where there are norms, nothing is to be kept.
    """
    graph = flow.graph
    selu = any(row.layer.self_normalising for row in graph.rows)
    normed = any(row.layer.normalises for row in graph.rows)
    for row in graph.rows:
        if row.layer.drops is None or not getattr(row.layer, "p", 0):
            continue
        maker = flow.behind(row.sources[0], lambda layer: layer.rearranges or layer.pools)
        keeps = maker is not None and maker.layer.self_normalising
        other = maker is not None and maker.layer.activates and not keeps
        counterpart: str | None = getattr(row.layer, "counterpart", None)
        if row.layer.drops == "alpha" and (other or not selu):
            title = f"{row.type} without SELU"
            label = "it sets values to the least that SELU gives, −1.758"
            help_ = "take Dropout, or SELU for the activation"
        elif row.layer.drops == "zeros" and keeps and not normed:
            title = f"{row.type} behind SELU"
            label = "behind it mean and variance are not what SELU keeps"
            help_ = f"take {counterpart}, which keeps them"
        else:
            continue
        notes = (Note("reads", called(maker)),) if maker else ()
        fixes = retyped(row.item, counterpart)
        yield Diagnostic(
            "NB309", title, row.span, label, notes, help=help_, layer=row.path, fixes=fixes
        )
