"""A disk with all that can mark it: its mask, a picture, a box around it, points on it."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from netbuild.components.augmentations import AUGMENTATIONS
from netbuild.training.data.augmentation import augmenter
from netbuild.training.data.moving import Marked

SIDE, RADIUS = 64, 20
#: The centre of the disk, x and y.
CENTRE = (30, 34)
IGNORED = -100

#: Fields with which an augmentation moves a good deal. The results need not have the same size.
STRONG: dict[str, dict[str, Any]] = {
    "RandomRotation": {"degrees": 45},
    "RandomRotation90": {"times": [-3, 3]},
    "RandomAffine": {"degrees": 30, "translate": [0.1, 0.1], "scale": [0.8, 1.2], "shear": 10},
    "RandomShear": {"shear": 20},
    "RandomTranslate": {"translate_x": [-0.2, 0.2], "translate_y": [-0.2, 0.2]},
    "RandomPerspective": {"distortion_scale": 0.4},
    "RandomThinPlateSpline": {"scale": 0.1},
    "RandomElasticTransform": {"alpha": [2, 2], "kernel_size": [31, 31], "sigma": [8, 8]},
    "RandomFisheye": {"center_x": [-0.3, 0.3], "center_y": [-0.3, 0.3], "gamma": [0.9, 1.1]},
    "CenterCrop": {"size": [56, 48]},
    "RandomCrop": {"size": [64, 64], "padding": 8, "fill": 0.9},
    "RandomResizedCrop": {"size": [64, 64], "scale": [0.6, 1]},
    "Resize": {"size": [96, 80]},
    "LongestMaxSize": {"max_size": 96},
    "SmallestMaxSize": {"max_size": 48},
    "PadTo": {"size": [80, 72], "pad_value": 0.9},
    "RandomJigsaw": {"grid": [2, 2]},
    "RandAugment": {"n": 2, "m": 20},
}
GEOMETRIC = [name for name, kind in AUGMENTATIONS.items() if kind.geometric]


class Disks(NamedTuple):
    """A batch with a disk in each image, and its targets."""

    images: torch.Tensor  # (samples, 3, height, width); 1 in the disk
    masks: torch.Tensor  # (samples, height, width); class 2 in the disk, and 1 around it
    pictures: torch.Tensor  # (samples, 3, height, width); the images
    boxes: torch.Tensor  # (samples, 4)
    points: torch.Tensor  # (samples, 2 · points)


def disks(samples: int) -> Disks:
    """Return the same disk in each image."""
    y, x = torch.meshgrid(torch.arange(float(SIDE)), torch.arange(float(SIDE)), indexing="ij")
    inside = (x - CENTRE[0]) ** 2 + (y - CENTRE[1]) ** 2 <= RADIUS**2
    images = inside.float().expand(samples, 3, SIDE, SIDE).contiguous()
    masks = (inside.long() + 1).expand(samples, SIDE, SIDE).contiguous()
    left, top = (c - RADIUS for c in CENTRE)
    box = torch.tensor([left, top, left + 2 * RADIUS + 1, top + 2 * RADIUS + 1.0])
    turns = torch.arange(8) * torch.pi / 4
    around = [
        turns.cos() * (RADIUS - 2) + CENTRE[0] + 0.5,
        turns.sin() * (RADIUS - 2) + CENTRE[1] + 0.5,
    ]
    points = torch.stack(around, -1).flatten()
    return Disks(images, masks, images.clone(), box.repeat(samples, 1), points.repeat(samples, 1))


def augmented(name: str, given: Disks, seed: int = 0, **fields: Any) -> Disks:
    """Return a batch after an augmentation of the catalogue, which always applies."""
    kind = AUGMENTATIONS[name]
    always = {"p": 1.0} if "p" in kind.model_fields else {}
    augmentation = kind(**(STRONG.get(name, {}) | always | fields))
    carried = set(kind.carries)
    kinds = [Marked("mask", IGNORED), Marked("picture"), Marked("boxes"), Marked("points")]
    marked = [kind if kind.marks in carried else Marked(None) for kind in kinds]
    transform = augmenter([augmentation], torch.device("cpu"), marked)
    assert transform is not None
    torch.manual_seed(seed)
    (images,), targets = transform(((given.images,), given[1:]))
    return Disks(images, *targets)


def overlaps(moved: Disks) -> torch.Tensor:
    """Return the IoU of the disk in each image and in its mask, where the image shows a disk.

    A policy may make the disk darker than what is around it.
    """
    found = []
    for image, mask in zip(moved.images[:, 0], moved.masks, strict=True):
        disk, around = mask == 2, mask == 1
        light, dark = image[disk].mean(), image[around].mean()
        if disk.any() and around.any() and abs(light - dark) > 0.05:
            seen = (image > (light + dark) / 2) == (light > dark)
            seen &= mask != IGNORED  # the image may have another fill there
            found.append((seen & disk).sum() / (seen | disk).sum())
    return torch.stack(found)


def shortfalls(moved: Disks) -> torch.Tensor:
    """Return by how many pixels the disk of each mask exceeds its box, inside the image."""
    found = []
    for mask, box in zip(moved.masks == 2, moved.boxes, strict=True):
        y, x = mask.nonzero().float().unbind(1)
        if not len(x):
            continue
        x1, y1, x2, y2 = box
        over = [x1 - x.min(), y1 - y.min(), x.max() + 1 - x2, y.max() + 1 - y2]
        found.append(torch.stack(over).max())
    return torch.stack(found)


def misses(moved: Disks) -> int:
    """Return how many points lie inside the image, and not on its disk."""
    height, width = moved.masks.shape[1:]
    missed = 0
    for mask, points in zip(
        moved.masks == 2, moved.points.reshape(len(moved.points), -1, 2), strict=True
    ):
        x, y = points.floor().long().unbind(-1)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        missed += int((~mask[y[inside], x[inside]]).sum())
    return missed
