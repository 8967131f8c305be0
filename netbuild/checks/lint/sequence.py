"""Lints of how layers follow one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.lint.flow import (
    AFFINE,
    ALPHA_DROPOUTS,
    CONVOLUTIONS,
    DROPOUTS,
    POOLS,
    REARRANGING,
    TRANSPOSED,
    Flow,
    called,
    listed,
)
from netbuild.diagnostics.diagnostic import Diagnostic, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.graph.row import Row
    from netbuild.graph.value import Value

# By their names, for what a network has not need not be imported.
_AFFINE = {"Linear"} | CONVOLUTIONS | TRANSPOSED
#: What an affine function passes through and stays one, dropout at least once training is over.
_TRANSPARENT = DROPOUTS | ALPHA_DROPOUTS | {"Flatten", "Identity", "Unflatten"}
_COLLAPSING = _AFFINE | _TRANSPARENT

#: Activations that flatten out on both sides, by how much they count, and what is too much.
_SATURATING = {"Sigmoid": 2, "Hardsigmoid": 2, "Tanh": 1, "Softsign": 1}
_TOO_MUCH = 10


def collapsing_layers(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of two affine layers of a kind with nothing non-linear between: they compute as one.

    What several layers read, or the network gives, is a representation of its own, and may well be
    affine. So may a layer in two parts that have fewer weights than it.
    """
    affine: dict[Value, Row] = {}  # the affine layer of which a value is a function
    for row in flow.graph.rows:
        if row.type not in _COLLAPSING:
            continue
        source = next(iter(row.sources), None)  # none of a Parameter
        maker = flow.maker.get(source) if source else None
        single = maker is not None and len(flow.only_readers(maker)) == 1
        first = affine.get(source) if source and single else None
        if row.type in _TRANSPARENT:
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
        if row.type in _AFFINE:
            affine[row.passed_on] = row


def _collapse(first: Row, second: Row) -> bool:
    """Tell two layers that compute as one from one in two parts, of which each is smaller."""
    if first.type != second.type:
        return False
    if any(getattr(row.layer, "groups", 1) > 1 for row in (first, second)):
        return False  # depthwise, then pointwise
    axis = -1 if first.type == "Linear" else 0
    width = first.output.shape[axis]
    if 2 * width <= min(first.x[axis], second.output.shape[axis]):
        return False  # a matrix of low rank, which has the fewer weights
    if first.type == "Linear":
        return True
    kernels = [row.layer.weights(*row.shapes)["weight"][2:] for row in (first, second)]
    return not _separate(*kernels)


def _separate(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether two kernels lie along different axes, such as k×1 and 1×k (Peng et al. 2017)."""
    apart = all(1 in pair for pair in zip(first, second, strict=True))
    return apart and max(first) > 1 and max(second) > 1


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
    keeping = AFFINE | REARRANGING | POOLS | DROPOUTS
    stacks: dict[Value, tuple[Row, ...]] = {}  # the activations behind a value
    weighted: set[Value] = set()  # what comes from weights, with no activation since
    for row in graph.rows:
        if len(row.sources) != 1:
            continue
        source, value = row.sources[0], row.passed_on
        before = stacks.get(source, ())
        if row.type in keeping:
            stacks[value] = before
            if row.type in AFFINE or source in weighted:
                weighted.add(value)
        elif row.type in _SATURATING and source in weighted:
            stacks[value] = before
            counts = _SATURATING[row.type] > 1 or not chosen
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
    return sum(_SATURATING[row.type] for row in stack)
