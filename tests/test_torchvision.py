"""The networks of `configs/torchvision` have torchvision's names, so its weights load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

import netbuild
from netbuild.builder import module as builder
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.parser import from_file
from tests import ROOT
from tests.quick import thinned
from tests.reports.test_difference import assert_unchanged
from tests.torchvision_networks import QUICK
from tests.torchvision_networks.dense import DenseNet, GoogLeNet
from tests.torchvision_networks.inception import InceptionV3
from tests.torchvision_networks.maxvit import MaxViT
from tests.torchvision_networks.mobile import MNASNet, MobileNetV2, ShuffleNet
from tests.torchvision_networks.plain import VGG, AlexNet, SqueezeNet
from tests.torchvision_networks.residual import ResNet
from tests.torchvision_networks.squeezing import (
    LARGE,
    SLOW,
    SMALL,
    MobileNetV3,
    RegNet,
    efficient_net,
    efficient_net_v2,
)
from tests.torchvision_networks.swin import BASE, TINY, Swin
from tests.torchvision_networks.swin import SMALL as SWIN_SMALL
from tests.torchvision_networks.transformer import ConvNeXt, ViT

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = ROOT / "configs" / "torchvision"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
#: As torchvision's documentation of each network's weights says them.
PARAMETERS = {
    "convnext_tiny": 28_589_128,
    "convnext_small": 50_223_688,
    "convnext_base": 88_591_464,
    "convnext_large": 197_767_336,
    "inception_v3": 27_161_264,
    "maxvit_t": 30_919_624,
    "swin_t": 28_288_354,
    "swin_s": 49_606_258,
    "swin_b": 87_768_224,
    "swin_v2_t": 28_351_570,
    "swin_v2_s": 49_737_442,
    "swin_v2_b": 87_930_848,
    "mnasnet0_5": 2_218_512,
    "mnasnet0_75": 3_170_208,
    "mnasnet1_0": 4_383_312,
    "mnasnet1_3": 6_282_256,
    "shufflenet_v2_x0_5": 1_366_792,
    "shufflenet_v2_x1_0": 2_278_604,
    "shufflenet_v2_x1_5": 3_503_624,
    "shufflenet_v2_x2_0": 7_393_996,
    "vit_b_16": 86_567_656,
    "vit_b_32": 88_224_232,
    "vit_l_16": 304_326_632,
    "vit_l_32": 306_535_400,
    "vit_h_14": 632_045_800,
    "alexnet": 61_100_840,
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "googlenet": 13_004_888,
    "mobilenet_v2": 3_504_872,
    "mobilenet_v3_large": 5_483_032,
    "mobilenet_v3_small": 2_542_856,
    "efficientnet_b0": 5_288_548,
    "efficientnet_b1": 7_794_184,
    "efficientnet_b2": 9_109_994,
    "efficientnet_b3": 12_233_232,
    "efficientnet_b4": 19_341_616,
    "efficientnet_b5": 30_389_784,
    "efficientnet_b6": 43_040_704,
    "efficientnet_b7": 66_347_960,
    "efficientnet_v2_s": 21_458_488,
    "efficientnet_v2_m": 54_139_356,
    "efficientnet_v2_l": 118_515_272,
    "regnet_y_400mf": 4_344_144,
    "regnet_y_800mf": 6_432_512,
    "regnet_y_1_6gf": 11_202_430,
    "regnet_y_3_2gf": 19_436_338,
    "regnet_y_8gf": 39_381_472,
    "regnet_y_16gf": 83_590_140,
    "regnet_y_32gf": 145_046_770,
    "regnet_y_128gf": 644_812_894,
    "regnet_x_400mf": 5_495_976,
    "regnet_x_800mf": 7_259_656,
    "regnet_x_1_6gf": 9_190_136,
    "regnet_x_3_2gf": 15_296_552,
    "regnet_x_8gf": 39_572_648,
    "regnet_x_16gf": 54_278_536,
    "regnet_x_32gf": 107_811_560,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnext50_32x4d": 25_028_904,
    "resnext101_32x8d": 88_791_336,
    "resnext101_64x4d": 83_455_272,
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
    "vgg11": 132_863_336,
    "vgg11_bn": 132_868_840,
    "vgg13": 133_047_848,
    "vgg13_bn": 133_053_736,
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
    "vgg19": 143_667_240,
    "vgg19_bn": 143_678_248,
    "wide_resnet50_2": 68_883_240,
    "wide_resnet101_2": 126_886_696,
}
BY_HAND: dict[str, Callable[[], nn.Module]] = {
    "convnext_tiny": lambda: ConvNeXt((3, 3, 9, 3), (96, 192, 384, 768)),
    "convnext_small": lambda: ConvNeXt((3, 3, 27, 3), (96, 192, 384, 768)),
    "convnext_base": lambda: ConvNeXt((3, 3, 27, 3), (128, 256, 512, 1024)),
    "convnext_large": lambda: ConvNeXt((3, 3, 27, 3), (192, 384, 768, 1536)),
    "inception_v3": InceptionV3,
    "maxvit_t": MaxViT,
    "swin_t": lambda: Swin(*TINY, 0.2, second=False),
    "swin_s": lambda: Swin(*SWIN_SMALL, 0.3, second=False),
    "swin_b": lambda: Swin(*BASE, 0.5, second=False),
    "swin_v2_t": lambda: Swin(*TINY, 0.2, second=True),
    "swin_v2_s": lambda: Swin(*SWIN_SMALL, 0.3, second=True),
    "swin_v2_b": lambda: Swin(*BASE, 0.5, second=True),
    "mnasnet0_5": lambda: MNASNet(0.5),
    "mnasnet0_75": lambda: MNASNet(0.75),
    "mnasnet1_0": lambda: MNASNet(1.0),
    "mnasnet1_3": lambda: MNASNet(1.3),
    "shufflenet_v2_x0_5": lambda: ShuffleNet((48, 96, 192, 1024)),
    "shufflenet_v2_x1_0": lambda: ShuffleNet((116, 232, 464, 1024)),
    "shufflenet_v2_x1_5": lambda: ShuffleNet((176, 352, 704, 1024)),
    "shufflenet_v2_x2_0": lambda: ShuffleNet((244, 488, 976, 2048)),
    "vit_b_16": lambda: ViT(16),
    "vit_b_32": lambda: ViT(32),
    "vit_l_16": lambda: ViT(16, 24, 16, 1024, 4096),
    "vit_l_32": lambda: ViT(32, 24, 16, 1024, 4096),
    "vit_h_14": lambda: ViT(14, 32, 16, 1280, 5120),
    "alexnet": AlexNet,
    "densenet121": lambda: DenseNet((6, 12, 24, 16)),
    "densenet161": lambda: DenseNet((6, 12, 36, 24), 48, 96),
    "densenet169": lambda: DenseNet((6, 12, 32, 32)),
    "densenet201": lambda: DenseNet((6, 12, 48, 32)),
    "googlenet": GoogLeNet,
    "mobilenet_v2": MobileNetV2,
    "mobilenet_v3_large": lambda: MobileNetV3(LARGE, 1280),
    "mobilenet_v3_small": lambda: MobileNetV3(SMALL, 1024),
    "efficientnet_b0": lambda: efficient_net(1.0, 1.0),
    "efficientnet_b1": lambda: efficient_net(1.0, 1.1),
    "efficientnet_b2": lambda: efficient_net(1.1, 1.2, 0.3),
    "efficientnet_b3": lambda: efficient_net(1.2, 1.4, 0.3),
    "efficientnet_b4": lambda: efficient_net(1.4, 1.8, 0.4),
    "efficientnet_b5": lambda: efficient_net(1.6, 2.2, 0.4, SLOW),
    "efficientnet_b6": lambda: efficient_net(1.8, 2.6, 0.5, SLOW),
    "efficientnet_b7": lambda: efficient_net(2.0, 3.1, 0.5, SLOW),
    "efficientnet_v2_s": lambda: efficient_net_v2(
        (24, 24, 48, 64, 128, 160, 256), (2, 4, 4, 6, 9, 15), 0.2
    ),
    "efficientnet_v2_m": lambda: efficient_net_v2(
        (24, 24, 48, 80, 160, 176, 304, 512), (3, 5, 5, 7, 14, 18, 5), 0.3
    ),
    "efficientnet_v2_l": lambda: efficient_net_v2(
        (32, 32, 64, 96, 192, 224, 384, 640), (4, 7, 7, 10, 19, 25, 7), 0.4
    ),
    "regnet_y_400mf": lambda: RegNet(16, 48, 27.89, 2.09, 8, excited=True),
    "regnet_y_800mf": lambda: RegNet(14, 56, 38.84, 2.4, 16, excited=True),
    "regnet_y_1_6gf": lambda: RegNet(27, 48, 20.71, 2.65, 24, excited=True),
    "regnet_y_3_2gf": lambda: RegNet(21, 80, 42.63, 2.66, 24, excited=True),
    "regnet_y_8gf": lambda: RegNet(17, 192, 76.82, 2.19, 56, excited=True),
    "regnet_y_16gf": lambda: RegNet(18, 200, 106.23, 2.48, 112, excited=True),
    "regnet_y_32gf": lambda: RegNet(20, 232, 115.89, 2.53, 232, excited=True),
    "regnet_y_128gf": lambda: RegNet(27, 456, 160.83, 2.52, 264, excited=True),
    "regnet_x_400mf": lambda: RegNet(22, 24, 24.48, 2.54, 16),
    "regnet_x_800mf": lambda: RegNet(16, 56, 35.73, 2.28, 16),
    "regnet_x_1_6gf": lambda: RegNet(18, 80, 34.01, 2.25, 24),
    "regnet_x_3_2gf": lambda: RegNet(25, 88, 26.31, 2.25, 48),
    "regnet_x_8gf": lambda: RegNet(23, 80, 49.56, 2.88, 120),
    "regnet_x_16gf": lambda: RegNet(22, 216, 55.59, 2.1, 128),
    "regnet_x_32gf": lambda: RegNet(23, 320, 69.86, 2.0, 168),
    "resnet18": lambda: ResNet((2, 2, 2, 2)),
    "resnet34": lambda: ResNet((3, 4, 6, 3)),
    "resnet50": lambda: ResNet((3, 4, 6, 3), width=64),
    "resnet101": lambda: ResNet((3, 4, 23, 3), width=64),
    "resnet152": lambda: ResNet((3, 8, 36, 3), width=64),
    "resnext50_32x4d": lambda: ResNet((3, 4, 6, 3), groups=32, width=4),
    "resnext101_32x8d": lambda: ResNet((3, 4, 23, 3), groups=32, width=8),
    "resnext101_64x4d": lambda: ResNet((3, 4, 23, 3), groups=64, width=4),
    "squeezenet1_0": lambda: SqueezeNet(96, 7, (0, 3, 7)),
    "squeezenet1_1": lambda: SqueezeNet(64, 3, (0, 2, 4)),
    "vgg11": lambda: VGG((1, 1, 2, 2, 2)),
    "vgg11_bn": lambda: VGG((1, 1, 2, 2, 2), norm=True),
    "vgg13": lambda: VGG((2, 2, 2, 2, 2)),
    "vgg13_bn": lambda: VGG((2, 2, 2, 2, 2), norm=True),
    "vgg16": lambda: VGG((2, 2, 3, 3, 3)),
    "vgg16_bn": lambda: VGG((2, 2, 3, 3, 3), norm=True),
    "vgg19": lambda: VGG((2, 2, 4, 4, 4)),
    "vgg19_bn": lambda: VGG((2, 2, 4, 4, 4), norm=True),
    "wide_resnet50_2": lambda: ResNet((3, 4, 6, 3), width=128),
    "wide_resnet101_2": lambda: ResNet((3, 4, 23, 3), width=128),
}


def test_every_network_is_known() -> None:
    """Each has its published number of parameters, and is written by hand."""
    assert set(NAMES) == set(PARAMETERS) == set(BY_HAND)


@pytest.mark.parametrize("name", thinned(NAMES, QUICK))
def test_names_shapes_and_number_of_parameters(name: str) -> None:
    """`state_dict()` is that of the network written by hand, and the total the published one.

    The file has neither a fault nor a warning, and does not differ from itself.
    """
    graph = infer(read(from_file(FOLDER / f"{name}.yaml")))
    assert graph.diagnostics == ()
    assert graph.params == PARAMETERS[name]
    assert_unchanged(graph)
    with torch.device("meta"):
        ours, theirs = builder.module(graph), BY_HAND[name]()
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: v.shape for k, v in theirs.state_dict().items()
    }


#: More parameters than this take more time and memory than a test should. Smaller networks of the
#: same family have the same layers, and names and shapes are compared of all.
MANY = 31_000_000
#: Larger networks whose scores are compared all the same.
LARGER = {"vgg11_bn", "swin_b", "swin_v2_b"}
#: The sizes of images for networks that take no other size.
SIZES = {"vit": 224, "swin_v2": 256, "swin": 224, "maxvit": 224, "inception": 299}


@pytest.mark.parametrize(
    "name", thinned([n for n in NAMES if PARAMETERS[n] < MANY or n in LARGER], QUICK)
)
def test_scores(name: str) -> None:
    """With the same weights it computes the same, of pictures whose scores are not the same."""
    size = next((size for begin, size in SIZES.items() if name.startswith(begin)), 64)
    x = torch.randn(2, 3, size, size)
    theirs = lively(BY_HAND[name](), x).eval()
    # Without values of its own, which would be drawn for nothing; constants are not loaded.
    with torch.device("cpu" if name.startswith("swin") else "meta"):
        ours = netbuild.build(FOLDER / f"{name}.yaml").eval()
    ours.load_state_dict(theirs.state_dict(), assign=True)
    with torch.inference_mode():
        y = theirs(x)
        torch.testing.assert_close(ours(x), y, rtol=1e-5, atol=1e-5)
    first, second = y[0] if isinstance(y, tuple) else y
    assert (first - second).abs().max() > 0.01


@torch.no_grad()
def lively(network: nn.Module, x: torch.Tensor) -> nn.Module:
    """Give a network weights and statistics with which its scores are of its picture.

    As it is made, nothing but biases is left behind many layers.
    """
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            # Torch draws with a variance of 1 / (3 · fan_in); behind ReLU it has to be 2 / fan_in.
            part.weight *= 6**0.5
        elif isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0
    network.train()(x)
    return network


@pytest.mark.parametrize("name", ["convnext_tiny", "efficientnet_b0", "maxvit_t", "swin_t"])
def test_stochastic_depth(name: str) -> None:
    """Training skips later blocks more often: p grows evenly up to its largest value."""
    with torch.device("meta"):
        made = netbuild.build(FOLDER / f"{name}.yaml")
    ps = [part.p for part in made.modules() if type(part).__name__ == "StochasticDepth"]
    most = {"convnext_tiny": 0.1, "efficientnet_b0": 0.2 * 14 / 16}.get(name, 0.2)
    assert ps == sorted(ps)
    assert max(ps) == pytest.approx(most)


def test_resnet50_is_short() -> None:
    """One block says it all, in at most 45 lines."""
    assert len((FOLDER / "resnet50.yaml").read_text(encoding="utf-8").splitlines()) <= 45
