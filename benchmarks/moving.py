"""How well images and targets agree after each geometric augmentation: a table, and a picture.

    python -m benchmarks.moving [sheet.png]

Each image is a disk of radius 20 in 64×64. The table has the least overlap (IoU) of the disk in the
image and in the mask over 64 samples, by how many pixels the disk leaves its box, and the number of
points that left it. The picture shows image, mask, and both with box and points.
"""

from __future__ import annotations

import sys

import torch
from PIL import Image, ImageDraw

from netbuild.components.augmentations import AUGMENTATIONS
from tests.components.augmentations.moved import (
    GEOMETRIC,
    SIDE,
    augmented,
    disks,
    misses,
    overlaps,
    shortfalls,
)

CELL, SCALE = 100, 2
COLOURS = torch.tensor([[0, 0, 0], [60, 60, 200], [220, 60, 60]]).byte()


def row(name: str) -> str:
    """Return a line of the table."""
    kind = AUGMENTATIONS[name]
    moved = augmented(name, disks(64))
    if "mask" not in kind.carries:
        return f"{name:22} {'fault':>9}   {kind.holds}"
    least = f"{name:22} {float(overlaps(moved).min()):9.4f}"
    if "boxes" not in kind.carries:
        return f"{least} {'fault':>9}   {kind.holds}"
    return f"{least} {float(shortfalls(moved).max()):9.2f} {misses(moved):10}"


def draw(path: str) -> None:
    """Draw two samples of each augmentation."""
    names = [name for name in GEOMETRIC if AUGMENTATIONS[name].carries]
    sheet = Image.new("RGB", (6 * CELL * SCALE, len(names) * CELL * SCALE), "white")
    stripes = torch.linspace(0.3, 1, SIDE).expand(SIDE, SIDE)
    given = disks(2)
    given = given._replace(images=(given.images * 0.6 + 0.2) * stripes)
    for n, name in enumerate(names):
        moved = augmented(name, given, seed=n)
        for k in range(2):
            grey = (moved.images[k].clamp(0, 1) * 255).byte().permute(1, 2, 0)
            mask = COLOURS[moved.masks[k].clamp(min=0)]
            for column, values in enumerate((grey, mask, (0.6 * grey + 0.4 * mask).byte())):
                cell = Image.fromarray(values.numpy())
                cell = cell.resize((cell.width * SCALE, cell.height * SCALE), 0)
                if column == 2 and "boxes" in AUGMENTATIONS[name].carries:
                    _mark(cell, moved.boxes[k], moved.points[k])
                sheet.paste(cell, ((3 * k + column) * CELL * SCALE, n * CELL * SCALE))
        ImageDraw.Draw(sheet).text((2, (n + 1) * CELL * SCALE - 24), name, fill="black")
    sheet.save(path)


def _mark(cell: Image.Image, box: torch.Tensor, points: torch.Tensor) -> None:
    pen = ImageDraw.Draw(cell)
    pen.rectangle([v * SCALE for v in box.tolist()], outline="lime")
    for x, y in (points.reshape(-1, 2) * SCALE).tolist():
        pen.ellipse([x - 2, y - 2, x + 2, y + 2], fill="yellow")


def main() -> None:
    """Print the table; with a path, draw the picture."""
    print(f"{'augmentation':22} {'least IoU':>9} {'box short':>9} {'points off':>10}")
    for name in GEOMETRIC:
        print(row(name))
    if len(sys.argv) > 1:
        draw(sys.argv[1])


if __name__ == "__main__":
    main()
