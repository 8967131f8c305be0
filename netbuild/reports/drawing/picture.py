"""A network as placed boxes, lines and labels: all that a format draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from netbuild.reports.drawing.boxes import HEADER, Box, closed, closed_width, head, widest
from netbuild.reports.drawing.frames import Frame, frame_of
from netbuild.reports.drawing.labels import wire_label
from netbuild.reports.drawing.placing import Plan, Route, Size, Spot, plan
from netbuild.reports.drawing.routes import Router
from netbuild.reports.drawing.turning import turned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from netbuild.graph.value import Value
    from netbuild.reports.drawing.structure import Drawn, Part

#: The room around the parts of an open stack.
PAD = 18.0
#: Boxes of a stack that need less than this width have the same one.
COMMON = 262.0
#: The distance of a label and its line.
SIDE = 7.0
#: A line turns to the right if its end is that far there.
_TURNS = 12.0


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
    is_u: bool = False


class Opened(NamedTuple):
    """An opened stack with places inside it."""

    part: Part
    shaped: Shaped
    plan: Plan
    sizes: Mapping[int, Size]
    inner: Mapping[int, Opened]

    @property
    def size(self) -> Size:
        """Its size as a box, with the places of its inputs and results."""
        wide = self.width
        left = (wide - self.plan.width) / 2

        def places(what: str) -> dict[Value, float]:
            found = {}
            for n, node in enumerate(self.shaped.frame.nodes):
                if node.what == what and node.value:
                    values = self.part.reads if what == "in" else self.part.gives
                    middle = self.plan.spots[n].middle + left - wide / 2
                    found[values[node.number]] = middle
            return found

        ins, outs = places("in"), places("out")
        if len(ins) == 1 and outs:  # its lines begin anywhere below the head
            above = self._first_column() if len(self.plan.columns) > 1 else None
            x = next(iter(outs.values())) if above is None else above + left - wide / 2
            ins = dict.fromkeys(ins, x)
        return Size(wide, HEADER + self.plan.height, ins, outs, is_open=True)

    def _first_column(self) -> float | None:
        """Return the middle of the box that reads the input."""
        frame = self.shaped.frame
        readers = (e.nodes[1] for e in frame.edges if frame.nodes[e.nodes[0]].what == "in")
        return next((self.plan.spots[reader].middle for reader in readers), None)

    @property
    def width(self) -> float:
        """How wide its box is."""
        return max(self.plan.width + 2 * PAD, self.shaped.head.width)


#: Whether a stack at a level is open. The network itself is at level 0.
Opens: TypeAlias = "Callable[[Part, int], bool]"


class Shaped(NamedTuple):
    """A stack without places: its frame, closed boxes, the labels of its values, and its head."""

    frame: Frame
    boxes: Mapping[int, Box]
    labels: Mapping[Value, str]
    head: Box


class Artist:
    """Opens and places the stacks of a network. It keeps what does not change with what is open."""

    def __init__(self, drawn: Drawn) -> None:
        self.drawn = drawn
        self._shaped: dict[str, Shaped] = {}

    def picture(self, opens: Opens, room: float | None = None, *, turns: bool = False) -> Picture:
        """Place the network.

        Args:
            opens: which stacks are open.
            room: the greatest height; longer stacks are broken into columns.
            turns: whether a network that is a U is drawn as one.
        """
        whole = self._opened(self.drawn.root, 0, opens, room, turns=turns)
        found = list(_walk(whole, 0.0, 0.0, 0))
        return Picture(
            whole.plan.width,
            whole.plan.height,
            tuple(one for one in found if isinstance(one, Placed)),
            tuple(one for one in found if isinstance(one, Route)),
            tuple(one for one in found if isinstance(one, Tag)),
            is_u=bool(whole.plan.routes),
        )

    def shaped(self, part: Part) -> Shaped:
        """Return a stack without places."""
        if part.path not in self._shaped:
            frame = frame_of(part)
            boxes, labels = self._boxes(part, frame), self._labels(part, frame)
            self._shaped[part.path] = Shaped(frame, boxes, labels, head(part, self.drawn))
        return self._shaped[part.path]

    def _opened(
        self,
        part: Part,
        level: int,
        opens: Opens,
        room: float | None,
        *,
        turns: bool = False,
    ) -> Opened:
        """Open a stack."""
        shaped = self.shaped(part)
        below = None if room is None else max(room - 110.0, 300.0)
        inner = {
            n: self._opened(member, level + 1, opens, below)
            for n, node in enumerate(shaped.frame.nodes)
            if node.what == "part"
            and (member := part.members[node.number]).members
            and opens(member, level + 1)
        }
        nothing = Size(0.0, 0.0, {}, {})
        sizes = dict.fromkeys(range(len(shaped.frame.nodes)), nothing)
        sizes |= {n: Size(box.width, box.height, {}, {}) for n, box in shaped.boxes.items()}
        sizes |= {n: one.size for n, one in inner.items()}
        widths = {value: widest(text, "wire") for value, text in shaped.labels.items()}
        planned = turned(shaped.frame, sizes, widths) if turns and not level else None
        planned = planned or plan(shaped.frame, sizes, widths, room)
        return Opened(part, shaped, planned, sizes, inner)

    def _boxes(self, part: Part, frame: Frame) -> dict[int, Box]:
        """Return the closed boxes of the parts: those of a stack have one width."""
        wants = {
            n: closed_width(part.members[node.number], self.drawn)
            for n, node in enumerate(frame.nodes)
            if node.what == "part"
        }
        wide = max((want for want in wants.values() if want <= COMMON), default=0.0)
        return {
            n: closed(part.members[frame.nodes[n].number], self.drawn, max(wide, want))
            for n, want in wants.items()
        }

    def _labels(self, part: Part, frame: Frame) -> dict[Value, str]:
        """Return the shapes of the values. What only leaves the stack has its label outside.

        The first of several results of a layer tells them all.
        """
        labels: dict[Value, str] = {}
        firsts: dict[int, Value] = {}
        for edge in frame.edges:
            source, reader = frame.nodes[edge.nodes[0]], frame.nodes[edge.nodes[-1]]
            if source.what == "in" or reader.what == "out" or edge.value not in self.drawn.tensors:
                continue
            if part.members[source.number].kind == "input":
                continue  # the box of an input tells its shape
            text = wire_label(self.drawn.tensors[edge.value])
            first = firsts.setdefault(edge.nodes[0], edge.value)
            if first == edge.value or part.members[source.number].members:
                labels[edge.value] = text
            elif text not in labels[first]:
                labels[first] += f", {text}"
        return labels


def _walk(opened: Opened, x: float, y: float, level: int) -> Iterator[Placed | Route | Tag]:
    """Yield all that an opened stack holds, with the corner of its inside at x and y."""
    shaped, spots = opened.shaped, opened.plan.spots
    routes = opened.plan.routes or Router(shaped.frame, opened.plan, opened.sizes).routes()
    for route in routes:
        yield route._replace(points=tuple((px + x, py + y) for px, py in route.points))
    for tag in _tags(opened):
        yield tag._replace(x=tag.x + x, y=tag.y + y, level=level)
    for n, node in enumerate(shaped.frame.nodes):
        if node.what != "part":
            continue
        spot = spots[n]._replace(x=spots[n].x + x, y=spots[n].y + y)
        member = opened.part.members[node.number]
        inner = opened.inner.get(n)
        if inner is None:
            yield Placed(member, shaped.boxes[n], spot, level, is_open=False)
            continue
        yield Placed(member, inner.shaped.head, spot, level, is_open=True)
        left = spot.x + (inner.width - inner.plan.width) / 2
        yield from _walk(inner, left, spot.y + HEADER, level + 1)


def _tags(opened: Opened) -> Iterator[Tag]:
    """Yield the label of each value, on the side of its line to which the line does not turn."""
    frame, spots = opened.shaped.frame, opened.plan.spots
    turns: dict[Value, list[float]] = {}
    sources: dict[Value, int] = {}
    for edge in frame.edges:
        sources.setdefault(edge.value, edge.nodes[0])
        if not edge.skips:
            turns.setdefault(edge.value, []).append(spots[edge.nodes[1]].middle)
    for value, text in opened.shaped.labels.items():
        if value in opened.plan.tags:
            yield Tag(*opened.plan.tags[value], text, 0)
            continue
        source = sources[value]
        at = spots[source].middle + opened.sizes[source].outs.get(value, 0.0)
        ends = turns.get(value, [])
        turns_right = bool(ends) and min(ends) > at + _TURNS
        x = at - SIDE - widest(text, "wire") if turns_right else at + SIDE
        yield Tag(x, spots[source].bottom + 14, text, 0)
