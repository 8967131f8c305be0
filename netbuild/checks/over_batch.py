"""Check that a training computes a loss over the whole batch from whole batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.config.config import Config


def check(config: Config) -> Iterator[Diagnostic]:
    """Yield a fault if a step has several batches, and a loss is over all samples of a step."""
    term, train = config.over_batch, config.train
    if term is None or train.accumulate == 1:
        return
    called = type(term.loss).__name__
    size = train.batch_size * train.accumulate
    yield Diagnostic(
        "NB421",
        "accumulated gradients of a loss over the whole batch",
        config.place("train", "accumulate"),
        f"{called} is over the whole batch, so {train.accumulate} batches are not one of {size}",
        help=f"remove accumulate, or write batch_size: {size} without it",
    )
