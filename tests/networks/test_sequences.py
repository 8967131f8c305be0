"""Networks for sequences: WaveNet, Perceiver."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pad

from tests.networks import each

WAVENET = """\
# Causal, dilated convolutions with gates (van den Oord et al., 2016).
input: [4, 32]
blocks:
  Gated:
    params: {dilation}
    layers:
      before: {ConstantPad1d: {padding: [$dilation, 0], value: 0}}
      filter: {Conv1d: {out_channels: 8, kernel_size: 2, dilation: $dilation}, inputs: before}
      tanh: Tanh
      gate: {Conv1d: {out_channels: 8, kernel_size: 2, dilation: $dilation}, inputs: before}
      sigmoid: Sigmoid
      product: {Multiply, inputs: [tanh, sigmoid]}
      residual: {Conv1d: {out_channels: 8, kernel_size: 1}}
      passed: {Add, inputs: [input, residual]}
      skip: {Conv1d: {out_channels: 6, kernel_size: 1}, inputs: product}
    outputs: {on: passed, skip: skip}
layers:
  start: {Conv1d: {out_channels: 8, kernel_size: 1}}
  gated1: {Gated: 1}
  gated2: {Gated: 2}
  gated4: {Gated: 4}
  sum: {Add, inputs: [gated1.skip, gated2.skip, gated4.skip]}
  head:
    - ReLU
    - {Conv1d: {out_channels: 6, kernel_size: 1}}
    - ReLU
    - {Conv1d: {out_channels: 5, kernel_size: 1}}
"""


class Gated(nn.Module):
    """A causal convolution, multiplied by its gate."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.filter = nn.Conv1d(8, 8, 2, dilation=dilation)
        self.gate = nn.Conv1d(8, 8, 2, dilation=dilation)
        self.residual, self.skip = nn.Conv1d(8, 8, 1), nn.Conv1d(8, 6, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what goes on, and what goes to the end."""
        before = pad(x, (self.dilation, 0))
        y = self.filter(before).tanh() * self.gate(before).sigmoid()
        return x + self.residual(y), self.skip(y)


class WaveNet(nn.Module):
    """Three gated convolutions that see 8 steps."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Conv1d(4, 8, 1)
        self.gated1, self.gated2, self.gated4 = Gated(1), Gated(2), Gated(4)
        self.head = nn.Sequential(nn.ReLU(), nn.Conv1d(6, 6, 1), nn.ReLU(), nn.Conv1d(6, 5, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return five scores for each step."""
        x, total = self.start(x), torch.zeros(())
        for gated in (self.gated1, self.gated2, self.gated4):
            x, skip = gated(x)
            total = total + skip
        return self.head(total)


PERCEIVER = """\
# A few learned vectors read a long input, and then one another (Jaegle et al., 2021).
input: [50, 6]
blocks:
  Perceptron:
    layers:
      norm: LayerNorm
      wide: {Linear: 32}
      gelu: GELU
      narrow: {Linear: 16}
      add: {Add, inputs: [input, narrow]}
  Attend:
    layers:
      normed: {LayerNorm, inputs: input}
      attention: {MultiheadAttention: {num_heads: 2, need_weights: false}}
      add: {Add, inputs: [input, attention]}
      mlp: Perceptron
layers:
  data: {Linear: 16}
  latents: {Parameter: {shape: [5, 16]}, init: normal_}
  normed: {LayerNorm, inputs: latents}
  cross:
    MultiheadAttention: {num_heads: 2, need_weights: false}
    inputs: {query: normed, key: data, value: data}
  add: {Add, inputs: [latents, cross]}
  mlp: Perceptron
  selves: {Attend, repeat: 2}
  mean: {Mean: {dim: 1}}
  head: {Linear: 3}
"""


class Perceptron(nn.Module):
    """A norm and a perceptron, whose input is added."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.wide, self.narrow = nn.LayerNorm(16), nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a vector for each place."""
        return x + self.narrow(nn.functional.gelu(self.wide(self.norm(x))))


class Attend(nn.Module):
    """A norm and attention of all places to one another, and a perceptron."""

    def __init__(self) -> None:
        super().__init__()
        self.normed, self.mlp = nn.LayerNorm(16), Perceptron()
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a vector for each place."""
        y = self.normed(x)
        return self.mlp(x + self.attention(y, y, y, need_weights=False)[0])


class Perceiver(nn.Module):
    """Five latent vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.data, self.normed = nn.Linear(6, 16), nn.LayerNorm(16)
        self.latents = nn.Parameter(torch.randn(1, 5, 16))
        self.cross = nn.MultiheadAttention(16, 2, batch_first=True)
        self.mlp, self.head = Perceptron(), nn.Linear(16, 3)
        self.selves = nn.Sequential(Attend(), Attend())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return three scores."""
        data = self.data(x)
        latents = self.latents.expand(len(x), -1, -1)
        read, _ = self.cross(self.normed(latents), data, data, need_weights=False)
        return self.head(self.selves(self.mlp(latents + read)).mean(1))


NETWORKS = {"WaveNet": (WAVENET, WaveNet), "Perceiver": (PERCEIVER, Perceiver)}

test_networks = each(NETWORKS)
