"""A network as placed boxes, lines and labels: all that a format draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from netbuild.reports.drawing.boxes import HEADER, Box, closed, closed_width, head, widest
from netbuild.reports.drawing.frames import Frame, frame_of
from netbuild.reports.drawing.labels import wire_label
from netbuild.reports.drawing.placing import Plan, Size, Spot, plan
from netbuild.reports.drawing.routes import Route, Router

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.graph.value import Value
    from netbuild.reports.drawing.parts import Drawn, Part

#: The room around the parts of an open stack.
PAD = 18.0


class Placed(NamedTuple):
    """A box at its place. An open one has the size of all that it holds."""

    part: Part
    box: Box
    spot: Spot
    level: int
    is_open: bool


class Tag(NamedTuple):
    """The shape of a value beside its line: the left end of its baseline."""

    x: float
    y: float
    text: str
    level: int


class Picture(NamedTuple):
    """All that is drawn. Boxes come behind the boxes that hold them."""

    width: float
    height: float
    boxes: tuple[Placed, ...]
    routes: tuple[Route, ...]
    tags: tuple[Tag, ...]


class Opened(NamedTuple):
    """An opened stack before it has a place."""

    part: Part
    frame: Frame
    plan: Plan
    sizes: Mapping[int, Size]
    inner: Mapping[int, Opened]
    boxes: Mapping[int, Box]
    labels: Mapping[Value, str]
    head: Box

    @property
    def size(self) -> Size:
        """Its size as a box, with the places of its inputs and results."""
        wide = self.width
        left = (wide - self.plan.width) / 2

        def places(what: str) -> dict[Value, float]:
            found = {}
            for n, node in enumerate(self.frame.nodes):
                if node.what == what and node.value:
                    values = self.part.reads if what == "in" else self.part.gives
                    middle = self.plan.spots[n].middle + left - wide / 2
                    found[values[node.number]] = middle
            return found

        ins, outs = places("in"), places("out")
        if len(ins) == 1 and outs:  # its lines begin anywhere below the head
            ins = dict.fromkeys(ins, next(iter(outs.values())))
        return Size(wide, HEADER + self.plan.height, ins, outs, is_open=True)

    @property
    def width(self) -> float:
        """How wide its box is."""
        return max(self.plan.width + 2 * PAD, self.head.width)


class Artist(NamedTuple):
    """Opens and places stacks."""

    drawn: Drawn
    #: Whether a stack at a level is open. The network itself is at level 0.
    opens: Callable[[Part, int], bool]

    def opened(self, part: Part, level: int, room: float | None) -> Opened:
        """Open a stack."""
        frame = frame_of(part)
        below = None if room is None else max(room - 110.0, 300.0)
        inner = {
            n: self.opened(member, level + 1, below)
            for n, node in enumerate(frame.nodes)
            if node.what == "part"
            and (member := part.members[node.number]).members
            and self.opens(member, level + 1)
        }
        boxes = self._boxes(part, frame)
        labels = self._labels(part, frame)
        sizes = {
            n: inner[n].size
            if n in inner
            else Size(boxes[n].width, boxes[n].height, {}, {})
            if n in boxes
            else Size(0.0, 0.0, {}, {})
            for n in range(len(frame.nodes))
        }
        widths = {value: widest(text, "wire") for value, text in labels.items()}
        planned = plan(frame, sizes, widths, room)
        return Opened(part, frame, planned, sizes, inner, boxes, labels, head(part, self.drawn))

    def _boxes(self, part: Part, frame: Frame) -> dict[int, Box]:
        """Return the closed boxes of the parts: those of a stack have one width."""
        wants = {
            n: closed_width(part.members[node.number], self.drawn)
            for n, node in enumerate(frame.nodes)
            if node.what == "part"
        }
        wide = max(wants.values(), default=0.0)
        return {
            n: closed(part.members[frame.nodes[n].number], self.drawn, wide) for n in wants
        }

    def _labels(self, part: Part, frame: Frame) -> dict[Value, str]:
        """Return the shapes of the values. What only leaves the stack has its label outside."""
        labels = {}
        for edge in frame.edges:
            source, reader = frame.nodes[edge.nodes[0]], frame.nodes[edge.nodes[-1]]
            if source.what == "in" or reader.what == "out" or edge.value not in self.drawn.tensors:
                continue
            if part.members[source.number].kind == "input":
                continue  # the box of an input tells its shape
            labels[edge.value] = wire_label(self.drawn, self.drawn.tensors[edge.value])
        return labels


def picture(drawn: Drawn, opens: Callable[[Part, int], bool], room: float | None) -> Picture:
    """Place a network.

    Args:
        drawn: the parts.
        opens: whether a stack at a level is open.
        room: the greatest height; longer stacks are broken into columns.
    """
    whole = Artist(drawn, opens).opened(drawn.root, 0, room)
    boxes: list[Placed] = []
    routes: list[Route] = []
    tags: list[Tag] = []
    for one in _walk(whole, 0.0, 0.0, 0):
        if isinstance(one, Placed):
            boxes.append(one)
        elif isinstance(one, Route):
            routes.append(one)
        else:
            tags.append(one)
    return Picture(
        whole.plan.width, whole.plan.height, tuple(boxes), tuple(routes), tuple(tags)
    )


def _walk(opened: Opened, x: float, y: float, level: int) -> Iterator[Placed | Route | Tag]:
    """Yield all that an opened stack holds, with the corner of its inside at x and y."""
    frame, spots = opened.frame, opened.plan.spots
    for route in Router(frame, opened.plan, opened.sizes).routes():
        yield route._replace(points=tuple((px + x, py + y) for px, py in route.points))
    told = set()
    for edge in frame.edges:
        if edge.value in opened.labels and edge.value not in told:
            told.add(edge.value)
            spot = spots[edge.nodes[0]]
            at = spot.middle + opened.sizes[edge.nodes[0]].outs.get(edge.value, 0.0)
            yield Tag(x + at + 7, y + spot.bottom + 14, opened.labels[edge.value], level)
    for n, node in enumerate(frame.nodes):
        if node.what != "part":
            continue
        spot = spots[n]._replace(x=spots[n].x + x, y=spots[n].y + y)
        member = opened.part.members[node.number]
        inner = opened.inner.get(n)
        if inner is None:
            yield Placed(member, opened.boxes[n], spot, level, is_open=False)
            continue
        yield Placed(member, inner.head, spot, level, is_open=True)
        left = spot.x + (inner.width - inner.plan.width) / 2
        yield from _walk(inner, left, spot.y + HEADER, level + 1)
