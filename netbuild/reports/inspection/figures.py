"""The figures of a page: pictures, maps, bars and lines, each a piece of HTML."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from netbuild.components.tensor import times
from netbuild.reports.inspection import raster
from netbuild.reports.inspection.numbers import short
from netbuild.reports.page import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.reports.inspection.look import Values

#: The most bars of a figure, and the most lines of a series.
_BARS, _LINES = 24, 6
#: Whole numbers below this one at places of a picture are shown as classes.
_CLASSES = 32
#: The height and the width of a chart in pixels.
_HIGH, _WIDE = 120, 420


def figure(title: str, body: str, caption: str = "") -> str:
    """Return a figure with a title above and a caption below. Both are plain text."""
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure><h3>{escaped(title)}</h3>{body}{below}</figure>"


def image(pixels: Any, zoom: float | tuple[float, float], what: str, by: Any = None) -> str:
    """Return a picture, each of whose pixels is `zoom` pixels of the screen high and wide.

    Args:
        pixels: colours, or with a scale what `raster.coloured` gives.
        zoom: one number, or a number for the height and one for the width.
        what: what the picture shows.
        by: the scale of its colours.
    """
    height, width = pixels.shape[:2]
    tall, wide = zoom if isinstance(zoom, tuple) else (zoom, zoom)
    tall, wide = max(1, round(height * tall)), max(1, round(width * wide))
    alt = escaped(what)
    data = raster.png(pixels, None if by is None else raster.palette(by))
    size = f"width:{wide}px;aspect-ratio:{wide}/{tall}"
    return f'<img class="pixels" style="{size}" alt="{alt}" title="{alt}" src="{data}">'


def legend(by: raster.Scale) -> str:
    """Return the colours of a scale with the numbers at its ends."""
    ends = f"<span>{short(by.least)}</span>", f"<span>{short(by.largest)}</span>"
    bar = f'<span class="scale" style="background:{by.css}"></span>'
    return f'<span class="legend">{ends[0]}{bar}{ends[1]}</span>'


def zoom_for(sizes: Sequence[int], most: int) -> float:
    """Return the zoom with which a picture is at most `most` pixels wide and high."""
    zoom = most / max(sizes)
    return max(1, math.floor(zoom)) if zoom >= 1 else zoom


def maps(x: Any, what: str, tile: int = 72, columns: int = 8) -> tuple[str, str]:
    """Return maps, (channels, height, width), as tiles, and their legend. All have one scale."""
    by = raster.scale(x)
    made = raster.tiles([raster.coloured(one, by) for one in x], columns)
    return image(made, zoom_for(x.shape[1:], tile), what, by), legend(by)


def grid(x: Any, what: str, wide: int = 400, tall: int = 200) -> tuple[str, str]:
    """Return numbers, (positions, features), as one picture: features go down."""
    by = raster.scale(x)
    pixels = raster.coloured(x.T, by)
    zoom = (min(tall / pixels.shape[0], 16), min(wide / pixels.shape[1], 24))
    return image(pixels, zoom, what, by), legend(by)


def mask(x: Any, what: str, names: Sequence[str] | None = None) -> tuple[str, str]:
    """Return numbers of classes, (height, width), as a picture, and the colours of the classes."""
    swatches = []
    for number in np.unique(x).tolist()[:_BARS]:
        named = f" {names[number]}" if names and 0 <= number < len(names) else ""
        colour = f'<i style="background:{raster.class_colour(number)}"></i>'
        swatches.append(f"{colour}{number}{escaped(named)}")
    key = f'<span class="legend classes">{"".join(f"<span>{s}</span>" for s in swatches)}</span>'
    return image(raster.classes(x), zoom_for(x.shape, 280), what), key


def shown(name: str, x: Any) -> str:
    """Return an input or an output of any shape as a figure."""
    title = f"{name}, {times(x.shape) if x.shape else 'one number'}"
    whole = np.issubdtype(x.dtype, np.integer)
    if x.ndim == 3 and min(x.shape[1:]) > 1:
        if x.shape[0] in {1, 3, 4}:
            zoom = zoom_for(x.shape[1:], 280)
            return figure(title, image(raster.photograph(x), zoom, title), _range(x))
        return figure(title, *maps(x[:16].astype(float), title))
    if x.ndim == 2 and min(x.shape) > 1 and not _is_series(x):
        if whole and x.max(initial=0) < _CLASSES:
            return figure(title, *mask(x, title))
        return figure(title, *grid(x.astype(float), title))
    if whole or x.dtype == bool or x.size == 1:
        return figure(title, _listed(x))
    if x.size <= _BARS and not _is_series(x):
        return figure(title, bars([(str(n), float(v)) for n, v in enumerate(x.flatten())]))
    flat = x.reshape(len(x), -1) if x.ndim > 1 else x.reshape(-1, 1)
    return figure(title, lines(list(flat.T[:_LINES])), _range(x))


def _listed(x: Any) -> str:
    """Return numbers, or true and false, one by one."""
    said = [str(one).lower() if x.dtype == bool else short(float(one)) for one in x.flatten()[:64]]
    return f'<p class="number">{" ".join(said)}{" …" * (x.size > 64)}</p>'


def _is_series(x: Any) -> bool:
    """Whether it is a few numbers at each of many positions."""
    return bool(x.ndim == 2 and x.shape[0] >= 8 and x.shape[1] <= _LINES)


def _range(x: Any) -> str:
    return f"{short(float(np.nanmin(x)))} to {short(float(np.nanmax(x)))}"


def bars(values: Sequence[tuple[str, float]], *, share: bool = False) -> str:
    """Return a list of names with bars, from the least to the largest value around 0."""
    finite = [abs(v) for _, v in values if math.isfinite(v)]
    size = 1.0 if share else max([*finite, 1e-30])
    negative = any(v < 0 for _, v in values)
    rows = []
    for name, v in values:
        part = min(abs(v) / size, 1) * (50 if negative else 100) if math.isfinite(v) else 0
        left = (50 - part * (v < 0)) if negative else 0
        kind = "below" if v < 0 else "above"
        bar = f'<i class="{kind}" style="left:{left:.1f}%;width:{part:.1f}%"></i>'
        said = f"{100 * v:.1f} %" if share else short(v)
        rows.append(f"<span>{escaped(name)}</span><b>{bar}</b><span>{said}</span>")
    return f'<div class="bars">{"".join(rows)}</div>'


def lines(series: Sequence[Any]) -> str:
    """Return series as lines over their positions."""
    every = np.concatenate([np.asarray(s, float) for s in series])
    every = every[np.isfinite(every)]
    least, largest = (float(every.min()), float(every.max())) if every.size else (0.0, 1.0)
    span = (largest - least) or 1.0
    drawn = []
    for number, one in enumerate(series):
        step = _WIDE / max(len(one) - 1, 1)
        points = " ".join(
            f"{n * step:.1f},{_HIGH - (float(v) - least) / span * _HIGH:.1f}"
            for n, v in enumerate(one)
            if math.isfinite(float(v))
        )
        colour = f"var(--series-{number % 7 + 1})"
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
    box = f'viewBox="-2 -2 {_WIDE + 4} {_HIGH + 4}" width="{_WIDE}" height="{_HIGH}"'
    return f'<svg class="chart" {box} role="img" aria-label="a series">{"".join(drawn)}</svg>'


def histogram(of: Sequence[tuple[str, Values]], wide: int = 120, high: int = 26) -> str:
    """Return the histograms of one or two modes, one over the other, on one axis of values."""
    known = [(name, v) for name, v in of if v.counts]
    if not known:
        return ""
    least, largest = min(v.least for _, v in known), max(v.largest for _, v in known)
    span = (largest - least) or 1.0
    drawn = []
    for name, v in known:
        parts = len(v.counts)
        own = (v.largest - v.least) / span * wide
        start = (v.least - least) / span * wide
        density = [c / max(own, 1) for c in v.counts]
        top = max(density) or 1.0
        own = max(own, 1.5)
        points = [f"{start:.1f},{high}"]
        for n, d in enumerate(density):
            y = high - d / top * high
            points += [
                f"{start + n * own / parts:.1f},{y:.1f}",
                f"{start + (n + 1) * own / parts:.1f},{y:.1f}",
            ]
        points.append(f"{start + own:.1f},{high}")
        drawn.append(f'<polygon class="{name}" points="{" ".join(points)}"/>')
    zero = ""
    if least < 0 < largest:
        x = -least / span * wide
        zero = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{high}"/>'
    label = f"from {short(least)} to {short(largest)}"
    box = f'viewBox="0 0 {wide + 2} {high + 1}" width="{wide + 2}" height="{high + 1}"'
    named = f'role="img" aria-label="{label}"><title>{label}</title>'
    return f'<svg class="histogram" {box} {named}{"".join(drawn)}{zero}</svg>'
