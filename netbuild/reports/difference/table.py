"""The difference between two networks as tables, as JSON and as Markdown."""

from __future__ import annotations

import json
import re
from itertools import groupby
from textwrap import fill, wrap
from typing import TYPE_CHECKING, Any, NamedTuple

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from netbuild.components.tensor import times
from netbuild.diagnostics.escapes import of_json
from netbuild.graph.value import value_name
from netbuild.reports.difference.lines import (
    arrow,
    blocks_of,
    layer_count,
    lines,
    outermost,
    signed,
    stems_of,
    whole_blocks,
)
from netbuild.runs.weights import is_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console, JustifyMethod, RenderableType

    from netbuild.components.tensor import Shape, Tensor
    from netbuild.reports.difference import LayerChange, NetworkChanges

_COLOURS = {"added": "green", "removed": "red", "changed": "yellow", "moved": "cyan"}
_NOTES = {"added": "missing", "removed": "unexpected", "changed": "other shape"}

_LAYERS = ("", "name", "type", "changed", "output", "params", "MACs")


class _Layout(NamedTuple):
    """How wide the table of layers is."""

    #: The width of the column of changes.
    changed: int
    arrow: str = "\n→ "
    #: Whether large numbers have three digits.
    short: bool = False
    columns: int = len(_LAYERS)
    #: The width of the names: longer ones break at their dots.
    name: int = 1000


_WIDEST = _Layout(32, " → ")
#: Lines break at the arrows; then numbers are short; then the MACs and the parameters are left out.
_NARROWER = (
    _Layout(18),
    _Layout(16, short=True),
    _Layout(14, short=True, columns=6),
    _Layout(14, short=True, columns=6, name=26),
    _Layout(14, short=True, columns=5, name=17),
)
_TOTALS = ("", "A", "B", "difference")
_TENSORS = ("tensor", "A", "B", "")
_SETTINGS = ("setting", "in A", "in B")
_NUMBERS = {"params", "MACs", "A", "B", "difference"}


def counted(changes: NetworkChanges) -> str:
    """Return the number of layers that have no line in the table."""
    reshaped = sum(change.kind == "reshaped" for change in changes.layers)
    but = f" · {layer_count(reshaped)} with other shapes only" if reshaped else ""
    return f"{layer_count(changes.same)} the same{but}"


def totals(changes: NetworkChanges) -> list[tuple[str, ...]]:
    """Return the rows for inputs, outputs and totals: before, after, and the difference."""
    a, b = changes.before, changes.after
    found: list[tuple[str, ...]] = []
    for name, old, new in (
        ("input", _tensors(a.config.inputs), _tensors(b.config.inputs)),
        ("output", _tensors(a.outputs), _tensors(b.outputs)),
    ):
        found += [(name, old, new, "")] if old != new else []
    found += [("output", "", "", "from other layers")] if changes.rewired else []
    for name, (before, after) in _totals(changes).items():
        percent = f" ({signed(100 * (after - before) / before, '.1f')}%)" if before else ""
        difference = signed(after - before) + percent if before != after else "none"
        called = name.replace("macs", "MACs")
        found.append((called, f"{before:,}", f"{after:,}", difference))
    return found


def mismatches(changes: NetworkChanges) -> list[tuple[str, ...]]:
    """Return the tensors that would not load, except renamed ones. A block is one row."""
    whole = whole_blocks(changes, {**blocks_of(changes.before), **blocks_of(changes.after)})
    moved = {*changes.renamed, *changes.renamed.values()}
    found: dict[tuple[str, str], list[tuple[Shape | None, Shape | None]]] = {}
    for name, before, after in changes.checkpoint.differences:
        kind = "added" if before is None else "removed" if after is None else "changed"
        if kind == "changed" or name not in moved:
            block = outermost(name, whole.get(kind, set()))
            found.setdefault((f"{block}.*" if block else name, kind), []).append((before, after))
    return [
        (name, _amount([a for a, _ in both]), _amount([b for _, b in both]), _NOTES[kind])
        for (name, kind), both in found.items()
    ]


def moves(changes: NetworkChanges) -> list[tuple[str, str, str]]:
    """Return renamed tensors: the old name, the new name, and a warning.

    If all tensors of a layer are renamed, they share one row.
    """
    a, b, found = changes.before.tensors, changes.after.tensors, []
    for stems, group in groupby(changes.renamed.items(), lambda names: stems_of(*names)):
        names = list(group)
        whole = 1 < len(names) == sum(is_within(name, stems[0]) for name in a)
        for old, new in [stems] if whole else names:
            taken = any(a[n] == b.get(n) for n, _ in names if is_within(n, old))
            note = ", but would load into another layer" if taken else ""
            star = ".*" if whole else ""
            found.append((old + star, new + star, note))
    return found


def verdict(changes: NetworkChanges) -> str:
    """Return the sentence on how many tensors of a checkpoint would load."""
    if not changes.checkpoint.differences:
        return "A checkpoint of A would load into B completely."
    before, after = len(changes.before.tensors), len(changes.after.tensors)
    fitting = f"{len(changes.checkpoint.fitting):,} of the {before:,} tensors"
    return f"{fitting} in a checkpoint of A would load into B, which has {after:,}."


def same(changes: NetworkChanges) -> str:
    """Return the sentence for equal networks."""
    graph = changes.after
    said = f"The networks are the same: {layer_count(len(graph.rows))}, {graph.params:,} params."
    return f"{said} {others(changes)}".rstrip()


def others(changes: NetworkChanges) -> str:
    """Return the sentence on differing sections outside the network."""
    return f"Sections that differ: {', '.join(changes.sections)}." if changes.sections else ""


def table(changes: NetworkChanges, console: Console) -> RenderableType:
    """Return the report for a terminal. In a narrow one, lines break at the arrows."""
    settings = [_settings(changes, console.width)] if changes.settings else []
    if changes.is_same_network:
        return Group(Text(fill(same(changes), console.width)), *settings)
    layers, room = _layer_table(changes), console.options.update(max_width=10_000)
    for shape in _NARROWER:
        if console.measure(layers, options=room).maximum <= console.width:
            break
        layers = _layer_table(changes, shape)
    sums, tensors = _sums(changes), _table(_TENSORS)
    if console.measure(sums, options=room).maximum > console.width:
        sums = _sums(changes, ",\n")
    for name, *cells in mismatches(changes):
        tensors.add_row(_at_dots(name, max(console.width - 40, 24)), *cells)
    parts: list[RenderableType] = [Text(_title(changes), "bold")]
    parts += [layers] if layers.row_count else [""]
    parts += [
        Text(fill(f"{counted(changes)}. {others(changes)}".rstrip(". "), console.width)),
        sums,
        Text(fill(verdict(changes), console.width)),
    ]
    parts += [tensors] if tensors.row_count else []
    moved = (Text(f"{a} is now {b}{note}") for a, b, note in moves(changes))
    return Group(*parts, *moved, *settings)


def _settings(changes: NetworkChanges, width: int) -> Table:
    """Return the table of the values that differ outside the network. Long values are folded."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    path = min(max(len(change.path) for change in changes.settings), max(width // 3, 17))
    for header, room in zip(_SETTINGS, (path, *[(width - path - 7) // 2] * 2), strict=True):
        made.add_column(header, overflow="fold", max_width=max(room, 8))
    for row in changes.settings:
        made.add_row(_at_dots(row.path, path), Text(row.before), Text(row.after))
    return made


def _sums(changes: NetworkChanges, comma: str = ", ") -> Table:
    """Return the table of inputs, outputs and totals."""
    made = _table(_TOTALS)
    for name, *cells in totals(changes):
        shapes = name in {"input", "output"}
        made.add_row(name, *(cell.replace(", ", comma) if shapes else cell for cell in cells))
    return made


def _layer_table(changes: NetworkChanges, shape: _Layout = _WIDEST) -> Table:
    """Return the table of the changed layers."""
    made = _table(_LAYERS[: shape.columns])
    for line in lines(changes):
        sign, name, type_, _, output, *numbers = line.cells(short=shape.short)
        name, type_, output = (cell.replace(" → ", shape.arrow) for cell in (name, type_, output))
        name = "\n".join(_at_dots(part, shape.name) for part in name.split("\n"))
        what = Text(_wrapped([*line.written, *line.derived], shape.changed))
        what.highlight_words(line.derived, "dim")
        colour = _COLOURS[line.kind]
        cells: list[Text | str] = [
            Text(sign, colour),
            Text(name, colour),
            type_,
            what,
            output,
            *numbers,
        ]
        made.add_row(*cells[: shape.columns])
    return made


def _piped(changes: NetworkChanges) -> list[tuple[str, ...]]:
    """Return the values that differ, for cells of Markdown: a bar would end a cell."""
    return [tuple(cell.replace("|", "\\|") for cell in change) for change in changes.settings]


def markdown(changes: NetworkChanges) -> str:
    """Return the report as Markdown, for a comment on a pull request."""
    if changes.is_same_network:
        parts = [same(changes), _markdown(_SETTINGS, _piped(changes), coded=(0, 1, 2))]
        return "\n\n".join(part for part in parts if part)
    parts = [
        f"**{_title(changes)}**",
        _markdown(_LAYERS, (line.cells() for line in lines(changes)), coded=(1, 3)),
        f"{counted(changes)}. {others(changes)}".rstrip(". "),
        _markdown(_TOTALS, totals(changes)),
        verdict(changes),
        _markdown(_TENSORS, mismatches(changes), coded=(0,)),
        "\n".join(f"- `{a}` is now `{b}`{note}" for a, b, note in moves(changes)),
        _markdown(_SETTINGS, _piped(changes), coded=(0, 1, 2)),
    ]
    return "\n\n".join(part for part in parts if part)


def as_json(changes: NetworkChanges, more: Mapping[str, Any] | None = None) -> str:
    """Return the changes as the JSON object that other programs read, with `more` of its fields."""
    document = {
        "a": changes.before.config.document.name,
        "b": changes.after.config.document.name,
        "layers": [_as_dict(change) for change in changes.layers],
        "same": changes.same,
        "sections": changes.sections,
        "settings": [
            {"path": one.path, "a": one.before or None, "b": one.after or None}
            for one in changes.settings
        ],
        "totals": _totals(changes),
        "checkpoint": {
            "fits": len(changes.checkpoint.fitting),
            "differences": [
                {"name": name, "a": before, "b": after}
                for name, before, after in changes.checkpoint.differences
            ],
            "renamed": changes.renamed,
        },
    }
    document |= more or {}
    return of_json(json.dumps(document, indent=2, ensure_ascii=False))


def _as_dict(change: LayerChange) -> dict[str, Any]:
    rows = (change.before, change.after)
    return {
        "change": change.kind,
        "before": change.before and change.before.path,
        "after": change.after and change.after.path,
        "type": [row and row.type for row in rows],
        "arguments": {**change.written, **change.derived},
        "inputs": change.inputs and [[value_name(v) for v in side] for side in change.inputs],
        "outputs": [row and {name: y.shape for name, y in row.outputs.items()} for row in rows],
        "params": change.params,
        "macs": change.macs,
    }


def _totals(changes: NetworkChanges) -> dict[str, tuple[int, int]]:
    a, b = changes.before, changes.after
    return {
        "layers": (len(a.rows), len(b.rows)),
        "params": (a.params, b.params),
        "macs": (a.macs, b.macs),
    }


def _tensors(tensors: Mapping[str, Tensor | None]) -> str:
    """Return shapes: with names if there are several, and with each dtype except float32."""
    said = {
        name: times(x.shape) + ("" if x.dtype == "float32" else f" {x.dtype}")
        for name, x in tensors.items()
        if x
    }
    named = [f"{name} {x}" for name, x in said.items()]
    return ", ".join(named if len(said) > 1 else said.values())


def _amount(shapes: Sequence[Shape | None]) -> str:
    """Return the shape of a single tensor, or the number of several."""
    there = [times(shape) for shape in shapes if shape is not None]
    return "–" if not there else there[0] if len(there) == 1 else f"{len(there)} tensors"


def _title(changes: NetworkChanges) -> str:
    return arrow(changes.before.config.document.name, changes.after.config.document.name)


def _wrapped(arguments: Sequence[str], width: int) -> str:
    """Return arguments in lines. A line breaks between two arguments, or before a long value."""

    def held(text: str) -> str:
        return text.replace(" ", "\N{NO-BREAK SPACE}") if len(text) < width else text

    def one(argument: str) -> str:
        return " ".join(map(held, held(argument).split(" ", 1)))

    found = wrap(
        ", ".join(map(one, arguments)), width, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(found).replace("\N{NO-BREAK SPACE}", " ")


def _at_dots(name: str, width: int) -> str:
    """Return a name in lines, which break at its dots."""
    if len(name) <= width:
        return name
    lines = [""]
    for part in re.split(r"(?=\.)", name):
        if lines[-1].strip() and len(lines[-1]) + len(part) > width:
            lines.append("  ")
        lines[-1] += part
    return "\n".join(lines)


def _table(headers: Sequence[str]) -> Table:
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for header in headers:
        justify: JustifyMethod = "right" if header in _NUMBERS else "left"
        made.add_column(header, justify=justify, no_wrap=True)  # lines are broken here, not by rich
    return made


def _markdown(
    headers: Sequence[str], rows: Iterable[Sequence[str]], coded: Sequence[int] = ()
) -> str:
    """Return a Markdown table, or "" without rows. `coded` columns are set as code."""
    body = [
        [f"`{cell}`" if cell and column in coded else cell for column, cell in enumerate(row)]
        for row in rows
    ]
    rule = ["---:" if header in _NUMBERS else "---" for header in headers]
    table = [f"| {' | '.join(row)} |" for row in [headers, rule, *body]]
    return "\n".join(table) if body else ""
