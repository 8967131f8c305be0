"""Networks for sets and graphs: PointNet with T-Nets, graph convolutions, DeepSets."""

from __future__ import annotations

import torch
from torch import nn

from tests.networks import each

POINTNET = """\
# Points in any order; small networks turn the points, and the features (Qi et al., 2017).
input: [3, 20]
blocks:
  TNet:                                   # a matrix for each sample, near to the identity
    params: {size}
    layers:
      points: [{Conv1d: {out_channels: 16, kernel_size: 1, bias: false}}, BatchNorm1d, ReLU]
      most: {Amax: {dim: 2}}
      fc1: {Linear: 8}
      relu: ReLU
      fc2: {Linear: $(size * size)}
      matrix: {Reshape: [$size, $size]}
      one: {Constant: {eye: $size}}
      near: {Add, inputs: [matrix, one]}
      turned: {MatMul, inputs: [near, input]}
layers:
  turn: {TNet: 3}
  first: [{Conv1d: {out_channels: 8, kernel_size: 1}}, ReLU]
  features: {TNet: 8}
  second: [{Conv1d: {out_channels: 32, kernel_size: 1}}, ReLU]
  most: {Amax: {dim: 2}}
  head: {Linear: 4}
"""


class TNet(nn.Module):
    """A matrix for each sample, near to the identity, and the points times this matrix."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.points = nn.Sequential(
            nn.Conv1d(size, 16, 1, bias=False), nn.BatchNorm1d(16), nn.ReLU()
        )
        self.fc1, self.fc2 = nn.Linear(16, 8), nn.Linear(8, size * size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the points turned."""
        size = x.shape[1]
        y = self.fc2(self.fc1(self.points(x).amax(2)).relu())
        return (y.view(-1, size, size) + torch.eye(size)) @ x


class PointNet(nn.Module):
    """Twenty points of three numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.turn, self.features = TNet(3), TNet(8)
        self.first = nn.Sequential(nn.Conv1d(3, 8, 1), nn.ReLU())
        self.second = nn.Sequential(nn.Conv1d(8, 32, 1), nn.ReLU())
        self.head = nn.Linear(32, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return four scores."""
        return self.head(self.second(self.features(self.first(self.turn(x)))).amax(2))


GRAPH = """\
# Graph convolutions (Kipf and Welling, 2017): each node reads its neighbours' mean.
inputs: {nodes: [12, 5], adjacency: [12, 12]}
blocks:
  GraphConv:
    params: {width}
    layers:
      linear: {Linear: $width, inputs: nodes}
      mixed: {MatMul, inputs: [adjacency, linear]}
      relu: ReLU
layers:
  conv1: {GraphConv: 16, inputs: {nodes: nodes, adjacency: adjacency}}
  conv2: {GraphConv: 8, inputs: {nodes: conv1, adjacency: adjacency}}
  head: {Linear: 3}
"""


class GraphConv(nn.Module):
    """A linear map of each node, mixed with the neighbours."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(before, width)

    def forward(self, x: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        """Return new features of each node."""
        return (adjacency @ self.linear(x)).relu()


class GraphNet(nn.Module):
    """Two graph convolutions, and three scores for each node."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = GraphConv(5, 16), GraphConv(16, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, nodes: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        """Return three scores for each node."""
        return self.head(self.conv2(self.conv1(nodes, adjacency), adjacency))


DEEPSETS = """\
# A sum over a set does not know its order (Zaheer et al., 2017).
input: [10, 4]
layers:
  phi: [Linear: 16, ReLU, Linear: 8]
  sum: {Sum: 1}
  rho: [Linear: 16, ReLU, Linear: 2]
"""


class DeepSets(nn.Module):
    """Ten elements of four numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
        self.rho = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return two scores."""
        return self.rho(self.phi(x).sum(1))


SET_TRANSFORMER = """\
# Inducing points: a few learned vectors stand between the elements (Lee et al., 2019).
input: [12, 16]
blocks:
  Attend:                                 # a multihead attention block
    layers:
      attention:
        MultiheadAttention: {num_heads: 2, need_weights: false}
        inputs: {query: of, key: to, value: to}
      add: {Add, inputs: [of, attention]}
      norm1: LayerNorm
      feed: {Linear: 16}
      relu: ReLU
      sum: {Add, inputs: [norm1, relu]}
      norm2: LayerNorm
layers:
  points: {Parameter: {shape: [3, 16]}, init: normal_}
  induced: {Attend, inputs: {of: points, to: input}}
  elements: {Attend, inputs: {of: input, to: induced}}
  seed: {Parameter: {shape: [1, 16]}, init: normal_}
  pooled: {Attend, inputs: {of: seed, to: elements}}
  flat: Flatten
  head: {Linear: 2}
"""


class AttendTo(nn.Module):
    """A multihead attention block."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm1, self.norm2, self.feed = nn.LayerNorm(16), nn.LayerNorm(16), nn.Linear(16, 16)

    def forward(self, of: torch.Tensor, to: torch.Tensor) -> torch.Tensor:
        """Return what each vector of `of` reads in `to`."""
        y = self.norm1(of + self.attention(of, to, to, need_weights=False)[0])
        return self.norm2(y + self.feed(y).relu())


class SetTransformer(nn.Module):
    """Twelve elements of sixteen numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.points, self.seed = (nn.Parameter(torch.randn(1, n, 16)) for n in (3, 1))
        self.induced, self.elements, self.pooled = AttendTo(), AttendTo(), AttendTo()
        self.head = nn.Linear(16, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return two scores."""
        points, seed = (one.expand(len(x), -1, -1) for one in (self.points, self.seed))
        y = self.elements(x, self.induced(points, x))
        return self.head(self.pooled(seed, y).flatten(1))


NETWORKS = {
    "PointNet": (POINTNET, PointNet),
    "graph convolution": (GRAPH, GraphNet),
    "DeepSets": (DEEPSETS, DeepSets),
    "set transformer": (SET_TRANSFORMER, SetTransformer),
}

test_networks = each(NETWORKS)
