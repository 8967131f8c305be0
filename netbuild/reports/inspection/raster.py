"""Arrays as pictures: colours for numbers and classes, tiles side by side, and PNG as text.

PNG is written here, so that a page needs no library for pictures:
https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

#: viridis, from few to much: equal steps look equal, also in grey and to colour-blind readers.
#: https://bids.github.io/colormap/
_SEQUENTIAL: tuple[str, ...] = (
    *("440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58"),
    *("b5de2b", "fde725"),
)
#: From negative to positive, with a pale 0: blue and orange differ for colour-blind readers.
_DIVERGING: tuple[str, ...] = (
    *("08306b", "2171b5", "6baed6", "c6dbef", "f7f7f7", "fdd0a2", "fd8d3c", "d94801"),
    "7f2704",
)
#: The colours of classes, Okabe and Ito's; class 0 is black.
_CLASSES = ("000000", "e69f00", "56b4e9", "009e73", "f0e442", "0072b2", "d55e00", "cc79a7")
#: The colour of a number that is not finite.
_MISSING = (255, 0, 255)
#: The pixels between tiles.
GAP = 1


class Scale(NamedTuple):
    """The numbers at both ends of a colour scale, and its colours."""

    least: float
    largest: float
    colours: tuple[str, ...]

    @property
    def css(self) -> str:
        """The colours as a gradient of CSS."""
        return f"linear-gradient(90deg, {', '.join(f'#{c}' for c in self.colours)})"


def scale(x: Any) -> Scale:
    """Return the colours for some numbers: around 0 if some are negative, else over their range."""
    finite = x[np.isfinite(x)]
    least, largest = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if least < 0:
        size = max(-least, largest)
        return Scale(-size, size, _DIVERGING)
    return Scale(least, largest if largest > least else least + 1.0, _SEQUENTIAL)


def coloured(x: Any, by: Scale) -> Any:
    """Return numbers as bytes: 0 is a gap, 1 is not finite, 2 to 255 are the scale's colours."""
    finite = np.isfinite(x)
    place = np.where(finite, x, by.least) - by.least
    place = np.clip(place / ((by.largest - by.least) or 1.0), 0, 1)
    return np.where(finite, 2 + (place * 253).round(), 1).astype("uint8")


def palette(by: Scale) -> Any:
    """Return the colours of the bytes that `coloured` gives, (256, 3)."""
    anchors = np.array([[int(c[i : i + 2], 16) for i in (0, 2, 4)] for c in by.colours], float)
    made = np.zeros((256, 3))
    made[1] = _MISSING
    steps = np.linspace(0, len(anchors) - 1, 254)
    for channel in range(3):
        made[2:, channel] = np.interp(steps, np.arange(len(anchors)), anchors[:, channel])
    return made.round().astype("uint8")


def photograph(x: Any) -> Any:
    """Return a picture, (1, 3 or 4, height, width), as colours; its range becomes 0 to 255."""
    finite = np.where(np.isfinite(x), x, 0.0).astype(float)
    least, largest = finite.min(), finite.max()
    if not 0 <= least <= largest <= 1:
        finite = (finite - least) / ((largest - least) or 1.0)
    shades = np.moveaxis(finite[:3] * 255, 0, -1)
    return _opaque(np.repeat(shades, 3, -1) if shades.shape[-1] == 1 else shades)


def classes(x: Any) -> Any:
    """Return numbers of classes, (height, width), as colours. Negative ones are grey."""
    table = np.array([[int(c[i : i + 2], 16) for i in (0, 2, 4)] for c in _CLASSES], float)
    rgb = table[np.abs(x.astype(int)) % len(table)]
    rgb[x < 0] = 128
    return _opaque(rgb)


def class_colour(number: int) -> str:
    """Return the colour of a class, as CSS writes it."""
    return f"#{_CLASSES[number % len(_CLASSES)]}" if number >= 0 else "#808080"


def tiles(pictures: Sequence[Any], columns: int) -> Any:
    """Return pictures of one size side by side, with transparent gaps."""
    height, width = pictures[0].shape[:2]
    rows = math.ceil(len(pictures) / columns)
    columns = min(columns, len(pictures))
    size = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP)
    sheet = np.zeros((*size, *pictures[0].shape[2:]), "uint8")
    for number, one in enumerate(pictures):
        top, left = number // columns * (height + GAP), number % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = one
    return sheet


def png(pixels: Any, colours: Any = None) -> str:
    """Return a picture as the address of a PNG that holds all of it.

    Args:
        pixels: colours, (height, width, 4), or numbers of a palette, (height, width).
        colours: the palette, (256, 3); its first colour is transparent.
    """
    height, width = pixels.shape[:2]
    rows = np.concatenate([np.zeros((height, 1), "uint8"), pixels.reshape(height, -1)], 1)
    kind = 6 if colours is None else 3
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))]
    if colours is not None:
        parts += [(b"PLTE", colours.tobytes()), (b"tRNS", b"\0")]
    parts += [(b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in parts:
        data += struct.pack(">I", len(body)) + name + body
        data += struct.pack(">I", zlib.crc32(name + body))
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _opaque(rgb: Any) -> Any:
    whole = np.full((*rgb.shape[:2], 4), 255, "uint8")
    whole[..., :3] = np.clip(rgb, 0, 255).round()
    return whole
