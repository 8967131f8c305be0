"""Pictures that a network makes, where its losses compare with no target of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.reports.run_page.review import Example, Review
from netbuild.training.review.pictures import is_picture, picture

if TYPE_CHECKING:
    import torch

    from netbuild.training.review.pictures import Samples

#: The most pictures.
_MOST = 16


class Made:
    """Keeps the pictures that a network makes of the first samples."""

    def __init__(self, samples: Samples, outputs: tuple[str, ...]) -> None:
        self.samples, self.outputs = samples, outputs
        self.kept: list[Example] = []

    def add(self, x: tuple[torch.Tensor, ...], y: object, targets: object) -> None:
        """Add a batch."""
        del targets
        given = y if isinstance(y, tuple | list) else (y,)
        for n in range(len(x[0])):
            if len(self.kept) == _MOST:
                return
            parts = [
                (name if len(self.outputs) > 1 else "", picture(output[n].float()))
                for name, output in zip(self.outputs, given, strict=True)
                if is_picture(output[n].float())
            ]
            if parts:
                self.kept.append(Example(tuple(parts)))

    def review(self) -> Review:
        """Return what was kept."""
        if not self.kept:
            return Review(note="The losses compare with no target, so no mistakes are shown.")
        return Review(heading="What the network makes", examples=tuple(self.kept))
