"""Tables and folders of images, as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from netbuild.components.datasets.delimited import Csv
from netbuild.components.target import Classes
from tests.components.datasets.test_datasets import wanted

if TYPE_CHECKING:
    from pathlib import Path

TWO = wanted(2, target=Classes(3))

FLOWERS = """a,b,species
1,2.5,rose
2,0.5,tulip
3,1e1,iris
4,.5,rose
"""


def csv(folder: Path, text: str = FLOWERS, **fields: Any) -> Csv:
    """Write a file, and return the source that reads it."""
    (folder / "x.csv").write_text(text, encoding="utf-8")
    return Csv(**{"file": str(folder / "x.csv"), "target": "species"} | fields)


RANDOM = np.random.default_rng(0)


def picture(
    path: Path, *, size: tuple[int, int] = (5, 4), mode: str = "RGB"
) -> np.ndarray[Any, Any]:
    """Write an image, of height and width, and return its pixels."""
    shape = size if mode == "L" else (*size, len(mode))
    pixels = RANDOM.integers(0, 256, shape, "uint8")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def folder(root: Path, *, ending: str = "png", splits: bool = True) -> dict[str, Any]:
    """Write a folder of images, and return their pixels."""
    train, test = (root / "train", root / "test") if splits else (root, root.parent / "test")
    names = {f"{name}/{n}.{ending}" for name in ("cat", "dog") for n in range(3)}
    picture(test / f"dog/0.{ending}")
    return {name: picture(train / name) for name in sorted(names)}


RGB = wanted(3, 5, 4, target=Classes(2))
