"""The fault of a layer that overwrites a tensor which torch still needs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from netbuild.components.layers.operation import Operation
from netbuild.components.tensor import ShapeError, times
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.graph.memory import Conflict, Step, reaching
from netbuild.graph.misfit import Circumstances, Misfit
from netbuild.graph.value import value_name
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.config.config import Config
    from netbuild.graph.row import Calls, Row
    from netbuild.graph.value import Value


def check(
    rows: Sequence[Row], outputs: dict[str, Value] | None, calls: Calls, config: Config
) -> tuple[Diagnostic, ...]:
    """Return a fault for each layer that overwrites what torch protects.

    `outputs` are the results of the network; None if they are not known because of other faults.
    """
    if _is_plain(rows, outputs):
        return ()
    number = {row.path: n for n, row in enumerate(rows)}
    found = dict.fromkeys([*_conflicts(rows, outputs), *_in_evaluation(rows, outputs or {})])
    first = {conflict.path: conflict for conflict in reversed(found)}
    paths = sorted(first, key=number.__getitem__)
    return tuple([_fault(first[path], rows, number, calls, config) for path in paths])


def _is_plain(rows: Sequence[Row], outputs: dict[str, Value] | None) -> bool:
    """Whether each layer that overwrites is the only reader of a new tensor that nobody needs.

    Most networks are plain: a ReLU overwrites the result of a norm, a convolution or a sum, which
    keep their inputs only. They need no model of the memory.
    """
    overwriting = [row for row in rows if row.inferred.memory == "overwritten"]
    if not overwriting:
        return True
    readers = Counter(value for row in rows for value in row.sources)
    readers.update((outputs or {}).values())
    producers = {row.passed_on: row for row in rows}
    for row in overwriting:
        value, above = row.sources[0], producers.get(row.sources[0])
        while (
            above is not None
            and row.recomputed == above.recomputed
            and above.layer.regroups
            and readers[value] == 1
        ):
            value, above = above.sources[0], producers.get(above.sources[0])
        if above is None or row.recomputed != above.recomputed:
            return False  # torch keeps what a stack reads that it computes again
        if readers[value] > 1 or not _keeps_inputs_only(above):
            return False
    return True


def _keeps_inputs_only(row: Row) -> bool:
    layer = row.layer
    normalises = layer.normalises is not None
    known = layer.is_affine or layer.pools or normalises or isinstance(layer, Operation)
    new = row.inferred.memory == "new" and bool(row.sources)
    return new and known and "output" not in layer.saved(*row.shapes)


def _conflicts(rows: Sequence[Row], outputs: dict[str, Value] | None) -> Iterator[Conflict]:
    read = None if outputs is None else reaching(rows, outputs.values())
    step = Step()
    for row in rows:
        if not row.is_built:
            continue
        conflict = step.conflict(row)
        if conflict is not None:
            yield conflict
        step.add(row, read=None if read is None else read.get(row.path, frozenset()))
    for value in (outputs or {}).values():
        conflict = step.outdated(value, f"an output reads {value_name(value)}")
        if conflict is not None:
            yield conflict


def _in_evaluation(rows: Sequence[Row], outputs: dict[str, Value]) -> Iterator[Conflict]:
    """Yield the conflicts that only evaluation has, where a dropout returns its input itself.

    A layer behind it then overwrites the input of the dropout: a value that another layer reads
    later, or a parameter. torch evaluates such a network with other values than it trains with.
    """
    if not any(row.layer.drops for row in rows):
        return
    training, evaluation = Step(), Step(training=False)
    for position, row in enumerate(rows):
        if not row.is_built:
            continue
        for step in (training, evaluation):
            step.add(row, read=frozenset())
        if row.inferred.memory != "overwritten" or row.layer.drops:
            continue
        own, there = (step.values[row.sources[0]].base for step in (training, evaluation))
        if own == there:
            continue
        # The values that lie in this memory in evaluation only.
        spoilt = {
            value
            for value, stored in evaluation.values.items()
            if stored.base == there and training.values[value].base != own
        }
        later = [one for one in rows[position + 1 :] if one.is_built and spoilt & {*one.sources}]
        reader = "an output" if spoilt & {*outputs.values()} else ""
        reader = later[0].path if later else reader
        if there in evaluation.weights:
            harm = "a parameter, and the layer then overwrites it"
        elif reader:
            harm = f"and {reader} reads it after the layer has overwritten it"
        else:
            continue
        passed = f"in evaluation a dropout returns its input itself, {value_name(there)}"
        yield Conflict(row.path, f"{passed}, {harm}")


def _fault(
    conflict: Conflict,
    rows: Sequence[Row],
    number: Mapping[str, int],
    calls: Calls,
    config: Config,
) -> Diagnostic:
    position = number[conflict.path]
    row = rows[position]
    error = ShapeError("NB211", conflict.message, at="inplace")
    misfit = Misfit(error, row.layer, row.item, row.path, row.sources, row.inputs, position)
    source = row.sources[0]
    if source.path:
        above = rows[number[source.path]]
        origin = f"{value_name(source)} ({above.type}, line {above.span.line})"
    else:
        called = "the input" if source.port == "input" else source.port
        origin = f"{called} (line {config.input_span(source.port).line})"
    receives = f"{row.path} receives {times(row.inputs[0].shape)} from {origin}"
    notes: tuple[Note, ...] = (Note("input", receives),)
    title = f"{row.item.type.text} does not fit its input"
    circumstances = Circumstances(misfit, blocks=_repeated_blocks(row.path, calls))
    span = place(row.item, "inplace")
    for path, reuse in calls.reuses.items():
        if row.path == path or row.path.startswith(f"{path}."):
            notes = (*notes, Note("there", f"{row.path} is in line {span.line}"))
            span = reuse
            break
    return Diagnostic(
        "NB211", title, span, conflict.message, notes, layer=row.path, origin=circumstances
    )


def _repeated_blocks(path: str, calls: Calls) -> tuple[str, ...]:
    """Return the blocks around a layer that are used several times, the innermost first."""
    names = [call.item.type.text for call in calls.blocks.values()]
    around = [place for place in calls.blocks if path.startswith(f"{place}.")]
    blocks = [calls.blocks[place].item.type.text for place in sorted(around, key=len)[::-1]]
    return tuple([name for name in blocks if names.count(name) > 1])
