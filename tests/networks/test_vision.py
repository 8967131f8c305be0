"""Networks for images: Attention U-Net, CBAM."""

from __future__ import annotations

import torch
from torch import nn

from tests.networks import each

ATTENTION_UNET = """\
# A U-Net whose skips are weighed by attention gates (Oktay et al., 2018).
input: [1, 16, 16]
blocks:
  Double:
    params: {width}
    layers:
      - {Conv2d: {out_channels: $width, kernel_size: 3, padding: 1}}
      - ReLU
      - {Conv2d: {out_channels: $width, kernel_size: 3, padding: 1}}
      - ReLU
  Gate:                              # how much of each place of the skip passes
    params: {width}
    layers:
      skip: {Conv2d: {out_channels: $width, kernel_size: 1}, inputs: x}
      gate: {Conv2d: {out_channels: $width, kernel_size: 1}, inputs: g}
      add: {Add, inputs: [skip, gate]}
      relu: ReLU
      psi: {Conv2d: {out_channels: 1, kernel_size: 1}}
      sigmoid: Sigmoid
      passed: {Multiply, inputs: [x, sigmoid]}
layers:
  down1: {Double: 8}
  pool: {MaxPool2d: 2}
  down2: {Double: 16}
  up: {ConvTranspose2d: {out_channels: 8, kernel_size: 2, stride: 2}}
  gated: {Gate: 4, inputs: {x: down1, g: up}}
  concat: {Concat, inputs: [gated, up]}
  up1: {Double: 8}
  head: {Conv2d: {out_channels: 2, kernel_size: 1}}
"""


def double(before: int, width: int) -> nn.Sequential:
    """Return two convolutions, each with a ReLU."""
    first, second = nn.Conv2d(before, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


class Gate(nn.Module):
    """How much of each place of a skip passes."""

    def __init__(self, x: int, g: int, width: int) -> None:
        super().__init__()
        self.skip, self.gate = nn.Conv2d(x, width, 1), nn.Conv2d(g, width, 1)
        self.psi = nn.Conv2d(width, 1, 1)

    def forward(self, x: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """Return what passes of `x`."""
        return x * self.psi((self.skip(x) + self.gate(g)).relu()).sigmoid()


class AttentionUNet(nn.Module):
    """Two levels, with a gate between them."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = double(1, 8), double(8, 16)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.gated = Gate(8, 8, 4)
        self.up1, self.head = double(16, 8), nn.Conv2d(8, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return two scores for each pixel."""
        skip = self.down1(x)
        up = self.up(self.down2(nn.functional.max_pool2d(skip, 2)))
        return self.head(self.up1(torch.cat([self.gated(skip, up), up], 1)))


CBAM = """\
# Attention over channels, then over places (Woo et al., 2018).
input: [16, 8, 8]
blocks:
  Channels:
    params: {narrow}
    layers:
      mean: {Mean: {dim: [2, 3]}}
      mlp: [Linear: $narrow, ReLU, Linear: 16]
      most: {Amax: {dim: [2, 3]}, inputs: input}
      again: {Reuse: mlp}
      add: {Add, inputs: [mlp, again]}
      sigmoid: Sigmoid
      scale: {Reshape: [16, 1, 1]}
      scaled: {Multiply, inputs: [input, scale]}
  Places:
    layers:
      mean: {Mean: {dim: 1, keepdim: true}}
      most: {Amax: {dim: 1, keepdim: true}, inputs: input}
      concat: {Concat, inputs: [mean, most]}
      conv: {Conv2d: {out_channels: 1, kernel_size: 7, padding: 3, bias: false}}
      sigmoid: Sigmoid
      scaled: {Multiply, inputs: [input, sigmoid]}
layers:
  conv: {Conv2d: {out_channels: 16, kernel_size: 3, padding: 1}}
  channels: {Channels: 4}
  places: Places
  sum: {Add, inputs: [input, places]}
"""


class CBAMNet(nn.Module):
    """A convolution with both attentions, and its input added."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(16, 16, 3, padding=1)
        self.channels = nn.Module()
        self.channels.mlp = nn.Sequential(nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 16))
        self.places = nn.Module()
        self.places.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the input, and what both attentions leave of the convolution."""
        y = self.conv(x)
        scale = self.channels.mlp(y.mean((2, 3))) + self.channels.mlp(y.amax((2, 3)))
        y = y * scale.sigmoid()[:, :, None, None]
        both = torch.cat([y.mean(1, keepdim=True), y.amax(1, keepdim=True)], 1)
        return x + y * self.places.conv(both).sigmoid()


NETWORKS = {
    "attention U-Net": (ATTENTION_UNET, AttentionUNet),
    "CBAM": (CBAM, CBAMNet),
}

test_networks = each(NETWORKS)
