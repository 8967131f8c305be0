"""Lints of normalisations: what they take away, and statistics of too few values."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from netbuild.checks.lint.flow import CONVOLUTIONS, TRANSPOSED, Flow, listed
from netbuild.checks.lint.places import Places, refilled, train
from netbuild.components.tensor import product
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.diagnostics.diagnostic import Fix
    from netbuild.graph.row import Row

_BATCH_NORMS = frozenset({"BatchNorm1d", "BatchNorm2d", "BatchNorm3d"})
_BIASED = {"Linear"} | CONVOLUTIONS | TRANSPOSED
_INSTANCE_NORMS = frozenset({"InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"})


def lost_biases(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a bias for each channel that only normalisations of each channel read.

    They subtract the mean of the channel, and the bias with it: its gradient is 0. Later, the
    running mean has it and takes it away just so. A norm whose means are of several channels, as
    GroupNorm's mostly are, keeps what their biases differ by.

    Nothing is said of a norm that is chosen elsewhere, or only there `when` something is true: the
    bias is for where there is none. Nor of a network with `pretrained`, whose weights have it.
    """
    graph = flow.graph
    if graph.config.pretrained is not None:
        return
    places = flow.places
    uses = defaultdict(list)  # of each module
    for row in graph.rows:
        if row.type in _BIASED:
            uses[row.reuses or row.path].append(row)
    for first, *again in uses.values():
        norms = _removing(flow, first)
        if not norms or not all(_removing(flow, row) for row in again):
            continue
        if not any(_is_a_choice(places, norm) for norm in norms):
            yield Diagnostic(
                "NB307",
                f"a bias that {norms[0].type} takes away",
                places.field(first, "bias"),
                "the norm subtracts the mean of each channel, and the bias with it",
                (listed("norm", norms),),
                help="write bias: false",
                layer=first.path,
                fixes=refilled(places.item(first), "bias", "false", bare="out_features"),
            )


def _removing(flow: Flow, row: Row) -> list[Row]:
    """Return the norms that take a layer's bias away: all of its readers, or none."""
    if row.frozen or not getattr(row.layer, "bias", False):
        return []
    readers = flow.only_readers(row)
    # The bias of a Linear is along the last axis, and the channels are the first.
    flat = row.type != "Linear" or len(row.output.shape) == 1
    return readers if flat and all(_removes_means(norm) for norm in readers) else []


def _removes_means(norm: Row) -> bool:
    """Whether a layer subtracts the mean of each channel, now or as it has come to know it."""
    if norm.type == "GroupNorm":
        return bool(getattr(norm.layer, "num_groups", 0) == norm.x[0])
    if norm.type == "LayerNorm":  # over axes behind that of the channels
        sizes = getattr(norm.layer, "normalized_shape", None)
        return (len(sizes) if isinstance(sizes, tuple) else 1) < len(norm.x)
    knows = getattr(norm.layer, "momentum", None) != 0  # or its running mean stays at 0
    return norm.type in _BATCH_NORMS | _INSTANCE_NORMS | {"SyncBatchNorm"} and knows


def _is_a_choice(places: Places, norm: Row) -> bool:
    """Whether a norm is a parameter or a variable, or left out where its `when` is false."""
    item = places.item(norm)
    return item is None or item.type.text != type(norm.layer).__name__ or "when" in item.modifiers


def single_samples(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of batch norms whose batches are single samples, or of which the last one is.

    With one value per channel torch refuses to train. With more, batches of one sample give an
    InstanceNorm in training, and in evaluation something that it was not trained as.
    """
    graph = flow.graph
    config = graph.config
    size = config.train.batch_size
    norms = [row for row in graph.rows if row.type in _BATCH_NORMS]
    if size == 1:
        label = "each batch norm takes the statistics of one sample"
        help_ = "take larger batches, or GroupNorm, which normalises each sample by itself"
        fixes: tuple[Fix, ...] = ()
    else:
        samples = config.data.size if config.data else None
        if samples is None or not norms:
            return
        training = samples - config.preparation.held_out(samples)
        norms = [row for row in norms if product(row.x[1:]) == 1]
        if training % size != 1:
            return
        label = f"of {training} samples it leaves one for the last batch, which has no variance"
        other = next((n for n in range(size + 1, training + 2) if training % n != 1), None)
        help_ = f"write batch_size: {other}" if other else "it takes more samples than one"
        fixes = refilled(train(graph), "batch_size", str(other)) if other else ()
    if norms:
        item = train(graph)
        span = place(item, "batch_size") if item else norms[0].span
        yield Diagnostic(
            "NB310",
            "a batch norm of a single sample",
            span,
            label,
            (listed("norm", norms),),
            help=help_,
            layer=norms[0].path,
            fixes=fixes,
        )
