"""Lint of metrics: the accuracy by another name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.lint.places import set_field
from netbuild.config.metrics import loss_of
from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Flow

_SAME = ("F1Score", "FBetaScore", "Precision", "Recall")


def other_accuracies(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of F1 and the like over all classes together, where each sample has one class.

    Each wrong prediction is then one false positive and one false negative, so TP / (TP + FP) and
    TP / (TP + FN) are the share of right predictions.
    """
    config = flow.graph.config
    for term in config.metrics:
        name, metric = type(term.metric).__name__, term.metric
        loss = loss_of(term, config.losses)
        micro = name in _SAME and getattr(metric, "average", None) == "micro"
        if term.item is None or loss is None or not micro or not loss.loss.classifies:
            continue
        if getattr(metric, "top_k", 1) != 1:
            continue
        label = "average is micro, and each sample has one class: this is the accuracy"
        help_ = f"write Accuracy, or {{{name}: {{average: macro}}}}"
        fixes = set_field(term.item, "average", "macro")
        if term.item.arguments is None and not term.item.modifiers:
            edit = Edit(term.item.type.span, f"{{{name}: {{average: macro}}}}")
            fixes = (Fix("write average: macro", (edit,)),)
        title = f"{name} is the accuracy"
        yield Diagnostic("NB332", title, term.item.type.span, label, help=help_, fixes=fixes)
