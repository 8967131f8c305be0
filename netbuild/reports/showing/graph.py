"""A graph as one line, as the table of `netbuild summary`, and as a table of HTML that folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import errors
from netbuild.reports import drawing, summary
from netbuild.reports.page import escaped
from netbuild.reports.showing.fragment import folded, fragment, muted, title

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console, ConsoleOptions, RenderResult

    from netbuild.graph.graph import Graph
    from netbuild.reports.summary import SummaryLine

#: From so many layers on, the stacks of the table are closed.
_MOST_OPEN = 24
#: The widest name and the widest type, in characters.
_WIDEST = 34
_COLUMNS = 6


def line(graph: Graph) -> str:
    """Return what a graph is in one line."""
    layers = f"{len(graph.rows):,} layer{'s'[: len(graph.rows) != 1]}"
    faults = len(errors(graph.diagnostics))
    wrong = f", {faults} fault{'s'[: faults != 1]}" if faults else ""
    numbers = f"{graph.params:,} params, {graph.macs:,} MACs"
    return f"{summary.title(graph)}, {layers}, {numbers}{wrong}"


def text(graph: Graph) -> str:
    """Return the table of `netbuild summary`, as wide as it is."""
    return f"{next(summary.tables(graph)).text().plain}\n{summary.memory(graph)}"


class Table(NamedTuple):
    """The table of a graph for rich, in the width of its console."""

    graph: Graph

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        made = summary.widest_table(self.graph, None, options.max_width).text()
        made.no_wrap, made.overflow = True, "ignore"
        yield made
        yield Text(summary.memory(self.graph))


def html(graph: Graph) -> str:
    """Return the summary as HTML: stacks fold, and a bar shows each share of the parameters."""
    drawn = folded("the picture", f'<div class="drawing">{drawing.svg(graph, theme="auto")}</div>')
    pieces = [title(summary.title(graph)), _table(graph), muted(summary.memory(graph)), drawn]
    if graph.diagnostics:
        said = "\n".join(f"line {d.span.line}: {d.code} {d.message}" for d in graph.diagnostics)
        count = len(graph.diagnostics)
        label = f"{count} warning{'s'[: count != 1]} or fault{'s'[: count != 1]}"
        pieces.append(folded(label, muted(said)))
    return fragment(pieces)


def _table(graph: Graph) -> str:
    parts = {row.path: row.path.split(".") for row in graph.rows}
    deepest = max(map(len, parts.values()), default=1)
    # A line for each stack and each layer, by its path.
    known = {one.name: one for n in range(deepest) for one in summary.lines(graph, n + 1)}
    opened = len(graph.rows) <= _MOST_OPEN
    body = "".join(_body(graph, known, parts, opened=opened))
    cells = {path: (path.rpartition(".")[2], *one.cells()[1:]) for path, one in known.items()}
    every = [summary.HEADERS, ("total", "", "", f"{graph.params:,}", f"{graph.macs:,}", "")]
    widths = [
        max(len(row[column]) for row in (*every, *cells.values())) for column in range(_COLUMNS)
    ]
    levels = max((2 * path.count(".") + len(cells[path][0]) for path in known), default=0)
    widths[0] = max(widths[0], levels) + 3
    columns = " ".join(f"{min(width + 1, _WIDEST)}ch" for width in widths)
    head, total = (_row(row, kind=kind) for row, kind in zip(every, ("head", "total"), strict=True))
    return f'<div class="rows" style="--columns: {columns}">{head}{body}{total}</div>'


def _body(
    graph: Graph,
    known: Mapping[str, SummaryLine],
    parts: Mapping[str, list[str]],
    *,
    opened: bool,
) -> Iterator[str]:
    """Yield the rows, each stack around those inside it."""
    above: list[str] = []
    for row in graph.rows:
        *within, _ = parts[row.path]
        same = next((n for n, (a, b) in enumerate(zip(above, within)) if a != b), None)  # noqa: B905  of different depth
        same = min(len(above), len(within)) if same is None else same
        yield "</details>" * (len(above) - same)
        for level in range(same, len(within)):
            one = known[".".join(within[: level + 1])]
            share = one.params / (graph.params or 1)
            made = _row(one.cells(), level=level, share=share, tag="summary")
            yield f"<details{' open' if opened else ''}>{made}"
        above = within
        one = known[row.path]
        yield _row(one.cells(), level=len(within), share=one.params / (graph.params or 1))
    yield "</details>" * len(above)


def _row(
    cells: tuple[str, ...], *, level: int = 0, share: float = 0.0, kind: str = "", tag: str = "div"
) -> str:
    """Return a row. Its first cell is a path, of which the last part is shown."""
    name, *others = cells
    shown = [name.rpartition(".")[2], *others]
    spans = []
    for column, cell in enumerate(shown):
        style = f' style="--level: {level}"' if column == 0 else ""
        if column == 3 and cell and not kind:
            style = f' class="share" style="--share: {100 * share:.1f}%"'
        hint = f' title="{escaped(name if column == 0 else cell)}"' if column < 2 and cell else ""
        spans.append(f"<span{style}{hint}>{escaped(cell)}</span>")
    return f'<{tag} class="row{f" {kind}" if kind else ""}">{"".join(spans)}</{tag}>'
