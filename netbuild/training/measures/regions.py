"""Metrics of the regions of images as sums, and their values: torchmetrics' formulas."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from netbuild.training.measures.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from netbuild.training.measures.kinds import Summands
    from netbuild.training.measures.seen import Seen


def kind_of(metric: Any) -> Kind:
    """Return the summands that a metric of regions needs."""
    name = f"{type(metric).__name__} {metric.include_background}"
    if type(metric).__name__ == "DiceScore":
        level, average = metric.aggregation_level, metric.average
        name = f"{name} {level}" + (f" {average}" if level == "samplewise" else "")

    def sums(seen: Seen) -> Summands:
        told, true = (region.flatten(2) for region in seen.regions)
        if not metric.include_background and told.shape[1] > 1:
            told, true = told[:, 1:], true[:, 1:]
        sizes = told.sum(2), true.sum(2), (told & true).sum(2)
        of_batch = _dice if type(metric).__name__ == "DiceScore" else _overlap
        found = of_batch(metric, *(size.to(seen.wide.dtype) for size in sizes))
        return {f"{name}: {key}": summand for key, summand in found.items()}

    return Kind(name, sums)


def _overlap(_: Any, told: Tensor, true: Tensor, both: Tensor) -> dict[str, Tensor]:
    """Add |A ∩ B| / |A ∪ B| of each class that an image has, and count the images with it."""
    union = told + true - both
    there = union > 0
    return {"score": (both / union.clamp(min=1)).sum(0), "images": there.sum(0)}


def _dice(metric: Any, told: Tensor, true: Tensor, both: Tensor) -> dict[str, Tensor]:
    if metric.aggregation_level == "global":
        return {"twice": 2 * both.sum(0), "both": (told + true).sum(0), "true": true.sum(0)}
    each = _dice_of(metric, 2 * both, told + true, true)
    return {"score": each.nan_to_num(0).sum(0), "images": (~each.isnan()).sum(0)}


def _dice_of(metric: Any, above: Tensor, below: Tensor, true: Tensor) -> Tensor:
    """Return the score of each image; NaN where it has none of the classes."""
    if metric.average == "micro":
        return above.sum(-1) / below.sum(-1)
    each = above / below
    if metric.average == "macro":
        return each.nanmean(-1)
    if metric.average == "weighted":
        empty = each.isnan().all(-1)
        weights = true / true.sum(-1, keepdim=True)
        return (each * weights).nansum(-1).masked_fill(empty, math.nan)
    return each


def value(metric: Any, sums: Mapping[str, Tensor]) -> Any:
    """Return the value of a metric; NaN without any sample."""
    name = kind_of(metric).name
    own = {n.removeprefix(f"{name}: "): x for n, x in sums.items() if n.startswith(f"{name}: ")}
    per_class = getattr(metric, "per_class", False) or getattr(metric, "average", "") == "none"
    if not own:
        return [] if per_class else math.nan
    found = _of_sums(metric, own, per_class=per_class)
    return found[0] if isinstance(found, list) and len(found) == 1 else found


def _of_sums(metric: Any, own: Mapping[str, Tensor], *, per_class: bool) -> Any:
    if "twice" in own:
        return _dice_of(metric, own["twice"], own["both"], own["true"]).tolist()
    if type(metric).__name__ == "DiceScore":
        return (own["score"] / own["images"]).tolist()
    if per_class:  # torchmetrics says −1 for a class that no image has
        return (own["score"] / own["images"]).nan_to_num(-1.0).tolist()
    return float(own["score"].sum() / own["images"].sum())
