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
    from netbuild.graph.fixes.fields import Candidate
    from netbuild.graph.fixes.literals import Literals
    from netbuild.graph.misfit import Misfit, Repetition
    from netbuild.graph.row import Row


#: Faults that another order of the axes may repair, or another window.
_OF_AXES = ("NB201", "NB202", "NB204", "NB205", "NB206", "NB212")
_OF_WINDOWS = ("NB204", "NB206", "NB212")


def find_fixes(
    faults: Iterable[Diagnostic], rows: Sequence[Row], config: Config, literals: Literals
) -> Faults:
    """Return the faults of a walk over a network with their fixes; `rows` are its layers."""
    return tuple([_with_fixes(fault, rows, config, literals) for fault in faults])


def _with_fixes(
    fault: Diagnostic, rows: Sequence[Row], config: Config, literals: Literals
) -> Diagnostic:
    origin = fault.origin
    fault = fault._replace(origin=None) if origin else fault
    if not isinstance(origin, Circumstances):
        return fault
    fixes = fault.fixes
    lacks_input = origin.misfit is not None and origin.misfit.error is None
    if origin.misfit is not None and lacks_input:
        named, fixes = _more_inputs(origin.misfit, rows, config)
        item = f"{{{origin.misfit.item.type.text}: …, inputs: [{named}]}}"
        fault = fault._replace(help=f"name the inputs: {item}") if named else fault
    elif origin.misfit is not None:
        fixes = (*fixes, *_of_misfit(origin.misfit, rows, config))
    if fixes and origin.repetition is not None:
        guesses = tuple(fix._replace(guess=True) for fix in fixes)
        fixes = (*_fewer(origin.repetition, rows), *guesses)
    fixes = literals.moved(fault._replace(fixes=fixes)).fixes
    for block in origin.blocks:
        fixes = _in_each(block, fixes, literals)
    # The help of a layer that lacks an input already names the fix.
    return fault._replace(fixes=fixes) if lacks_input else with_fixes(fault, fixes)


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
    """Return the fixes for a layer: in the layer, above it, in its branches, or at the input."""
    from netbuild.graph.fixes import (  # a network without faults does not need these modules
        earlier,
        fields,
        inputs,
        upstream,
    )

    error, layer, tensors = misfit.error, misfit.layer, misfit.inputs
    rows = rows[: misfit.position]
    above = {row.path: row for row in rows}
    assert error is not None
    found = fields.fixes(error, layer, misfit.item, tensors, config.root)
    if error.code == "NB212":
        found += upstream.fixes(layer, tensors, misfit.sources, above)
        found += inputs.other_sizes(misfit, rows, config)
    if error.code == "NB203" and len(tensors) == 1:
        found += upstream.width(layer, tensors[0], misfit.sources[0], above)
    if error.code == "NB207":
        declared = inputs.other_dtypes(misfit, rows, config)
        found += declared or fields.converted(layer, misfit.item, tensors, config.root)
    guesses: list[Candidate] = []
    if error.code in _OF_AXES:
        likely, others = inputs.other_shapes(misfit, rows, config)
        first = error.code in {"NB201", "NB202"}
        found = [*likely, *found] if first else found
        guesses += others if first else [*likely, *others]
        guesses += earlier.flattens(misfit, rows, config)
        guesses += fields.left_out(error, layer, misfit.item, tensors)
    if error.code in _OF_WINDOWS:
        guesses += fields.usual(error, layer, misfit.item, tensors)
        guesses += earlier.windows(misfit, rows, config)
    if error.code == "NB206":
        guesses += earlier.widths(misfit, rows, config)
    fixes = [candidate.fix(misfit) for candidate in found if candidate.edits]
    fixes += [one.fix(misfit, guess=True) for one in guesses if one.edits]
    return tuple(fixes)


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
