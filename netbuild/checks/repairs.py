"""The search for fixes of losses and data that do not fit the network.

The fixes are guesses from the file: trials show which of them are true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks import objective
from netbuild.components.component import bare_field
from netbuild.components.datasets.dataset import DataError
from netbuild.components.target import Classes, Labels, Values
from netbuild.components.tensor import times
from netbuild.diagnostics.diagnostic import Fix, with_fixes
from netbuild.graph.fixes import earlier
from netbuild.graph.fixes.replay import replayed
from netbuild.syntax import edits
from netbuild.syntax.insertion import put_before, put_behind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.datasets.dataset import Declared
    from netbuild.components.target import Target
    from netbuild.diagnostics.diagnostic import Diagnostic, Faults
    from netbuild.graph.graph import Graph
    from netbuild.syntax.edits import Edits

#: The last layers of a network that may set the number of scores, or lack a Flatten.
LAST = 12
#: Fields that set the number of scores.
_WIDTHS = ("out_features", "out_channels", "hidden_size", "embedding_dim")


def with_repairs(graph: Graph) -> Faults:
    """Return the faults of a graph; those of losses and data get the fixes that may repair them."""
    if graph.config.data is None or not graph.outputs:
        return graph.diagnostics
    return tuple([_with_repairs(graph, fault) for fault in graph.diagnostics])


def _with_repairs(graph: Graph, fault: Diagnostic) -> Diagnostic:
    if fault.fixes or fault.code not in {"NB401", "NB501"}:
        return fault
    try:
        given = objective.sample(graph.config, graph.outputs)
    except DataError:  # the data cannot be used as written
        return fault
    if fault.code == "NB501":
        return with_fixes(fault, tuple(_of_inputs(graph, given)))
    targets = [target for target in given.targets.values() if target is not None]
    fixes = [fix for target in targets for fix in _of_classes(graph, target)]
    fixes += _of_flattens(graph)
    fixes += [fix for target in targets for fix in _of_windows(graph, target)]
    return with_fixes(fault, tuple(fixes))


def with_rules(graph: Graph, faults: Faults) -> Faults:
    """Return faults; those of a loss without a fix say what would fit the data."""
    if graph.config.data is None or len(graph.outputs) != 1 or len(graph.config.losses) != 1:
        return faults
    return tuple([_with_rule(graph, fault) for fault in faults])


def _with_rule(graph: Graph, fault: Diagnostic) -> Diagnostic:
    if fault.code != "NB401" or fault.fixes or fault.help:
        return fault
    (y,), (term,) = graph.outputs.values(), graph.config.losses
    loss = term.loss
    try:
        given = objective.sample(graph.config, graph.outputs)
        target = objective.compared_with(graph.config, term, graph.outputs, given)
    except DataError:
        return fault
    help_ = None
    if isinstance(target, Classes) and not target.shape and not loss.classifies:
        help_ = f"CrossEntropyLoss compares {target.classes} scores with the class"
    elif isinstance(target, Classes) and (
        y.shape[1:] != target.shape or y.shape[:1] < (target.classes,)
    ):
        shape = times((target.classes, *target.shape))
        help_ = f"end the network with scores of shape {shape}"
    elif isinstance(target, Values) and not loss.classifies and y.shape != target.shape:
        help_ = f"end the network with values of shape {times(target.shape)}"
    return fault._replace(help=help_)


def _fix(title: str, changed: Edits | None, *, guess: bool = False) -> Iterator[Fix]:
    if changed is not None:
        yield Fix(title, changed, guess=guess)


def _of_inputs(graph: Graph, given: Declared) -> Iterator[Fix]:
    """Yield the change of an input of the network to the shape and the dtype of the data."""
    nodes = graph.config.input_nodes
    if len(given.inputs) != len(nodes):
        return
    for came, (name, node) in zip(given.inputs, nodes.items(), strict=True):
        needed = graph.config.inputs.get(name)
        if came is None or needed is None or came == needed:
            continue
        where = "the input" if name == "input" else name
        if came.dtype == needed.dtype:
            text = f"{edits.as_yaml(came.shape)} for {where}"
            yield from _fix(text, edits.set_entries(node, "shape", {"shape": came.shape}))
        elif came.shape == needed.shape:
            changed = edits.set_entries(node, "shape", {"dtype": came.dtype})
            yield from _fix(f"dtype: {came.dtype} for {where}", changed)


def _of_classes(graph: Graph, target: Target) -> Iterator[Fix]:
    """Yield the number of classes for the last layer, or the number of scores for the data."""
    if not isinstance(target, Classes | Labels):
        return
    found = False
    for row in graph.rows[: -LAST - 1 : -1]:
        bare = bare_field(type(row.layer))
        for field in _WIDTHS:
            if not found and hasattr(row.layer, field):
                found = True
                changed = edits.set_fields(row.item, bare, {field: target.classes})
                yield from _fix(f"{field}: {target.classes} in {row.path}", changed)
    item = graph.config.items.get("data")
    data = graph.config.data
    if item is None or data is None or not hasattr(data, "classes"):
        return
    for size in dict.fromkeys(y.shape[0] for y in graph.outputs.values() if y.shape):
        changed = edits.set_fields(item, bare_field(type(data)), {"classes": size})
        yield from _fix(f"classes: {size} in the data", changed)


def _of_flattens(graph: Graph) -> Iterator[Fix]:
    """Yield Flatten before the last layers that read the last of several axes."""
    for row in graph.rows[: -LAST - 1 : -1]:
        last = row.layer.is_affine and row.layer.feature_axis == -1 and len(row.inputs) == 1
        if last and len(row.x) > 1:
            changed = put_before(graph.config.root, row.item, "Flatten")
            yield from _fix(f"Flatten before {row.path}, which reads {times(row.x)}", changed)
    if graph.rows:
        changed = put_behind(graph.config.root, graph.rows[-1].item, "Flatten")
        yield from _fix(f"Flatten behind {graph.rows[-1].path}", changed, guess=True)


def _of_windows(graph: Graph, target: Target) -> Iterator[Fix]:
    """Yield the usual windows with which the last layer gives values of the shape of the data."""
    if not isinstance(target, Values):
        return
    for row in graph.rows[: -LAST - 1 : -1]:
        for change in earlier.windows_of(row):
            tensors = replayed(graph.rows, graph.config.inputs, row.path, change.results)
            y = tensors.get(graph.rows[-1].passed_on)
            if y is not None and y.shape == target.shape:
                yield from _fix(f"{change.title} {row.path}", change.edits, guess=True)
