"""Targets move with their images: masks, pictures, boxes and points, and what they cannot."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import yaml

from netbuild.checks import objective
from netbuild.checks.trace import infer
from netbuild.components.augmentations import AUGMENTATIONS
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes
from netbuild.training.data.augmentation import augmenter
from netbuild.training.data.moving import Marked, marked_targets
from tests.components.augmentations.cases import network
from tests.components.augmentations.moved import (
    GEOMETRIC,
    IGNORED,
    augmented,
    disks,
    misses,
    overlaps,
    shortfalls,
)

CARRIED = [name for name in GEOMETRIC if AUGMENTATIONS[name].carries]


@pytest.mark.parametrize("name", CARRIED)
def test_disk_and_targets_agree(name: str) -> None:
    """A disk of radius 20 in 64×64 and its mask agree, its box bounds it, its points lie on it.

    A box may be half a pixel short, because the mask takes whole pixels.
    """
    for seed in range(2):
        moved = augmented(name, disks(12), seed)
        if len(overlaps(moved)):
            assert overlaps(moved).min() >= 0.97
        assert set(moved.masks.unique().tolist()) <= {1, 2, IGNORED}
        if "boxes" in AUGMENTATIONS[name].carries:
            assert shortfalls(moved).max() <= 0.6
            assert misses(moved) == 0


@pytest.mark.parametrize("name", CARRIED)
def test_values_turn_with_the_image(name: str) -> None:
    """Values at each place are what the image is, but 0 outside; colours change the image only."""
    torch.manual_seed(0)
    given = disks(8)
    noise = torch.rand(8, 3, 8, 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    given = given._replace(images=noise, pictures=noise.clone())
    plain = {"fill": 0, "pad_value": 0.0}
    fields = {name_: v for name_, v in plain.items() if name_ in AUGMENTATIONS[name].model_fields}
    moved = augmented(name, given, 3, **fields)
    if AUGMENTATIONS[name].home == "kornia.augmentation.auto":
        assert moved.pictures.shape == moved.images.shape
        return
    assert torch.equal(moved.pictures, moved.images)
    assert not torch.equal(moved.images, given.images)


def moved_by(augment: dict[str, Any], y: torch.Tensor, marked: Marked) -> torch.Tensor:
    """Return a target that has moved with its images of 4×4."""
    (name, fields), *_ = augment.items()
    transform = augmenter([AUGMENTATIONS[name](**fields)], torch.device("cpu"), [marked])
    assert transform is not None
    x = torch.arange(16.0).reshape(1, 1, 4, 4).repeat(len(y), 1, 1, 1)
    torch.manual_seed(0)
    _, (moved,) = transform(((x,), (y,)))
    return moved


def test_a_mask_by_hand() -> None:
    """A flip mirrors the mask; a move by one pixel brings in the number that the loss ignores."""
    mask = torch.tensor([[[0, 1, 2, 2], [0, 1, 2, 2], [0, 0, 0, 0], [-1, 1, 1, 1]]])
    flip = {"RandomHorizontalFlip": {"p": 1.0}}
    assert torch.equal(moved_by(flip, mask, Marked("mask", -1)), mask.flip(-1))
    right = {"RandomTranslate": {"translate_x": (0.25, 0.25), "p": 1.0}}
    expected = torch.cat([torch.full((1, 4, 1), 7), mask[..., :-1]], -1)
    assert torch.equal(moved_by(right, mask, Marked("mask", 7)), expected)
    again = torch.cat([mask[..., :1], mask[..., :-1]], -1)  # the edge goes on
    border = {"RandomTranslate": right["RandomTranslate"] | {"padding_mode": "border"}}
    assert torch.equal(moved_by(border, mask, Marked("mask", 7)), again)
    turn = {"RandomRotation90": {"times": (1, 1), "p": 1.0}}
    assert torch.equal(moved_by(turn, mask, Marked("mask", 9)), mask.rot90(1, (1, 2)))
    shares = torch.full((1, 2, 4, 4), 0.5)  # of two classes at each place; outside has no class
    outside = torch.cat([torch.zeros(1, 2, 4, 1), shares[..., :-1]], -1)
    assert torch.equal(moved_by(right, shares, Marked("mask", -100, 2)), outside)


def test_boxes_and_points_by_hand() -> None:
    """A flip of four columns takes x to 4 − x; the right edge of a box becomes its left edge."""
    points, boxes = torch.tensor([[0.5, 1, 3, 2]]), torch.tensor([[[0.0, 1, 3, 2]]])
    flip = {"RandomHorizontalFlip": {"p": 1.0}}
    assert moved_by(flip, points, Marked("points")).tolist() == [[3.5, 1, 1, 2]]
    assert moved_by(flip, boxes, Marked("boxes")).tolist() == [[[1, 1, 4, 2]]]
    right = {"RandomTranslate": {"translate_x": (0.5, 0.5), "p": 1.0}}
    assert moved_by(right, points, Marked("points")).tolist() == [[2.5, 1, 5, 2]]  # outside: kept
    pad = {"PadTo": {"size": (6, 6)}}
    assert torch.equal(moved_by(pad, boxes, Marked("boxes")), boxes)
    turn = {"RandomRotation90": {"times": (1, 1), "p": 1.0}}
    turned = moved_by(turn, boxes, Marked("boxes"))  # counter-clockwise: (x, y) to (y, 4 − x)
    assert torch.allclose(turned, torch.tensor([[[1.0, 1, 2, 4]]]), atol=1e-5)


@pytest.mark.parametrize(
    ("loss", "marked"),
    [
        ("BCEWithLogitsLoss", Marked("mask")),  # yes and no stay yes and no
        ("MSELoss", Marked("picture")),
        ("CrossEntropyLoss", Marked("mask", -100, 3)),
        ({"DiceLoss": {"ignore_index": 2}}, Marked("mask", 2, 3)),
        ("LovaszSoftmaxLoss", Marked("mask", None, 3)),
    ],
)
def test_the_loss_says_how_targets_move(loss: Any, marked: Marked) -> None:
    """A loss of classes, or of yes and no, has a mask; the ignored number is the loss's."""
    conv = [{"Conv2d": {"out_channels": 3, "kernel_size": 1}}]
    text = network(["RandomHorizontalFlip"], [3, 8, 8], layers=conv, loss=loss)
    graph = infer(read(from_bytes("a.yaml", text.encode())))
    wanted = objective.wanted(graph.config, graph.outputs)
    assert marked_targets(graph.config, graph.outputs, wanted) == [marked]


def test_values_keep_their_range() -> None:
    """A smooth image overshoots with bicubic; its values at each place stay from 0 to 1."""
    moved = augmented("RandomRotation", disks(4), resample="bicubic")
    assert moved.images.max() > 1.01
    assert 0 <= moved.pictures.min() <= moved.pictures.max() <= 1 + 1e-5
    assert (overlaps(moved) > 0.97).all()


def test_each_sample_moves_by_itself() -> None:
    """With p 0.5 some images stay, and their targets with them; each draws its own angle."""
    given = disks(16)
    moved = augmented("RandomRotation", given, p=0.5)
    stayed = [torch.equal(a, b) for a, b in zip(moved.images, given.images, strict=True)]
    assert 0 < sum(stayed) < 16
    for n, still in enumerate(stayed):
        assert torch.equal(moved.masks[n], given.masks[n]) == still
        assert torch.allclose(moved.points[n], given.points[n], atol=1e-4) == still


def test_targets_take_no_random_numbers() -> None:
    """The random numbers of the next batch do not depend on the number of targets."""
    states = []
    for targets in ((), ("mask",), ("mask", "picture")):
        marked = [Marked(kind, -100) for kind in targets]
        given = disks(4)
        augment = [AUGMENTATIONS[name](**f) for name, f in (("RandomAffine", {"degrees": 9}),)]
        transform = augmenter(augment, torch.device("cpu"), marked)
        assert transform is not None
        torch.manual_seed(0)
        transform(((given.images,), (given.masks, given.pictures)[: len(targets)]))
        states.append(torch.get_rng_state())
    assert all(torch.equal(state, states[0]) for state in states)


def codes(augment: Any, loss: Any, layers: list[Any] | None = None) -> list[str]:
    """Return the codes of the faults of a network with a class at each place of 36×36."""
    conv = [{"Conv2d": {"out_channels": 3, "kernel_size": 1}}]
    text = network(yaml.safe_load(augment), [3, 36, 36], layers=layers or conv, loss=loss)
    return [fault.code for fault in infer(read(from_bytes("a.yaml", text.encode()))).diagnostics]


TWO_NUMBERS = ["CrossEntropyLoss", {"DiceLoss": {"ignore_index": 2}}]


@pytest.mark.parametrize(
    ("augment", "loss", "expected"),
    [
        ("[RandomHorizontalFlip, {RandomResizedCrop: {size: [36, 36]}}]", "LovaszSoftmaxLoss", []),
        ("[{RandomRotation90: {times: [0, 3]}}]", "LovaszSoftmaxLoss", []),
        ("[{RandomRotation: 10}]", "LovaszSoftmaxLoss", ["NB508"]),
        ("[{RandomAffine: {degrees: 9, padding_mode: border}}]", "LovaszSoftmaxLoss", []),
        ("[{PadTo: [40, 40]}, {RandomCrop: [36, 36]}]", "LovaszSoftmaxLoss", ["NB508"]),
        (
            "[{PadTo: {size: [40, 40], pad_mode: reflect}}, {RandomCrop: [36, 36]}]",
            "LovaszSoftmaxLoss",
            [],
        ),
        ("[{RandomRotation: 10}, {PadTo: [40, 40]}, {RandomCrop: [36, 36]}]", "DiceLoss", []),
        (
            "[{RandomRotation: 10}]",
            ["CrossEntropyLoss", {"DiceLoss": {"ignore_index": 2}}],
            ["NB508"],
        ),
        ("[{RandomRotation: 10}]", "BCEWithLogitsLoss", []),
        ("[{RandomRotation: 10}]", "SoftMarginLoss", ["NB508"]),
        ("[{RandomElasticTransform: {alpha: [2, 2]}}, RandomJigsaw]", "CrossEntropyLoss", []),
        ("[{RandomThinPlateSpline: {scale: 0.1}}]", "MSELoss", ["NB504"]),
    ],
)
def test_places_without_a_class(augment: str, loss: Any, expected: list[str]) -> None:
    """What comes in from outside needs a number that all losses ignore."""
    assert codes(augment, loss) == expected


TWICE = [{"Upsample": {"scale_factor": 2}}, {"Conv2d": {"out_channels": 3, "kernel_size": 1}}]
WIDER = [
    {"Upsample": {"scale_factor": [1, 1.2]}},
    {"Conv2d": {"out_channels": 3, "kernel_size": 1}},
]


@pytest.mark.parametrize(
    ("augment", "layers", "expected"),
    [
        ("[RandomHorizontalFlip, {RandomRotation: 10}]", TWICE, []),
        ("[RandomHorizontalFlip, {RandomRotation: 10}]", WIDER, ["NB504"]),
        ("[{RandomAffine: {degrees: 10}}]", TWICE, ["NB504"]),
        ("[{PadTo: [40, 40]}, {CenterCrop: 36}]", TWICE, ["NB504", "NB504"]),
    ],
)
def test_targets_of_another_size(augment: str, layers: list[Any], expected: list[str]) -> None:
    """A picture of twice the size moves with flips and turns, and stays with what has pixels."""
    assert codes(augment, "MSELoss", layers) == expected


def test_a_picture_of_twice_the_size() -> None:
    """The image of super-resolution and its target of twice the size turn by the same angle."""
    given = disks(4)
    large = given.images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    moved = augmented("RandomRotation", given._replace(pictures=large))
    small = torch.nn.functional.avg_pool2d(moved.pictures, 2)
    assert (small - moved.images).abs().mean() < 0.01
