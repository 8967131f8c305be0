"""The boxes of parts: their sizes, and the places of the texts and bars in them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, NamedTuple

from netbuild.reports.drawing.labels import Label, label_of
from netbuild.reports.drawing.widths import fitting, width

if TYPE_CHECKING:
    from netbuild.reports.drawing.structure import Drawn, Part

#: The sizes of the fonts in pixels, and whether they are bold.
FONTS = {
    "title": (13.0, True),
    "detail": (12.0, False),
    "aside": (11.0, False),
    "number": (11.0, False),
    "note": (11.0, False),
    "wire": (11.0, False),
    "count": (14.0, True),
    "heading": (20.0, True),
    "legend": (11.5, False),
}
#: The tile with the mark of the kind, at the left of a box, and the room beside texts.
TILE, ROOM = 24.0, 8.0
#: The column with the number of repeats, at the right of a box.
COUNT = 38.0
LEAST, MOST = 120.0, 330.0
#: The most that a note makes a box wider.
MOST_NOTE = 200.0
LINE, NUMBERS, NOTE, BAR = 29.0, 21.0, 15.0, 3.0
HEADER = 32.0


class Text(NamedTuple):
    """A text in a box: its baseline, its style, and the width that it takes."""

    x: float
    y: float
    text: str
    style: str
    end: bool = False

    @property
    def left(self) -> float:
        """Where it begins."""
        return self.x - self.width if self.end else self.x

    @property
    def width(self) -> float:
        """How wide it is."""
        size, bold = FONTS[self.style]
        return width(self.text, size, bold=bold)


class Bar(NamedTuple):
    """A share of the whole network as a bar."""

    x: float
    y: float
    width: float
    share: float
    what: str


class Box(NamedTuple):
    """A drawn box, closed or the head of an open one. Places are relative to its corner."""

    width: float
    height: float
    texts: tuple[Text, ...]
    bars: tuple[Bar, ...] = ()


def widest(text: str, style: str) -> float:
    """Return the width of a text in a style."""
    size, bold = FONTS[style]
    return width(text, size, bold=bold)


def closed_width(part: Part, drawn: Drawn) -> float:
    """Return the width that a closed box wants."""
    label = label_of(part, drawn)
    if part.stop:
        return MOST
    first = [widest(label.title, "title") if label.title else 0]
    first += [widest(label.detail, "detail")] if label.detail else []
    first += [widest(label.aside, "aside") + 6] if label.aside else []
    numbers = [widest(text, "number") for text in (label.params, label.macs) if text]
    room = TILE + 2 * ROOM + (COUNT if part.repeats > 1 else 0)
    both = 2 * max(numbers) + 12 if len(numbers) > 1 else sum(numbers)
    note = min(widest(label.note, "note"), MOST_NOTE) if label.note else 0.0
    wanted = room + max(sum(first) + 6 * (len(first) - 1), both, note)
    return min(max(wanted + 1, LEAST), MOST)


def closed(part: Part, drawn: Drawn, wide: float) -> Box:
    """Return a closed box of a width."""
    label = label_of(part, drawn)
    left, right = TILE + ROOM, wide - ROOM - (COUNT if part.repeats > 1 else 0)
    texts = _first_line(label, left, right, 19.0)
    height = LINE
    bars: list[Bar] = []
    if label.params or label.macs:
        texts, bars = _numbers(label, part, drawn, texts, left, right)
        height += NUMBERS
    for line in _note_lines(label, part, right - left):
        texts.append(Text(left, height + 6, line, "note"))
        height += NOTE
    if part.repeats > 1:
        times = f"×{part.repeats}"
        texts.append(
            Text(
                wide - COUNT / 2 + widest(times, "count") / 2,
                height / 2 + 5,
                times,
                "count",
                end=True,
            )
        )
    return Box(wide, height, tuple(texts), tuple(bars))


def _first_line(label: Label, left: float, right: float, y: float) -> list[Text]:
    """Place the title and the detail at the left, and the aside at the right if it fits."""
    texts = []
    x = left
    if label.title:
        title = fitting(label.title, right - x, *FONTS["title"][:1], bold=True)
        texts.append(Text(x, y, title, "title"))
        x += widest(title, "title") + 6
    if label.detail and (detail := fitting(label.detail, right - x, FONTS["detail"][0])):
        texts.append(Text(x, y, detail, "detail"))
        x += widest(detail, "detail") + 6
    if label.aside and (aside := fitting(label.aside, right - x - 6, FONTS["aside"][0])) not in {
        "",
        "…",
    }:
        texts.append(Text(right, y, aside, "aside", end=True))
    return texts


def _numbers(
    label: Label, part: Part, drawn: Drawn, texts: list[Text], left: float, right: float
) -> tuple[list[Text], list[Bar]]:
    """Place the parameters at the left and the MACs at the right, each above its bar."""
    half = (right - left - 12) / 2
    bars = []
    columns = (
        ("params", label.params, part.params / max(drawn.root.params, 1)),
        ("macs", label.macs, part.macs / max(drawn.root.macs, 1)),
    )
    x = left
    for what, text, share in columns:
        if text:
            wide = max(half, min(widest(text, "number"), right - left))
            texts = [*texts, Text(x, 35.0, fitting(text, wide + 0.5, FONTS["number"][0]), "number")]
            bars.append(Bar(x, 40.0, wide, min(share, 1.0), what))
            x += half + 12
    return texts, bars


def _note_lines(label: Label, part: Part, room: float) -> list[str]:
    """Return the lines of the note. The message of a fault may take several."""
    size = FONTS["note"][0]
    if not label.note:
        return []
    if part.stop is None:
        return [fitting(label.note, room, size)]
    lines = textwrap.wrap(label.note, int(room / size / 0.52))[:4]
    return [fitting(line, room, size) for line in lines]


def head(part: Part, drawn: Drawn) -> Box:
    """Return the head of an open box, as wide as its texts."""
    label = label_of(part, drawn)
    x, y = TILE + ROOM, 20.0
    texts: list[Text] = []
    bars: list[Bar] = []
    whole = drawn.root
    pieces = [(label.title, "title"), (label.detail if part.type else "", "detail")]
    if part.repeats > 1:
        pieces.append((f"×{part.repeats}", "count"))
    pieces += [(label.params, "number"), (label.macs, "number"), (label.note, "note")]
    shares = {
        label.params: ("params", part.params / max(whole.params, 1)),
        label.macs: ("macs", part.macs / max(whole.macs, 1)),
    }
    for text, style in pieces:
        if not text:
            continue
        text = fitting(text, MOST, *FONTS[style][:1], bold=FONTS[style][1])  # noqa: PLW2901
        texts.append(Text(x, y, text, style))
        wide = widest(text, style)
        if style == "number":
            what, share = shares[text]
            bars.append(Bar(x, y + 5, wide, min(share, 1.0), what))
        x += wide + (12 if style in {"detail", "number", "count"} else 7)
    return Box(x + ROOM, HEADER, tuple(texts), tuple(bars))
