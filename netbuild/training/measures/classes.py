"""Metrics of classes as sums, and their values: torchmetrics' formulas in double precision."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from netbuild.training.measures.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from netbuild.training.measures.kinds import Summands
    from netbuild.training.measures.seen import Seen


# The summands of a batch.


def _hits(seen: Seen) -> Summands:
    classes = seen.classes[1]
    return {"told": len(classes), "correct": (seen.told == classes).sum()}


def _hits_of(k: int) -> Kind:
    def sums(seen: Seen) -> Summands:
        among = seen.among(k)
        return {f"told_of_{k}": len(among), f"among_{k}": among.sum()}

    return Kind(f"hits of {k}", sums)


#: The most classes whose confusion is cheaper to count than true and predicted samples apart.
_FEW = 64


def _counts(seen: Seen) -> Summands:
    """Count true, predicted and rightly predicted samples of each class, as (3, classes).

    Of few classes count each pair of classes: `completed` finds the three counts in it.
    """
    if seen.classes[0].shape[1] <= _FEW:
        return _confusion(seen)
    return {"counts": _counted(seen, seen.told)}


def completed(sums: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return sums with those that follow: pairs of classes tell counts, and counts tell hits."""
    if "counts" not in sums and "confusion" in sums:
        matrix = sums["confusion"]
        counts = torch.stack((matrix.sum(1), matrix.sum(0), matrix.diagonal()))
        sums = {**sums, "counts": counts}
    if "told" not in sums and "counts" in sums:
        sums = {**sums, "told": sums["counts"][0].sum(), "correct": sums["counts"][2].sum()}
    return sums


#: Kinds whose sums follow from those of other kinds.
FOLLOWS = {"hits": ("counts", "confusion"), "counts": ("confusion",)}


def _counts_of(k: int) -> Kind:
    """Return the counts, where a class among the first k counts as predicted."""

    def sums(seen: Seen) -> Summands:
        told = torch.where(seen.among(k), seen.classes[1], seen.told)
        return {f"counts_of_{k}": _counted(seen, told)}

    return Kind(f"counts of {k}", sums)


def _counted(seen: Seen, told: Tensor) -> Tensor:
    scores, classes = seen.classes
    count = scores.shape[1]
    right = classes[told == classes]
    both = torch.cat((classes, told + count, right + 2 * count))
    return both.bincount(minlength=3 * count).reshape(3, count)


def _confusion(seen: Seen) -> Summands:
    scores, classes = seen.classes
    count = scores.shape[1]
    pairs = classes * count + seen.told
    return {"confusion": pairs.bincount(minlength=count * count).reshape(count, count)}


def _answers_at(threshold: float) -> Kind:
    """Return the counts of yes or no, as (3, labels): true, predicted and rightly predicted."""

    def sums(seen: Seen) -> Summands:
        told, truth = seen.answers(threshold)
        counts = torch.stack((truth.sum(0), told.sum(0), (told & truth).sum(0)))
        return {f"yes at {threshold}": counts, f"answers at {threshold}": len(told)}

    return Kind(f"answers at {threshold}", sums)


def _exact(seen: Seen) -> Summands:
    """Count samples of which each place is right. Places that the loss ignores are right."""
    target = seen.target.flatten(1)
    right = seen.scores.argmax(1).flatten(1) == target
    if seen.part.ignores:
        right |= target == seen.part.ignored
    return {"samples": len(target), "exact": right.all(1).sum()}


def _exact_at(threshold: float) -> Kind:
    def sums(seen: Seen) -> Summands:
        told, truth = seen.answers(threshold)
        exact = (told == truth).all(1).sum()
        return {f"samples at {threshold}": len(told), f"exact at {threshold}": exact}

    return Kind(f"exact at {threshold}", sums)


def _surprise(seen: Seen) -> Summands:
    """Add −log p of each true token."""
    scores, classes = seen.classes
    wide = scores if scores.device.type == "mps" else scores.double()
    logarithms = wide.log_softmax(1).gather(1, classes[:, None])
    return {"tokens": len(classes), "surprise": -logarithms.sum()}


def kind_of(metric: Any, *, binary: bool) -> Kind:
    """Return the summands that a metric of classes needs."""
    name, threshold = type(metric).__name__, getattr(metric, "threshold", 0.5)
    if name == "Perplexity":
        return Kind("surprise", _surprise)
    if binary:
        return _exact_at(threshold) if name == "ExactMatch" else _answers_at(threshold)
    if name == "ExactMatch":
        return Kind("exact", _exact)
    if name in {"ConfusionMatrix", "CohenKappa"}:
        return Kind("confusion", _confusion)
    k = getattr(metric, "top_k", 1)
    if name == "Accuracy" and metric.average == "micro":
        return Kind("hits", _hits) if k == 1 else _hits_of(k)
    return Kind("counts", _counts) if k == 1 else _counts_of(k)


# Values from sums.


class _Stats(NamedTuple):
    """The counts of each class: true and false, positive and negative predictions."""

    tp: Tensor
    fp: Tensor
    tn: Tensor
    fn: Tensor
    #: Whether each class has its own yes or no.
    labels: bool
    #: The class that the loss ignores.
    ignored: int

    @property
    def single(self) -> bool:
        """Whether there is one yes or no."""
        return self.labels and self.tp.numel() == 1


def _stats(sums: Mapping[str, Tensor], metric: Any, *, binary: bool, ignored: int) -> _Stats | None:
    """Return the counts of a metric; None without any sample."""
    k, threshold = getattr(metric, "top_k", 1), getattr(metric, "threshold", 0.5)
    name = f"yes at {threshold}" if binary else "counts" if k == 1 else f"counts_of_{k}"
    if name not in sums:
        return None
    true, told, tp = sums[name]
    samples = sums[f"answers at {threshold}"] if binary else true.sum()
    fp, fn = told - tp, true - tp
    return _Stats(tp, fp, samples - tp - fp - fn, fn, binary, ignored)


def value(metric: Any, sums: Mapping[str, Tensor], *, binary: bool, ignored: int) -> Any:
    """Return the value of a metric; NaN, or an empty list, without any sample."""
    name, k = type(metric).__name__, getattr(metric, "top_k", 1)
    threshold = getattr(metric, "threshold", 0.5)
    if name == "Perplexity":
        return math.exp(min(ratio(sums, "surprise", "tokens"), 709.0))
    if name == "ExactMatch":
        at = f" at {threshold}" if binary else ""
        return ratio(sums, f"exact{at}", f"samples{at}")
    if name == "Accuracy" and metric.average == "micro" and not binary:
        return ratio(sums, *(("correct", "told") if k == 1 else (f"among_{k}", f"told_of_{k}")))
    if name in {"ConfusionMatrix", "CohenKappa"}:
        matrix = _matrix(sums, threshold, binary=binary)
        return _VALUES_OF_MATRIX[name](metric, matrix)
    stats = _stats(sums, metric, binary=binary, ignored=ignored)
    if stats is None or not (stats.labels or stats.tp.sum() + stats.fn.sum() > 0):
        is_list = name == "StatScores" or getattr(metric, "average", "") == "none"
        return [] if is_list else math.nan
    return _VALUES[name](metric, stats).tolist()


def ratio(sums: Mapping[str, Tensor], name: str, count: str) -> float:
    """Return a sum divided by another one; NaN if there is nothing to divide by."""
    by = float(sums.get(count, 0))
    return float(sums[name]) / by if by else math.nan


def _matrix(sums: Mapping[str, Tensor], threshold: float, *, binary: bool) -> Tensor | None:
    """Return the counts of true classes (rows) and predicted ones; (labels, 2, 2) of labels."""
    if not binary:
        return sums.get("confusion")
    if f"yes at {threshold}" not in sums:
        return None
    true, told, tp = sums[f"yes at {threshold}"]
    samples = sums[f"answers at {threshold}"]
    rows = torch.stack((samples - true - told + tp, told - tp, true - tp, tp), -1)
    matrix = rows.reshape(-1, 2, 2)
    return matrix[0] if len(matrix) == 1 else matrix


def _normalised(metric: Any, matrix: Tensor | None) -> Any:
    if matrix is None:
        return []
    axes = {"true": (-1,), "pred": (-2,), "all": (-2, -1)}.get(metric.normalize)
    if axes is None:
        return matrix.long().tolist()
    return (matrix / matrix.sum(axes, keepdim=True)).nan_to_num(0).tolist()


def _kappa(metric: Any, matrix: Tensor | None) -> float:
    if matrix is None:
        return math.nan
    number = torch.arange(len(matrix), dtype=matrix.dtype)
    apart = (number[:, None] - number).abs()
    weights = {"linear": apart, "quadratic": apart.square()}.get(metric.weights, (apart > 0) * 1.0)
    expected = matrix.sum(1, keepdim=True) @ matrix.sum(0, keepdim=True) / matrix.sum()
    return float(1 - (weights * matrix).sum() / (weights * expected).sum())


_VALUES_OF_MATRIX: dict[str, Any] = {"ConfusionMatrix": _normalised, "CohenKappa": _kappa}


def _divided(a: Tensor, b: Tensor, zero: float = 0.0) -> Tensor:
    return torch.where(b != 0, a / b, torch.full_like(b, zero))


def _averaged(
    metric: Any, s: _Stats, by: Any, *, zero: float = 0.0, seen: Tensor | None = None
) -> Tensor:
    """Return the average of a ratio (numerator, denominator) of the counts of each class.

    A class that is neither true nor predicted does not count in the mean over classes.
    """
    if metric.average == "micro" and not s.single:
        tp, fp, tn, fn = (x.sum() for x in s[:4])
        above, below = by(_Stats(tp, fp, tn, fn, s.labels, s.ignored))
        return _divided(above, below, zero)
    above, below = by(s)
    score = _divided(above, below, zero)
    return score[0] if s.single else _mean(metric, s, score, seen)


def _mean(metric: Any, s: _Stats, score: Tensor, seen: Tensor | None = None) -> Tensor:
    """Return the mean of the scores of classes; all of them with `average: none`."""
    if metric.average == "none":
        return score
    weights = s.tp + s.fn
    if metric.average == "macro":
        there = s.tp + s.fp + s.fn if seen is None else seen
        weights = torch.ones_like(score) if s.labels else (there != 0).to(score.dtype)
    return _divided(weights * score, weights.sum()).sum()


def _with_top_k(metric: Any, s: _Stats) -> Tensor | None:
    """Return the counts that say which classes occur: with several predictions the true ones."""
    return None if metric.top_k == 1 else s.tp + s.fn


def _accuracy(metric: Any, s: _Stats) -> Tensor:
    def by(s: _Stats) -> tuple[Tensor, Tensor]:
        if s.labels:
            return s.tp + s.tn, s.tp + s.tn + s.fp + s.fn
        return s.tp, s.tp + s.fn

    return _averaged(metric, s, by, seen=_with_top_k(metric, s))


def _hamming(metric: Any, s: _Stats) -> Tensor:
    right = s.tp + s.tn if s.labels else s.tp
    every = right + s.fp + s.fn if s.labels else s.tp + s.fn
    if s.single:
        return 1 - _divided(right, every)[0]
    if metric.average == "micro":
        return 1 - _divided(right.sum(), every.sum())
    return _mean(metric, s, 1 - _divided(right, every))


def _f_beta(metric: Any, s: _Stats) -> Tensor:
    square = getattr(metric, "beta", 1.0) ** 2

    def by(s: _Stats) -> tuple[Tensor, Tensor]:
        hits = (1 + square) * s.tp
        return hits, hits + square * s.fn + s.fp

    return _averaged(metric, s, by, zero=metric.zero_division)


def _jaccard(metric: Any, s: _Stats) -> Tensor:
    every = s.tp + s.fp + s.fn
    if s.single:
        return _divided(s.tp, every)[0]
    counts = torch.ones_like(every)
    if not s.labels and 0 <= s.ignored < len(counts):
        counts[s.ignored] = 0
    if metric.average == "micro":
        return _divided(s.tp.sum(), (every * counts).sum())
    score = _divided(s.tp, every)
    if metric.average == "none":
        return score
    if metric.average == "weighted":
        weights = s.tp + s.fn
    else:
        weights = counts if s.labels else counts * (every != 0)
    return (weights * score / weights.sum()).sum()


def _scores(metric: Any, s: _Stats) -> Tensor:
    counts = torch.stack((s.tp, s.fp, s.tn, s.fn, s.tp + s.fn), -1)
    if s.single:
        return counts[0]
    if metric.average == "micro":
        return counts.sum(0)
    if metric.average == "macro":
        return counts.mean(0)
    weights = (s.tp + s.fn)[:, None]
    return counts if metric.average == "none" else (counts * weights / weights.sum()).sum(0)


def _matthews(_metric: Any, s: _Stats) -> Tensor:
    """Return the correlation of classes; of labels, of all answers together."""
    if s.labels or s.tp.numel() == 2:
        pairs = (x.sum() for x in s[:4]) if s.labels else (s.tp[1], s.fp[1], s.tn[1], s.fn[1])
        return _phi(*pairs)
    true, told = s.tp + s.fn, s.tp + s.fp
    hits, every = s.tp.sum(), true.sum()
    apart = (every.square() - told.square().sum()) * (every.square() - true.square().sum())
    if apart == 0:
        return apart
    return (hits * every - (true * told).sum()) / apart.sqrt()


#: torchmetrics adds it where a row or a column of four counts is empty.
_EPSILON = 2.0**-23


def _phi(tp: Tensor, fp: Tensor, tn: Tensor, fn: Tensor) -> Tensor:
    """Return the correlation of two yes or no, with torchmetrics' rules for empty rows."""
    if (fp + fn == 0) != (tp + tn == 0):
        return torch.ones_like(tp) if fp + fn == 0 else -torch.ones_like(tp)
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    if product != 0:
        return (tp * tn - fp * fn) / product.sqrt()
    root = math.sqrt(_EPSILON)
    if fn == 0 and tn == 0:
        above = root * (tp - fp)
    elif fp == 0 and tn == 0:
        above = root * (tp - fn)
    elif tp == 0 and fn == 0:
        above = root * (tn - fp)
    else:
        above = root * (tn - fn)
    below = (tp + fp + _EPSILON) * (tp + fn + _EPSILON) * (tn + fp + _EPSILON)
    return above / (below * (tn + fn + _EPSILON)).sqrt()


_VALUES: dict[str, Any] = {
    "Accuracy": _accuracy,
    "Precision": lambda m, s: _averaged(
        m, s, lambda s: (s.tp, s.tp + s.fp), seen=_with_top_k(m, s)
    ),
    "Recall": lambda m, s: _averaged(m, s, lambda s: (s.tp, s.tp + s.fn), seen=_with_top_k(m, s)),
    "Specificity": lambda m, s: _averaged(m, s, lambda s: (s.tn, s.tn + s.fp)),
    "NegativePredictiveValue": lambda m, s: _averaged(
        m, s, lambda s: (s.tn, s.tn + s.fn), seen=_with_top_k(m, s)
    ),
    "F1Score": _f_beta,
    "FBetaScore": _f_beta,
    "HammingDistance": _hamming,
    "JaccardIndex": _jaccard,
    "StatScores": _scores,
    "MatthewsCorrCoef": _matthews,
}
