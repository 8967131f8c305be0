"""Augmentations: declared as kornia has them, and what netbuild takes kornia runs."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from netbuild.components.augmentations import AUGMENTATIONS
from netbuild.components.tensor import ShapeError
from netbuild.config.load import read
from netbuild.reports.catalogue.entries import example
from netbuild.syntax.parser import from_bytes
from netbuild.training.data.augmentation import augmenter
from tests.components.augmentations.cases import classes, network, whole
from tests.examples import examples

if TYPE_CHECKING:
    from netbuild.components.augmentations.augmentation import Augmentation

#: What kornia has and netbuild has not, by the reason for it.
LEFT_OUT = {
    "a base of other classes": [
        "AugmentationBase2D",
        "AugmentationBase3D",
        "GeometricAugmentationBase2D",
        "GeometricAugmentationBase3D",
        "IntensityAugmentationBase2D",
        "IntensityAugmentationBase3D",
        "MixAugmentationBaseV2",
        "RigidAffineAugmentationBase2D",
        "RigidAffineAugmentationBase3D",
    ],
    "a container: the list is one": [
        "AugmentationSequential",
        "ImageSequential",
        "ManyToManyAugmentationDispather",
        "ManyToOneAugmentationDispather",
        "PatchSequential",
        "VideoSequential",
    ],
    "of volumes": [
        "CenterCrop3D",
        "RandomAffine3D",
        "RandomCrop3D",
        "RandomDepthicalFlip3D",
        "RandomEqualize3D",
        "RandomHorizontalFlip3D",
        "RandomMotionBlur3D",
        "RandomPerspective3D",
        "RandomRotation3D",
        "RandomTransplantation3D",
        "RandomVerticalFlip3D",
    ],
    "it mixes samples without shares of their targets": [
        "PatchMix",
        "RandomMosaic",
        "RandomTransplantation",
    ],
    "it is for all samples, not only those that train: `normalize` beside the data": [
        "Denormalize",
        "Normalize",
    ],
    "it downloads a diffusion model": ["RandomDissolving"],
    "it is a base of policies": ["PolicyAugmentBase"],
    "what a policy is made of": ["PolicySequential"],
}

#: Arguments of kornia that no field stands for: there are images only, and lists of Python's.
NO_FIELDS = {
    "RandomJigsaw": {"data_keys"},
    "RandomMixUpV2": {"data_keys"},
    "RandomCutMixV2": {"data_keys", "use_correct_lambda"},
    "AutoAugment": {"transformation_matrix_mode"},
    "RandAugment": {"policy", "transformation_matrix_mode"},
    "TrivialAugment": {"policy", "transformation_matrix_mode"},
}


def signature(name: str) -> dict[str, Any]:
    """Return kornia's fields and defaults of an augmentation."""
    parameters = inspect.signature(classes()[name]).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in NO_FIELDS.get(name, ())}


def test_every_augmentation_is_declared() -> None:
    """Every class of the installed kornia is declared, or left out for a reason, and no other."""
    left_out = [name for names in LEFT_OUT.values() for name in names]
    assert sorted([*AUGMENTATIONS, *left_out]) == sorted(classes())
    assert len(AUGMENTATIONS) == 59


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_fields_are_those_of_kornia(name: str) -> None:
    """The names, the order and the defaults of all fields are kornia's."""
    fields = AUGMENTATIONS[name].model_fields
    assert list(fields) == list(signature(name))
    for field, info in fields.items():
        theirs = signature(name)[field]
        assert info.is_required() == (theirs is inspect.Parameter.empty)
        assert info.is_required() or info.default == theirs
    if name in NO_FIELDS:
        assert set(inspect.signature(classes()[name]).parameters) >= NO_FIELDS[name]


NUMBERS = [0.0, 0.1, 0.25, 0.5, 0.9, 1.0, 1.5, 2.0, 3.0, 10.0, 90.0, 360.0, -0.1, -0.5, -1.0, -45.0]
numbers = st.sampled_from([*NUMBERS, 100.0, 1e30, 1e-30, math.nan, math.inf])

WORDS = {
    "resample": ["nearest", "BILINEAR", "bicubic", "other"],
    "padding_mode": ["zeros", "BORDER", "border", "reflection", "constant", "reflect", "replicate"],
    "pad_mode": ["constant", "reflect", "replicate", "circular"],
    "border_type": ["constant", "REFLECT", "replicate", "circular"],
    "cropping_mode": ["slice", "resample", "other"],
    "sampling_method": ["basic", "area_preserving"],
    "side": ["short", "long", "vert", "horz"],
    "mode": ["blackbody", "CIED", "other"],
    "policy": ["imagenet", "cifar10", "svhn", "other"],
}

#: Fields that hold whole numbers.
COUNTS = {
    "drop_height",
    "drop_width",
    "grid",
    "grid_size",
    "kernel_size",
    "m",
    "max_size",
    "n",
    "num_drop_channels",
    "number_of_drops",
    "order",
    "padding",
    "select_from",
    "size",
    "times",
}

SIZES = [
    (3, 32, 32),
    (1, 28, 28),
    (3, 16, 24),
    (3, 9, 7),
    (2, 12, 12),
    (4, 4, 8),
    (3, 2, 2),
    (1, 1, 3),
]

EXAMPLES = 60


class Case(NamedTuple):
    """An augmentation with its fields, and the shape of an image."""

    name: str
    fields: dict[str, Any]
    x: tuple[int, ...]


def shown(name: str) -> Augmentation:
    """Return the augmentation of an example."""
    text = network(yaml.safe_load(example(AUGMENTATIONS[name]).text), [3, 32, 32])
    (augmentation,) = read(from_bytes("example", text.encode())).preparation.augment or ()
    return augmentation


def _lists(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pairs = st.lists(one, min_size=2, max_size=2)
    return st.one_of(one, pairs, pairs.map(sorted), st.lists(one, min_size=1, max_size=4))


@st.composite
def cases(draw: st.DrawFn, name: str) -> Case:
    """Return the example of an augmentation with other values, good or bad, of some fields."""
    fields = shown(name).model_dump(exclude_unset=True)
    theirs = signature(name)
    for field in draw(st.sets(st.sampled_from(sorted(theirs)), max_size=3)) if theirs else ():
        default = theirs[field]
        if field in WORDS:
            fields[field] = draw(st.sampled_from(WORDS[field]))
        elif isinstance(default, bool):
            fields[field] = draw(st.booleans())
        elif field in {"p", "p_batch"}:
            fields[field] = draw(st.sampled_from([0.0, 0.5, 1.0, 1.0, 1.5]))
        else:
            fields[field] = draw(_lists(whole if field in COUNTS else numbers))
    return Case(name, fields, draw(st.sampled_from(SIZES)))


def expected(case: Case) -> tuple[int, ...] | None:
    """Return the shape that netbuild says; None where it refuses the case."""
    try:
        augmentation = AUGMENTATIONS[case.name].model_validate(case.fields)
        return augmentation.apply(case.x)
    except (ValidationError, ShapeError):
        return None


def changed(case: Case, samples: int = 3) -> torch.Tensor:
    """Return what kornia makes of random images."""
    augmentation = AUGMENTATIONS[case.name].model_validate(case.fields)
    change = augmenter([augmentation], torch.device("cpu"))
    assert change is not None
    (y,), _ = change(((torch.rand(samples, *case.x),), ()))
    return y


@pytest.mark.filterwarnings("ignore:Since version 1.3.0, affine_grid")
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_what_netbuild_takes_kornia_runs(name: str) -> None:
    """With any fields and any images that netbuild takes, kornia gives the shape that it says."""
    seen: list[bool] = []

    @examples(EXAMPLES, least=30)
    @given(case=cases(name))
    def compare(case: Case) -> None:
        shape = expected(case)
        seen.append(shape is not None)
        if shape is None:
            return
        y = changed(case)
        assert tuple(y.shape) == (3, *shape)
        assert y.dtype == torch.float32
        assert y.is_contiguous()
        assert not y.requires_grad

    compare()
    assert sum(seen) > 2


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_example(name: str) -> None:
    """The example of each reads without a fault, fits images of colour, and changes them."""
    items = yaml.safe_load(example(AUGMENTATIONS[name]).text)
    config = read(from_bytes("example", network(items, [3, 32, 32]).encode()))
    assert config.diagnostics == ()
    (augmentation,) = config.preparation.augment or ()
    assert type(augmentation).__name__ == name
    y = augmentation.apply((3, 30, 34))
    x = torch.rand(64, 3, 30, 34)
    change = augmenter([augmentation], torch.device("cpu"))
    assert change is not None
    (augmented,), _ = change(((x,), ()))
    assert tuple(augmented.shape[1:]) == y
    assert augmented.isfinite().all()
    assert y != (3, 30, 34) or not torch.equal(augmented, x)
