"""The memory format of images: a plane for each channel, or the channels of a pixel side by side.

https://docs.pytorch.org/tutorials/intermediate/memory_format_tutorial.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from netbuild.components.optimizers.gradient import LBFGS
from netbuild.components.tensor import product

if TYPE_CHECKING:
    from torch import Tensor, nn

    from netbuild.graph.graph import Graph
    from netbuild.training.parallel.distributed import World

_IMAGE = 4  # axes: samples, channels, height, width
_CONVOLUTIONS = {"Conv2d", "ConvTranspose2d"}


def channels_last(graph: Graph, world: World) -> bool:
    """Return whether to compute with channels last. The default is the faster format.

    Measurements on a CPU: with few weights per pixel, a step is 1.1 to 2 times as fast with
    channels last, because images are not reordered. With many weights per pixel it is slower, down
    to 0.75 times the speed, because weights are reordered. Both formats are equally fast if the
    outputs of all convolutions have about half as many values as the weights. A GPU is faster only
    with half precision, which its tensor cores compute.
    """
    train = graph.config.train
    if train.channels_last is not None:
        return train.channels_last
    if world.sharded or isinstance(graph.config.optimizer, LBFGS):  # they need the default format
        return False
    if world.device.type != "cpu" and train.precision == "fp32":
        return False
    rows = [row for row in graph.rows if row.type in _CONVOLUTIONS]
    values = sum(product(y.shape) for row in rows for y in row.outputs.values())
    weights = sum(product(w) for row in rows if not row.reuses for w in row.weights.values())
    samples = train.batch_size / world.size
    return bool(rows) and values * samples >= weights / 2


def lay_out(module: nn.Module) -> None:
    """Put the channels of a module's weights and buffers last in memory.

    torch has this format for tensors of four axes only. Other tensors, such as the weights of
    Conv3d, stay as they are; `module.to(memory_format=…)` would refuse them. The strides are those
    of `to`: `contiguous` would leave a weight of one channel, or of one place, in the other format.
    """
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.ndim == _IMAGE:
            tensor.data = tensor.data.to(memory_format=torch.channels_last)


def with_channels_last(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return inputs with the channels of images, (N, C, H, W), last in memory."""
    return tuple(
        x.contiguous(memory_format=torch.channels_last) if x.ndim == _IMAGE else x for x in inputs
    )
