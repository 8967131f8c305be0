"""Networks that compute with formulas and operations, and with weights that are not layers."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import normalize, softplus

from tests.networks import each

MIXTURE = """\
# The parts, centres and widths of a mixture of normal distributions (Bishop, 1994).
input: [8]
layers:
  body: [Linear: 32, Tanh]
  shares: {Linear: 5}
  softmax: {Softmax: 1}
  centres: {Linear: 5, inputs: body}
  logs: {Linear: 5, inputs: body}
  widths: {Formula: exp(x)}
outputs: {shares: softmax, centres: centres, widths: widths}
"""


class Mixture(nn.Module):
    """Five parts."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 32), nn.Tanh())
        self.shares, self.centres, self.logs = (nn.Linear(32, 5) for _ in range(3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return shares, centres and widths."""
        y = self.body(x)
        return self.shares(y).softmax(1), self.centres(y), self.logs(y).exp()


COSINE = """\
# Scores are cosines: neither the length of a feature nor of a class counts (Gidaris et al., 2018).
input: [16]
layers:
  body: [Linear: 32, ReLU]
  normed: {Normalize: {dim: 1}}
  row: {Unsqueeze: 1}
  classes: {Parameter: {shape: [10, 32], batch_axis: false}, init: normal_}
  directions: {Normalize: {dim: 2}}
  columns: {Transpose: {dim0: 1, dim1: 2}}
  cosines: {MatMul, inputs: [row, columns]}
  flat: Flatten
  scores: {Formula: 10 * x}
"""


class Cosine(nn.Module):
    """Ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
        self.classes = nn.Parameter(torch.randn(10, 32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ten scores from -10 to 10."""
        return 10 * normalize(self.body(x)) @ normalize(self.classes).T


COUPLING = """\
# Half of the values scales and shifts the other half; this can be undone (Dinh et al., 2017).
input: [6]
layers:
  halves: {Chunk: 2}
  scale: {layers: [Linear: 16, ReLU, Linear: 3, Tanh], inputs: halves.0}
  shift: {layers: [Linear: 16, ReLU, Linear: 3], inputs: halves.0}
  changed:
    Formula: b * exp(s) + t
    inputs: {b: halves.1, s: scale, t: shift}
  joined: {Concat, inputs: [halves.0, changed]}
  volume: {Sum: 1, inputs: scale}
outputs: {output: joined, volume: volume}
"""


class Coupling(nn.Module):
    """Six values."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 3), nn.Tanh())
        self.shift = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the values, and the logarithm of how much their volume grows."""
        kept, other = x.chunk(2, 1)
        scale = self.scale(kept)
        changed = other * scale.exp() + self.shift(kept)
        return torch.cat([kept, changed], 1), scale.sum(1)


HYPERNETWORK = """\
# One input says with which weights the other one is mapped (Ha et al., 2017).
inputs: {x: [4], z: [3]}
layers:
  weights: {Linear: 20, inputs: z}
  matrix: {Reshape: [4, 5]}
  bias: {Linear: 5, inputs: z}
  row: {Unsqueeze: 1, inputs: x}
  product: {MatMul, inputs: [row, matrix]}
  flat: Flatten
  sum: {Add, inputs: [flat, bias]}
"""


class Hypernetwork(nn.Module):
    """A map from four values to five."""

    def __init__(self) -> None:
        super().__init__()
        self.weights, self.bias = nn.Linear(3, 20), nn.Linear(3, 5)

    def forward(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Return five values."""
        return (x[:, None] @ self.weights(z).view(-1, 4, 5)).flatten(1) + self.bias(z)


QUANTISED = """\
# Each vector becomes the nearest one of a codebook (van den Oord et al., 2017). The gradient goes
# past this choice: what is added to the vector is detached.
input: [10, 4]
layers:
  body: {Linear: 4}
  codes: {Parameter: {shape: [8, 4], batch_axis: false}, init: normal_}
  columns: {Transpose: {dim0: 1, dim1: 2}}
  products: {MatMul, inputs: [body, columns]}
  squares: {Formula: c * c, inputs: {c: codes}}
  lengths: {Sum: 2}
  nearness: {Formula: 2 * p - q, inputs: {p: products, q: lengths}}
  index: {Argmax: {dim: 2, keepdim: true}}
  nearest: {TakeAlongDim: {dim: 1}, inputs: [codes, index]}
  step: {Subtract, inputs: [nearest, body]}
  detached: Detach
  quantised: {Add, inputs: [body, detached]}
outputs: {output: quantised, nearest: nearest}
"""


class Quantised(nn.Module):
    """Ten vectors of four numbers, and eight codes."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.codes = nn.Linear(4, 4), nn.Parameter(torch.randn(8, 4))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the vectors with the gradient of the input, and the codes."""
        y = self.body(x)
        nearest = self.codes[(2 * y @ self.codes.T - (self.codes**2).sum(1)).argmax(2)]
        return y + (nearest - y).detach(), nearest


SCAN = """\
# A linear recurrence with a step that depends on the input, as sums (after Gu and Dao, 2023).
input: [12, 4]
layers:
  steps: [Linear: 4, Softplus]
  time: {Cumsum: 1}
  grown: {Formula: x * dt * exp(t), inputs: {x: input, dt: steps, t: time}}
  summed: {Cumsum: 1}
  state: {Formula: s * exp(-t), inputs: {s: summed, t: time}}
  head: {Linear: 3}
"""


class Scan(nn.Module):
    """Twelve steps of four numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.steps, self.head = nn.Sequential(nn.Linear(4, 4), nn.Softplus()), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return h(t) = exp(-dt) · h(t - 1) + dt · x, of which the head reads each."""
        dt = softplus(self.steps[0](x))
        state, states = torch.zeros(len(x), 4, dtype=x.dtype), []
        for step, value in zip(dt.unbind(1), x.unbind(1), strict=True):
            state = (-step).exp() * state + step * value
            states.append(state)
        return self.head(torch.stack(states, 1))


NETWORKS = {
    "mixture density": (MIXTURE, Mixture),
    "cosine classifier": (COSINE, Cosine),
    "coupling": (COUPLING, Coupling),
    "hypernetwork": (HYPERNETWORK, Hypernetwork),
    "vector quantisation": (QUANTISED, Quantised),
    "scan": (SCAN, Scan),
}

test_networks = each(NETWORKS)
