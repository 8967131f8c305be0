"""What is wrong with a network, seen from one batch: it dies, vanishes, explodes, is not finite.

The limits are chosen so that networks that train well get no mark: each constant says why.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from netbuild.reports.inspection.look import Mark
from netbuild.reports.inspection.numbers import percent, short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.reports.inspection.look import LayerLook, Values

#: A gradient that is this part of the largest one, from a layer back to the input, vanishes: added
#: to the largest, a float32 rounds it to nothing (its digits end at 1.2e-7). Deep networks without
#: norms begin with small parts and train all the same: with torch's first weights, GoogLeNet has
#: 7e-7, and SqueezeNet 6e-8.
VANISHING = 1e-8
#: A gradient that is this many times the one at the end of the network explodes: no learning rate
#: serves both ends. The files in configs/ begin with factors up to 108.
EXPLODING = 1e4
#: Values of a layer with weights that are this many times the largest input (at least 1) explode.
#: A float16 ends at 65,504, and a float32 has 7 digits.
LARGE = 1e4
#: The share of dead units from which a layer is dead. A unit that gives 0 for every sample passes
#: no gradient. With the first weights of the files in configs/, up to 63 % of a layer are dead.
DEAD = 0.9
#: The fewest samples that tell whether a unit is dead: one that is 0 for half of all samples is 0
#: for 16 of them with a probability of 0.00002. For fewer samples, all units have to be dead.
ENOUGH = 16


def marks(
    graph: Graph,
    inputs: Mapping[str, Values],
    layers: Sequence[LayerLook],
    units: Mapping[str, tuple[float, int]],
    outputs: Sequence[Tensor],
) -> Iterator[Mark]:
    """Yield what is wrong, in the order of the layers within each kind.

    Args:
        graph: the network.
        inputs: the values of its inputs.
        layers: its layers.
        units: the share of dead units of each activation, and their number.
        outputs: what the network gives in evaluation.
    """
    rows = {row.path: row for row in graph.rows}
    finite = all(bool(y.isfinite().all()) for y in outputs if y.is_floating_point())
    wrong = [*_not_finite(layers, finite=finite)]
    yield from wrong or _not_finite_gradient(layers)
    yield from _dead(layers, units)
    yield from _large(rows, layers, inputs)
    yield from _gradients(rows, layers, [one.path for one in layers])


def _not_finite(layers: Sequence[LayerLook], *, finite: bool) -> Iterator[Mark]:
    """Yield the layer in which values begin not to be finite.

    Minus infinity in a mask is well: softmax makes it 0, and the outputs are finite.
    """
    for one in layers:
        for mode, values in (("evaluation", one.evaluation), ("training", one.training)):
            if values is not None and values.nonfinite and not (finite and mode == "evaluation"):
                text = (
                    f"the first values that are not finite are its results in {mode}: "
                    f"{percent(values.nonfinite)} of them"
                )
                advice = (
                    "look at the layers that it reads: a logarithm or a root of 0, a division by "
                    "0, or values that have become too large"
                )
                yield Mark("not finite", one.path, text, advice)
                return


def _not_finite_gradient(layers: Sequence[LayerLook]) -> Iterator[Mark]:
    """Yield the layer at which gradients begin not to be finite, on the way back."""
    for one in reversed(layers):
        if one.gradient is not None and not math.isfinite(one.gradient):
            text = "the gradient at its result is the first that is not finite, on the way back"
            advice = (
                "look at the layers that read it: the slope of a root or of a logarithm is "
                "infinite at 0"
            )
            yield Mark("not finite", one.path, text, advice)
            return


def _dead(layers: Sequence[LayerLook], units: Mapping[str, tuple[float, int]]) -> Iterator[Mark]:
    for one in layers:
        share, count = units.get(one.path, (0.0, 0))
        values = one.evaluation
        if values is None or values.largest > 0 or share < 1:
            samples = values.shape[0] if values else 0
            if share < DEAD or samples < ENOUGH or count < 2:
                continue
        text = f"{percent(share)} of its {count} units are 0 for all samples: they learn nothing"
        advice = (
            "lower the learning rate, normalise before it, use LeakyReLU or GELU, or the init "
            "kaiming_normal_ for the layer before it"
        )
        yield Mark("dead", one.path, text, advice)


def _large(
    rows: Mapping[str, Row], layers: Sequence[LayerLook], inputs: Mapping[str, Values]
) -> Iterator[Mark]:
    """Yield the first layer with weights whose values are very large."""
    sizes = [max(abs(x.least), abs(x.largest)) for x in inputs.values()]
    limit = LARGE * max([1.0, *(size for size in sizes if math.isfinite(size))])
    for one in layers:
        values = one.training or one.evaluation
        if values is None or not rows[one.path].inferred.weights or math.isnan(values.mean):
            continue
        largest = max(abs(values.least), abs(values.largest))
        if largest > limit:
            text = (
                f"its values explode: they reach {short(largest)}, and the inputs "
                f"{short(max([0.0, *sizes]))}"
            )
            yield Mark("exploding", one.path, text, _ADVICE_LARGE)
            return


_ADVICE_LARGE = (
    "use smaller first weights (the init kaiming_normal_ or xavier_uniform_), or a normalisation "
    "after it"
)
_ADVICE_SMALL = (
    "use ReLU or GELU instead of Sigmoid or Tanh, a normalisation, a skip connection, or the init "
    "kaiming_normal_ or xavier_uniform_"
)
_ADVICE_NONE = "a layer behind it passes no gradient: mend that one, such as a dead layer"


def _gradients(
    rows: Mapping[str, Row], layers: Sequence[LayerLook], paths: Sequence[str]
) -> Iterator[Mark]:
    """Yield the layers that learn, and whose gradient vanishes or explodes.

    A gradient vanishes if it is small at all layers from the first one on. In the branch of a
    residual block it may be small while the layers before the block get a gradient.
    """
    known = [one for one in layers if one.gradient is not None and math.isfinite(one.gradient)]
    if not known:
        return
    gradients = [one.gradient or 0.0 for one in known]
    largest, last = max(gradients), next((g for g in reversed(gradients) if g > 0), 0.0)
    if largest == 0:
        return
    alive = next(n for n, gradient in enumerate(gradients) if gradient > VANISHING * largest)
    for number, (one, gradient) in enumerate(zip(known, gradients, strict=True)):
        if not rows[one.path].has_learning_weight:
            continue
        if number < alive:
            at = paths[paths.index(known[gradients.index(largest)].path)]
            share = f"{short(float(f'{gradient / largest:.1e}'))} of the one at {at}"
            text = f"the gradient vanishes: {short(gradient)}, {share}"
            text = text if gradient else "no gradient arrives here: the layer learns nothing"
            yield Mark("vanishing", one.path, text, _ADVICE_SMALL if gradient else _ADVICE_NONE)
        elif gradient > EXPLODING * last:
            text = (
                f"the gradient explodes: {short(gradient)}, "
                f"{short(float(f'{gradient / last:.1e}'))} times the one at {known[-1].path}"
            )
            yield Mark("exploding", one.path, text, f"{_ADVICE_LARGE}; clip_grad_norm limits it")
