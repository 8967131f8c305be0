"""The numbers of a tensor, and the numbers of the formulas of training and evaluation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from netbuild.reports.inspection.look import Values
from netbuild.reports.inspection.numbers import percent, short

if TYPE_CHECKING:
    from torch import Tensor, nn

    from netbuild.graph.row import Row

#: The parts of a histogram.
BINS = 40


def measured(y: Tensor) -> Values:
    """Return the numbers of a tensor, computed in double precision."""
    x = y.detach()
    x = torch.view_as_real(x) if x.is_complex() else x
    x = x.double().flatten()
    count = x.numel()
    finite = x.isfinite()
    whole = bool(finite.all())
    x = x if whole else x[finite]
    if not x.numel():
        nan = math.nan
        return Values(tuple(y.shape), nan, nan, nan, nan, 0.0, 1.0 if count else 0.0, ())
    least, largest = float(x.min()), float(x.max())
    counts = torch.histc(x, BINS, least, largest) if least < largest else torch.tensor([x.numel()])
    return Values(
        tuple(y.shape),
        float(x.mean()),
        float(x.std(correction=0)),
        least,
        largest,
        float((x == 0).sum()) / count,
        1 - x.numel() / count,
        tuple(int(n) for n in counts),
    )


def in_training(row: Row, x: Tensor) -> str:
    """Return the numbers with which a layer computes in training, before it computes; or ""."""
    if row.layer.normalises in {"batch", "processes"} and x.is_floating_point():
        axes = [0, *range(2, x.ndim)]
        mean, variance = x.detach().mean(axes), x.detach().var(axes, correction=0)
        return f"batch mean {_span(mean)}, variance {_span(variance)}"
    probability = getattr(row.layer, "p", None)
    if row.layer.drops == "zeros" and probability is not None and probability < 1:
        return f"factor 1 / (1 − {probability:g}) = {short(1 / (1 - probability))}"
    return ""


def in_evaluation(row: Row, module: nn.Module | None) -> str:
    """Return the numbers with which a layer computes in evaluation, or ""."""
    mean, variance = (getattr(module, f"running_{name}", None) for name in ("mean", "var"))
    if row.layer.normalises in {"batch", "processes"} and mean is not None and variance is not None:
        return f"running mean {_span(mean)}, variance {_span(variance)}"
    return "unchanged" if row.layer.drops else ""


def dropped(before: int, y: Tensor) -> str:
    """Return the share of the values other than 0 that a dropout has made 0."""
    after = int((y != 0).sum())
    return f"{percent(1 - after / before)} of the values became 0" if before else ""


def _span(x: Any) -> str:
    """Return the least and the largest of some numbers, or the one number that all are."""
    least, largest = float(x.min()), float(x.max())
    return short(least) if least == largest else f"{short(least)} to {short(largest)}"
