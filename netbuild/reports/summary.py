"""The rows of a graph as a table, as JSON, as Markdown and as CSV."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.layers.made import Made
from netbuild.components.tensor import times
from netbuild.diagnostics.escapes import of_json
from netbuild.diagnostics.wording import brief
from netbuild.graph.graph import stacks
from netbuild.reports.text_table import TextTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from netbuild.components.tensor import Shape, Tensor
    from netbuild.graph.graph import Graph, InnerStack
    from netbuild.graph.row import Row
    from netbuild.graph.value import Value

#: The most characters of a formula in the column of types.
_LONGEST_FORMULA = 28
#: The most tied parameters that the line below the table names.
_MOST_TIES = 3
#: The most characters of a line below the table.
_WIDTH = 79
HEADERS = ("name", "type", "output", "params", "MACs", "field")


class SummaryLine(NamedTuple):
    """One line of the summary: a layer, or a stack folded into one."""

    name: str
    type: str
    output: Shape
    params: int
    macs: int
    receptive_field: Shape | None

    def cells(self, *, short: bool = False) -> tuple[str, ...]:
        """Return the cells of the table. `short` gives large MACs with three digits."""
        seen = times(self.receptive_field) if self.receptive_field else ""
        numbers = _number(self.params), (short_number if short else _number)(self.macs)
        return (self.name, self.type, times(self.output), *numbers, seen)


def lines(graph: Graph, depth: int | None = None) -> list[SummaryLine]:
    """Return a line for each layer. Stacks at level `depth` are folded into one line."""
    return _lines(graph, depth, stacks(graph))


def _lines(graph: Graph, depth: int | None, known: Mapping[str, InnerStack]) -> list[SummaryLine]:
    folded: dict[str, list[Row]] = {}
    for row in graph.rows:
        names = row.path.split(".")
        folded.setdefault(".".join(names[:depth] if depth else names), []).append(row)
    by_path = {row.path: row for row in graph.rows}
    found = []
    for name, rows in folded.items():
        shape, field = rows[-1].output.shape, rows[-1].receptive_field
        if name in known:
            shape, field = _value_shape(graph, known[name].first, by_path)
        counts = sum(row.params for row in rows), sum(row.macs for row in rows)
        found.append(SummaryLine(name, _type_text(name, rows, known), shape, *counts, field))
    return found


def widest_table(graph: Graph, depth: int | None, room: int) -> TextTable:
    """Return the widest of `tables` that fits into `room` columns, or the narrowest one."""
    for made in tables(graph, depth):
        if made.width <= room:
            break
    return made


def tables(graph: Graph, depth: int | None = None) -> Iterator[TextTable]:
    """Yield the summary as tables, the widest first. Names are nested as in the file.

    The second table shortens large MACs to three digits. The third also omits receptive fields.
    """
    nested = list(_nested(graph, depth))
    yield _table(graph, nested)
    yield _table(graph, nested, short=True)
    yield _table(graph, nested, short=True, columns=len(HEADERS) - 1)


def _table(
    graph: Graph,
    nested: Iterable[tuple[str, str | SummaryLine]],
    *,
    short: bool = False,
    columns: int = len(HEADERS),
) -> TextTable:
    macs = (short_number if short else _number)(graph.macs) or "0"
    rows = [
        (name, *((of,) if isinstance(of, str) else of.cells(short=short)[1:columns]))
        for name, of in nested
    ]
    totals = ("total", "", "", f"{graph.params:,}", macs)
    return TextTable(title(graph), HEADERS[:columns], rows, totals, words=2)


def _nested(graph: Graph, depth: int | None) -> Iterator[tuple[str, str | SummaryLine]]:
    """Yield the indented name and the line of each layer; for a stack, its name and type."""
    above: list[str] = []
    known = stacks(graph)
    for line in _lines(graph, depth, known):
        *within, name = line.name.split(".")
        shared = next((i for i, (a, b) in enumerate(zip(above, within)) if a != b), len(above))  # noqa: B905  of different depth
        for level, stack in enumerate(within[shared:], start=shared):
            path = ".".join(within[: level + 1])
            yield "  " * level + stack, _type(known[path]) if path in known else ""
        above = within
        yield "  " * len(within) + name, line


def memory(graph: Graph) -> str:
    """Return the lines below the table: memory, trainable parameters, and tied parameters."""
    parts = [f"weights {_size(graph.weights_bytes)}"]
    if graph.trainable != graph.params:
        parts.insert(0, f"{graph.trainable:,} params learn")
    if later := sum(row.trainable for row in graph.rows if row.unfreezes):
        epochs = sorted({row.unfreezes for row in graph.rows if row.unfreezes})
        at = f"epoch {epochs[0]}" if len(epochs) == 1 else f"epochs {epochs[0]} to {epochs[-1]}"
        parts.insert(0, f"{later:,} params learn from {at} on")
    if constants := graph.constants_bytes:
        parts.append(f"constants {_size(constants)}")
    shared = f" and {_size(n)} a batch" if (n := graph.shared_activations_bytes) else ""
    counted = "" if graph.config.train.precision == "fp32" else ", counted in fp32"
    kept = f"{_size(graph.activations_bytes)} a sample in training{shared}{counted}"
    parts.append(f"activations {kept}")
    if graph.again_bytes:
        parts.append(f"{_size(graph.again_bytes)} more while a stack is computed again")
    return "\n".join(_filled(parts, " · ") + _tied(graph))


def _tied(graph: Graph) -> list[str]:
    """Return the lines with the tied parameters, which the table counts once."""
    ties = [f"{name} is {target}" for name, target in graph.ties.items()]
    more = f" and {len(ties) - _MOST_TIES} more" if len(ties) > _MOST_TIES else ""
    if not ties:
        return []
    first, *others = ties[:_MOST_TIES]
    parts = [f"tied: {first}", *others]
    return _filled([*parts[:-1], parts[-1] + more], ", ")


def _filled(parts: Sequence[str], between: str) -> list[str]:
    """Return lines of at most 79 characters, each of whole parts."""
    lines = [parts[0]]
    for part in parts[1:]:
        longer = f"{lines[-1]}{between}{part}"
        if len(longer) <= _WIDTH:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def as_json(graph: Graph) -> str:
    """Return the summary as the JSON object that other programs read."""
    config = graph.config
    document = {
        "name": config.name,
        "inputs": {name: x._asdict() for name, x in config.inputs.items() if x},
        "outputs": {name: tensor.shape for name, tensor in graph.outputs.items()},
        "layers": [_as_dict(row) for row in graph.rows],
        "totals": {
            "params": graph.params,
            "trainable": graph.trainable,
            "macs": graph.macs,
            "weights_bytes": graph.weights_bytes,
            "constants_bytes": graph.constants_bytes,
            "activations_bytes": graph.activations_bytes,
            "shared_activations_bytes": graph.shared_activations_bytes,
            **({"recomputed_bytes": graph.again_bytes} if graph.again_bytes else {}),
        },
    }
    return of_json(json.dumps(document, indent=2, ensure_ascii=False))


def markdown(graph: Graph, depth: int | None = None) -> str:
    """Return the summary as a Markdown table."""
    rows: list[tuple[str, ...]] = [HEADERS, ("---", "---", "---:", "---:", "---:", "---:")]
    rows += [line.cells() for line in lines(graph, depth)]
    rows.append(("**total**", "", "", f"{graph.params:,}", f"{graph.macs:,}", ""))
    body = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"**{title(graph)}**\n\n{body}\n\n{memory(graph)}"


def as_csv(graph: Graph, depth: int | None = None) -> str:
    """Return a CSV line for each layer. The sizes of a shape are joined by `x`."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("name", "type", "output", "params", "macs", "receptive_field"))
    for line in lines(graph, depth):
        sizes = (_joined(line.output), line.params, line.macs, _joined(line.receptive_field or ()))
        writer.writerow((line.name, line.type, *sizes))
    return out.getvalue().rstrip("\n")


def _type(stack: InnerStack) -> str:
    """Return the type of a block, the member that a `Reuse` calls, or "" for a plain stack."""
    module = stack.member.module
    return f"Reuse: {module}" if module else stack.block.type


def _type_text(name: str, rows: Sequence[Row], known: Mapping[str, InnerStack]) -> str:
    """Return the type of a layer, or the type of a stack and the number of its layers."""
    if len(rows) == 1 and rows[0].path == name:
        written = rows[0].layer.written
        return brief(written, _LONGEST_FORMULA) if written else rows[0].type
    count = f"{len(rows)} layer{'s' if len(rows) > 1 else ''}"
    type_ = _type(known[name]) if name in known else ""
    return f"{type_}, {count}" if type_ else count


def _value_shape(graph: Graph, value: Value, rows: Mapping[str, Row]) -> tuple[Shape, Shape | None]:
    """Return the shape of a value and its receptive field."""
    if value.path:
        row = rows[value.path]
        return row.outputs[value.port].shape, row.receptive_field
    tensor = graph.config.inputs[value.port]
    assert tensor is not None  # a network with an unknown input has no stacks
    return tensor.shape, None


def title(graph: Graph) -> str:
    """Return the name of a network with the shapes of its inputs and outputs."""
    config = graph.config
    given = _all({name: x for name, x in config.inputs.items() if x})
    return f"{config.name}: {given} to {_all(graph.outputs)}"


def _all(tensors: Mapping[str, Tensor]) -> str:
    return " and ".join(times(tensor.shape) for tensor in tensors.values()) or "?"


def _joined(shape: Shape) -> str:
    return "x".join(str(size) for size in shape)


def _number(count: int) -> str:
    """Return a number with its digits in groups of three, and "" for 0."""
    return f"{count:,}" if count else ""


def short_number(count: int) -> str:
    """Return a number; from a million on, with three digits and a unit."""
    return _number(count) if count < 1_000_000 else _scaled(count, 1000, " kMGTPE")


def _size(count: int) -> str:
    """Return a number of bytes with three digits and a unit."""
    return _scaled(count, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"))


def _scaled(count: int, base: int, units: Sequence[str]) -> str:
    """Return a count in the largest unit in which it is at least 1."""
    amount, unit = float(count), units[0]
    for larger in units[1:]:
        if amount < base:
            break
        amount, unit = amount / base, larger
    return f"{amount:.3g} {unit}" if amount < 1000 else f"{amount:.0f} {unit}"


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a constructor. A module among them becomes a mapping."""
    return {
        name: {value.layer.torch_name(): _plain(value.arguments)}
        if isinstance(value, Made)
        else value
        for name, value in arguments.items()
    }


def _as_dict(row: Row) -> dict[str, Any]:
    again = {"reuses": row.reuses} if row.reuses else {}
    return again | {
        "path": row.path,
        "type": row.type,
        "inputs": [x.shape for x in row.inputs],
        "outputs": {name: y.shape for name, y in row.outputs.items()},
        "arguments": _plain(row.arguments),
        "weights": row.parameters,
        **({"tied": row.tied} if row.tied else {}),
        "buffers": {name: buffer.shape for name, buffer in row.buffers.items()},
        "params": row.params,
        "trainable": row.trainable,
        "macs": row.macs,
        "receptive_field": row.receptive_field,
        "line": row.span.line,
    }
