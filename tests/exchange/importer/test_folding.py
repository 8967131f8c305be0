"""Networks become short configs: blocks, parameters, repetitions, and the same graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netbuild.checks.trace import trace
from netbuild.config.load import load
from netbuild.exchange.importer.folding import folding
from netbuild.reports.difference import diff
from tests import ROOT
from tests.exchange.importer.networks import graph_of, network_of

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.exchange.importer.network import Network

CONFIGS = ROOT / "configs"
#: The most lines of a network, and its lines when each layer is written out.
SHORT = {
    "resnet18": (32, 75),
    "densenet121": (38, 450),
    "mobilenet_v2": (38, 130),
    "vit_b_16": (27, 95),
}
QUICK = ("lenet", "seq2seq", "siamese", "unet", "lstm", "multitask", "vae")


def network(path: Path) -> Network:
    """Return the network of a config, each layer by itself."""
    return network_of(trace(load(path)))


def check(path: Path) -> str:
    """Assert that a config comes back as the same graph; return the text that was written."""
    before = trace(load(path))
    text = folding.config_text(network_of(before))
    after = graph_of(text)
    assert diff(before, after).is_same_network, path.name
    assert before.tensors == after.tensors
    return text


@pytest.mark.parametrize("name", QUICK)
def test_a_config_comes_back(name: str) -> None:
    """A network whose layers are written out is folded to the same graph."""
    check(CONFIGS / f"{name}.yaml")


@pytest.mark.slow
def test_every_config_comes_back() -> None:
    """Each config comes back as the same graph.

    Rotary keeps the value of a computed Constant, and a reader knows the numbers only.
    """
    for path in sorted(CONFIGS.glob("*.yaml")):
        if path.stem not in ("rotary", "gan"):
            check(path)


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.slow
def test_known_networks_are_short(name: str) -> None:
    """ResNet, DenseNet, MobileNet and ViT are about as short as by hand."""
    path = CONFIGS / "torchvision" / f"{name}.yaml"
    most, plain = SHORT[name]
    assert len(check(path).splitlines()) <= most
    assert len(folding.plain_text(network(path)).splitlines()) >= plain


RESIDUAL = """
input: [8, 16, 16]
blocks:
  Basic:
    params: {channels, stride: 1}
    layers:
      conv1: {Conv2d: {out_channels: $channels, kernel_size: 1, stride: $stride}}
      relu: ReLU
      conv2: {Conv2d: {out_channels: $channels, kernel_size: 1}}
      downsample:
        when: $(stride != 1 or in_channels != channels)
        inputs: input
        layers: [Conv2d: {out_channels: $channels, kernel_size: 1, stride: $stride}, BatchNorm2d]
      add: {Add, inputs: [conv2, downsample]}
      again: {Reuse: relu}
layers:
  layer1: [{Basic: 8, repeat: 3}]
  layer2: [Basic: {channels: 16, stride: 2}, Basic: 16]
  layer3: [Basic: {channels: 32, stride: 2}, Basic: 32]
"""


def test_stacks_of_a_class_become_a_block() -> None:
    """What differs becomes a parameter, and a member that some lack has a condition."""
    before = graph_of(RESIDUAL)
    text = folding.config_text(network_of(before))
    assert text == (
        "name: network\n"
        "input: [8, 16, 16]\n"
        "blocks:\n"
        "  Basic:\n"
        "    params: {channels, stride: 1}\n"
        "    layers:\n"
        "      conv1: {Conv2d: {out_channels: $channels, kernel_size: 1, stride: $stride}}\n"
        "      relu: ReLU\n"
        "      conv2: {Conv2d: {out_channels: $channels, kernel_size: 1}}\n"
        "      downsample:\n"
        "        inputs: input\n"
        "        when: $(in_channels != channels)\n"
        "        layers: [Conv2d: {out_channels: $channels, kernel_size: 1, stride: $stride}, "
        "BatchNorm2d]\n"
        "      add: {Add, inputs: [conv2, downsample]}\n"
        "      again: {Reuse: relu}\n"
        "layers:\n"
        "  layer1: {Basic: 8, repeat: 3}\n"
        "  layer2: [Basic: {channels: 16, stride: 2}, Basic: 16]\n"
        "  layer3: [Basic: {channels: 32, stride: 2}, Basic: 32]\n"
    )
    assert diff(before, graph_of(text)).is_same_network


INVERTED = """
input: [16, 8, 8]
blocks:
  Block:
    params: {channels, expand: 4, stride: 1}
    layers:
      conv:
        - {Conv2d: {out_channels: $(in_channels * expand), kernel_size: 1}, when: $(expand > 1)}
        - Conv2d: {out_channels: $in_channels, kernel_size: 1, stride: $stride, groups: 8}
        - Conv2d: {out_channels: $channels, kernel_size: 1}
      add: {Add, inputs: [conv, input], when: $(stride == 1)}
layers:
  - Block: {channels: 24, expand: 1, stride: 2}
  - {Block: 24, repeat: 3}
  - Block: {channels: 40, stride: 2}
  - {Block: 40, repeat: 2}
"""


@pytest.mark.parametrize("step", [1, -1])
def test_a_sum_that_some_blocks_lack(step: int) -> None:
    """A block may lack its first convolution and its sum, in whichever order the sum is read."""
    before = graph_of(INVERTED)
    network = network_of(before)
    nodes = [n._replace(inputs=n.inputs[::step]) if n.type == "Add" else n for n in network.nodes]
    network = network._replace(nodes=tuple(nodes))
    text = folding.config_text(network)
    assert "Block2" not in text
    assert "kernel_size: 1}, when: $conv2d}" in text
    assert "add: {Add, inputs: [conv, input], when: $(stride == 1)}" in text
    assert len(text.splitlines()) <= 18
    assert diff(before, graph_of(text)).is_same_network


def test_values_follow_from_the_input() -> None:
    """Sizes that follow from the shape of the input in all uses are expressions."""
    text = """
input: [8, 16]
blocks:
  Mlp: {layers: {fc1: {Linear: $(in_features * 4)}, act: GELU, fc2: {Linear: $(in_features // 4)}}}
  Wider: {layers: {mlp: Mlp, norm: LayerNorm, up: {Linear: $(in_features * 2)}, act: ReLU}}
layers: {a: Wider, b: Wider, c: Wider}
"""
    before = graph_of(text)
    made = folding.config_text(network_of(before))
    assert "fc1: {Linear: $(in_features * 4)}" in made
    assert "fc2: {Linear: $(in_features // 4)}" in made
    assert "params" not in made
    assert diff(before, graph_of(made)).is_same_network


def test_numbers_that_rise_are_repeated() -> None:
    """A rate that rises from layer to layer is an expression of the index."""
    text = """
input: [8]
layers:
  - {Linear: 16, repeat: 1}
  - {layers: [Linear: 8, ReLU], repeat: 4}
  - {Dropout: $(0.2 * (index + 1) / 7), repeat: 5}
  - {Linear: $(10 - index * 2), repeat: 4}
"""
    before = graph_of(text)
    made = folding.config_text(network_of(before))
    assert made.endswith(
        "layers:\n"
        "  - Linear: 16\n"
        "  - {layers: [Linear: 8, ReLU], repeat: 4}\n"
        "  - {Dropout: $(0.2 * (index + 1) / 7), repeat: 5}\n"
        "  - {Linear: $(index * -2 + 10), repeat: 4}\n"
    )
    assert diff(before, graph_of(made)).is_same_network


def test_a_wrong_fold_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the folded config gave another graph, each layer is written out."""
    right = folding.folded

    def wrong(root: object) -> object:
        group, blocks = right(root)  # type: ignore[arg-type]
        members = [one._replace(arguments={"out_features": 5}) for one in group.members]
        return group._replace(members=tuple(members)), blocks

    network = network_of(graph_of("input: [4]\nlayers: [{Linear: 3, repeat: 3}]\n"))
    assert "repeat: 3" in folding.config_text(network)
    monkeypatch.setattr(folding, "folded", wrong)
    assert folding.config_text(network) == folding.plain_text(network)


DENSE = """
input: [8, 6, 6]
layers:
  block:
    layer1: {conv: {Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}}}
    layer2:
      inputs: {x: input, y: layer1}
      layers:
        cat: {Concat, inputs: [x, y]}
        conv: {Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}}
    layer3:
      inputs: {x: input, y: layer1, z: layer2}
      layers:
        cat: {Concat, inputs: [x, y, z]}
        conv: {Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}}
    cat: {Concat, inputs: [input, layer1, layer2, layer3]}
"""


def test_growing_joins_have_two_inputs() -> None:
    """Layers that join the results of all before them read one value, as in DenseNet."""
    before = graph_of(DENSE)
    text = folding.config_text(network_of(before))
    after = graph_of(text)
    assert after.tensors == before.tensors
    assert after.outputs == before.outputs
    assert text.count("Concat") == 1
