"""How wide a text is in the fonts of a drawing, which all have the widths of Helvetica."""

from __future__ import annotations

#: The widths of the characters from the space to the tilde, in thousandths of the size of the font:
#: those of Liberation Sans, and so of Arial and Helvetica.
_REGULAR = (
    *(278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278),
    *(556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556),
    *(1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778),
    *(667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556),
    *(333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556),
    *(556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584),
)
_BOLD = (
    *(278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278),
    *(556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611),
    *(975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778),
    *(667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556),
    *(333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611),
    *(611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584),
)
#: Other characters of the drawings. A character that is not here counts as a square.
_OTHERS = {"×": 584, "·": 278, "–": 556}
_SQUARE = 1000


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a text in pixels."""
    table = _BOLD if bold else _REGULAR
    thousandths = sum(
        table[ord(character) - 32] if " " <= character <= "~" else _OTHERS.get(character, _SQUARE)
        for character in text
    )
    return thousandths * size / 1000


def fitting(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """Return a text, cut until it fits into a number of pixels; empty if nothing of it does."""
    if width(text, size, bold=bold) <= room:
        return text
    while text and width(text + "…", size, bold=bold) > room:
        text = text[:-1]
    return text.rstrip() + "…" if text else ""
