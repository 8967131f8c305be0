"""Networks whose layers read several others, or share weights, as one writes them in torch."""

from __future__ import annotations

import torch
from torch import nn, zeros

from tests.torch_counterparts.layers import conv3x3


def residual_with_stride() -> None:
    """The body halves the picture."""
    x = zeros(2, 64, 56, 56)
    body = nn.Sequential(conv3x3(64, 64, 2), nn.BatchNorm2d(64), nn.ReLU(), conv3x3(64, 64))
    body(x) + x


def residual_with_other_width() -> None:
    """The body doubles the channels."""
    x = zeros(2, 64, 56, 56)
    body = nn.Sequential(conv3x3(64, 128), nn.BatchNorm2d(128), nn.ReLU(), conv3x3(128, 128))
    body(x) + x


def residual_without_padding() -> None:
    """The body takes a row from each side."""
    x = zeros(2, 32, 16, 16)
    conv3x3(32, 32, padding=0)(x) + x


def residual_shortcut_stride() -> None:
    """A projection without the stride of the body."""
    x = zeros(2, 64, 56, 56)
    conv3x3(64, 128, 2)(x) + nn.Conv2d(64, 128, 1)(x)


def residual_block_of_a_stage() -> None:
    """A block whose shortcut has no stride."""
    x = zeros(2, 64, 32, 32)
    conv3x3(128, 128)(conv3x3(64, 128, 2)(x)) + nn.Conv2d(64, 128, 1)(x)


def inception_branches() -> None:
    """The 5×5 branch loses two rows."""
    x = zeros(2, 192, 28, 28)
    one, three = nn.Conv2d(192, 64, 1), nn.Conv2d(192, 128, 3, padding=1)
    five, pool = nn.Conv2d(192, 32, 5, padding=1), nn.MaxPool2d(3, 1, 1)
    torch.cat([one(x), three(x), five(x), pool(x)], 1)


def unet_odd_size() -> None:
    """25 does not come back from 12."""
    down3 = zeros(2, 64, 25, 25)
    up3 = nn.ConvTranspose2d(64, 64, 2, 2)(nn.MaxPool2d(2)(down3))
    torch.cat([up3, down3], 1)


def transposed_padding() -> None:
    """A 4×4 kernel without padding."""
    down = zeros(2, 32, 32, 32)
    up = nn.ConvTranspose2d(32, 32, 4, 2)(nn.MaxPool2d(2)(down))
    torch.cat([up, down], 1)


def unet_from_the_paper() -> None:
    """Skips that were not cropped."""
    down = nn.Conv2d(1, 16, 3)(zeros(2, 1, 60, 60))
    middle = nn.Conv2d(16, 32, 3)(nn.MaxPool2d(2)(down))
    torch.cat([nn.ConvTranspose2d(32, 16, 2, 2)(middle), down], 1)


def feature_pyramid() -> None:
    """The top is half as large."""
    c4, c5 = zeros(2, 256, 28, 28), zeros(2, 512, 14, 14)
    nn.Conv2d(256, 256, 1)(c4) + nn.Conv2d(512, 256, 1)(c5)


def squeeze_and_excitation() -> None:
    """A gate without two axes of size 1."""
    x = zeros(2, 64, 28, 28)
    gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 64), nn.Sigmoid())
    x * gate(x)


def text_and_picture() -> None:
    """A vector and a sequence."""
    text, _ = nn.GRU(300, 512, batch_first=True)(zeros(2, 20, 300))
    torch.cat([zeros(2, 512), text], 1)


def cosine_of_other_widths() -> None:
    """Two encoders of other widths."""
    nn.CosineSimilarity()(zeros(2, 512), zeros(2, 768))


def decoder_without_memory() -> None:
    """What the encoder gave is missing."""
    nn.TransformerDecoderLayer(256, 8, batch_first=True)(zeros(2, 25, 256))


def add_of_one() -> None:
    """The other branch is missing."""
    torch.add(nn.Linear(64, 32)(zeros(2, 64)))


def relu_over_sigmoid() -> None:
    """The dropout writes over what the sigmoid needs."""
    layers = (nn.Linear(64, 64), nn.Sigmoid(), nn.Dropout(0.5, inplace=True), nn.Linear(64, 10))
    nn.Sequential(*layers)(zeros(2, 64)).sum().backward()


def siamese_with_two_encoders() -> None:
    """Sketches have one channel."""
    encoder = nn.Sequential(nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(64))
    encoder(zeros(2, 3, 64, 64))
    encoder(zeros(2, 1, 64, 64))


def einsum_without_batch() -> None:
    """The letters of one sample."""
    torch.einsum("qd,kd->qk", zeros(2, 10, 64), zeros(2, 12, 64))
