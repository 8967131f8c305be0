"""A small chart of lines as SVG, without a script: for a notebook, or a page that is printed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from netbuild.reports.page import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: The room for numbers on the left, for the title above and for numbers of the x axis below.
_LEFT, _TOP, _RIGHT, _BELOW = 52, 10, 12, 24
#: The height of a line of text, and the width of a character of it, for the legend.
_TEXT, _CHARACTER = 16, 6.6
#: The colours where no page defines them: those of `page.css`.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#4b4b4b")
#: The most points of a line. A chart is some hundred pixels wide.
MOST_POINTS = 400
#: From this ratio of the largest to the smallest value on, a logarithmic axis shows more.
_WIDE = 50


class Line(NamedTuple):
    """A line of a chart: its name, its points, and how it is drawn.

    A value that is None, or not finite, leaves a gap. `series` is the number of a colour, from 0;
    None gives each line the next one.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    dashed: bool = False
    series: int | None = None


def lines(
    given: Sequence[Line],
    *,
    title: str = "",
    width: int = 440,
    height: int = 240,
    log: bool | None = None,
    most: int = MOST_POINTS,
    legend: bool = True,
) -> str:
    """Return a chart of lines as the text of an SVG element; "" without a finite value.

    Args:
        given: the lines, which share both axes.
        title: a text above the chart.
        width: the width in pixels. The element shrinks with its place.
        height: the height in pixels, without the legend.
        log: whether the axis of the values is logarithmic; None lets the values decide.
        most: the most points of a line.
        legend: whether the names of several lines stand below the chart.
    """
    every = [point for line in given for point in _finite(line)]
    if not (values := [y for _, y in every]):
        return ""
    logarithmic = min(values) > 0 and (log if log is not None else suits_log(values))
    low, high = _bounds(values, log=logarithmic)
    left, right = min(x for x, _ in every), max(x for x, _ in every)
    top = _TOP + (_TEXT + 4 if title else 0)
    inner, tall = width - _LEFT - _RIGHT, height - top - _BELOW

    def across(x: float) -> float:
        return _LEFT + inner * ((x - left) / (right - left) if right > left else 0.5)

    def down(y: float) -> float:
        share = math.log(y / low, high / low) if logarithmic else (y - low) / (high - low)
        return top + tall * (1 - share)

    parts = [f'<text x="{_LEFT}" y="{_TOP + 8}" class="t">{escaped(title)}</text>'] if title else []
    for y in ticks(low, high, log=logarithmic):
        parts += _across(round(down(y), 1), width, y)
    parts += [text for x in ticks(left, right, most=6) for text in _below(across(x), height, x)]
    for number, line in enumerate(given):
        parts.append(_drawn(line, _colour(line, number), (across, down), most))
    names, more = _legend(given, width, height) if legend else ("", 0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lines" width="{width}" '
        f'height="{height + more}" viewBox="0 0 {width} {height + more}" '
        f'role="img" aria-label="{escaped(title or _joined(given))}" '
        f'style="max-width:100%;height:auto">{_STYLE}{"".join(parts)}{names}</svg>'
    )


#: A style inside an SVG element holds for the whole page, so it names the class of the chart.
_STYLE = (
    "<style>.lines text{font:11px var(--sans,system-ui,sans-serif);fill:var(--ink,currentColor)}"
    ".lines .t{font-size:12px;font-weight:600}.lines .n{text-anchor:end}"
    ".lines .m{text-anchor:middle}.lines .g{stroke:var(--line,#8884)}"
    ".lines .l{fill:none;stroke-width:1.75}</style>"
)


def _joined(given: Sequence[Line]) -> str:
    return ", ".join(line.name for line in given)


def _across(at: float, width: int, value: float) -> list[str]:
    """Return a line across the chart, with its value on the left."""
    return [
        f'<line x1="{_LEFT}" x2="{width - _RIGHT}" y1="{at}" y2="{at}" class="g"/>',
        f'<text x="{_LEFT - 6}" y="{at + 4}" class="n">{tick_text(value)}</text>',
    ]


def _below(at: float, height: int, value: float) -> list[str]:
    """Return the text below a whole number of the x axis; nothing for another one."""
    if value != int(value):  # epochs are whole
        return []
    return [f'<text x="{at:.1f}" y="{height - 8}" class="m">{tick_text(value)}</text>']


def _finite(line: Line) -> list[tuple[float, float]]:
    pairs = zip(line.x, line.y, strict=True)
    return [(x, y) for x, y in pairs if y is not None and math.isfinite(y)]


def _colour(line: Line, number: int) -> str:
    number = (number if line.series is None else line.series) % len(_COLOURS)
    return f"var(--series-{number + 1},{_COLOURS[number]})"


def _drawn(
    line: Line,
    colour: str,
    places: tuple[Callable[[float], float], Callable[[float], float]],
    most: int,
) -> str:
    """Return the path of a line, and a dot for a line of one point."""
    (across, down), finite = places, _finite(line)
    dash = ' stroke-dasharray="5 3"' if line.dashed else ""
    if len(finite) == 1:
        x, only = finite[0]
        return f'<circle cx="{across(x):.1f}" cy="{down(only):.1f}" r="3" fill="{colour}"/>'
    path, pen = [], "M"
    for x, y in thinned(line.x, line.y, most):
        if y is None or not math.isfinite(y):
            pen = "M"
            continue
        path.append(f"{pen}{across(x):.1f} {down(y):.1f}")
        pen = "L"
    return f'<path d="{"".join(path)}" class="l" stroke="{colour}"{dash}/>'


def _legend(given: Sequence[Line], width: int, height: int) -> tuple[str, int]:
    """Return the legend below the chart, and its height. A single line needs none."""
    if len(given) < 2:
        return "", 0
    parts, x, y = [], _LEFT, height + 8
    for number, line in enumerate(given):
        room = 26 + round(_CHARACTER * len(line.name)) + 12
        if x > _LEFT and x + room > width:
            x, y = _LEFT, y + _TEXT
        dash = ' stroke-dasharray="5 3"' if line.dashed else ""
        colour = _colour(line, number)
        parts.append(
            f'<line x1="{x}" x2="{x + 20}" y1="{y}" y2="{y}" class="l" stroke="{colour}"{dash}/>'
            f'<text x="{x + 26}" y="{y + 4}">{escaped(line.name)}</text>'
        )
        x += room
    return "".join(parts), y - height + 10


def suits_log(values: Sequence[float]) -> bool:
    """Whether a logarithmic axis shows more: values are positive, and of very different sizes."""
    return min(values) > 0 and max(values) > _WIDE * min(values)


def _bounds(values: Sequence[float], *, log: bool) -> tuple[float, float]:
    """Return the ends of the axis of the values: some room around them."""
    low, high = min(values), max(values)
    if log:
        return low / 1.1, high * 1.1
    room = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
    if not math.isfinite(room):  # the values reach to the ends of the floats
        return low / 2, high / 2
    floor = 0.0 if low >= 0 and low - room < 0 else low - room
    return floor, high + room


def ticks(low: float, high: float, *, log: bool = False, most: int = 5) -> Iterator[float]:
    """Yield round values between two values: at most about `most`."""
    if log:
        first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
        if last - first >= 1:
            every = max(1, -(-(last - first) // most))
            yield from (10.0**power for power in range(first, last + 1, every))
            return
    if not high > low:
        yield low
        return
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= raw * 0.999)
    number = math.ceil(low / step - 1e-9)
    while number * step <= high * (1 + 1e-12) + 1e-300:
        yield number * step
        number += 1


def tick_text(value: float) -> str:
    """Return the text of a tick: the shortest of a round number."""
    if abs(value) < 1e-12:
        return "0"
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:.4g}"


def thinned(
    x: Sequence[float], y: Sequence[float | None], most: int = MOST_POINTS
) -> list[tuple[float, float | None]]:
    """Return at most about `most` points of a line.

    Of each group of neighbours, the least and the greatest value stay, so no peak is lost, and a
    gap stays a gap. The last point stays too.
    """
    points = list(zip(x, y, strict=True))
    if len(points) <= most:
        return points
    size = -(-2 * len(points) // most)
    found: list[tuple[float, float | None]] = []
    for start in range(0, len(points), size):
        group = points[start : start + size]
        known = [p for p in group if p[1] is not None and math.isfinite(p[1])]
        gap = next((p for p in group if p not in known), None) if len(known) < len(group) else None
        ends = {min(known, key=_value), max(known, key=_value)} if known else set()
        found += sorted({*ends, *([gap] if gap else [])}, key=lambda point: point[0])
    if found[-1] != points[-1]:
        found.append(points[-1])
    return found


def _value(point: tuple[float, float | None]) -> float:
    assert point[1] is not None
    return point[1]
