"""A picture as the text of an SVG: one file, with colours of its own and texts that can be selected."""

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
from netbuild.reports.summary import short_number

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph
    from netbuild.reports.drawing.boxes import Bar, Box, Text
    from netbuild.reports.drawing.parts import Drawn, Part
    from netbuild.reports.drawing.picture import Picture, Placed, Tag

#: The room around the picture, below its title, and of its legend.
MARGIN, TITLE, LEGEND = 24.0, 66.0, 44.0


def render(picture: Picture, drawn: Drawn, theme: Theme) -> str:
    """Return the picture of a network as SVG."""
    kinds = kinds_of(picture)
    wide, legend, legend_height = _frame(picture, drawn, kinds)
    tall = picture.height + TITLE + legend_height + 2 * MARGIN
    left = (wide - picture.width) / 2
    size = f'width="{wide:.0f}" height="{tall:.0f}" viewBox="0 0 {wide:.0f} {tall:.0f}"'
    label = escaped(one_line(f"{drawn.graph.config.name}: {_subtitle(drawn.graph)}"))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="netbuild" {size} role="img" '
        f'aria-label="{label}">',
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
    for route in picture.routes:
        name, tip = ("skip", "tip far") if route.skips else ("edge", "tip")
        parts.append(f'<path class="{name}" d="{path(route)}"/>')
        if not route.goes_on:
            parts.append(f'<path class="{tip}" d="{arrow(route)}"/>')
    parts += [_tag(tag) for tag in picture.tags]
    return parts


def kinds_of(picture: Picture) -> list[str]:
    """Return the kinds that a picture shows, in the order of the legend."""
    found = {one.part.kind for one in picture.boxes}
    return [kind for kind in KINDS if kind in found]


def heading(drawn: Drawn) -> list[str]:
    """Return the title: the name of the network, its shapes and its numbers, and its fault."""
    graph = drawn.graph
    parts = [
        f'<text class="heading" x="{MARGIN:g}" y="{MARGIN + 18:g}">{_t(graph.config.name)}</text>',
        f'<text class="detail" x="{MARGIN:g}" y="{MARGIN + 38:g}">{_t(_subtitle(graph))}</text>',
    ]
    if said := _faults(drawn):
        parts.append(f'<text class="detail bad" x="{MARGIN:g}" y="{MARGIN + 55:g}">{_t(said)}</text>')
    return parts


def _subtitle(graph: Graph) -> str:
    from netbuild.reports.summary import title

    shapes = title(graph).removeprefix(f"{graph.config.name}: ")
    return f"{shapes}  ·  {short_number(graph.params) or '0'} params  ·  {short_number(graph.macs) or '0'} MACs"


def _faults(drawn: Drawn) -> str:
    found = errors(drawn.graph.diagnostics)
    if not found:
        return ""
    stop = stop_of(drawn.graph)
    first = stop.fault if stop else found[0]
    said = f"{first.code}, line {first.span.line}: {first.title}"
    more = len(found) - 1
    return said + (f", and {more} more fault{'s' if more > 1 else ''}" if more else "")


def _frame(picture: Picture, drawn: Drawn, kinds: list[str]) -> tuple[float, list[str], float]:
    """Return the width of the drawing, its legend, and the height of that."""
    title = max(
        widest(one_line(drawn.graph.config.name), "heading"),
        widest(_subtitle(drawn.graph), "detail"),
        widest(_faults(drawn), "detail"),
    )
    wide = max(picture.width, title, 300.0) + 2 * MARGIN
    parts, x, y = [], MARGIN, 38.0
    for kind in (kind for kind in kinds if kind not in {"input", "output"}):
        name = KINDS[kind]
        room = 20 + widest(name, "legend")
        if x + room > wide - MARGIN and x > MARGIN:
            x, y = MARGIN, y + 22
        parts.append(
            f'<g class="{kind}" transform="translate({_n(x)} {_n(y - 12)})">{_tile(kind, 15, 15, 3)}</g>'
            f'<text class="legend" x="{_n(x + 20)}" y="{_n(y)}">{name}</text>'
        )
        x += room + 18
    said = "bars: share of all params, and of all MACs"
    if x + widest(said, "legend") > wide - MARGIN and x > MARGIN:
        x, y = MARGIN, y + 22
    parts.append(f'<text class="legend" x="{_n(x)}" y="{_n(y)}">{said}</text>')
    return wide, parts, y + 6


def _placed(one: Placed, drawn: Drawn) -> str:
    part, spot = one.part, one.spot
    parts = [f'<g class="{part.kind}" transform="translate({_n(spot.x)} {_n(spot.y)})">']
    parts.append(f"<title>{_t(tooltip(part, drawn), lines=True)}</title>")
    for off in (6, 3) if part.count > 1 else ():
        parts.append(f'<rect class="sheet" x="{off}" y="{off}" width="{_n(spot.width)}" height="{_n(spot.height)}" rx="6"/>')
    shared = " shared" if part.reuses else ""
    if one.is_open:
        parts.append(f'<rect class="group" width="{_n(spot.width)}" height="{_n(spot.height)}" rx="8"/>')
    height = HEADER if one.is_open else spot.height
    parts.append(f'<rect class="box{shared}" width="{_n(spot.width)}" height="{_n(height)}" rx="6"/>')
    parts += inside(one.box, part, height, is_open=one.is_open)
    parts.append("</g>")
    return "".join(parts)


def inside(box: Box, part: Part, height: float, *, is_open: bool) -> list[str]:
    """Return the tile, the texts and the bars of a box."""
    parts = [_tile(part.kind, TILE, height, 6)]
    if part.count > 1 and not is_open:
        x = box.width - COUNT
        parts.append(f'<path class="track" d="M{_n(x)} 6V{_n(height - 6)}h1V6Z"/>')
    parts += [_text(text) for text in box.texts]
    parts += [_bar(bar) for bar in box.bars]
    return parts


def _tile(kind: str, width: float, height: float, radius: int) -> str:
    """Return the mark of a kind on its colour, round at the left."""
    scale = 1 if width > 16 else 0.8
    at = (width - 16 * scale) / 2, (height - 16 * scale) / 2
    r = f"{radius}"
    right = f"H{_n(width)}V{_n(height)}" if width > 16 else f"H{_n(width - radius)}a{r} {r} 0 0 1 {r} {r}V{_n(height - radius)}a{r} {r} 0 0 1 -{r} {r}"
    shape = f"M{r} 0{right}H{r}a{r} {r} 0 0 1 -{r} -{r}V{r}a{r} {r} 0 0 1 {r} -{r}Z"
    move = f"translate({_n(at[0])} {_n(at[1])})" + (f" scale({scale})" if scale != 1 else "")
    return f'<path class="tile" d="{shape}"/><path class="mark" transform="{move}" d="{MARKS[kind]}"/>'


def _text(text: Text) -> str:
    end = ' text-anchor="end"' if text.end else ""
    return f'<text class="{text.style}" x="{_n(text.x)}" y="{_n(text.y)}"{end}>{_t(text.text)}</text>'


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
