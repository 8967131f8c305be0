"""The search for fixes: changes of a file with which a layer fits its input.

It comes behind the walk over a network, for the faults that are reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic, Fix, with_fixes
from netbuild.graph.misfit import Circumstances

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netbuild.config.config import Config
    from netbuild.diagnostics.diagnostic import Faults
    from netbuild.graph.misfit import Misfit, Repetition
    from netbuild.graph.row import Row


def find_fixes(faults: Iterable[Diagnostic], rows: Sequence[Row], config: Config) -> Faults:
    """Return faults of the walk over a network with their fixes; `rows` are its layers."""
    return tuple(_mended(fault, rows, config) for fault in faults)


def _mended(fault: Diagnostic, rows: Sequence[Row], config: Config) -> Diagnostic:
    origin = fault.origin
    if not isinstance(origin, Circumstances):
        return fault
    fixes = fault.fixes
    if origin.misfit is not None:
        fixes = _of_misfit(origin.misfit, rows, config)
    if fixes and origin.repetition is not None:
        fixes = _fewer(origin.repetition)
    for block in origin.blocks:
        fixes = _in_each(block, fixes)
    told = origin.misfit is None or origin.misfit.error is not None  # else its help says it
    fault = with_fixes(fault, fixes) if told else fault._replace(fixes=fixes)
    fault = fault._replace(origin=None)
    return fault._replace(fixes=()) if origin.reused else fault


def _of_misfit(misfit: Misfit, rows: Sequence[Row], config: Config) -> tuple[Fix, ...]:
    """Return what would make a layer fit: in it, before it, in its branches, at the input."""
    from netbuild.graph.fixes import fields, upstream  # a network without faults needs neither

    error, layer, item, inputs = misfit.error, misfit.layer, misfit.item, misfit.inputs
    above = {row.path: row for row in rows[: misfit.position]}
    if error is None:
        read = list(zip(misfit.sources, inputs, strict=True))
        return tuple(upstream.more_inputs(layer, item, misfit.path, read, above, config.inputs))
    found = fields.fixes(error, layer, item, inputs)
    written = config.written_inputs
    if error.code == "NB212":
        found += upstream.fixes(layer, inputs, misfit.sources, above)
        found += upstream.other_size(layer, misfit.sources, above, config.inputs, written)
    if len(inputs) != 1:
        return tuple(found)
    came, source = inputs[0], misfit.sources[0]
    if error.code in {"NB201", "NB202"}:
        alone = not found
        found = [
            *upstream.other_shape(layer, came, source, above, written, alone=alone),
            *found,
        ]
    elif error.code == "NB203":
        found += upstream.width(layer, came, source, above)
    elif error.code == "NB207":
        found += upstream.other_dtype(layer, came, source, above, written)
    return tuple(found)


def _fewer(repetition: Repetition) -> tuple[Fix, ...]:
    """Return the fix by as many repetitions as fit.

    A change of a layer would change it in all of them.
    """
    from netbuild.components.tensor import times
    from netbuild.syntax import edits

    made = edits.replaced(repetition.written, str(repetition.fitting))
    title = f"repeat: {repetition.fitting} gives {times(repetition.gives.shape)}"
    return (Fix(title, (made,)),) if made else ()


def _in_each(block: str, fixes: tuple[Fix, ...]) -> tuple[Fix, ...]:
    """Return fixes of a block that is used several times: they change it everywhere."""
    end = f", in each {block}"
    return tuple(
        fix if fix.title.endswith(end) else fix._replace(title=fix.title + end) for fix in fixes
    )
