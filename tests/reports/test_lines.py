"""The small chart of lines as SVG."""

import math
import re
from xml.etree import ElementTree as ET

from netbuild.reports.page.lines import MOST_POINTS, Line, lines, thinned, ticks


def test_a_chart_is_well_formed() -> None:
    """A chart is XML; names are escaped, and all points lie inside of it."""
    text = lines([Line("<b>&", [1, 2, 3], [1.0, 0.5, 0.25]), Line("other", [1, 2], [2.0, 3.0])])
    svg = ET.fromstring(text)  # noqa: S314  it is our own
    assert "<b>" not in text
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", text):
        assert 0 <= float(x) <= width
        assert 0 <= float(y) <= height


def test_what_is_not_finite_is_a_gap() -> None:
    """A value that is missing or not finite interrupts a line. Without any, nothing is drawn."""
    text = lines([Line("a", range(1, 7), [1.0, 2.0, None, math.nan, 3.0, 4.0])])
    (path,) = re.findall(r' d="([^"]+)"', text)
    assert [c for c in path if c.isalpha()] == ["M", "L", "M", "L"]
    assert lines([Line("a", [1, 2], [math.inf, None])]) == ""
    assert lines([]) == ""
    assert "circle" in lines([Line("a", [1], [5.0])])


def test_ticks_are_round() -> None:
    """Ticks are 1, 2 or 5 times a power of ten; of a logarithmic axis, powers of ten."""
    assert [round(t, 3) for t in ticks(0.12, 0.97)] == [0.2, 0.4, 0.6, 0.8]
    assert list(ticks(0.001, 30, log=True)) == [0.001, 0.01, 0.1, 1, 10]
    assert list(ticks(5, 5)) == [5]


def test_a_long_line_keeps_its_peaks() -> None:
    """Of many points, the least and the greatest of each group stay, and the last."""
    y: list[float | None] = [math.sin(n / 50) for n in range(10_000)]
    y[5_003], y[7_777] = 9.0, None
    found = thinned(range(10_000), y)
    assert len(found) <= MOST_POINTS * 1.02
    assert (5_003, 9.0) in found
    assert (7_777, None) in found
    assert found[-1] == (9_999, y[-1])
    assert [x for x, _ in found] == sorted(x for x, _ in found)
    assert lines([Line("a", range(10_000), y)]).count("L") <= MOST_POINTS * 1.02
