"""Targets that move with their augmented images: masks, pictures, boxes and points."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from netbuild.checks.augmentations import marks
from netbuild.checks.mixing import readers
from netbuild.components.target import Classes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.augmentations.augmentation import Augmentation
    from netbuild.components.datasets.dataset import Geometry, Sample
    from netbuild.components.target import Target
    from netbuild.components.tensor import Tensor
    from netbuild.config.config import Config


class Marked(NamedTuple):
    """What a target marks in its image, the number that its loss ignores, and its classes."""

    marks: Geometry | None
    ignored: int | None = None
    classes: int | None = None


def marked_targets(config: Config, outputs: Mapping[str, Tensor], wanted: Sample) -> list[Marked]:
    """Return what each target marks in the augmented images."""
    return [
        _marked(config, outputs, name, target) if config.preparation.augment else Marked(None)
        for name, target in wanted.targets.items()
    ]


def _marked(config: Config, outputs: Mapping[str, Tensor], name: str, target: Target) -> Marked:
    found = marks(config, name, target)
    if isinstance(target, Classes):
        return Marked(found, target.ignored, target.classes)
    if found == "picture" and any(term.loss.binary for term in readers(config, outputs, name)):
        return Marked("mask")  # yes or no at each place, and no outside of the image
    return Marked(found)


class Mover:
    """An augmentation of images that moves their targets in the same way.

    kornia keeps the random numbers of an image in `_params`. Modules with the same fields repeat
    them for the targets, without new random numbers. They differ where a mask is no image: it has
    no numbers between two classes, and what comes in from outside is 0.
    """

    def __init__(self, augmentation: Augmentation, device: torch.device) -> None:
        self.module = kornia_module(augmentation).to(device)
        self._fields, self._device = augmentation, device
        self._twins: dict[str, Any] = {}

    def images(self, x: torch.Tensor) -> torch.Tensor:
        """Return augmented images, (samples, channels, height, width)."""
        moved: torch.Tensor = self.module(x)
        return moved

    def target(self, y: torch.Tensor, marked: Marked) -> torch.Tensor:
        """Return a target moved as the images before it, (samples, *target)."""
        if not self._fields.geometric or not len(y):  # a process may have no samples of its own
            return y
        match marked.marks:
            case "mask":
                return self._mask(y, marked.ignored)
            case "picture":
                return self._spread(y, "picture")
            case "boxes":
                return self._boxes(y)
            case "points":
                return self._points(y).reshape(y.shape)
        return y

    def _mask(self, y: torch.Tensor, ignored: int | None) -> torch.Tensor:
        """Move classes by the nearest pixel. kornia fills with 0, so 0 stands for `ignored`."""
        # Yes or no, and shares of classes, are 0 outside. Otherwise nothing comes in from there.
        if ignored is None or y.is_floating_point():
            return self._spread(y.float(), "mask").to(y.dtype)
        known = torch.where(y == ignored, 0, y + (y >= 0)).float()
        moved = self._spread(known, "mask").to(y.dtype)
        return torch.where(moved == 0, ignored, moved - (moved > 0).to(y.dtype))

    def _spread(self, y: torch.Tensor, marks: str) -> torch.Tensor:
        """Move numbers at places, (samples, *, height, width)."""
        flat = y.reshape(len(y), -1, *y.shape[-2:])
        params = self.module._params  # noqa: SLF001  kornia shows its random numbers here
        if isinstance(params, list):  # a policy
            kornia = import_module("kornia.constants")
            resample = kornia.Resample.NEAREST if marks == "mask" else kornia.Resample.BILINEAR
            moved: torch.Tensor = self.module.transform_masks(
                flat, params, extra_args={"resample": resample}
            )
        else:
            moved = self._twin(marks)(flat, params=params)
        return moved.reshape(*y.shape[:-2], *moved.shape[-2:])

    def _twin(self, marks: str) -> Any:
        """Return kornia's module for targets: its padding is 0, and masks take nearest pixels."""
        if marks not in self._twins:
            changed: dict[str, Any] = {"fill": 0, "pad_value": 0}
            if marks == "mask":
                changed |= {"resample": "nearest", "antialias": False}
            elif getattr(self._fields, "resample", "").lower() == "bicubic":
                changed["resample"] = "bilinear"  # bicubic overshoots: values may leave their range
            known = type(self._fields).model_fields
            own = {name: value for name, value in changed.items() if name in known}
            self._twins[marks] = kornia_module(self._fields.model_copy(update=own)).to(self._device)
        return self._twins[marks]

    def _points(self, y: torch.Tensor) -> torch.Tensor:
        """Return moved points, as many as there are, (samples, n, 2)."""
        points, matrix = y.reshape(len(y), -1, 2), self.module.transform_matrix
        if matrix is None:  # a policy drew only colours
            return points
        # kornia counts from the centre of the first pixel, and points count from its edge.
        flat = torch.cat([points - 0.5, torch.ones_like(points[..., :1])], -1)
        moved = flat @ matrix.to(points).transpose(1, 2)
        found: torch.Tensor = moved[..., :2] / moved[..., 2:] + 0.5
        return found

    def _boxes(self, y: torch.Tensor) -> torch.Tensor:
        """Return the boxes around the moved corners of boxes."""
        x1, y1, x2, y2 = y.reshape(len(y), -1, 4).unbind(-1)
        corners = torch.stack([x1, y1, x2, y1, x2, y2, x1, y2], -1)
        moved = self._points(corners).reshape(len(y), -1, 4, 2)
        return torch.cat([moved.amin(2), moved.amax(2)], -1).reshape(y.shape)


def kornia_module(augmentation: Augmentation) -> Any:
    """Return kornia's module for an augmentation.

    Raises:
        ModuleNotFoundError: kornia is not installed.
    """
    given = augmentation.arguments()
    for name in augmentation.tensors:
        if given[name] is not None:
            given[name] = torch.tensor(given[name])
    kind = getattr(import_module(augmentation.home), type(augmentation).__name__)
    return kind(**given)
