"""Lints of dropouts: where they do harm, and which of them goes with which activation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.lint.flow import (
    AFFINE,
    ALPHA_DROPOUTS,
    DROPOUTS,
    NORMS,
    POOLS,
    REARRANGING,
    Flow,
    called,
)
from netbuild.checks.lint.places import named, retyped
from netbuild.diagnostics.diagnostic import Diagnostic, Note

if TYPE_CHECKING:
    from collections.abc import Iterator


#: Losses that compare one output, value by value or class by class, with what the data says.
_OF_SCORES = frozenset(
    {
        *("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss", "MultiLabelMarginLoss", "CTCLoss"),
        *("BCELoss", "BCEWithLogitsLoss", "MultiLabelSoftMarginLoss", "SoftMarginLoss"),
        *("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss", "KLDivLoss", "PoissonNLLLoss"),
    }
)
#: What is put behind scores, and is still what the loss reads.
_LAST = REARRANGING | {"Softmax", "LogSoftmax", "Sigmoid", "LogSigmoid", "Tanh"}
_BATCH_NORMS = frozenset({"BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"})
_ACTIVATIONS = frozenset(
    {
        *("ReLU", "ReLU6", "LeakyReLU", "PReLU", "RReLU", "ELU", "CELU", "GELU", "SiLU", "Mish"),
        *("Hardswish", "Hardsigmoid", "Hardtanh", "Sigmoid", "Tanh", "Softplus", "Softsign"),
    }
)
_ALPHA = {"Dropout": "AlphaDropout"} | dict.fromkeys(DROPOUTS - {"Dropout"}, "FeatureAlphaDropout")


def harmful_dropouts(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a dropout of what the loss compares, and of one between a layer and its batch norm.

    The first sets scores to 0 that nothing behind it can make up for. Behind the second the batch
    norm gets to know a variance that is larger than that of evaluation, where nothing is dropped
    (Li et al. 2019, the variance shift). A Wide ResNet (Zagoruyko and Komodakis 2016) drops behind
    norm and activation, which is another thing.
    """
    graph = flow.graph
    loss = graph.config.loss
    name = type(loss).__name__
    last = set()
    if loss is not None and loss.torch_name() in _OF_SCORES:
        last = {row.path for value in flow.compared if (row := flow.behind(value, _LAST))}
    for row in graph.rows:
        if row.type not in DROPOUTS | ALPHA_DROPOUTS or not 0 < getattr(row.layer, "p", 0) < 1:
            continue
        maker = flow.behind(row.sources[0], frozenset({"Identity"}))
        norms = [reader for reader in flow.only_readers(row) if reader.type in _BATCH_NORMS]
        if row.path in last:
            label = "it sets outputs to 0 that the loss compares"
            note = Note("loss", f"{name}, line {named(graph, 'loss').line}")
            help_ = "leave it out, or put it in front of the last layer with weights"
            title = "a dropout behind the last layer"
            yield Diagnostic("NB308", title, row.span, label, (note,), help=help_, layer=row.path)
        elif maker is not None and maker.type in AFFINE and norms:
            label = "the norm learns a variance that evaluation, without dropout, has not"
            notes = (Note("between", f"{called(maker)} and {called(norms[0])}"),)
            help_ = "put it behind the norm and the activation"
            title = f"a dropout between {maker.type} and {norms[0].type}"
            yield Diagnostic("NB308", title, row.span, label, notes, help=help_, layer=row.path)


def unfit_dropouts(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of AlphaDropout without SELU, and of SELU with another dropout.

    AlphaDropout sets values to what SELU gives far below 0, and keeps mean 0 and variance 1, which
    a plain dropout behind SELU does not (Klambauer et al. 2017). In a network with SELU it may well
    stand behind the input or a layer with weights; where there are norms, nothing is to be kept.
    """
    graph = flow.graph
    places = flow.places
    selu = any(row.type == "SELU" for row in graph.rows)
    normed = any(row.type in NORMS for row in graph.rows)
    for row in graph.rows:
        if row.type not in DROPOUTS | ALPHA_DROPOUTS or not getattr(row.layer, "p", 0):
            continue
        maker = flow.behind(row.sources[0], REARRANGING | POOLS)
        kind = maker.type if maker else ""
        if row.type in ALPHA_DROPOUTS and (kind in _ACTIVATIONS or not selu):
            title = f"{row.type} without SELU"
            label = "it sets values to the least that SELU gives, −1.758"
            help_ = "take Dropout, or SELU for the activation"
            types = {"AlphaDropout": "Dropout"}
        elif row.type in DROPOUTS and kind == "SELU" and not normed:
            title = f"{row.type} behind SELU"
            label = "behind it mean and variance are not what SELU keeps"
            help_ = f"take {_ALPHA[row.type]}, which keeps them"
            types = _ALPHA
        else:
            continue
        notes = (Note("reads", called(maker)),) if maker else ()
        fixes = retyped(places.item(row), types)
        yield Diagnostic(
            "NB309", title, row.span, label, notes, help=help_, layer=row.path, fixes=fixes
        )
