"""Blocks: as a person would write them in torch, with parameters of their own."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import torch
from torch import fx, nn

import netbuild
from netbuild.builder.module import module as build
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes
from tests.graph.blocks import SIAMESE, TOKENS, graph
from tests.saved import kept_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.graph.graph import Graph

RESIDUAL = """
input: [3, 16, 16]
blocks:
  BasicBlock:
    params: {channels, stride: 1}
    layers:
      conv1: {Conv2d: {out_channels: $channels, kernel_size: 3, stride: $stride, padding: 1}}
      bn1: BatchNorm2d
      relu: ReLU
      conv2: {Conv2d: {out_channels: $channels, kernel_size: 3, padding: 1}}
      bn2: BatchNorm2d
      downsample:
        when: $(stride != 1 or in_channels != channels)
        inputs: input
        layers:
          - Conv2d: {out_channels: $channels, kernel_size: 1, stride: $stride}
          - BatchNorm2d
      add: {Add, inputs: [bn2, downsample]}
      again: {Reuse: relu}
layers:
  stem: {Conv2d: {out_channels: 8, kernel_size: 3, padding: 1}}
  layer1: {BasicBlock: 8, repeat: 2}
  layer2:
    - BasicBlock: {channels: 16, stride: 2}
    - BasicBlock: 16
  flatten: Flatten
  fc: {Linear: 10}
"""


class BasicBlock(nn.Module):
    """The block as a person writes it."""

    def __init__(self, before: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or before != channels:
            shortcut = nn.Conv2d(before, channels, 1, stride)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the shortcut to the body."""
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class Residual(nn.Module):
    """The network as a person writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.layer1 = nn.Sequential(BasicBlock(8, 8), BasicBlock(8, 8))
        self.layer2 = nn.Sequential(BasicBlock(8, 16, 2), BasicBlock(16, 16))
        self.fc = nn.Linear(16 * 8 * 8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Call one after the other."""
        return self.fc(self.layer2(self.layer1(self.stem(x))).flatten(1))


NETWORKS = {"blocks": RESIDUAL, "sharing": SIAMESE, "tensors": TOKENS}


def inputs(found: Graph) -> list[torch.Tensor]:
    """Return three samples for each input."""
    return [torch.randn(3, *x.shape) for x in found.config.inputs.values() if x]


def test_a_block_is_the_module_that_a_person_would_write() -> None:
    """Names, shapes, parameters and results are those of the class, in training and after."""
    theirs, found = Residual(), graph(RESIDUAL)
    ours = build(found)
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: v.shape for k, v in theirs.state_dict().items()
    }
    assert found.params == sum(p.numel() for p in theirs.parameters())
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=0)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=0, atol=0)


def test_a_block_has_its_name_and_reads_as_written() -> None:
    """Its class is called like it, and its `forward` like its members."""
    block = build(graph(RESIDUAL)).layer2[0]
    assert isinstance(block, fx.GraphModule)
    assert "class BasicBlock(" in block.print_readable(print_output=False)
    assert "add = torch.add(bn2, downsample)" in block.code
    assert "downsample = self.downsample(input_1)" in block.code


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_built_is_plain_torch(name: str) -> None:
    """It is copied, pickled, exported and compiled, and gives the same."""
    found = graph(NETWORKS[name])
    module, x = build(found).eval(), inputs(found)
    expected = module(*x)
    for other in (
        copy.deepcopy(module),
        pickle.loads(pickle.dumps(module)),  # noqa: S301  just made
        torch.export.export(module, tuple(x)).module(),
        torch.compile(module, backend="eager", fullgraph=True),
    ):
        torch.testing.assert_close(other(*x), expected)


DISTRIBUTED = """
import os, sys, torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
import netbuild

group, *files = sys.argv[1:]
dist.init_process_group("gloo", init_method=f"file://{group}", rank=0, world_size=1)
for file in files:
    config = netbuild.load(file)
    module = DistributedDataParallel(netbuild.build(config))
    y = module(*(torch.randn(3, *x.shape) for x in config.inputs.values()))
    sum(part.square().sum() for part in (y if isinstance(y, tuple) else (y,))).backward()
    print(all(p.grad is not None for p in module.parameters()), flush=True)
os._exit(0)  # torch joins gloo's threads while it holds the lock that they wait for
"""


def test_what_is_built_trains_distributed(tmp_path: Path) -> None:
    """`DistributedDataParallel` takes it, and every weight gets a gradient."""
    files = [tmp_path / f"{name}.yaml" for name in NETWORKS]
    for file, text in zip(files, NETWORKS.values(), strict=True):
        file.write_text(text, encoding="utf-8")
    command = [sys.executable, "-c", DISTRIBUTED, tmp_path / "group", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["True"] * len(files)


@pytest.mark.parametrize("name", NETWORKS)
def test_memory_is_what_torch_keeps(name: str) -> None:
    """The bytes of a sample are those that torch saves more of for each sample."""
    found = graph(NETWORKS[name])
    module = build(found).train()
    kept = []
    for batch in (2, 3):
        x = [torch.randn(batch, *x.shape) for x in found.config.inputs.values() if x]
        kept.append(kept_bytes(module, *x)[0])
    assert kept[1] - kept[0] == found.activations_bytes


def test_a_parameter_of_a_block_may_be_an_item() -> None:
    """An item, a list of them and the name of a type stand for themselves."""
    text = """
input: [8]
vars: {small: {Linear: 3}}
blocks:
  Dense:
    params: {width, norm: LayerNorm, act: ReLU, hidden: $(width * 2)}
    layers: [{Linear: $hidden}, $norm, $act, {Linear: $width}]
layers:
  - Dense: 4
  - Dense: {width: 4, norm: {GroupNorm: 2}, act: [Tanh, {Dropout: 0.1}], hidden: 6}
  - $small
"""
    rows = graph(text).rows
    assert [row.type for row in rows] == [
        *("Linear", "LayerNorm", "ReLU", "Linear"),
        *("Linear", "GroupNorm", "Tanh", "Dropout", "Linear", "Linear"),
    ]
    assert [row.output.shape for row in rows if row.type == "Linear"] == [
        (8,), (4,), (6,), (4,), (3,)
    ]  # fmt: skip


def test_a_block_sees_nothing_else_of_the_file() -> None:
    """Neither the parameters of the block around it nor the index of a repetition."""
    for outer in ("width", "index"):
        text = f"""
input: [4]
blocks:
  Inner: {{layers: [Linear: ${outer}]}}
  Outer: {{params: [width], layers: [Inner]}}
layers: [{{Outer: 3, repeat: 2}}]
"""
        found = infer(read(from_bytes("network.yaml", text.encode())))
        assert found.diagnostics[0].code == "NB110"


def test_an_expression_knows_the_input_of_its_own_item() -> None:
    """`in_features` is that of what the item reads, not of the item above it."""
    text = """
input: [4]
blocks:
  Same: {layers: [Linear: $in_features]}
layers:
  - Linear: 2
  - {Linear: $in_features, inputs: input}
  - {Same, inputs: input}
  - {ReLU, inputs: input, repeat: $in_features}
"""
    rows = graph(text).rows
    assert [row.output.shape for row in rows] == [(2,), (4,), (4,), *[(4,)] * 4]


@pytest.mark.parametrize(
    ("blocks", "label"),
    [
        (["[ReLU, ReLU, ReLU]"] + [f"[B{n}, B{n}]" for n in range(40)], "more than 5,000 layers"),
        (
            ["[{ReLU, when: false}]"] + [f"[B{n}, B{n}]" for n in range(40)],
            "more than 10,000 members of stacks and blocks",
        ),
        (
            ["[ReLU]"] + [f"[B{n}]" for n in range(400)],
            "more than 100 stacks and blocks inside one another",
        ),
    ],
)
def test_runaway_sizes_are_refused(blocks: list[str], label: str) -> None:
    """Blocks within blocks end soon, however many they would be."""
    defined = "".join(f"  B{n}: {{layers: {text}}}\n" for n, text in enumerate(blocks))
    text = f"input: [4]\nblocks:\n{defined}layers: [B{len(blocks) - 1}]\n"
    started = time.process_time()
    (fault,) = infer(read(from_bytes("network.yaml", text.encode()))).diagnostics
    assert (fault.code, fault.label) == ("NB209", label)
    assert time.process_time() - started < 30


def test_build_from_python() -> None:
    """`netbuild.build` takes a config with blocks."""
    config = read(from_bytes("network.yaml", RESIDUAL.encode()))
    assert netbuild.build(config)(torch.zeros(1, 3, 16, 16)).shape == (1, 10)


def test_a_default_knows_the_input_of_the_block() -> None:
    """A parameter that is not given may depend on what reaches the block, and on those above it."""
    text = """
input: [4]
blocks:
  Wide: {params: {by: 2, width: $(in_features * by)}, layers: [Linear: $width]}
layers: [Wide, Wide: 3, {Wide: {width: 5}, inputs: input}]
"""
    assert [row.output.shape for row in graph(text).rows] == [(8,), (24,), (5,)]


UNUSED = """
input: [3, 8, 8]
blocks:
  Stem:
    params: {width, kernel: 3}
    layers:
      conv: {Conv2d: {out_chanels: $width, kernel_size: $kernel}}
      skip: {Add, inputs: [conv, shortcut]}
      again: {Tail: $width, when: $(in_channels > 3)}
  Tail:
    params: [width]
    layers: [Liner: $width]
layers: [Flatten]
"""


def test_a_block_that_nothing_uses_is_checked() -> None:
    """Its types and fields are; what its user would give, such as its inputs, is not missed."""
    faults = infer(read(from_bytes("net.yaml", UNUSED.encode()))).diagnostics
    assert [(f.code, f.span.line) for f in faults] == [("NB104", 7), ("NB103", 12)]
    whole = UNUSED.replace("chanels", "channels").replace("Liner", "Linear")
    graph = infer(read(from_bytes("net.yaml", whole.encode())))
    assert graph.diagnostics == ()
    assert [row.type for row in graph.rows] == ["Flatten"]


def test_an_unused_block_of_many_faults() -> None:
    """As many of them are told as of any file, and nothing breaks."""
    wrong = "".join(f"      - Linear: {{out_feature{n}: 3}}\n" for n in range(300))
    text = f"input: [4]\nblocks:\n  Big:\n    layers:\n{wrong}layers: [Linear: 3]\n"
    graph = infer(read(from_bytes("net.yaml", text.encode())))
    assert {fault.code for fault in graph.diagnostics} == {"NB104"}
    assert len(graph.rows) == 1
