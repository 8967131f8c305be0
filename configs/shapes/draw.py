"""Draw shapes in front of a coloured ground, and their masks: the data of unet-masks.yaml.

    python configs/shapes/draw.py

It writes configs/shapes/images and configs/shapes/masks. A mask has a palette: 0 is the ground, 1 a
disk, 2 a square and 3 a triangle. It needs numpy and pillow.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

COUNT, SIZE = 160, 48
COLOURS = [0, 0, 0, 230, 159, 0, 86, 180, 233, 0, 158, 115]


def ground(random: np.random.Generator) -> Image.Image:
    """Return a ground that goes from one dark colour to another."""
    first, last = random.integers(10, 110, (2, 3))
    share = np.linspace(0, 1, SIZE)[:, None, None]
    share = np.broadcast_to(share, (SIZE, SIZE, 1))
    if random.random() < 0.5:
        share = share.transpose(1, 0, 2)
    return Image.fromarray((first * (1 - share) + last * share).astype("uint8"))


def places(random: np.random.Generator) -> list[tuple[int, int, int, int]]:
    """Return one to three shapes that do not touch: kind, x, y and radius."""
    found: list[tuple[int, int, int, int]] = []
    wanted = random.integers(1, 4)
    while len(found) < wanted:
        kind, radius = int(random.integers(1, 4)), int(random.integers(6, 11))
        x, y = (int(n) for n in random.integers(radius, SIZE - radius, 2))
        if all(max(abs(x - u), abs(y - v)) > radius + r for _, u, v, r in found):
            found.append((kind, x, y, radius))
    return found


def draw(image: ImageDraw.ImageDraw, kind: int, x: int, y: int, r: int, colour: object) -> None:
    """Draw a disk, a square or a triangle."""
    box = (x - r, y - r, x + r, y + r)
    if kind == 1:
        image.ellipse(box, fill=colour)
    elif kind == 2:
        image.rectangle(box, fill=colour)
    else:
        image.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=colour)


def main(folder: Path) -> None:
    """Write the images and the masks."""
    random = np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(COUNT):
        image, mask = ground(random), Image.new("P", (SIZE, SIZE))
        mask.putpalette(COLOURS)
        pens = ImageDraw.Draw(image), ImageDraw.Draw(mask)
        for kind, x, y, radius in places(random):
            colour = tuple(int(n) for n in random.integers(130, 256, 3))
            draw(pens[0], kind, x, y, radius, colour)
            draw(pens[1], kind, x, y, radius, kind)
        image.save(folder / f"images/{number:03}.png", optimize=True)
        mask.save(folder / f"masks/{number:03}.png", optimize=True)


if __name__ == "__main__":
    main(Path(__file__).parent)
