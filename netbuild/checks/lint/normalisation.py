"""Lints of normalisations: what they take away, and statistics of too few values."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from netbuild.checks.lint.flow import Flow, listed
from netbuild.checks.lint.places import is_choice, refilled
from netbuild.components.component import bare_field
from netbuild.components.tensor import product
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.diagnostics.diagnostic import Fix
    from netbuild.graph.row import Row


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
    uses = defaultdict(list)  # of each module
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
                f"a bias that {norms[0].type} takes away",
                place(first.item, "bias"),
                "the norm subtracts the mean of each channel, and the bias with it",
                (listed("norm", norms),),
                help="write bias: false",
                layer=first.path,
                fixes=refilled(first.item, "bias", "false", bare=bare_field(type(first.layer))),
            )


def _removing(flow: Flow, row: Row) -> list[Row]:
    """Return the norms that take a layer's bias away: all of its readers, or none."""
    if row.frozen or not getattr(row.layer, "bias", False):
        return []
    readers = flow.only_readers(row)
    # The bias of a Linear is along the last axis, and the channels are the first.
    fits = row.layer.feature_axis == 0 or len(row.output.shape) == 1
    return readers if fits and all(norm.layer.centres(*norm.shapes) for norm in readers) else []


def single_samples(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of batch norms whose batches are single samples, or of which the last one is.

    With one value per channel torch refuses to train. With more, batches of one sample give an
    InstanceNorm in training, and in evaluation something that it was not trained as.
    """
    graph = flow.graph
    config = graph.config
    size, item = config.train.batch_size, config.items.get("train")
    norms = [row for row in graph.rows if row.layer.normalises == "batch"]
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
        fixes = refilled(item, "batch_size", str(other)) if other else ()
    if norms:
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
