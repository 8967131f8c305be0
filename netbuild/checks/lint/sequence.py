"""Lints of how layers follow one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.lint.flow import Flow, called, keeps_values, listed
from netbuild.diagnostics.diagnostic import Diagnostic, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.layers.layer import Layer
    from netbuild.graph.row import Row
    from netbuild.graph.value import Value

#: How much a saturating activation counts, by whether it makes every gradient smaller.
_SHRINKING, _KEEPING = 2, 1
_TOO_MUCH = 10


def collapsing_layers(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of two affine layers of a kind with nothing non-linear between: they compute as one.

    What several layers read, or the network gives, is a representation of its own, and may well be
    affine. So may a layer in two parts that have fewer weights than it.
    """
    affine: dict[Value, Row] = {}  # the affine layer of which a value is a function
    for row in flow.graph.rows:
        layer = row.layer
        through = layer.drops or layer.regroups
        if not through and not (layer.is_affine and len(row.sources) == 1):
            continue
        source = row.sources[0]
        maker = flow.maker.get(source)
        single = maker is not None and len(flow.only_readers(maker)) == 1
        first = affine.get(source) if single else None
        if through:
            if first is not None:
                affine[row.passed_on] = first
            continue
        if first is not None and _collapse(first, row):
            yield Diagnostic(
                "NB301",
                f"two {row.type} layers that are no more than one",
                row.span,
                f"nothing non-linear stands between {first.type} {first.path} and this one",
                (Note("first", called(first)),),
                help="put an activation between them, such as ReLU",
                layer=row.path,
            )
        affine[row.passed_on] = row


def _collapse(first: Row, second: Row) -> bool:
    """Tell two layers that compute as one from one in two parts, of which each is smaller."""
    if first.type != second.type:
        return False
    if any(getattr(row.layer, "groups", 1) > 1 for row in (first, second)):
        return False  # depthwise, then pointwise
    axis = first.layer.feature_axis
    width = first.output.shape[axis]
    if 2 * width <= min(first.x[axis], second.output.shape[axis]):
        return False  # a matrix of low rank, which has the fewer weights
    kernels = [row.inferred.weights["weight"][2:] for row in (first, second)]
    return not _separate(*kernels)


def _separate(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether two kernels lie along different axes, such as k×1 and 1×k (Peng et al. 2017)."""
    apart = all(1 in pair for pair in zip(first, second, strict=True))
    return apart and max(first, default=1) > 1 and max(second, default=1) > 1


def saturating_stacks(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of many activations that saturate, one behind the other, with only weights between.

    Each sigmoid divides the gradient by 4 at least. Glorot and Bengio 2010 did not get networks
    with five layers of them to learn, and those with four only after a long time. Tanh and softsign
    keep small gradients as they are, and only torch's own initial weights shrink them, to a third
    in variance: ten layers of them are said to be too many, where no `init` sees to that. A norm, a
    join as in a residual block, or another activation begins anew.
    """
    graph = flow.graph
    chosen = bool(graph.config.init) or any(row.init for row in graph.rows)
    stacks: dict[Value, tuple[Row, ...]] = {}  # the activations behind a value
    weighted: set[Value] = set()  # what comes from weights, with no activation since
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
            if counts and _sum(before) < _TOO_MUCH:  # it is said once
                stacks[value] = stack = (*before, row)
                if _sum(stack) >= _TOO_MUCH:
                    yield Diagnostic(
                        "NB315",
                        f"{len(stack)} saturating activations in a row",
                        row.span,
                        "gradients vanish on the way back through all of them",
                        (listed("before", list(before)),),
                        help="take ReLU, put a norm before each, or add a block's input to it",
                        layer=row.path,
                    )


def _sum(stack: tuple[Row, ...]) -> int:
    """Return what activations count together."""
    return sum(_counted(row.layer) for row in stack)


def _counted(layer: Layer) -> int:
    """Return how much a saturating activation counts."""
    return _KEEPING if layer.saturates == 1 else _SHRINKING
