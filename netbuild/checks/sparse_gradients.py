"""Check that the options of a training suit sparse gradients, such as a sparse Embedding has.

Tried with torch 2.13: accumulated gradients, an average of the weights, fp16, bf16 and several
processes with ddp accept sparse gradients. `Optimizer.check_weight` knows which optimizers do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.lint.places import set_field
from netbuild.checks.optimizers import is_sparse
from netbuild.checks.torch_release import has
from netbuild.diagnostics.diagnostic import Diagnostic, Fix
from netbuild.graph.value import state_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netbuild.config.config import Config
    from netbuild.graph.row import Row


def check(config: Config, rows: Iterable[Row]) -> list[Diagnostic]:
    """Return a fault for each option of the training that torch refuses with sparse gradients."""
    if not config.optimizers:
        return []
    row = next(filter(is_sparse, rows), None)
    if row is None:
        return []
    return [_fault(config, row, *found) for found in _refused(config)]


def _refused(config: Config) -> Iterator[tuple[str, str, str]]:
    """Yield each field of `train` that does not suit sparse gradients, the reason, and a help."""
    train = config.train
    if train.clip_grad_norm is not None and not has("2.14"):
        # https://github.com/pytorch/pytorch/pull/185309; without torch, an older one is assumed
        reason = "this version of torch has no norm for sparse gradients"
        yield "clip_grad_norm", reason, "remove clip_grad_norm, or use torch 2.14"
    if train.clip_grad_value is not None:
        reason = "torch cannot clip the values of sparse gradients"
        yield "clip_grad_value", reason, "remove clip_grad_value"
    if train.strategy == "fsdp":
        reason = "torch's FSDP cannot send sparse gradients from process to process"
        yield "strategy", reason, "use strategy: ddp"


def _fault(config: Config, row: Row, field: str, reason: str, help_: str) -> Diagnostic:
    weight = state_key(row.path, "weight")
    fixes: tuple[Fix, ...] = set_field(row.item, "sparse", "false")
    return Diagnostic(
        "NB406",
        f"{field} does not work with sparse gradients",
        config.place("train", field),
        f"{reason}, and {weight} has one",
        help=f"{help_}, or write sparse: false in {row.type}, line {row.span.line}",
        fixes=fixes,
    )
