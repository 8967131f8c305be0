"""The search for fixes: changes of a file after which a layer fits its inputs.

The search runs after the walk over a network, for the reported faults only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic, Fix, Result, with_fixes
from netbuild.graph.misfit import Circumstances

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netbuild.config.config import Config
    from netbuild.diagnostics.diagnostic import Faults
    from netbuild.graph.fixes.literals import Literals
    from netbuild.graph.misfit import Misfit, Repetition
    from netbuild.graph.row import Calls, Row


def find_fixes(
    faults: Iterable[Diagnostic], rows: Sequence[Row], config: Config, calls: Calls
) -> Faults:
    """Return the faults of a config with their fixes.

    `rows` are the layers of its network, and `calls` its uses of blocks.
    """
    faults = tuple(faults)
    if not faults:
        return ()
    from netbuild.graph.fixes.literals import Literals

    literals = Literals(config, calls)
    return tuple(_with_fixes(fault, rows, config, literals) for fault in faults)


def _with_fixes(
    fault: Diagnostic, rows: Sequence[Row], config: Config, literals: Literals
) -> Diagnostic:
    origin = fault.origin
    fault = fault._replace(origin=None) if origin else fault
    if not isinstance(origin, Circumstances):
        return literals.named(literals.moved(fault))
    fixes = fault.fixes
    lacks_input = origin.misfit is not None and origin.misfit.error is None
    if origin.misfit is not None and lacks_input:
        named, fixes = _more_inputs(origin.misfit, rows, config)
        item = f"{{{origin.misfit.item.type.text}: …, inputs: [{named}]}}"
        fault = fault._replace(help=f"name the inputs: {item}") if named else fault
    elif origin.misfit is not None:
        fixes = _of_misfit(origin.misfit, rows, config)
    if fixes and origin.repetition is not None:
        fixes = _fewer(origin.repetition, rows)
    fixes = literals.moved(fault._replace(fixes=fixes)).fixes
    for block in origin.blocks:
        fixes = _in_each(block, fixes, literals)
    # The help of a layer that lacks an input already names the fix.
    fault = fault._replace(fixes=fixes) if lacks_input else with_fixes(fault, fixes)
    return literals.named(fault)


def _more_inputs(
    misfit: Misfit, rows: Sequence[Row], config: Config
) -> tuple[str, tuple[Fix, ...]]:
    """Return the inputs that a layer could read, and the fix; an empty text if it is not clear."""
    from netbuild.graph.fixes import upstream

    above = {row.path: row for row in rows[: misfit.position]}
    read = list(zip(misfit.sources, misfit.inputs, strict=True))
    layer, item = misfit.layer, misfit.item
    named, found = upstream.more_inputs(layer, item, misfit.path, read, above, config.inputs)
    return named, tuple([candidate.fix(misfit) for candidate in found])


def _of_misfit(misfit: Misfit, rows: Sequence[Row], config: Config) -> tuple[Fix, ...]:
    """Return the fixes for a layer: in the layer, before it, in its branches, or at the input."""
    from netbuild.graph.fixes import (  # a network without faults does not need these modules
        fields,
        upstream,
    )

    error, layer, inputs = misfit.error, misfit.layer, misfit.inputs
    above = {row.path: row for row in rows[: misfit.position]}
    assert error is not None
    found = fields.fixes(error, layer, misfit.item, inputs, config.root)
    nodes = config.input_nodes
    if error.code == "NB212":
        found += upstream.fixes(layer, inputs, misfit.sources, above)
        found += upstream.other_size(layer, misfit.sources, above, config.inputs, nodes)
    if len(inputs) == 1:
        x, source = inputs[0], misfit.sources[0]
        if error.code in {"NB201", "NB202"}:
            alone = not found
            found = [*upstream.other_shape(layer, x, source, above, nodes, alone=alone), *found]
        elif error.code == "NB203":
            found += upstream.width(layer, x, source, above)
        elif error.code == "NB207":
            found += upstream.other_dtype(layer, x, source, above, nodes)
    return tuple([candidate.fix(misfit) for candidate in found])


def _fewer(repetition: Repetition, rows: Sequence[Row]) -> tuple[Fix, ...]:
    """Return the fix that reduces `repeat` to the repetitions that fit.

    A change of the layer would change all repetitions.
    """
    from netbuild.components.tensor import times
    from netbuild.syntax import edits

    edit = edits.replaced(repetition.node, str(repetition.fitting))
    shape = repetition.result.shape
    title = f"repeat: {repetition.fitting} gives {times(shape)}"
    last = next((row for row in rows if row.path == repetition.last.path), None)
    result = Result(last.span, last.path, shape) if last else None
    return (Fix(title, (edit,), result=result),) if edit else ()


def _in_each(block: str, fixes: tuple[Fix, ...], literals: Literals) -> tuple[Fix, ...]:
    """Return fixes with a title that says which of them change each use of a block."""
    end = f", in each {block}"
    return tuple(
        fix._replace(title=fix.title + end)
        if literals.is_inside(fix, block) and not fix.title.endswith(end)
        else fix
        for fix in fixes
    )
