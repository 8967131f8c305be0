"""Where the channels of images lie in memory: in planes, as in shapes, or side by side in pixels.

https://docs.pytorch.org/tutorials/intermediate/memory_format_tutorial.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from netbuild.components.optimizers.gradient import LBFGS
from netbuild.components.tensor import product

if TYPE_CHECKING:
    from torch import Tensor

    from netbuild.graph.graph import Graph
    from netbuild.training.parallel.distributed import World

_IMAGE = 4  # axes: samples, channels, height, width
_CONVOLUTIONS = {"Conv2d", "ConvTranspose2d"}


def channels_last(graph: Graph, world: World) -> bool:
    """Return whether channels lie last: as the config says, or else where that is faster.

    On a CPU a step of networks with few weights for their images is 1.1 to 2 times as fast with
    channels last, and one of many weights slower, down to 0.75: images need no reordering then,
    weights need more. Both meet where a batch has about half as many values behind its convolutions
    as those have weights. A GPU gains with half precision only, on its tensor cores.
    """
    train = graph.config.train
    if train.channels_last is not None:
        return train.channels_last
    if world.sharded or isinstance(graph.config.optimizer, LBFGS):  # they want weights as they are
        return False
    if world.device.type != "cpu" and train.precision == "fp32":
        return False
    rows = [row for row in graph.rows if row.type in _CONVOLUTIONS]
    values = sum(product(y.shape) for row in rows for y in row.outputs.values())
    weights = sum(product(w) for row in rows if not row.reuses for w in row.weights.values())
    samples = train.batch_size / world.size
    return bool(rows) and values * samples >= weights / 2


def with_channels_last(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return inputs of which the images, (N, C, H, W), have their channels last in memory."""
    return tuple(
        x.contiguous(memory_format=torch.channels_last) if x.ndim == _IMAGE else x for x in inputs
    )
