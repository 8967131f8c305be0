"""Networks with tables that all samples share, each against a module that is written by hand."""
# ruff: noqa: D101, D102  modules as people write them

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from tests.networks import compare


class Conv1D(nn.Module):
    """A linear layer whose weight is (in, out), as in GPT-2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight + self.bias


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ln = nn.LayerNorm(8)
        self.c_fc = Conv1D(8, 32)
        self.c_proj = Conv1D(32, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.c_proj(functional.gelu(self.c_fc(self.ln(x)), approximate="tanh"))


GPT2 = """
blocks:
  Conv1D:
    params: {width: null}
    layers:
      weight: {Parameter: {shape: ["$(in_shape[-1])", $width], batch_axis: false}}
      x: {MatMul, inputs: [input, weight]}
      bias: {Parameter: {shape: [$width], batch_axis: false}}
      y: {Add, inputs: [x, bias]}
input: [5, 8]
layers:
  ln: LayerNorm
  c_fc: {Conv1D: 32}
  act: {GELU: {approximate: tanh}}
  c_proj: {Conv1D: 8}
  y: {Add, inputs: [input, c_proj]}
"""


def test_weights_of_gpt2() -> None:
    """A Parameter in a MatMul is a Linear whose weight is the other way round."""
    graph = compare(GPT2, Mlp())
    assert graph.shared_activations_bytes == 0


class Rotary(nn.Module):
    """Attention of 2 heads with rotary positions; the tables are buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(16, 48)
        angles = torch.arange(6)[:, None] * 100.0 ** (-torch.arange(0, 8, 2) / 8)  # (L, D/2)
        angles = torch.cat([angles, angles], 1)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def rotated(self, x: torch.Tensor) -> torch.Tensor:
        one, other = x.chunk(2, -1)
        return x * self.cos + torch.cat([-other, one], -1) * self.sin

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (y.unflatten(2, (2, 8)).transpose(1, 2) for y in self.qkv(x).chunk(3, 2))
        scores = self.rotated(q) @ self.rotated(k).mT
        return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


ROTARY = """
blocks:
  Heads:
    layers: [{Unflatten: {dim: 2, unflattened_size: [2, 8]}}, {Transpose: {dim0: 1, dim1: 2}}]
  Rotated:
    layers:
      halves: {Chunk: {chunks: 2, dim: -1}, inputs: x}
      minus: {Constant: -1.0}
      negative: {Multiply, inputs: [halves.1, minus]}
      turned: {Concat: {dim: -1}, inputs: [negative, halves]}
      one: {Multiply, inputs: [x, cos]}
      other: {Multiply, inputs: [turned, sin]}
      y: {Add, inputs: [one, other]}
input: [6, 16]
layers:
  cos: {Constant: COS}
  sin: {Constant: SIN}
  qkv: {Linear: 48, inputs: input}
  parts: {Chunk: {chunks: 3, dim: 2}}
  q: {Heads, inputs: parts}
  k: {Heads, inputs: parts.1}
  v: {Heads, inputs: parts.2}
  rq: {Rotated, inputs: {x: q, cos: cos, sin: sin}}
  rk: {Rotated, inputs: {x: k, cos: cos, sin: sin}}
  kt: {Transpose: {dim0: -1, dim1: -2}}
  scores: {MatMul, inputs: [rq, kt]}
  weights: {Softmax: -1}
  mixed: {MatMul, inputs: [weights, v]}
  back: {Transpose: {dim0: 1, dim1: 2}}
  y: {Flatten: {start_dim: 2}}
"""


def test_rotary_attention() -> None:
    """Tables of length × features join queries of heads × length × features, also in a block."""
    by_hand = Rotary()
    tables = {"COS": by_hand.cos, "SIN": by_hand.sin}
    text = ROTARY
    for name, table in tables.items():
        text = text.replace(name, str(table.tolist()))
    graph = compare(text, by_hand)
    assert graph.constants_bytes == 4 * (2 * 6 * 8 + 2)


class Alibi(nn.Module):
    """Attention scores with a slope for each of 4 heads: Press et al. 2021."""

    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Linear(8, 32)
        self.k = nn.Linear(8, 32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k = (f(x).unflatten(2, (4, 8)).transpose(1, 2) for f in (self.q, self.k))
        slopes = 2.0 ** -torch.arange(2, 10, 2.0)[:, None, None]
        places = torch.arange(6)
        return (q @ k.mT + slopes * (places[None, :] - places[:, None])).softmax(-1)


ALIBI = """
blocks:
  Heads:
    layers: [{Unflatten: {dim: 2, unflattened_size: [4, 8]}}, {Transpose: {dim0: 1, dim1: 2}}]
input: [6, 8]
layers:
  q: {Linear: 32}
  qh: Heads
  k: {Linear: 32, inputs: input}
  kh: Heads
  kt: {Transpose: {dim0: -1, dim1: -2}}
  scores: {MatMul, inputs: [qh, kt]}
  places: {Constant: {arange: 6}}
  keys: {Reshape: [1, 6]}
  queries: {Reshape: [6, 1], inputs: places}
  distances: {Subtract, inputs: [keys, queries]}
  slopes: {Constant: {logspace: [-2, -8, 4, 2]}}
  of_heads: {Reshape: [4, 1, 1]}
  bias: {Multiply, inputs: [distances, of_heads]}
  kept: {Constant, inputs: bias}
  biased: {Add, inputs: [scores, kept]}
  y: {Softmax: -1}
"""


def test_alibi() -> None:
    """Distances of all places and slopes of all heads are one table, computed once at build."""
    graph = compare(ALIBI, Alibi())
    assert {row.path for row in graph.rows if not row.is_built} >= {"distances", "bias"}


class RelativePositions(nn.Module):
    """Attention scores with a learned bias for each head and distance, as in T5."""

    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Linear(8, 16)
        self.k = nn.Linear(8, 16)
        self.relative_attention_bias = nn.Embedding(9, 2)
        places = torch.arange(5)
        self.register_buffer("buckets", places[None, :] - places[:, None] + 4, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k = (f(x).unflatten(2, (2, 8)).transpose(1, 2) for f in (self.q, self.k))
        bias = self.relative_attention_bias(self.buckets).permute(2, 0, 1)
        return (q @ k.mT + bias).softmax(-1)


T5 = """
blocks:
  Heads:
    layers: [{Unflatten: {dim: 2, unflattened_size: [2, 8]}}, {Transpose: {dim0: 1, dim1: 2}}]
input: [5, 8]
layers:
  q: {Linear: 16}
  qh: Heads
  k: {Linear: 16, inputs: input}
  kh: Heads
  kt: {Transpose: {dim0: -1, dim1: -2}}
  scores: {MatMul, inputs: [qh, kt]}
  buckets: {Constant: BUCKETS}
  relative_attention_bias: {Embedding: {num_embeddings: 9, embedding_dim: 2}}
  of_heads: {Permute: [0, 3, 1, 2]}
  biased: {Add, inputs: [scores, of_heads]}
  y: {Softmax: -1}
"""


def test_relative_positions() -> None:
    """An Embedding of a Constant is computed once; its result joins the scores of each sample."""
    by_hand = RelativePositions()
    compare(T5.replace("BUCKETS", str(by_hand.buckets.tolist())), by_hand)


class ClassToken(nn.Module):
    """A vision transformer's class token and positions, with dropout behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, 8))
        self.pos_embedding = nn.Parameter(torch.zeros(1, 6, 8))
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1) + self.pos_embedding
        return self.head(self.dropout(x)[:, 0])


VISION = """
input: [5, 8]
layers:
  class_token: {Parameter: [1, 8]}
  all: {Concat, inputs: [class_token, input]}
  pos_embedding: {Parameter: [6, 8], init: {normal_: {std: 0.02}}}
  x: {Add, inputs: [all, pos_embedding]}
  dropout: {Dropout: 0.1}
  first: {Select: {dim: 1, index: 0}}
  head: {Linear: 3}
"""


def test_class_token() -> None:
    """Concat repeats the token for each sample; Add reads the positions once."""
    compare(VISION, ClassToken())


class RadialBases(nn.Module):
    """Normalised radial bases: how near an input is to each of 7 centres."""

    def __init__(self) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.zeros(7, 4))
        self.scales = nn.Parameter(torch.ones(7))
        self.out = nn.Linear(7, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        distances = ((x[:, None] - self.centres) ** 2).sum(-1)
        return self.out(functional.softmin(distances * self.scales, -1))


RBF = """
input: [4]
layers:
  centres: {Parameter: {shape: [7, 4], batch_axis: false}, init: {normal_: {}}}
  x: {Unsqueeze: 1, inputs: input}
  d: {Subtract, inputs: [x, centres]}
  squares: {Multiply, inputs: [d, d]}
  distances: {Sum: -1}
  scales: {Parameter: {shape: [7], batch_axis: false}, init: ones_}
  scaled: {Multiply, inputs: [distances, scales]}
  near: {Softmin: -1}
  out: {Linear: 2}
"""


def test_radial_bases() -> None:
    """Centres of all samples join one row of each sample."""
    compare(RBF, RadialBases())


class Film(nn.Module):
    """Feature maps scaled and shifted by a condition, and by shared features of the domain."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.film = nn.Linear(4, 12)
        self.domain = nn.Parameter(torch.zeros(1, 5))
        self.project = nn.Linear(5, 6)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, 1)
        of_domain = self.project(self.domain)[:, :, None, None]
        return (self.conv(x) * scale + shift + of_domain).relu()


FILM = """
inputs: {x: [3, 8, 8], condition: [4]}
layers:
  conv: {Conv2d: {out_channels: 6, kernel_size: 3}, inputs: x}
  film: {Linear: 12, inputs: condition}
  maps: {Reshape: [12, 1, 1]}
  parts: {Chunk: 2}
  scaled: {Multiply, inputs: [conv, parts.0]}
  shifted: {Add, inputs: [scaled, parts.1]}
  domain: {Parameter: [5], init: {normal_: {}}}
  project: {Linear: 6}
  of_domain: {Reshape: [6, 1, 1]}
  joined: {Add, inputs: [shifted, of_domain]}
  y: ReLU
"""


def test_film() -> None:
    """A Linear of a Parameter computes once a batch, and its MACs count once."""
    graph = compare(FILM, Film())
    assert sum(row.macs for row in graph.rows if row.shared) == 5 * 6
    assert math.isclose(graph.macs, 6 * 6 * 6 * 27 + 4 * 12 + 5 * 6)
