"""The distribution of a network's inputs: measured in training, compared with what it is given.

Each sample gives a few numbers: its values, if it is a vector; the mean and the deviation of each
channel, if it has places; the share of zeros and the share of unknown numbers, if it holds whole
numbers. Training keeps, of each number, three points of both tails: those that 1, n^⅓ and n^⅔ of
n samples reach. From one point to the next the tail is thinner by the factor f = n^⅓.

A warning needs more than half of k given samples beyond a bound. If each sample is beyond it with
probability p, this happens with probability at most C(k, r) · p^r, where r = ⌊k/2⌋ + 1 (a union
over all sets of r samples). It shall be at most α, so p = (α / C(k, r))^(1/r). If p is not below
1/n, the bound lies between two of the points. If it is, the tail is extended beyond the last point
x₀ by s = log(1 / n·p) / log f steps, each larger than the one before by the factor g:

    bound = x₀ + (x₀ − x₁) · (g + g² + … + gˢ),  g = max(fᵛ, (x₀ − x₁) / (x₁ − x₂))

This is the quantile of a generalised Pareto distribution, to which all common tails converge
(Pickands 1975, Balkema and de Haan 1974); the ratio is Pickands' estimator of its shape. v is a
least shape: ½ for single values, whose tails may be heavy, and 0 for means. A tail of equal values
tells nothing of what lies beyond, so it is not extended.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from netbuild.components.datasets.arrays import Arrays
from netbuild.components.datasets.fields import flat
from netbuild.components.tensor import product
from netbuild.training.data.causes import Candidate, cause
from netbuild.training.data.input_statistics import SHAPES, Known, read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.config.config import Config
    from netbuild.training.data.batches import Inputs

#: What a warning about samples begins with.
FAR = "these samples lie far from those that have trained the network"
#: The most samples that are measured, and the most values in them. Of large samples fewer are
#: measured, and at least the last number.
MOST_SAMPLES, _MOST_VALUES, _ENOUGH = 4096, 1 << 22, 128
#: The most features that are watched one by one; a longer vector is watched as one channel.
_MOST_FEATURES = 40
#: The fewest samples that tell a distribution, and the fewest whose tails are extended.
_FEWEST, _FEWEST_EXTENDED = 16, 100
#: The probability of a false warning, for all numbers of a command together.
_ALPHA = 1e-6
#: The share of the usual width that is added to each side of the bounds.
_MARGIN = 1 / 8
#: The points of the tails, as powers of the number of samples.
_POINTS = (0, 1 / 3, 2 / 3)


def enough(values: int) -> int:
    """Return the number of samples that are measured if each has so many values."""
    return max(_ENOUGH, min(MOST_SAMPLES, _MOST_VALUES // max(values, 1)))


def measured(inputs: Inputs, names: Sequence[str]) -> dict[str, Any]:
    """Return the distributions of the inputs of training samples, by name, as values of JSON.

    Args:
        inputs: each (samples, *input).
        names: the names of the inputs.
    """
    if len(inputs[0]) < _FEWEST:
        return {}
    return {name: _known(x).values() for name, x in zip(names, inputs, strict=True)}


def _known(x: torch.Tensor) -> Known:
    kind, parts = _parted(x)
    least, most = parts.amin((0, 2)).double(), parts.amax((0, 2)).double()
    numbers = _numbers(kind, parts, least, most)
    if kind == "channels":  # the values are many: they stay as they are
        means, deviations = numbers[:, : len(least)], numbers[:, len(least) :]
        mean = means.mean(0)
        deviation = (deviations.square().mean(0) + means.var(0, correction=0)).sqrt()
    else:
        flat = parts.movedim(1, 0).flatten(1).double()  # (parts, samples · places)
        mean, deviation = flat.mean(1), flat.std(1, correction=0)
    zeros = (parts == 0).sum((0, 2)).double() / (parts.shape[0] * parts.shape[2])
    numbers = numbers.sort(0).values
    ranks = [max(round(len(x) ** power) - 1, 0) for power in _POINTS]
    ranks = [min(rank, len(x) - 1) for rank in ranks]
    last = [len(x) - 1 - rank for rank in ranks]
    low, high = numbers[ranks].T, numbers[last].T
    return Known(len(x), kind, least, most, mean, deviation, zeros, low, high)


def _parted(x: torch.Tensor) -> tuple[str, torch.Tensor]:
    """Return the kind of an input, and its samples as (samples, parts, places)."""
    shape = x.shape[1:]
    if not x.is_floating_point():
        return "numbers", x.reshape(len(x), 1, -1)
    if product(shape) <= _MOST_FEATURES and len(shape) < 2:
        return "features", x.reshape(len(x), -1, 1)
    channels = shape[0] if len(shape) > 1 and shape[0] <= _MOST_FEATURES else 1
    return "channels", x.reshape(len(x), channels, -1)


def _numbers(
    kind: str, parts: torch.Tensor, least: torch.Tensor, most: torch.Tensor
) -> torch.Tensor:
    """Return the numbers of each sample that are compared, (samples, numbers)."""
    if kind == "features":
        return parts[:, :, 0].double()
    if kind == "numbers":
        outside = (parts < least[:, None]) | (parts > most[:, None])
        return torch.cat([part.double().mean(2) for part in (parts == 0, outside)], 1)
    deviation, mean = torch.std_mean(parts, 2, correction=0)
    return torch.cat([mean, deviation], 1).double()


def _bounds(known: Known, given: int, tests: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the bounds of each number: more than half of the given samples keep within them.

    Args:
        known: the distribution in training.
        given: the number of given samples.
        tests: the numbers of all inputs, which share the probability of a false warning.
    """
    needed = given // 2 + 1
    chosen = math.lgamma(given + 1) - math.lgamma(needed + 1) - math.lgamma(given - needed + 1)
    p = (math.log(_ALPHA / (2 * tests)) - chosen) / needed
    n = known.samples
    factor = math.log(n) / 3
    steps = max((-math.log(n) - p) / factor, -1.0)
    if steps > 0 and n < _FEWEST_EXTENDED:
        steps = math.inf
    least = math.exp(factor * SHAPES[known.kind])
    margin = (known.high[:, 1] - known.low[:, 1]) * _MARGIN
    # Numbers of JSON are rounded, and a mean differs by its rounding from one batch to the next.
    margin = margin + 1e-5 * torch.maximum(known.low.abs().amax(1), known.high.abs().amax(1))
    low, high = -_extended(-known.low, steps, least), _extended(known.high, steps, least)
    return low - margin, high + margin


def _extended(points: torch.Tensor, steps: float, least: float) -> torch.Tensor:
    """Return the bound of each upper tail, `steps` beyond its last point.

    Args:
        points: the points of the tails, from the outermost on, (numbers, 3).
        steps: the steps beyond the first point; negative towards the second one.
        least: the least factor between two steps.
    """
    outer, inner, _ = points.T
    step = outer - inner
    if steps <= 0:
        return torch.add(outer, step, alpha=steps)
    growth = (step / (inner - points[:, 2])).clamp(min=least)  # of equal values: NaN or infinity
    powers = growth**steps
    total = torch.where(growth == 1, steps, growth * (powers - 1) / (growth - 1))
    bound = outer + step * total
    known = (step > 0) & bound.isfinite()
    return torch.where(known, bound, torch.inf)


def columns(config: Config) -> dict[str, tuple[str, ...]]:
    """Return the columns of a table that each input reads, as far as the config names them."""
    inputs = None if isinstance(config.data, Arrays) else getattr(config.data, "inputs", None)
    if isinstance(inputs, tuple) and len(config.inputs) == 1:
        inputs = {next(iter(config.inputs)): inputs}
    if not isinstance(inputs, dict):
        return {}
    return {name: flat((read,)) for name, read in inputs.items() if isinstance(read, str | tuple)}


class Watch:
    """Compares the inputs that a network is given with those that have trained it."""

    def __init__(
        self, kept: Any, names: Sequence[str], columns: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Watch the inputs of these names.

        Args:
            kept: what the run keeps of its inputs; anything else is watched for nothing.
            names: the names of the inputs, in the network's order.
            columns: the names of the features of inputs, as far as they are known.
        """
        self.names, self.columns = names, columns or {}
        self.known = [read(kept.get(name)) if isinstance(kept, dict) else None for name in names]
        self.seen: list[list[tuple[torch.Tensor, ...]]] = [[] for _ in names]
        self.count = 0

    @property
    def wants(self) -> int:
        """The number of samples that are still compared."""
        return MOST_SAMPLES - self.count if any(self.known) else 0

    def add(self, inputs: Inputs) -> None:
        """Look at some samples, each input (samples, *input), before they are normalised."""
        if self.wants <= 0:
            return
        for known, x, seen in zip(self.known, inputs, self.seen, strict=True):
            kind, parts = _parted(x.detach().cpu())
            if known is None or kind != known.kind or parts.shape[1] != len(known.least):
                continue
            numbers = _numbers(kind, parts, known.least, known.most)
            seen.append((numbers, parts.amin((0, 2)).double(), parts.amax((0, 2)).double()))
        self.count += len(inputs[0])

    def sentences(self) -> list[str]:
        """Return a sentence for each input whose samples lie far from those of the training."""
        tests = sum(len(known.low) for known in self.known if known)
        found = []
        for name, known, seen in zip(self.names, self.known, self.seen, strict=True):
            if known is None or not seen:
                continue
            numbers, least, most = (
                torch.cat(part) if n == 0 else torch.stack(part)
                for n, part in enumerate(zip(*seen, strict=True))
            )
            sentence = self._sentence(name, known, numbers, (least.amin(0), most.amax(0)), tests)
            found += [sentence] if sentence else []
        return found

    def _sentence(
        self,
        name: str,
        known: Known,
        numbers: torch.Tensor,
        reach: tuple[torch.Tensor, torch.Tensor],
        tests: int,
    ) -> str:
        low, high = _bounds(known, len(numbers), tests)
        if known.kind == "numbers":  # fewer zeros are no fault
            low = torch.full_like(low, -torch.inf)
            high[1] = max(float(high[1]), 0.5)
        beyond = ((numbers < low) | (numbers > high)).sum(0) > len(numbers) // 2
        if not beyond.any():
            return ""
        if known.kind == "numbers":
            return f"{name}: {_of_numbers(known, numbers.mean(0), beyond)}"
        parts = len(known.least)
        strange = beyond if known.kind == "features" else beyond[:parts] | beyond[parts:]
        first, *others = strange.nonzero().flatten().tolist()
        came = _reach(reach[0][first], reach[1][first])
        said = f"{self._part(name, known, first)} has values {came}"
        said += f", and in training {_reach(known.least[first], known.most[first])}"
        if known.kind == "channels":
            mean, was = float(numbers[:, first].mean()), float(known.mean[first])
            said += f" (mean {mean:.3g}, in training {was:.3g})"
        noun = "feature" if known.kind == "features" else "channel"
        more = ""
        if others:
            several = len(others) > 1
            more = f"; {len(others)} more {noun}{'s differ' if several else ' differs'} as much"
        usual = _extended(known.high, -1, 1), -_extended(-known.low, -1, 1)
        width = (usual[0] - usual[1]) * _MARGIN
        hint = cause(Candidate(known, numbers, reach, strange, usual[1] - width, usual[0] + width))
        return f"{said}{more}{f': {hint}' if hint else ''}"

    def _part(self, name: str, known: Known, number: int) -> str:
        columns = self.columns.get(name, ())
        if known.kind == "features" and len(columns) == len(known.least):
            return f"{name}, {columns[number]},"
        if len(known.least) == 1:
            return name
        return f"{name}, {'feature' if known.kind == 'features' else 'channel'} {number} (from 0),"


def _reach(least: torch.Tensor, most: torch.Tensor) -> str:
    low, high = float(least), float(most)
    return f"of {low:.4g}" if low == high else f"from {low:.4g} to {high:.4g}"


def _of_numbers(known: Known, shares: torch.Tensor, beyond: torch.Tensor) -> str:
    """Return the sentence about whole numbers, such as tokens or categories."""
    if beyond[1]:
        reach = _reach(known.least[0], known.most[0])
        return f"{float(shares[1]):.0%} of the numbers are not among those of the training, {reach}"
    said = f"{float(shares[0]):.0%} of the numbers are 0, which is often an unknown value"
    return f"{said}; in training {float(known.zeros[0]):.0%}"
