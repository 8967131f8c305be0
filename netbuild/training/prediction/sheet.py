"""A sheet: pictures of samples as the tiles of one picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from netbuild.components.layers.ranges import PROBABILITIES
from netbuild.diagnostics.exceptions import TrainingError

if TYPE_CHECKING:
    from netbuild.components.layers.ranges import Range
    from netbuild.training.prediction.inputs import Array

#: Smaller pictures are enlarged, by a whole number, to about as many pixels.
_TILE = 64
#: Pixels between two tiles, and their grey.
_GAP, _GREY = 2, 128
#: The most pixels of the sheet along an axis.
_MOST = 1 << 14


class Sheet(NamedTuple):
    """The pixels of a sheet, (height, width) or (height, width, 3), and what is black and white."""

    pixels: Array
    black: float
    white: float

    def write(self, file: Any) -> None:
        """Write it as PNG. This needs pillow."""
        from PIL import Image

        Image.fromarray(self.pixels).save(file, format="PNG")


def sheet(pictures: Array, bounds: Range | None, *, scores: bool = False) -> Sheet:
    """Return pictures, (samples, H, W) or (samples, C, H, W), side by side in rows.

    If `bounds` are finite, they become black and white; else the least and the greatest value of
    all pictures. Of `scores`, the sigmoid is shown, from 0 to 1.

    Raises:
        TrainingError: the sheet is too large.
    """
    x = pictures.astype("float64")
    x = x[:, None] if x.ndim == 3 else x
    count, channels, height, width = x.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    zoom = max(1, _TILE // max(height, width))
    tall, wide = height * zoom + _GAP, width * zoom + _GAP
    if max(rows * tall, columns * wide) > _MOST:
        message = (
            f"a sheet of {count:,} pictures would have {columns * wide:,}×{rows * tall:,} pixels: "
            f"more than {_MOST:,} along an axis. Ask for fewer samples, or write a .npz file"
        )
        raise TrainingError(message)
    if scores:
        x, bounds = np.tanh(x / 2) / 2 + 0.5, PROBABILITIES  # the sigmoid, without overflow
    known = bounds is not None and math.isfinite(bounds.least) and math.isfinite(bounds.most)
    black, white = bounds if known and bounds is not None else (float(x.min()), float(x.max()))
    span = white - black or 1.0
    shades = np.clip((x - black) / span * 255, 0, 255).round().astype("uint8")
    tiles = shades.repeat(zoom, 2).repeat(zoom, 3).transpose(0, 2, 3, 1)
    pixels = np.full((rows * tall + _GAP, columns * wide + _GAP, channels), _GREY, "uint8")
    for number, tile in enumerate(tiles):
        top, left = number // columns * tall + _GAP, number % columns * wide + _GAP
        pixels[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return Sheet(pixels[..., 0] if channels == 1 else pixels, black, white)
