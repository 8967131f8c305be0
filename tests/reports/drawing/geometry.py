"""What is wrong with the places in a picture: boxes, texts and lines in each other's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.reports.drawing.boxes import HEADER, TILE, widest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.reports.drawing.picture import Picture, Placed
    from netbuild.reports.drawing.placing import Point, Route, Spot

#: How much a place may be off, in pixels.
_OFF = 0.5
#: The points of a curve that are looked at.
_STEPS = 12


class Rect(NamedTuple):
    """A rectangle by its sides."""

    left: float
    top: float
    right: float
    bottom: float

    def smaller(self, by: float) -> Rect:
        """Return the rectangle without its border."""
        return Rect(self.left + by, self.top + by, self.right - by, self.bottom - by)

    def meets(self, other: Rect) -> bool:
        """Whether two rectangles have a place in common."""
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)

    def holds(self, other: Rect) -> bool:
        """Whether the other rectangle is inside."""
        across = self.left <= other.left + _OFF and other.right <= self.right + _OFF
        return across and self.top <= other.top + _OFF and other.bottom <= self.bottom + _OFF

    def has(self, point: Point) -> bool:
        """Whether a point is inside."""
        return self.left < point[0] < self.right and self.top < point[1] < self.bottom


def rect(spot: Spot) -> Rect:
    """Return the rectangle of a place."""
    return Rect(spot.x, spot.y, spot.right, spot.bottom)


def faults(picture: Picture) -> list[str]:
    """Return a sentence for each thing that is wrong."""
    found = [*_boxes(picture), *_texts(picture), *_lines(picture), *_tags(picture)]
    page = Rect(0, 0, picture.width, picture.height)
    found += [
        f"{one.part.path} leaves the page"
        for one in picture.boxes
        if not page.holds(rect(one.spot))
    ]
    return found


def _solid(one: Placed) -> Rect:
    """Return the place of a box, or of the head of an open one."""
    return rect(one.spot._replace(height=HEADER) if one.is_open else one.spot).smaller(_OFF)


def _boxes(picture: Picture) -> Iterator[str]:
    """Boxes overlap only if one holds the other."""
    placed = picture.boxes
    for n, one in enumerate(placed):
        for other in placed[:n]:
            a, b = rect(one.spot), rect(other.spot)
            if not a.smaller(_OFF).meets(b.smaller(_OFF)):
                continue
            inside = other.is_open and other.level < one.level and b.holds(a)
            if not inside or _solid(other).meets(_solid(one)):
                yield f"{one.part.path} overlaps {other.part.path}"


def _texts(picture: Picture) -> Iterator[str]:
    """Texts stay in their box, and keep off each other."""
    for one in picture.boxes:
        spots = []
        for text in one.box.texts:
            spots.append((text.y, text.left, text.left + text.width, text.text))
            height = HEADER if one.is_open else one.box.height
            if text.left < TILE or text.left + text.width > one.spot.width or text.y > height - 3:
                yield f"{text.text} leaves the box of {one.part.path}"
        for n, (y, left, right, name) in enumerate(spots):
            for other, start, end, said in spots[:n]:
                if abs(y - other) < 9 and left < end and start < right:
                    yield f"{name} overlaps {said} in {one.part.path}"


def points(route: Route) -> list[Point]:
    """Return the points of a line, with points of its curves."""
    found = [route.points[0]]
    for (x0, y0), (x, y) in zip(route.points, route.points[1:], strict=False):
        for step in range(1, _STEPS + 1):
            t = step / _STEPS
            bend = 3 * t * t - 2 * t * t * t if route.smooth else t
            along = (
                1.5 * t * (1 - t) * (1 - t) + 1.5 * t * t * (1 - t) + t**3 if route.smooth else t
            )
            found.append((x0 + (x - x0) * bend, y0 + (y - y0) * along))
    return found


def _lines(picture: Picture) -> Iterator[str]:
    """Lines keep off the boxes, but for the heads of the stacks that they leave or enter."""
    solids = [(one.part.path, _solid(one).smaller(1)) for one in picture.boxes]
    for route in picture.routes:
        on = points(route)
        (left, right), (top, bottom) = ((min(at), max(at)) for at in zip(*on, strict=True))
        around = Rect(left - 1, top - 1, right + 1, bottom + 1)
        for path, solid in solids:
            if solid.meets(around) and any(solid.has(point) for point in on):
                yield f"a line from {route.points[0]} to {route.points[-1]} crosses {path}"


def _tags(picture: Picture) -> Iterator[str]:
    """Labels of lines keep off the boxes and off each other."""
    solids = [(one.part.path, _solid(one)) for one in picture.boxes]
    spots: list[tuple[str, Rect]] = []
    for tag in picture.tags:
        spot = Rect(tag.x, tag.y - 8, tag.x + widest(tag.text, "wire"), tag.y + 2)
        for path, solid in solids + spots:
            if solid.meets(spot):
                yield f"the label {tag.text} at {tag.x:.0f}, {tag.y:.0f} overlaps {path}"
        spots.append((f"the label {tag.text}", spot))
