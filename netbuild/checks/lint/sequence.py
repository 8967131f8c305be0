"""Lints of layers that follow each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.lint.flow import Flow, described, keeps_values, layers_note
from netbuild.diagnostics.diagnostic import Diagnostic, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.layers.layer import Layer
    from netbuild.graph.row import Row
    from netbuild.graph.value import Value

#: The weight of a saturating activation: sigmoids shrink every gradient, tanh keeps small ones.
_SHRINKING, _KEEPING = 2, 1
_TOO_MUCH = 10


def collapsing_layers(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of two affine layers of the same type without a non-linear layer between them.

    One layer could compute the same function. There is no warning if several layers, or an output
    of the network, read the first result. There is none either if the two layers have fewer
    weights than one layer would have, or if a `Reuse` calls one of them elsewhere.
    """
    reused = {row.reuses for row in flow.graph.rows}
    affine: dict[Value, Row] = {}  # the affine layer from which a value is computed
    for row in flow.graph.rows:
        layer = row.layer
        through = layer.drops or layer.regroups or layer.scales
        if not through and not (layer.is_affine and len(row.sources) == 1):
            continue
        source = row.sources[0]
        producer = flow.producer.get(source)
        single = producer is not None and len(flow.only_readers(producer)) == 1
        first = affine.get(source) if single else None
        if through:
            if first is not None:
                affine[row.passed_on] = first
            continue
        shared = row.reuses or row.path in reused or (first and first.path in reused)
        if first is not None and not shared and _collapse(first, row):
            yield Diagnostic(
                "NB301",
                f"two {row.type} layers that collapse into one",
                row.span,
                f"no non-linear layer stands between {first.type} {first.path} and this layer",
                (Note("first", described(first)),),
                help="add an activation between them, such as ReLU",
                layer=row.path,
            )
        affine[row.passed_on] = row


def _collapse(first: Row, second: Row) -> bool:
    """Whether one layer could replace two, and would not need more weights."""
    if first.type != second.type:
        return False
    if any(getattr(row.layer, "groups", 1) > 1 for row in (first, second)):
        return False  # depthwise, then pointwise
    axis = first.layer.feature_axis
    width = first.output.shape[axis]
    if 2 * width <= min(first.x[axis], second.output.shape[axis]):
        return False  # a matrix of low rank: one layer would have more weights
    kernels = [row.inferred.weights["weight"][2:] for row in (first, second)]
    return not _separate(*kernels)


def _separate(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether two kernels lie along different axes, such as k×1 and 1×k (Peng et al. 2017)."""
    apart = all(1 in pair for pair in zip(first, second, strict=True))
    return apart and max(first, default=1) > 1 and max(second, default=1) > 1


def saturating_stacks(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of many saturating activations in a row, with only layers with weights between them.

    Each sigmoid divides the gradient by 4 at least. In the experiments of Glorot and Bengio (2010)
    networks with five layers of sigmoids did not learn, and networks with four learned only after a
    long time. Tanh and softsign keep small gradients. There torch's initial weights shrink the
    variance of the gradient to a third in each layer. So there is a warning at ten layers, unless
    the config has `init`. A norm, a residual join or another activation starts the count again.
    """
    graph = flow.graph
    chosen = bool(graph.config.init) or any(row.init for row in graph.rows)
    stacks: dict[Value, tuple[Row, ...]] = {}  # the activations upstream of a value
    weighted: set[Value] = set()  # values with weights after the last activation
    for row in graph.rows:
        if len(row.sources) != 1:
            continue
        source, value = row.sources[0], row.passed_on
        before = stacks.get(source, ())
        layer = row.layer
        if layer.is_affine or layer.pools or keeps_values(layer):
            stacks[value] = before
            if layer.is_affine or source in weighted:
                weighted.add(value)
        elif layer.saturates is not None and source in weighted:
            stacks[value] = before
            counts = _counted(layer) == _SHRINKING or not chosen
            if counts and _sum(before) < _TOO_MUCH:  # one warning for each stack
                stacks[value] = stack = (*before, row)
                if _sum(stack) >= _TOO_MUCH:
                    yield Diagnostic(
                        "NB315",
                        f"{len(stack)} saturating activations in a row",
                        row.span,
                        "the gradient vanishes on its way back through these activations",
                        (layers_note("before", list(before)),),
                        help="use ReLU, add norms, or add the input of a block to its output",
                        layer=row.path,
                    )


def _sum(stack: tuple[Row, ...]) -> int:
    """Return the sum of the weights of activations."""
    return sum(_counted(row.layer) for row in stack)


def _counted(layer: Layer) -> int:
    """Return the weight of a saturating activation."""
    return _KEEPING if layer.saturates == 1 else _SHRINKING
