"""Lints of weights that nothing trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.graph.value import Value, state_key

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator

    from netbuild.checks.lint.flow import Flow
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row


def untrained_weights(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of frozen weights if no file sets them: they keep their random initial values.

    There is no warning if an initializer sets them: a fixed projection is a deliberate choice.
    """
    graph = flow.graph
    held: Container[str] | None = None
    for row in graph.rows:
        if not (row.frozen or row.unfreezes) or not row.weights or row.init is not None:
            continue
        if held is None:
            held = _from_files(graph)
        if any(state_key(row.path, name) not in held for name in row.parameters):
            frozen = f"frozen until epoch {row.unfreezes}" if row.unfreezes else "frozen"
            label = f"this layer is {frozen}, and no file sets its weights"
            help_ = "name a file (pretrained: FILE), or remove freeze"
            title = "frozen weights that nothing has trained"
            yield Diagnostic("NB316", title, row.span, label, help=help_, layer=row.path)


def _from_files(graph: Graph) -> Container[str]:
    """Return the names of the tensors that files fill; of all, if a file has a fault."""
    from netbuild.checks.pretrained import filled

    found, faults = filled(graph)
    return graph.tensors if faults else found


def unreached_weights(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of layers that learn, if a layer on each way to the losses lets no gradient back.

    There is one warning for all layers whose gradients stop at the same layers.
    """
    rows = flow.graph.rows
    if not flow.graph.config.losses or not any(_stops(row) for row in rows):
        return
    ends = [value for compared in flow.compared for value in compared.values]
    groups: dict[tuple[str, ...], list[Row]] = {}
    by_path = {row.path: row for row in rows}
    for row in _unreached(rows, ends):
        groups.setdefault(_stopping(flow, row), []).append(row)
    for stopping, (first, *others) in groups.items():
        if not stopping:
            continue
        at = by_path[stopping[0]]
        label = f"this layer learns, and its gradient stops at {at.path}"
        notes = [Note(at.path, f"{at.type}, line {at.span.line}")]
        if others:
            names = [row.path for row in others[:3]] + [f"{len(others) - 3} more"][
                : len(others) > 3
            ]
            notes.append(Note("also", ", ".join(names)))
        help_ = "let a loss read it on another way, or write freeze: true beside it"
        title = "a layer that no gradient reaches"
        yield Diagnostic("NB335", title, first.span, label, tuple(notes), help_, first.path)


def _stops(row: Row) -> bool:
    """Whether a result has no gradient, or one input gets none from it."""
    return any(
        not y.floating or len(row.layer.feeding(port, row.sources)) < len(row.sources)
        for port, y in row.outputs.items()
    )


def _unreached(rows: Iterable[Row], ends: Collection[Value]) -> list[Row]:
    """Return the layers that learn and reach an end, if no gradient comes back from there."""
    from netbuild.graph.memory import reaching

    rows = list(rows)
    seen = {value.path for value in ends}
    for row in reversed(rows):
        if row.path in seen:
            seen.update(value.path for value in row.sources)
    reached = reaching(rows, ends)
    trained = {row.reuses or row.path for row in rows if row.path in reached}
    tied = {key for row in rows if row.path in trained for key in row.tied.values()}
    return [
        row
        for row in rows
        if row.learns and row.weights and row.path in seen and row.path not in trained
        if tied.isdisjoint(state_key(row.path, name) for name in row.weights)
    ]


def _stopping(flow: Flow, row: Row) -> tuple[str, ...]:
    """Return the paths of the layers at which the gradients of a layer stop."""
    found: list[str] = []
    passed: set[Value] = set()
    waiting = [Value(row.path, port) for port in row.outputs]
    while waiting:
        value = waiting.pop(0)
        if value in passed:
            continue
        passed.add(value)
        for reader in flow.readers.get(value, []):
            goes = [
                Value(reader.path, port)
                for port, y in reader.outputs.items()
                if y.floating and value in reader.layer.feeding(port, reader.sources)
            ]
            waiting += goes
            if not goes and reader.path not in found:
                found.append(reader.path)
    return tuple(found)
