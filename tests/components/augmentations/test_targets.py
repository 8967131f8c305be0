"""Augmentations that cannot move the target of their image (NB504)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import yaml
from kornia.augmentation import GeometricAugmentationBase2D

from netbuild.checks.trace import infer
from netbuild.components.augmentations import AUGMENTATIONS
from netbuild.config.load import load, read
from netbuild.reports.catalogue.entries import example
from netbuild.syntax.parser import from_bytes
from netbuild.training.data.augmentation import augmenter
from tests.components.augmentations.cases import classes, network

if TYPE_CHECKING:
    from netbuild.components.augmentations.augmentation import Augmentation

#: What kornia changes places with in classes without this base.
OTHERS = {"RandomThinPlateSpline", "RandomElasticTransform", "RandomFisheye", "RandomJigsaw"}
OTHERS |= {"AutoAugment", "RandAugment", "TrivialAugment"}


def of(augment: Any, shape: list[int]) -> Augmentation:
    """Return the one augmentation of a network."""
    (found,) = read(from_bytes("a.yaml", network(augment, shape).encode())).preparation.augment
    return found


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_trait_is_kornias(name: str) -> None:
    """An augmentation is geometric where kornia's class is, or its list has such classes."""
    theirs = issubclass(classes()[name], GeometricAugmentationBase2D)
    assert AUGMENTATIONS[name].geometric == (theirs or name in OTHERS)


@pytest.mark.parametrize(
    ("augment", "moves"),
    [
        ({"CenterCrop": 8}, False),
        ({"CenterCrop": 6}, True),
        ({"RandomCrop": {"size": [8, 8]}}, False),
        ({"RandomCrop": {"size": [8, 8], "padding": 1}}, True),
        ({"RandomCrop": {"size": [8, 8], "padding": 1, "p": 0}}, False),
        ({"RandomResizedCrop": {"size": [8, 8], "scale": [0.2, 0.4]}}, True),
        ({"Resize": {"size": [8, 8]}}, False),
        ({"LongestMaxSize": 4}, True),
        ({"PadTo": {"size": [8, 8]}}, False),
        ({"PadTo": {"size": [9, 8]}}, True),
        ({"RandomVerticalFlip": {"p": 1}}, True),
        ({"RandomVerticalFlip": {"p": 0}}, False),
        ({"RandomGaussianNoise": {"std": 0.0}}, False),
        ({"RandomErasing": {"p": 0}}, False),
    ],
)
def test_moves_as_kornia_does(augment: dict[str, Any], moves: bool) -> None:  # noqa: FBT001
    """What moves nothing gives the image back in kornia, and what moves gives another."""
    augmentation = of([augment], [1, 8, 8])
    assert augmentation.moves((1, 8, 8)) == moves
    x = torch.rand(4, 1, 8, 8)
    transform = augmenter([augmentation], torch.device("cpu"))
    assert transform is not None
    torch.manual_seed(0)
    (y,), _ = transform(((x,), ()))
    assert (x.shape == y.shape and torch.allclose(x, y, atol=1e-5)) != moves


def faults(augment: Any, shape: list[int], layers: list[Any], **sections: Any) -> list[str]:
    """Return the titles of NB504 for a network with augmented data."""
    text = network(augment, shape, layers=layers, **sections)
    found = infer(read(from_bytes("a.yaml", text.encode()))).diagnostics
    return [fault.title for fault in found if fault.code == "NB504"]


CONV = {"Conv2d": {"out_channels": 5, "kernel_size": 3}}
SAME = {"Conv2d": {"out_channels": 3, "kernel_size": 1}}


@pytest.mark.parametrize("name", [n for n, kind in AUGMENTATIONS.items() if kind.geometric])
def test_each_geometric_augmentation_of_a_mask(name: str) -> None:
    """What cannot move the masks of images of 36×36 is a fault."""
    items = yaml.safe_load(example(AUGMENTATIONS[name]).text)
    stays = "mask" not in AUGMENTATIONS[name].carries
    title = f"{name} moves the image, and its mask stays"
    assert faults(items, [3, 36, 36], [SAME]) == [title] * stays


@pytest.mark.parametrize(
    ("shape", "layers", "loss", "speaks"),
    [
        ([3, 32, 32], [CONV], "CrossEntropyLoss", True),  # a class at each place
        ([3, 32, 48], [CONV], "CrossEntropyLoss", True),
        ([3, 32, 48], [CONV], "MSELoss", True),  # a map of values
        ([3, 32, 48], [SAME], "BCEWithLogitsLoss", True),
        ([3, 32, 32], [{"Conv2d": {"out_channels": 1, "kernel_size": 1}}], "L1Loss", True),
        ([3, 32, 32], ["Flatten", {"Linear": 10}], "CrossEntropyLoss", False),
        ([3, 32, 32], ["Flatten", {"Linear": 10}], "MSELoss", False),
        ([3, 32, 32], [CONV, {"AdaptiveAvgPool2d": 1}], "MSELoss", False),
        # Five rows of twenty numbers are no map of a square image.
        (
            [3, 32, 32],
            ["Flatten", {"Linear": 100}, {"Unflatten": {"dim": 1, "unflattened_size": [5, 20]}}],
            "MSELoss",
            False,
        ),
    ],
)
def test_targets(shape: list[int], layers: list[Any], loss: str, speaks: bool) -> None:  # noqa: FBT001
    """A target with a value at each place of the image is one; classes and numbers are not."""
    found = faults(["RandomThinPlateSpline", "RandomInvert"], shape, layers, loss=loss)
    marked = "mask" if loss == "CrossEntropyLoss" else "target"
    assert found == [f"RandomThinPlateSpline moves the image, and its {marked} stays"] * speaks
    assert not faults(["RandomInvert", {"RandomGaussianNoise": {}}], shape, layers, loss=loss)


def test_the_image_itself_as_target(tmp_path: Any) -> None:
    """An autoencoder on its own images: a bend is a fault, noise is what it learns to remove."""
    np.savez(tmp_path / "a.npz", x=np.zeros((20, 3, 8, 8), "float32"))
    data = {"Arrays": {"file": "a.npz", "target": "x"}, "augment": ["RandomThinPlateSpline"]}
    file = tmp_path / "a.yaml"
    text = network(None, [3, 8, 8], layers=[SAME], loss="MSELoss", data=data)
    file.write_text(text)
    assert [fault.code for fault in infer(load(file)).diagnostics] == ["NB504"]
    file.write_text(text.replace("RandomThinPlateSpline", "{RandomGaussianNoise: {std: 0.1}}"))
    assert not infer(load(file)).diagnostics
