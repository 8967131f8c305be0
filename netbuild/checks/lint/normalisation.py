"""Lints of normalisations: biases that they remove, and statistics over too few values."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from netbuild.checks.lint.flow import Flow, layers_note
from netbuild.checks.lint.places import is_choice, set_field
from netbuild.components.component import bare_field
from netbuild.components.tensor import product
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.layers.layer import Layer
    from netbuild.diagnostics.diagnostic import Fix
    from netbuild.graph.row import Row


def lost_biases(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a bias per channel if only norms of each channel read the result.

    Such a norm subtracts the mean of a channel, which contains the bias. So the gradient of the
    bias is 0. In evaluation the running mean contains the bias, and the norm removes it too. A norm
    with one mean for several channels, such as most GroupNorms, keeps the differences of biases.

    There is no warning in two cases. The norm is a choice, by a parameter or by `when`: the bias is
    for the other case. The network has `pretrained`: its weights include the bias.
    """
    graph = flow.graph
    if graph.files:
        return
    uses = defaultdict(list)  # the uses of each module
    for row in graph.rows:
        if row.layer.is_affine and len(row.sources) == 1:
            uses[row.reuses or row.path].append(row)
    for first, *again in uses.values():
        norms = _removing(flow, first)
        if not norms or not all(_removing(flow, row) for row in again):
            continue
        if not any(is_choice(norm.item) for norm in norms):
            yield Diagnostic(
                "NB307",
                f"a bias that {norms[0].type} removes",
                place(first.item, "bias"),
                "the norm subtracts the mean of each channel, which contains the bias",
                (layers_note("norm", norms),),
                help="write bias: false",
                layer=first.path,
                fixes=set_field(first.item, "bias", "false", bare=bare_field(type(first.layer))),
            )


def _removing(flow: Flow, row: Row) -> list[Row]:
    """Return all layers that read a layer's result if they are norms that remove its bias."""
    if row.frozen or not getattr(row.layer, "bias", False):
        return []
    readers = flow.only_readers(row)
    # A Linear has its bias along the last axis, and a norm has its channels along the first.
    fits = row.layer.feature_axis == 0 or len(row.output.shape) == 1
    return readers if fits and all(norm.layer.centres(*norm.shapes) for norm in readers) else []


def _uses_batch(layer: Layer) -> bool:
    """Whether training normalises with the statistics of a batch."""
    return layer.normalises == "batch" and not layer.evaluates


def single_samples(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of batch norms if all batches, or the last batch of an epoch, have a single sample.

    With one value per channel, torch refuses to train. With several values, a batch norm computes
    an instance norm in training. In evaluation it uses running statistics, a different function.
    """
    graph = flow.graph
    config = graph.config
    size, item = config.train.batch_size, config.items.get("train")
    norms = [row for row in graph.rows if _uses_batch(row.layer)]
    if size == 1:
        label = "each batch norm computes its statistics over one sample"
        help_ = "use larger batches, or GroupNorm, which normalises each sample separately"
        fixes: tuple[Fix, ...] = ()
    else:
        training = config.preparation.trained(config.data) if config.data else None
        if training is None or not norms:
            return
        norms = [row for row in norms if product(row.x[1:]) == 1]
        if training % size != 1:
            return
        label = f"the last batch has one of {training} samples, and therefore no variance"
        other = next((n for n in range(size + 1, training + 2) if training % n != 1), None)
        help_ = f"write batch_size: {other}" if other else "train on more than one sample"
        fixes = set_field(item, "batch_size", str(other)) if other else ()
    if norms:
        span = place(item, "batch_size") if item else norms[0].span
        yield Diagnostic(
            "NB310",
            "a batch norm over a single sample",
            span,
            label,
            (layers_note("norm", norms),),
            help=help_,
            layer=norms[0].path,
            fixes=fixes,
        )
