"""Likely causes of samples that lie far from the training: what would bring them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.training.data.input_statistics import Known


class Candidate(NamedTuple):
    """Samples that lie far from the training."""

    known: Known
    #: The numbers of each sample, (samples, numbers).
    numbers: torch.Tensor
    #: The least and the largest value of each feature or channel.
    reach: tuple[torch.Tensor, torch.Tensor]
    #: Whether each feature or channel is far from the training.
    strange: torch.Tensor
    #: The usual bounds of each number in training.
    low: torch.Tensor
    high: torch.Tensor


#: The fewest samples whose deviation tells anything.
_FEWEST = 3
#: How much the deviation of repaired features may differ from that of the training.
_SPREAD = 4


def cause(given: Candidate) -> str:
    """Return the question whether a usual mistake was made, if its repair fits; else nothing."""
    known, standard = given.known, _is_standard(given.known.mean, given.known.deviation)
    if standard:
        return "not standardised, as in training?"
    if len(given.numbers) >= _FEWEST and _fits(given, known.deviation, known.mean):
        return "already standardised, and not so in training?"
    fitting = (said for factor, added, said in _mistakes(given) if _fits(given, factor, added))
    return next(fitting, "")


def _is_standard(mean: torch.Tensor, deviation: torch.Tensor) -> bool:
    """Whether all features or channels have about mean 0 and deviation 1."""
    usual = (mean.abs() < 0.5) & (deviation > 0.5) & (deviation < 2)
    return bool(usual.all())


def _mistakes(given: Candidate) -> Iterator[tuple[float, float, str]]:
    """Yield usual mistakes: the factor and the sum that repair them, and the question."""
    known, strange = given.known, given.strange
    least, most = float(given.reach[0][strange].amin()), float(given.reach[1][strange].amax())
    was_least, was_most = float(known.least.amin()), float(known.most.amax())
    came, was = (least, most), (was_least, was_most)
    if _in(came, 0, 255) and most > 1.5 and _in(was, 0, 1):
        yield 1 / 255, 0.0, "divide by 255?"
    if _in(came, 0, 1) and was_most > 1.5 and _in(was, 0, 255):
        yield 255.0, 0.0, "multiply by 255?"
    if _in(came, -1, 1) and least < -0.5 and _in(was, 0, 1):
        yield 0.5, 0.5, "from −1 to 1, and in training from 0 to 1?"
    if _in(came, 0, 1) and was_least < -0.5 and _in(was, -1, 1):
        yield 2.0, -1.0, "from 0 to 1, and in training from −1 to 1?"
    if known.kind == "channels":
        yield -1.0, was_least + was_most, "inverted, such as black for white?"
    else:
        yield 5 / 9, -160 / 9, "degrees Fahrenheit for Celsius?"
        yield 9 / 5, 32.0, "degrees Celsius for Fahrenheit?"
    for factor in (1000.0, 100.0, 10.0, 60.0):
        yield 1 / factor, 0.0, f"another unit? divided by {factor:,.0f}, they fit"
        yield factor, 0.0, f"another unit? multiplied by {factor:,.0f}, they fit"


def _in(reach: tuple[float, float], least: float, most: float) -> bool:
    return least <= reach[0] and reach[1] <= most


def _fits(given: Candidate, factor: float | torch.Tensor, added: float | torch.Tensor) -> bool:
    """Whether most samples are usual after the repair. Few samples have to come from far away."""
    count, known = len(given.strange), given.known
    numbers, strange = given.numbers.clone(), given.strange
    numbers[:, :count] = numbers[:, :count] * factor + added
    if known.kind == "channels":
        numbers[:, count:] = numbers[:, count:] * torch.as_tensor(factor).abs()
        strange = strange.repeat(2)
    inside = (numbers >= given.low) & (numbers <= given.high)
    if not bool((inside[:, strange].sum(0) > len(numbers) // 2).all()):
        return False
    if known.kind == "channels":
        return True
    if len(numbers) < _FEWEST:  # any repair that makes values small fits around 0
        return bool((known.mean.abs() > 2 * known.deviation)[given.strange].any())
    spread = numbers.std(0, correction=0) / known.deviation.clamp(min=1e-30)
    middle = float(spread[given.strange].median())
    return 1 / _SPREAD < middle < _SPREAD
