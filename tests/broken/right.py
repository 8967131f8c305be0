"""Right files: the configs, the good files of the rules' pages, files of shapes, and drawn ones."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.node import List, Map, Scalar
from netbuild.syntax.parser import from_bytes
from tests import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from netbuild.graph.graph import Graph
    from netbuild.syntax.node import Node

#: Of the large networks a few are enough: the others are like them.
LARGE = ("resnet18", "squeezenet1_1", "vgg11_bn", "shufflenet_v2_x0_5")
DRAWN = 0.3

#: What the configs do not hold: blocks with parameters, text, several inputs, wider options.
MORE = (
    """\
input: [3, 32, 32]
vars: {width: 16, deep: true}
blocks:
  Conv:
    params: {channels, kernel: 3}
    layers:
      - Conv2d:
          out_channels: $channels
          kernel_size: $kernel
          padding: $(kernel // 2)
          bias: false
      - BatchNorm2d
      - ReLU
layers:
  - Conv: $width
  - Conv: {channels: $(2 * width), kernel: 5}
  - {Dropout: 0.1, when: $deep}
  - AdaptiveAvgPool2d: 1
  - Flatten
  - Linear: 10
loss: {CrossEntropyLoss: {label_smoothing: 0.1}}
optimizer: {SGD: {lr: 0.1, momentum: 0.9, weight_decay: 5e-4}}
scheduler: {StepLR: {step_size: 5, gamma: 0.5}}
data: {Random: {classes: 10, samples: 640}, validation: 0.2}
metrics: [Accuracy, {Accuracy: {top_k: 5}, name: top_5_accuracy}]
train: {epochs: 3, seed: 1, batch_size: 64}
""",
    """\
input: {shape: [20], dtype: int64}
layers:
  - Embedding: {num_embeddings: 100, embedding_dim: 16}
  - LSTM: {hidden_size: 32, num_layers: 2, batch_first: true}
  - Select: {dim: 1, index: -1}
  - LayerNorm
  - Linear: 5
loss: CrossEntropyLoss
optimizer: {AdamW: {lr: 1e-3, betas: [0.9, 0.99]}}
data: {Random: {classes: 5, below: 100}}
""",
    """\
inputs: {image: [3, 16, 16], extra: [8]}
layers:
  conv: {Conv2d: {out_channels: 8, kernel_size: [3, 3], stride: 2}, inputs: image}
  relu: ReLU
  pool: {MaxPool2d: {kernel_size: 3, stride: 2}}
  flat: Flatten
  join: {Concat, inputs: [flat, extra]}
  hidden: {Linear: {in_features: 80, out_features: 32, bias: false}}
  norm: BatchNorm1d
  act: {LeakyReLU: 0.1}
  out: {Linear: {in_features: 32, out_features: 1}}
  score: Sigmoid
loss: BCELoss
optimizer: Adam
""",
    """\
name: attention
input: [10, 32]
layers:
  norm: LayerNorm
  attend: {MultiheadAttention: {embed_dim: 32, num_heads: 4}, inputs: [norm, norm, norm]}
  add: {Add, inputs: [input, attend]}
  wide: {Linear: 64}
  act: GELU
  narrow: {Linear: 32}
  again: {Add, inputs: [add, narrow]}
  mean: {Mean: 1}
  out: {Linear: 4}
loss: CrossEntropyLoss
optimizer: {Adam: {lr: 0.0005}}
data: {Random: {classes: 4}}
""",
    """\
input: [1, 64]
layers:
  - Conv1d: {in_channels: 1, out_channels: 8, kernel_size: 5, stride: 2, padding: 2}
  - GroupNorm: {num_groups: 4, num_channels: 8}
  - {layers: [{Conv1d: {out_channels: 8, kernel_size: 3, padding: 1}}, ReLU], repeat: 3}
  - Flatten
  - Linear: {in_features: 256, out_features: 64}
  - Unflatten: {dim: 1, unflattened_size: [8, 8]}
  - Transpose: {dim0: 1, dim1: 2}
  - Flatten: {start_dim: 1}
  - Linear: {in_features: 64, out_features: 3}
loss: CrossEntropyLoss
data: {Random: {classes: 3}}
optimizer: Adam
budget: {params: 100k}
""",
)


class Part(NamedTuple):
    """A node of a file: its path, its key and the node itself."""

    path: tuple[str | int, ...]
    key: Scalar | None
    node: Node

    @property
    def name(self) -> str:
        """The last step of the path; that of the item around it within a list of sizes."""
        return next((str(step) for step in reversed(self.path) if isinstance(step, str)), "")


class Right(NamedTuple):
    """A file without errors, with its nodes and its graph."""

    text: str
    graph: Graph
    parts: tuple[Part, ...]


@cache
def written() -> tuple[Right, ...]:
    """Return the right files that stand somewhere."""
    paths = [*sorted((ROOT / "configs").glob("*.yaml"))]
    paths += [ROOT / "configs" / "torchvision" / f"{name}.yaml" for name in LARGE]
    texts = [*MORE, *(path.read_text("utf-8") for path in paths)]
    for page in sorted((ROOT / "netbuild" / "diagnostics" / "rules").glob("*.md")):
        texts += re.findall(r"```yaml good\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    return tuple(one for one in map(right, texts) if one is not None)


def right(text: str) -> Right | None:
    """Return a file; None if it has errors or extends another one."""
    source = from_bytes("net.yaml", text.encode())
    if source.root is None or "extends:" in text:
        return None
    graph = infer(read(source))
    return None if errors(graph.diagnostics) else Right(text, graph, tuple(_parts(source.root)))


def drawn(rng: Random) -> Right:
    """Draw a right file."""
    from tests.whole.generator import Generator

    while rng.random() < DRAWN:
        made = right(Generator(rng.randrange(1 << 30)).file())
        if made is not None:
            return made
    files = written()
    if rng.random() < 0.4:
        return files[rng.randrange(len(MORE))]
    return rng.choice(files)


def _parts(
    node: Node, path: tuple[str | int, ...] = (), key: Scalar | None = None
) -> Iterator[Part]:
    yield Part(path, key, node)
    if isinstance(node, Map):
        for name, entry in node.entries.items():
            yield from _parts(entry.value, (*path, name), entry.key)
    elif isinstance(node, List):
        for number, child in enumerate(node.items):
            yield from _parts(child, (*path, number))
