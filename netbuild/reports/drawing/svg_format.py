"""A picture as the text of an SVG: one file, with its own colours, and texts to select."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import errors
from netbuild.diagnostics.escapes import one_line, visible
from netbuild.reports.drawing.boxes import COUNT, HEADER, TILE, widest
from netbuild.reports.drawing.colours import MARKS, Theme, styles
from netbuild.reports.drawing.faults import stop_of
from netbuild.reports.drawing.kinds import KINDS
from netbuild.reports.drawing.labels import tooltip
from netbuild.reports.drawing.routes import arrow, path
from netbuild.reports.page import escaped
from netbuild.reports.summary import short_number, title

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph
    from netbuild.reports.drawing.boxes import Bar, Box, Text
    from netbuild.reports.drawing.picture import Picture, Placed, Tag
    from netbuild.reports.drawing.placing import Route
    from netbuild.reports.drawing.structure import Drawn, Part

#: The room around the picture, and that of its title.
MARGIN, TITLE = 24.0, 66.0


def render(picture: Picture, drawn: Drawn, theme: Theme) -> str:
    """Return the picture of a network as SVG."""
    kinds = kinds_of(picture)
    wide = max(picture.width, _title_width(drawn), 300.0) + 2 * MARGIN
    legend, legend_height = legend_of(kinds, wide)
    tall = picture.height + TITLE + legend_height + 2 * MARGIN
    left = (wide - picture.width) / 2
    size = f'width="{wide:.0f}" height="{tall:.0f}" viewBox="0 0 {wide:.0f} {tall:.0f}"'
    label = escaped(one_line(f"{drawn.graph.config.name}: {subtitle(drawn.graph)}"))
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="netbuild" {size} role="img" '
            'style="max-width:100%;height:auto" '
            f'aria-label="{label}">'
        ),
        f"<style>{styles(theme, sorted({*kinds, 'stack'}))}</style>",
        f'<rect class="paper" width="{wide:.0f}" height="{tall:.0f}"/>',
        *heading(drawn),
        f'<g transform="translate({_n(left)} {_n(MARGIN + TITLE)})">',
        *content(picture, drawn),
        "</g>",
        *(f'<g transform="translate(0 {_n(tall - MARGIN - legend_height)})">', *legend, "</g>"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def content(picture: Picture, drawn: Drawn) -> list[str]:
    """Return the boxes, the lines and the labels."""
    parts = [_placed(one, drawn) for one in picture.boxes]
    parts += [_line(route) for route in picture.routes]
    parts += [_tag(tag) for tag in picture.tags]
    return parts


def _line(route: Route) -> str:
    name, tip = ("skip", "tip far") if route.skips else ("edge", "tip")
    line = f'<path class="{name}" d="{path(route)}"/>'
    return line if route.goes_on else f'{line}<path class="{tip}" d="{arrow(route)}"/>'


def kinds_of(picture: Picture) -> list[str]:
    """Return the kinds that a picture shows, in the order of the legend."""
    found = {one.part.kind for one in picture.boxes}
    return [kind for kind in KINDS if kind in found]


def heading(drawn: Drawn) -> list[str]:
    """Return the title: the name of the network, its shapes and its numbers, and its fault."""
    graph = drawn.graph
    parts = [
        f'<text class="heading" x="{MARGIN:g}" y="{MARGIN + 18:g}">{_t(graph.config.name)}</text>',
        f'<text class="detail" x="{MARGIN:g}" y="{MARGIN + 38:g}">{_t(subtitle(graph))}</text>',
    ]
    if said := faults(drawn):
        parts.append(
            f'<text class="detail bad" x="{MARGIN:g}" y="{MARGIN + 55:g}">{_t(said)}</text>'
        )
    return parts


def subtitle(graph: Graph) -> str:
    """Return the shapes of a network and its numbers."""
    shapes = title(graph).removeprefix(f"{graph.config.name}: ")
    params, macs = (short_number(count) or "0" for count in (graph.params, graph.macs))
    return f"{shapes}  ·  {params} params  ·  {macs} MACs"


def faults(drawn: Drawn) -> str:
    """Return the fault at which a network ends, with its place; empty for a right network."""
    found = errors(drawn.graph.diagnostics)
    if not found:
        return ""
    stop = stop_of(drawn.graph)
    first = stop.fault if stop else found[0]
    said = f"{first.code}, line {first.span.line}: {first.title}"
    more = len(found) - 1
    return said + (f", and {more} more fault{'s' if more > 1 else ''}" if more else "")


def _title_width(drawn: Drawn) -> float:
    return max(
        widest(one_line(drawn.graph.config.name), "heading"),
        widest(subtitle(drawn.graph), "detail"),
        widest(faults(drawn), "detail"),
    )


def legend_of(kinds: list[str], wide: float) -> tuple[list[str], float]:
    """Return the legend of some kinds in rows of a width, and its height."""
    said = "bars: share of all params, and of all MACs"
    parts: list[str] = []
    x, y = MARGIN, 38.0
    for kind in (*(kind for kind in kinds if kind not in {"input", "output"}), None):
        mark = 20.0 if kind else 0.0
        name = KINDS[kind] if kind else said
        room = mark + widest(name, "legend")
        if x + room > wide - MARGIN and x > MARGIN:
            x, y = MARGIN, y + 22
        if kind:
            place = f"translate({_n(x)} {_n(y - 12)})"
            parts.append(f'<g class="{kind}" transform="{place}">{_chip(kind)}</g>')
        parts.append(f'<text class="legend" x="{_n(x + mark)}" y="{_n(y)}">{name}</text>')
        x += room + 18
    return parts, y + 6


def _placed(one: Placed, drawn: Drawn) -> str:
    part, spot = one.part, one.spot
    place = f"translate({_n(spot.x)} {_n(spot.y)})"
    size = f'width="{_n(spot.width)}" height="{_n(spot.height)}"'
    parts = [f'<g class="{part.kind}" transform="{place}">', hint(part, drawn)]
    if part.repeats > 1:
        parts += [f'<rect class="sheet" x="{off}" y="{off}" {size} rx="6"/>' for off in (6, 3)]
    if one.is_open:
        parts.append(f'<rect class="group" {size} rx="8"/>')
    height = HEADER if one.is_open else spot.height
    shared = " shared" if part.reuses else ""
    size = f'width="{_n(spot.width)}" height="{_n(height)}"'
    parts.append(f'<rect class="box{shared}" {size} rx="6"/>')
    parts += [*inside(one.box, part, height, is_open=one.is_open), "</g>"]
    return "".join(parts)


def hint(part: Part, drawn: Drawn) -> str:
    """Return what a browser shows while the mouse is on a box."""
    return f"<title>{_t(tooltip(part, drawn), lines=True)}</title>"


def inside(box: Box, part: Part, height: float, *, is_open: bool) -> list[str]:
    """Return the tile, the texts and the bars of a box."""
    parts = [_tile(part.kind, height)]
    if part.repeats > 1 and not is_open:
        x = box.width - COUNT
        parts.append(f'<path class="track" d="M{_n(x)} 6V{_n(height - 6)}h1V6Z"/>')
    parts += [_text(text) for text in box.texts]
    parts += [_bar(bar) for bar in box.bars]
    return parts


def _tile(kind: str, height: float) -> str:
    """Return the mark of a kind on its colour, round at the left side of a box."""
    shape = f"M6 0H{TILE:g}V{_n(height)}H6a6 6 0 0 1 -6 -6V6a6 6 0 0 1 6 -6Z"
    place = f"translate({(TILE - 16) / 2:g} {_n((height - 16) / 2)})"
    mark = f'<path class="mark" transform="{place}" d="{MARKS[kind]}"/>'
    return f'<path class="tile" d="{shape}"/>{mark}'


def _chip(kind: str) -> str:
    """Return the mark of a kind on its colour, for the legend."""
    mark = f'<path class="mark" transform="translate(1.1 1.1) scale(0.8)" d="{MARKS[kind]}"/>'
    return f'<rect class="tile" width="15" height="15" rx="3"/>{mark}'


def _text(text: Text) -> str:
    end = ' text-anchor="end"' if text.end else ""
    return (
        f'<text class="{text.style}" x="{_n(text.x)}" y="{_n(text.y)}"{end}>{_t(text.text)}</text>'
    )


def _bar(bar: Bar) -> str:
    place = f'x="{_n(bar.x)}" y="{_n(bar.y)}" height="3" rx="1.5"'
    filled = max(bar.width * bar.share, 1.5)
    return (
        f'<rect class="track" {place} width="{_n(bar.width)}"/>'
        f'<rect class="{bar.what}" {place} width="{_n(filled)}"/>'
    )


def _tag(tag: Tag) -> str:
    text = f'<text class="wire" x="{_n(tag.x)}" y="{_n(tag.y)}">{_t(tag.text)}</text>'
    return f'<g class="in">{text}</g>' if tag.level else text


def _t(text: str, *, lines: bool = False) -> str:
    return escaped(visible(text) if lines else one_line(text))


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
