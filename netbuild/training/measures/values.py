"""Metrics of values as sums, and their values: torchmetrics' formulas in double precision."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from netbuild.training.measures.classes import ratio
from netbuild.training.measures.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from netbuild.training.measures.kinds import Summands
    from netbuild.training.measures.seen import Seen

#: The smallest divisor of torchmetrics' percentages.
_LEAST = 1.17e-06


def _errors(seen: Seen) -> Summands:
    values, target = seen.values
    errors = values - target
    return {
        "values": target.numel(),
        "absolute": errors.abs().sum(),
        "squared": errors.square().sum(),
    }


def _errors_of_columns(seen: Seen) -> Summands:
    values, target = seen.columns
    errors = values - target
    return {
        "values_each": len(target),
        "absolute_each": errors.abs().sum(0),
        "squared_each": errors.square().sum(0),
    }


def _shares(seen: Seen) -> Summands:
    values, target = seen.values
    errors, size = (values - target).abs(), target.abs()
    return {
        "values_shared": target.numel(),
        "share": (errors / size.clamp(min=_LEAST)).sum(),
        "symmetric": 2 * (errors / (size + values.abs()).clamp(min=_LEAST)).sum(),
        "absolute_shared": errors.sum(),
        "size": size.sum(),
    }


def _logarithms(seen: Seen) -> Summands:
    values, target = seen.values
    apart = values.log1p() - target.log1p()
    return {"values_log": target.numel(), "squared_log": apart.square().sum()}


def _log_cosh(seen: Seen) -> Summands:
    """Add log cosh(e) as |e| + log(1 + exp(−2 |e|)) − log 2: exp of a large error is infinite."""
    values, target = seen.columns
    errors = (values - target).abs()
    added = errors + (-2 * errors).exp().log1p() - math.log(2)
    return {"values_cosh": len(target), "log_cosh": added.sum(0)}


def _powers(p: float) -> Kind:
    def sums(seen: Seen) -> Summands:
        values, target = seen.values
        return {f"power {p}": (values - target).abs().pow(p).sum()}

    return Kind(f"power {p}", sums)


def _deviance(power: float) -> Kind:
    def sums(seen: Seen) -> Summands:
        values, target = seen.values
        added = _deviances(values, target, power).sum()
        return {f"values of {power}": target.numel(), f"deviance {power}": added}

    return Kind(f"deviance {power}", sums)


def _deviances(y: Tensor, t: Tensor, power: float) -> Tensor:
    """Return the deviance of each value; NaN where the distribution has no such value."""
    if power == 0:
        return (t - y).square()
    outside = (y <= 0) | (t <= 0 if power >= 2 else t < 0 if power >= 1 else t.isnan())
    if power == 1:
        found = 2 * (torch.xlogy(t, t / y) + y - t)
    elif power == 2:
        found = 2 * ((y / t).log() + t / y - 1)
    else:
        one, two = 1 - power, 2 - power
        found = 2 * (
            t.clamp(min=0).pow(two) / (one * two) - t * y.pow(one) / one + y.pow(two) / two
        )
    return found.masked_fill(outside, math.nan)


def _success(threshold: float) -> Kind:
    def sums(seen: Seen) -> Summands:
        values, target = seen.values
        told, true = values >= threshold, target >= threshold
        return {
            f"both above {threshold}": (told & true).sum(),
            f"any above {threshold}": (told | true).sum(),
        }

    return Kind(f"success {threshold}", sums)


#: What the names of a spread begin with: the targets', and the errors'.
SPREADS = ("", "error_")


def _spread(seen: Seen) -> Summands:
    """Return the distances of targets and errors from a shift, for each column.

    The shift is the first one. Squares of the values themselves would lose the digits of a small
    spread around a large mean.
    """
    values, target = seen.columns
    errors = target - values
    found: dict[str, Tensor | float] = {
        "rows": len(target),
        "unexplained": errors.square().sum(0),
    }
    for name, column in zip(SPREADS, (target, errors), strict=True):
        shift = seen.before.get(f"{name}shift")
        distances = column - (column[0] if shift is None else shift)
        found |= {f"{name}shift": column[0]} if shift is None else {}
        found |= {
            f"{name}distance": distances.sum(0),
            f"{name}distance_squared": distances.square().sum(0),
        }
    return found


def kind_of(metric: Any) -> Kind:
    """Return the summands that a metric of values needs."""
    name = type(metric).__name__
    if name in {"R2Score", "ExplainedVariance", "RelativeSquaredError"}:
        return Kind("spread", _spread)
    if name in {"MeanAbsoluteError", "MeanSquaredError"}:
        alone = metric.num_outputs == 1
        return Kind("errors", _errors) if alone else Kind("errors each", _errors_of_columns)
    if name == "MinkowskiDistance":
        return _powers(metric.p)
    if name == "TweedieDevianceScore":
        return _deviance(metric.power)
    if name == "CriticalSuccessIndex":
        return _success(metric.threshold)
    if name == "LogCoshError":
        return Kind("log cosh", _log_cosh)
    return Kind("log", _logarithms) if name == "MeanSquaredLogError" else Kind("share", _shares)


def value(metric: Any, sums: Mapping[str, Tensor]) -> Any:
    """Return the value of a metric; NaN without any sample."""
    return _VALUES[type(metric).__name__](metric, sums)


def _mean_error(metric: Any, sums: Mapping[str, Tensor]) -> Any:
    what = "absolute" if type(metric).__name__ == "MeanAbsoluteError" else "squared"
    rooted = getattr(metric, "squared", True) is False
    if metric.num_outputs == 1:
        mean = ratio(sums, what, "values")
        return math.sqrt(mean) if rooted else mean
    if "values_each" not in sums:
        return []
    each = sums[f"{what}_each"] / sums["values_each"]
    return (each.sqrt() if rooted else each).tolist()


def _cosh(metric: Any, sums: Mapping[str, Tensor]) -> Any:
    if "values_cosh" not in sums:
        return math.nan if metric.num_outputs == 1 else []
    each = sums["log_cosh"] / sums["values_cosh"]
    return float(each.mean()) if metric.num_outputs == 1 else each.tolist()


def _success_index(metric: Any, sums: Mapping[str, Tensor]) -> float:
    name = f"any above {metric.threshold}"
    if name not in sums:
        return math.nan
    return ratio(sums, f"both above {metric.threshold}", name) if float(sums[name]) else 0.0


def _weighted_share(_: Any, sums: Mapping[str, Tensor]) -> float:
    if "size" not in sums:
        return math.nan
    return float(sums["absolute_shared"] / sums["size"].clamp(min=_LEAST))


def _squares(sums: Mapping[str, Tensor], name: str) -> Tensor:
    """Return Σ (x − mean)² of each column, from its spread."""
    return sums[f"{name}distance_squared"] - sums[f"{name}distance"].square() / sums["rows"]


def _explained(unexplained: Tensor, spread: Tensor) -> Tensor:
    """Return 1 − unexplained / spread. Where all targets are equal: 1 without errors, else 0."""
    of_equal = torch.where(unexplained == 0, 1.0, 0 * unexplained)  # NaN stays NaN
    return torch.where(spread > 0, 1 - unexplained / spread, of_equal)


def _r2(metric: Any, sums: Mapping[str, Tensor]) -> Any:
    """Return R² by scikit-learn's rules. One sample has none."""
    raw = metric.multioutput == "raw_values"
    rows = float(sums.get("rows", 0))
    if rows < 2:
        return [] if raw else math.nan
    spread = _squares(sums, "")
    found = _over_columns(metric, _explained(sums["unexplained"], spread), spread)
    if 0 < metric.adjusted < rows - 1:
        found = 1 - (1 - found) * (rows - 1) / (rows - metric.adjusted - 1)
    return found.tolist()


def _explained_variance(metric: Any, sums: Mapping[str, Tensor]) -> Any:
    if "rows" not in sums:
        return [] if metric.multioutput == "raw_values" else math.nan
    spread, errors = _squares(sums, ""), _squares(sums, "error_")
    return _over_columns(metric, _explained(errors, spread), spread).tolist()


def _over_columns(metric: Any, each: Tensor, spread: Tensor) -> Tensor:
    """Return the values of the columns, their mean, or their mean weighted by the spread."""
    if metric.multioutput == "raw_values":
        return each
    weighted = metric.multioutput == "variance_weighted" and spread.sum() > 0
    return (each * spread).sum() / spread.sum() if weighted else each.mean()


def _relative(metric: Any, sums: Mapping[str, Tensor]) -> float:
    """Return the mean over columns of the error relative to that of the targets' mean."""
    if "rows" not in sums:
        return math.nan
    least = torch.finfo(torch.float64).eps
    each = sums["unexplained"] / _squares(sums, "").clamp(min=least)
    return float((each if metric.squared else each.sqrt()).mean())


_VALUES: dict[str, Any] = {
    "MeanAbsoluteError": _mean_error,
    "MeanSquaredError": _mean_error,
    "MeanAbsolutePercentageError": lambda _, sums: ratio(sums, "share", "values_shared"),
    "SymmetricMeanAbsolutePercentageError": lambda _, s: ratio(s, "symmetric", "values_shared"),
    "WeightedMeanAbsolutePercentageError": _weighted_share,
    "MeanSquaredLogError": lambda _, sums: ratio(sums, "squared_log", "values_log"),
    "LogCoshError": _cosh,
    "MinkowskiDistance": lambda m, sums: float(sums.get(f"power {m.p}", math.nan)) ** (1 / m.p),
    "TweedieDevianceScore": lambda m, s: ratio(s, f"deviance {m.power}", f"values of {m.power}"),
    "CriticalSuccessIndex": _success_index,
    "R2Score": _r2,
    "ExplainedVariance": _explained_variance,
    "RelativeSquaredError": _relative,
}
