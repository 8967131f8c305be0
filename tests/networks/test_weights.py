"""Networks whose weights are normed, frozen or tied."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import pad
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from tests.networks import compare

TEMPORAL = """\
# Causal convolutions with normed weights, and shortcuts (Bai et al., 2018).
input: [3, 24]
blocks:
  Temporal:
    params: {width, dilation}
    layers:
      pad1: {ConstantPad1d: {padding: ["$(2 * dilation)", 0], value: 0}}
      conv1:
        Conv1d: {out_channels: $width, kernel_size: 3, dilation: $dilation}
        parametrize: {weight: weight_norm}
      relu1: ReLU
      dropout1: {Dropout: 0.2}
      pad2: {ConstantPad1d: {padding: ["$(2 * dilation)", 0], value: 0}}
      conv2:
        Conv1d: {out_channels: $width, kernel_size: 3, dilation: $dilation}
        parametrize: {weight: weight_norm}
      relu2: ReLU
      dropout2: {Dropout: 0.2}
      shortcut: {Conv1d: {out_channels: $width, kernel_size: 1}, inputs: input}
      add: {Add, inputs: [dropout2, shortcut]}
      relu: ReLU
layers:
  first: {Temporal: {width: 8, dilation: 1}}
  second: {Temporal: {width: 8, dilation: 2}}
  last: {Select: {dim: 2, index: -1}}
  head: {Linear: 2}
"""


class Temporal(nn.Module):
    """Two causal convolutions with a shortcut."""

    def __init__(self, before: int, width: int, dilation: int) -> None:
        super().__init__()
        self.before = (2 * dilation, 0)
        self.conv1 = weight_norm(nn.Conv1d(before, width, 3, dilation=dilation))
        self.conv2 = weight_norm(nn.Conv1d(width, width, 3, dilation=dilation))
        self.dropout1, self.dropout2 = nn.Dropout(0.2), nn.Dropout(0.2)
        self.shortcut = nn.Conv1d(before, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features of each step."""
        y = self.dropout1(self.conv1(pad(x, self.before)).relu())
        y = self.dropout2(self.conv2(pad(y, self.before)).relu())
        return (y + self.shortcut(x)).relu()


class TCN(nn.Module):
    """Two blocks, of which the last step is read."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Temporal(3, 8, 1), Temporal(8, 8, 2)
        self.head = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return two scores."""
        return self.head(self.second(self.first(x))[..., -1])


CRITIC = """\
# A critic whose weights stretch nothing by more than about 1 (Miyato et al., 2018).
input: [1, 16, 16]
blocks:
  Half:
    params: {width}
    layers:
      conv:
        Conv2d: {out_channels: $width, kernel_size: 4, stride: 2, padding: 1}
        parametrize: {weight: spectral_norm}
      act: {LeakyReLU: 0.2}
layers:
  body: [Half: 8, Half: 16]
  flat: Flatten
  head: {Linear: 1, parametrize: {weight: spectral_norm}}
"""


class Half(nn.Module):
    """A convolution with half the height and width."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.conv = spectral_norm(nn.Conv2d(before, width, 4, 2, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what is found."""
        return nn.functional.leaky_relu(self.conv(x), 0.2)


class Critic(nn.Module):
    """Two convolutions and a score."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(Half(1, 8), Half(8, 16))
        self.head = spectral_norm(nn.Linear(256, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return one score."""
        return self.head(self.body(x).flatten(1))


LORA = """\
# A frozen trunk keeps its names; small matrices beside it learn (Hu et al., 2022).
input: [8]
blocks:
  Adapted:
    params: {width, rank: 2}
    layers:
      low: {Linear: {out_features: $rank, bias: false}}
      high: {Linear: {out_features: $width, bias: false}, init: zeros_}
layers:
  fc1: {Linear: 16, freeze: true}  # netbuild: ignore[NB316]
  lora1: {Adapted: 16, inputs: input}
  sum1: {Formula: x + 2 * low, inputs: {x: fc1, low: lora1}}
  act: ReLU
  fc2: {Linear: 4, freeze: true}  # netbuild: ignore[NB316]
  lora2: {Adapted: 4, inputs: act}
  sum2: {Formula: x + 2 * low, inputs: {x: fc2, low: lora2}}
"""


class Adapted(nn.Module):
    """A map of low rank."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.low, self.high = nn.Linear(before, 2, bias=False), nn.Linear(2, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what is added."""
        return self.high(self.low(x))


class LoRA(nn.Module):
    """Two frozen layers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(8, 16), nn.Linear(16, 4)
        self.fc1.requires_grad_(False)
        self.fc2.requires_grad_(False)
        self.lora1, self.lora2 = Adapted(8, 16), Adapted(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return four values."""
        y = (self.fc1(x) + 2 * self.lora1(x)).relu()
        return self.fc2(y) + 2 * self.lora2(y)


NETWORKS = {
    "TCN": (TEMPORAL, TCN),
    "critic": (CRITIC, Critic),
    "LoRA": (LORA, LoRA),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str) -> None:
    """A network of a file is the module that a reader would write by hand."""
    text, by_hand = NETWORKS[name]
    compare(text, by_hand())
