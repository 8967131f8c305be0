"""Lints of what a loss is given: scores, probabilities, or their logarithms, and how many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks import objective
from netbuild.checks.lint.flow import (
    AFFINE,
    ALPHA_DROPOUTS,
    DROPOUTS,
    POOLS,
    REARRANGING,
    Flow,
    called,
)
from netbuild.checks.lint.places import named, refilled, retyped, section
from netbuild.components.datasets.dataset import DataError
from netbuild.components.target import Classes
from netbuild.components.tensor import axis
from netbuild.diagnostics.diagnostic import Diagnostic, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.diagnostics.diagnostic import Fix
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.graph.value import Value

_SOFTMAXES = frozenset({"Softmax", "Softmax2d", "Softmin", "LogSoftmax"})
_PROBABILITIES = frozenset({"Sigmoid", "Hardsigmoid", "Softmax", "Softmax2d", "Softmin"})
#: The losses that squash what they get, by what is one squashing too many before them.
_SQUASHING = {
    "CrossEntropyLoss": ("softmax", _SOFTMAXES),
    "BCEWithLogitsLoss": ("sigmoid", _PROBABILITIES),
    "MultiLabelSoftMarginLoss": ("sigmoid", _PROBABILITIES),
}
_LOGS = "logarithms of probabilities"
#: The losses of probabilities: what they take, what gives it, and which loss takes scores instead.
_WANTED = {
    "BCELoss": ("probabilities, from 0 to 1", "Sigmoid", "BCEWithLogitsLoss"),
    "NLLLoss": (_LOGS, "LogSoftmax", "CrossEntropyLoss"),
    "KLDivLoss": (_LOGS, "LogSoftmax", None),
    "CTCLoss": (_LOGS, "LogSoftmax: 2", None),
}
_LOGARITHMS = frozenset({"LogSoftmax", "LogSigmoid"})
#: What gives scores: numbers of any size, or of a range that is not that of probabilities.
_SCORING = AFFINE | {
    *("LayerNorm", "RMSNorm", "GroupNorm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d"),
    *("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "Embedding", "EmbeddingBag"),
    *("RNN", "LSTM", "GRU", "MultiheadAttention"),
    *("Tanh", "Softsign", "Softplus", "ELU", "CELU", "SELU", "GELU", "SiLU", "Mish", "Hardswish"),
    *("LeakyReLU", "PReLU", "Tanhshrink"),
}
#: What keeps values from 0 to 1 there.
_KEEPING = REARRANGING | POOLS | {"ReLU", "ReLU6"}


def squashed_twice(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a softmax or a sigmoid before a loss that has its own.

    After a softmax the scores of CrossEntropyLoss differ by 1 at the most: with 10 classes it does
    not get below 1.46, however sure the network is. LogSoftmax is only computed twice.
    """
    graph = flow.graph
    loss = graph.config.loss
    if loss is None or loss.torch_name() not in _SQUASHING:
        return
    function, squashing = _SQUASHING[loss.torch_name()]
    for value in flow.compared:
        row = flow.behind(value, REARRANGING | DROPOUTS)
        if row is None or row.type not in squashing:
            continue
        if function == "softmax" and not _over_classes(flow, value, row):
            continue
        name = type(loss).__name__
        again = "squashes again"
        label = f"{name} applies {function} itself: a second one flattens the gradient"
        if row.type == "LogSoftmax":  # applied twice it gives the same as once
            again = "has its own"
            label = f"{name} applies one itself: this is superfluous, and does no harm"
        where = Note("loss", f"{name}, line {named(graph, 'loss').line}")
        help_ = f"leave {row.type} out; where probabilities are wanted, apply it to what is given"
        yield Diagnostic(
            "NB304",
            f"{row.type} before {name}, which {again}",
            row.span,
            label,
            (where,),
            help=help_,
            layer=row.path,
            fixes=_other_loss(graph, row),
        )


def _over_classes(flow: Flow, value: Value, row: Row) -> bool:
    """Whether a softmax goes over what is the axis of the classes for the loss."""
    dim = getattr(row.layer, "dim", 1)
    at = axis(1 if dim is None else dim, row.x, at="dim")
    last = flow.maker[value]
    if any(r.type in REARRANGING - {"Identity"} for r in flow.back(value, REARRANGING | DROPOUTS)):
        return row.x[at] == last.outputs[value.port].shape[0]
    return at == 0


def _other_loss(graph: Graph, row: Row) -> tuple[Fix, ...]:
    """Return the fix by the loss that takes what there is, if it says the very same."""
    loss = graph.config.loss
    if row.type == "LogSoftmax" and not getattr(loss, "label_smoothing", 0):
        return retyped(section(graph, "loss"), {"CrossEntropyLoss": "NLLLoss"})
    if row.type == "Sigmoid" and getattr(loss, "pos_weight", None) is None:
        return retyped(section(graph, "loss"), {"BCEWithLogitsLoss": "BCELoss"})
    return ()


def scores_for_probabilities(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a loss of probabilities, or of their logarithms, that gets something else.

    Only what is known to be something else: nothing is said of values that come from arithmetic.
    """
    graph = flow.graph
    loss = graph.config.loss
    if loss is None or loss.torch_name() not in _WANTED:
        return
    kind = loss.torch_name()
    wanted, remedy, better = _WANTED[kind]
    for value in flow.compared:
        wrong = _beyond_one(flow, value) if kind == "BCELoss" else _no_logarithm(flow, value)
        if wrong is None:
            continue
        name, last = type(loss).__name__, flow.maker[value]
        notes = [Note("output", called(last))]
        notes += [] if last is wrong else [Note("from", called(wrong))]
        help_ = f"put {remedy} behind the last layer"
        fixes: tuple[Fix, ...] = ()
        if better and wrong.type in _SCORING:
            help_ += f", or take {better}, which takes scores"
            fixes = retyped(section(graph, "loss"), {kind: better})
        elif wrong.type in _PROBABILITIES:
            help_ = f"take LogSoftmax instead of {wrong.type}"
        elif wrong.type not in _SCORING:
            help_ = f"leave {wrong.type} out, or put it in front of the last layer"
        yield Diagnostic(
            "NB305",
            f"{name} of what it does not take",
            named(graph, "loss"),
            f"it takes {wanted}, and {wrong.type} gives {_what(wrong)}",
            tuple(notes),
            help=help_,
            layer=last.path,
            fixes=fixes,
        )


def _what(row: Row) -> str:
    """Return what a layer gives instead."""
    if row.type in _PROBABILITIES:
        return "the probabilities themselves"
    if row.type in DROPOUTS | ALPHA_DROPOUTS:
        return "others in training"
    return "scores" if row.type in _SCORING else "others"


def _beyond_one(flow: Flow, value: Value) -> Row | None:
    """Return the layer because of which values are not all from 0 to 1, if one is known."""
    for row in flow.back(value, _KEEPING):
        if row.type in DROPOUTS:  # divides by 1 - p
            return row if 0 < getattr(row.layer, "p", 0) < 1 else None
        if row.type in _SCORING | _LOGARITHMS | ALPHA_DROPOUTS:
            return row
    return None


def _no_logarithm(flow: Flow, value: Value) -> Row | None:
    """Return the layer that gives no logarithms of probabilities, if one is known."""
    row = flow.behind(value, REARRANGING | POOLS | DROPOUTS)
    wrong = row is not None and row.type in _SCORING | _PROBABILITIES | {"ReLU", "ReLU6"}
    return row if wrong else None


def too_many_outputs(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of scores for classes that the data says it does not have.

    A vocabulary may be padded to a multiple of 64, which is faster on a GPU: GPT-2's 50,257 words
    are 50,304 in nanoGPT.
    """
    graph = flow.graph
    config = graph.config
    if config.loss is None or config.data is None or not config.loss.classifies:
        return
    try:
        target = objective.sample(config, *graph.compared.values()).target
    except DataError:  # which is a fault of its own
        return
    own = next((n for n in ("num_classes", "n_classes") if hasattr(config.loss, n)), None)
    output = next(iter(graph.compared.values()))
    scores = getattr(config.loss, own) if own else output.shape[0]
    if not isinstance(target, Classes) or scores <= target.classes:
        return
    if scores % 64 == 0 and scores - target.classes < 64 < target.classes:
        return
    span, path = named(graph, "loss", own), None
    fixes: tuple[Fix, ...] = ()
    row = None if own else _deciding(flow)
    if row is not None:
        field = "out_features" if hasattr(row.layer, "out_features") else "out_channels"
        places = flow.places
        span, path = places.field(row, field), row.path
        if getattr(row.layer, field) == scores:
            fixes = refilled(places.item(row), field, str(target.classes), bare=field)
    yield Diagnostic(
        "NB306",
        "more outputs than the data has classes",
        span,
        f"{scores} scores for {target.classes} classes: the last are never right",
        (Note("data", f"{target}, line {named(graph, 'data').line}"),),
        help=f"make it {target.classes}",
        layer=path,
        fixes=fixes,
    )


def _deciding(flow: Flow) -> Row | None:
    """Return the layer that decides how many scores there are, if one is known."""
    through = REARRANGING | POOLS | DROPOUTS | _SOFTMAXES | {"ReLU", "Sigmoid"}
    row = flow.behind(flow.compared[0], through)
    return row if row is not None and row.type in AFFINE else None
