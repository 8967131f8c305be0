"""Networks with a change that is only imagined: the shapes, and whether data and losses still fit.

A lint offers a fix only if the network with this fix has no fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks import objective
from netbuild.components.tensor import ShapeError
from netbuild.diagnostics.diagnostic import errors
from netbuild.graph.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.checks.lint.flow import Flow
    from netbuild.components.tensor import Tensor
    from netbuild.config.config import Config
    from netbuild.graph.row import Row


def outputs(
    flow: Flow, inputs: Mapping[str, Tensor | None], at: Row | None = None, x: Tensor | None = None
) -> dict[str, Tensor] | None:
    """Return the outputs of a network with other inputs, or None if a layer does not fit.

    `x` takes the place of the first input of the layer `at`.
    """
    changed = {Value("", name): value for name, value in inputs.items() if value is not None}
    used: dict[str, tuple[Tensor, ...]] = {}  # the inputs of each module
    for row in flow.graph.rows:
        read = [changed.get(source, y) for source, y in zip(row.sources, row.inputs, strict=True)]
        if at is not None and x is not None and row.path == at.path:
            read[0] = x
        if used.setdefault(row.reuses or row.path, tuple(read)) != tuple(read):
            return None  # the weights of a shared module would have two shapes
        if read != list(row.inputs):
            try:
                results = row.layer.apply(*read)
            except ShapeError:
                return None
            changed |= {Value(row.path, port): y for port, y in results.items()}
    graph = flow.graph
    return {name: changed.get(v, graph.outputs[name]) for name, v in flow.outputs.items()}


def fits(config: Config, found: Mapping[str, Tensor] | None) -> bool:
    """Whether data and losses fit a network with these outputs; None stands for no network."""
    return bool(found) and found is not None and not errors(objective.check(config, found))
