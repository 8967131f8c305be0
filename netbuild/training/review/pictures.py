"""Tensors as small pictures, and samples as texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netbuild.components.datasets.errors import DataError
from netbuild.components.datasets.text import Text
from netbuild.reports.run_page.review import Picture
from netbuild.training.prediction.pictures import palette

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from netbuild.config.config import Config

#: The longest side of a picture: larger ones are thinned out.
_SIDE = 96
_CHANNELS = (1, 3, 4)
#: The most classes whose colours are told.
_MOST_COLOURS = 24
#: The most tokens, and the most numbers, of a sample that are shown.
_MOST_TOKENS, _MOST_NUMBERS = 60, 12


def is_picture(x: torch.Tensor) -> bool:
    """Whether one sample's tensor is a picture: (C, H, W) or (H, W), and not tiny."""
    if not x.is_floating_point() or x.ndim not in {2, 3}:
        return False
    return (x.ndim == 2 or x.shape[0] in _CHANNELS) and min(x.shape[-2:]) > 3


def picture(x: torch.Tensor, bounds: tuple[float, float] | None = None) -> Picture:
    """Return a tensor of floats, (C, H, W) or (H, W), as a picture.

    `bounds` are the values of black and white. Without them, these are 0 and 1 if all values lie
    between; else the least and the greatest value.
    """
    values = thinned(x.detach().cpu().float().nan_to_num()).numpy()
    values = values[None] if values.ndim == 2 else values
    low, high = bounds or (float(values.min()), float(values.max()))
    if bounds is None and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    shades = np.clip((values - low) / ((high - low) or 1.0) * 255, 0, 255).round().astype("uint8")
    channels, height, width = shades.shape
    return Picture(
        width, height, channels, np.ascontiguousarray(shades.transpose(1, 2, 0)).tobytes()
    )


def mask(numbers: torch.Tensor) -> Picture:
    """Return the numbers of classes, (H, W), as a picture with a colour for each class."""
    small = thinned(numbers.detach().cpu()).numpy().astype("int64")
    colours = np.frombuffer(palette(), "uint8").reshape(-1, 3)
    known = (small >= 0) & (small < len(colours))
    shades = np.where(known[..., None], colours[np.where(known, small, 0)], 128).astype("uint8")
    height, width = small.shape
    return Picture(width, height, 3, np.ascontiguousarray(shades).tobytes())


def colours(classes: int) -> tuple[str, ...]:
    """Return the colour of each class in a mask, as in CSS; none of many classes."""
    if classes > _MOST_COLOURS:
        return ()
    told = palette()
    return tuple(f"#{told[3 * n : 3 * n + 3].hex()}" for n in range(classes))


def thinned(x: torch.Tensor) -> torch.Tensor:
    """Return every n-th row and column, so that no side is longer than a small picture's."""
    step = -(-max(x.shape[-2:]) // _SIDE)
    return x[..., ::step, ::step]


class Samples:
    """Shows the inputs of samples: as pictures, as texts of tokens, or as numbers."""

    def __init__(self, config: Config) -> None:
        self.names = [*config.inputs]
        self.words = _words(config)

    def shown(self, inputs: Sequence[torch.Tensor]) -> tuple[list[tuple[str, Picture]], str]:
        """Return the pictures of a sample with their captions, and a text of its other inputs."""
        pictures: list[tuple[str, Picture]] = []
        texts: list[str] = []
        for name, x in zip(self.names, inputs, strict=False):
            if is_picture(x):
                pictures.append((name if len(inputs) > 1 else "", picture(x)))
            else:
                texts.append(self._text(name if len(inputs) > 1 else "", x))
        return pictures, "; ".join(filter(None, texts))

    def _text(self, name: str, x: torch.Tensor) -> str:
        start = f"{name}: " if name else ""
        if not x.is_floating_point() and x.ndim == 1 and self.words:
            return start + self.tokens(x.tolist())
        values = x.flatten().tolist()
        if len(values) > _MOST_NUMBERS:
            return f"{start}{'×'.join(map(str, x.shape))} numbers"
        return start + ", ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in values)

    def tokens(self, numbers: Sequence[Any]) -> str:
        """Return the text of the numbers of tokens."""
        told = [self.words[n] if 0 <= n < len(self.words) else "?" for n in numbers]
        told = [word for word in told if word]
        between = "" if all(len(word) == 1 for word in told) else " "
        more = " …" if len(told) > _MOST_TOKENS else ""
        return between.join(told[:_MOST_TOKENS]) + more


def _words(config: Config) -> list[str]:
    """Return the token of each number, if the network reads one text; else nothing."""
    source: Any = config.data
    try:
        if isinstance(source, Text):
            return [word or "?" for word in source.known()]
        kept = getattr(getattr(source, "known", None), "tokens", None) or {}
    except (DataError, OSError):
        return []
    if len(kept) != 1:
        return []
    return ["", "?", *(word or "?" for word in next(iter(kept.values())))]
