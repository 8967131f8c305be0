"""Pictures in files with masks, boxes and points: resized and augmented, they still agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from netbuild.checks.trace import infer
from netbuild.config.load import load
from netbuild.training.data import loading
from netbuild.training.parallel.distributed import World

if TYPE_CHECKING:
    from pathlib import Path

NET = """\
input: [3, 64, 64]
layers:
  mask: {{Conv2d: {{out_channels: 2, kernel_size: 1}}, inputs: input}}
  flat: {{Flatten, inputs: input}}
  box: {{Linear: 4, inputs: flat}}
  point: {{Linear: 2, inputs: flat}}
outputs: [mask, box, point]
loss:
  - {{CrossEntropyLoss, inputs: mask, target: masks}}
  - {{MSELoss, inputs: box, target: boxes}}
  - {{MSELoss, inputs: point, target: points}}
optimizer: Adam
data:
  ImageFolder: {{folder: images, masks: masks, classes: 2, boxes: boxes.csv, points: points.csv}}
  resize: [64, 64]
  augment: [RandomVerticalFlip, {{RandomAffine: {{degrees: 45, scale: [0.7, 1], p: 1}}}}]
  in_memory: {in_memory}
train: {{workers: 0}}
"""


def scene(root: Path) -> None:
    """Write ten pictures of 96×72 with a disk each, its mask, its box and its centre."""
    y, x = np.mgrid[:72, :96] + 0.5
    boxes, points = ["file,x1,y1,x2,y2"], ["file,x,y"]
    for n in range(10):
        across, down, radius = 42 + n, 33 + n % 5, 22
        disk = (x - across) ** 2 + (y - down) ** 2 < radius**2
        for folder, values in (("images", disk * 255), ("masks", disk)):
            (root / folder).mkdir(exist_ok=True)
            Image.fromarray(values.astype("uint8")).save(root / folder / f"{n}.png")
        sides = (across - radius, down - radius, across + radius, down + radius)
        boxes.append(f"{n}.png,{','.join(map(str, sides))}")
        points.append(f"{n}.png,{across},{down}")
    (root / "boxes.csv").write_text("\n".join(boxes))
    (root / "points.csv").write_text("\n".join(points))


@pytest.mark.parametrize("in_memory", ["true", "false"])
def test_all_that_lies_on_a_picture_agrees(tmp_path: Path, in_memory: str) -> None:
    """The mask is where the picture is light, the box bounds it, and the point is its middle."""
    scene(tmp_path)
    (tmp_path / "net.yaml").write_text(NET.format(in_memory=in_memory))
    graph = infer(load(tmp_path / "net.yaml"))
    assert not graph.diagnostics
    data = loading.load(graph, World(torch.device("cpu")))
    torch.manual_seed(1)
    for (x,), (masks, boxes, points) in (
        next(iter(data.training.shuffled(8, seed=0))),
        next(iter(data.held_out.in_order(2))),
    ):
        for light, mask, box, point in zip(x[:, 0] > 0.5, masks == 1, boxes, points, strict=True):
            assert (light & mask).sum() / (light | mask).sum() > 0.95
            rows, columns = mask.nonzero().unbind(1)
            found = torch.stack([columns, rows]).float().mean(1) + 0.5
            assert (found - point).abs().max() < 0.5
            x1, y1, x2, y2 = box
            assert x1 - 0.6 < columns.min() <= columns.max() + 1 < x2 + 0.6
            assert y1 - 0.6 < rows.min() <= rows.max() + 1 < y2 + 0.6
    assert (masks == -100).sum() == 0  # the last ones are of the validation, which is not moved
