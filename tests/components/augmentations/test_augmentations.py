"""Augmentations: what netbuild takes kornia runs, with that shape, and a training resumes."""

from __future__ import annotations

import inspect
import math
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import kornia.augmentation
import kornia.augmentation.auto
import pytest
import torch
import typer
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import nn

from netbuild import training
from netbuild.checks import augmentations as fitting
from netbuild.checks.trace import trainable
from netbuild.cli import terminal
from netbuild.components.augmentations import AUGMENTATIONS
from netbuild.components.tensor import ShapeError
from netbuild.config.load import load, read
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.reports.catalogue import entries as catalogue
from netbuild.reports.catalogue.entries import example
from netbuild.reports.catalogue.page import listing, page
from netbuild.reports.schema import language
from netbuild.syntax.dump import dump
from netbuild.syntax.parser import from_bytes
from netbuild.training.data import loading
from netbuild.training.data.augmenting import augmenting
from netbuild.training.parallel.distributed import World
from netbuild.training.progress import Silent
from tests.reports.test_catalogue import printed
from tests.training_configs import outcome

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.components.augmentations.augmentation import Augmentation
    from tests.conftest import Netbuild

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
    "it mixes samples, whose labels or masks have to be mixed as well": [
        "PatchMix",
        "RandomCutMixV2",
        "RandomMixUpV2",
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
    "AutoAugment": {"transformation_matrix_mode"},
    "RandAugment": {"policy", "transformation_matrix_mode"},
    "TrivialAugment": {"policy", "transformation_matrix_mode"},
}


def classes() -> dict[str, type]:
    """Return all classes that kornia's modules of augmentations show."""
    modules = (kornia.augmentation, kornia.augmentation.auto)
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, nn.Module)
    }


def signature(name: str) -> dict[str, Any]:
    """Return kornia's fields and defaults of an augmentation."""
    parameters = inspect.signature(classes()[name]).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in NO_FIELDS.get(name, ())}


def test_every_augmentation_is_declared() -> None:
    """Every class of the installed kornia is declared, or left out for a reason, and no other."""
    left_out = [name for names in LEFT_OUT.values() for name in names]
    assert sorted([*AUGMENTATIONS, *left_out]) == sorted(classes())
    assert len(AUGMENTATIONS) == 57


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


# What netbuild takes kornia runs, with that shape.

NUMBERS = [0.0, 0.1, 0.25, 0.5, 0.9, 1.0, 1.5, 2.0, 3.0, 10.0, 90.0, 360.0, -0.1, -0.5, -1.0, -45.0]
WHOLE = [0, 1, 2, 3, 4, 5, 7, 8, 9, -1, -2, -3]
numbers = st.sampled_from([*NUMBERS, 100.0, 1e30, 1e-30, math.nan, math.inf])
whole = st.sampled_from([*WHOLE, 12, 16])
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
    change = augmenting([augmentation], torch.device("cpu"))
    assert change is not None
    (y,) = change((torch.rand(samples, *case.x),))
    return y


@pytest.mark.filterwarnings("ignore:Since version 1.3.0, affine_grid")
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_what_netbuild_takes_kornia_runs(name: str) -> None:
    """With any fields and any images that netbuild takes, kornia gives the shape that it says."""
    seen: list[bool] = []

    @settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow], deadline=None)
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
    change = augmenting([augmentation], torch.device("cpu"))
    assert change is not None
    (augmented,) = change((x,))
    assert tuple(augmented.shape[1:]) == y
    assert augmented.isfinite().all()
    assert y != (3, 30, 34) or not torch.equal(augmented, x)


# What validate says.


def network(augment: Any, shape: list[int], **sections: Any) -> str:
    """Return a file whose data is augmented."""
    given: dict[str, Any] = {
        "input": shape,
        "layers": ["Flatten", {"Linear": 10}],
        "loss": "CrossEntropyLoss",
        "data": {"Random": {"samples": 60}, "augment": augment},
    }
    return dump(given | sections)


#: Augmentations, the network's input, and what is said of them where.
SAID: dict[str, tuple[Any, list[int], str, str, str | None]] = {
    "no images": (
        ["RandomHorizontalFlip"],
        [16],
        "RandomHorizontalFlip",
        "it changes images, C×H×W, and the samples are 16",
        None,
    ),
    "channels": (
        ["RandomVerticalFlip", {"RandomHue": {"hue": [-0.1, 0.1]}}],
        [1, 28, 28],
        "RandomHue",
        "it takes images of 3 channels, and these have 1",
        None,
    ),
    "other size": (
        [{"RandomCrop": {"size": [24, 24]}}, "RandomHorizontalFlip"],
        [1, 28, 28],
        "size: [24, 24]",
        "the images become 1×24×24, and the network reads 1×28×28",
        "size: [28, 28]",
    ),
    "other size by a side": (
        [{"LongestMaxSize": 14}],
        [1, 28, 28],
        "14",
        "the images become 1×14×14, and the network reads 1×28×28",
        "bring them back behind it, by RandomCrop: [28, 28] or Resize: [28, 28]",
    ),
    "crop too large": (
        [{"RandomCrop": {"size": [32, 32], "padding": 1}}],
        [1, 28, 28],
        "size: [32, 32]",
        "a crop of 32×32 is cut out of no image of 30×30",
        "pad_if_needed: true",
    ),
    "sometimes": (
        [{"Resize": {"size": [32, 32], "p": 0.5}}, {"CenterCrop": {"size": 28}}],
        [1, 28, 28],
        "p: 0.5",
        "it must be 1: what is left as it is stays 1×28×28 beside 1×32×32",
        None,
    ),
    "small": (
        [{"RandomClahe": {"grid_size": [8, 8]}}],
        [1, 8, 8],
        "grid_size: [8, 8]",
        "it takes images of at least 9×9, and these are 8×8",
        None,
    ),
    "grid": (
        [{"RandomJigsaw": [3, 4]}],
        [1, 28, 28],
        "[3, 4]",
        "images of 28×28 do not divide into 3×4 pieces",
        None,
    ),
    "whole numbers": (
        ["RandomInvert"],
        {"shape": [1, 28, 28], "dtype": "int64"},
        "RandomInvert",
        "it changes images of float32, and the network reads int64",
        None,
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_said(name: str) -> None:
    """What does not fit is said at the field that is to blame."""
    augment, shape, place, said, help_ = SAID[name]
    config = read(from_bytes("net.yaml", network(augment, shape).encode()))
    assert config.diagnostics == ()
    (fault,) = fitting.faults(config)
    line = config.document.text.splitlines()[fault.span.line - 1]
    found = line[fault.span.column - 1 :]
    assert found.startswith(place.partition(":")[0])
    assert (fault.code, fault.label, fault.help) == ("NB501", said, help_)
    assert fault.title.endswith(" does not fit the network")


def test_an_expression_gives_them() -> None:
    """Of augmentations that an expression gives, the fault is at the expression."""
    variables = {"vars": {"changes": [{"RandomCrop": [24, 24]}]}}
    text = network("$changes", [1, 28, 28], **variables)
    (fault,) = fitting.faults(read(from_bytes("net.yaml", text.encode())))
    assert "augment: $changes" in fault.span.document.text.splitlines()[fault.span.line - 1]


def test_what_fits() -> None:
    """Sizes that lead back to the network's input fit, and so does no augmentation at all."""
    augment: Any
    for augment in (
        [{"Resize": [32, 32]}, {"RandomCrop": [28, 28]}, {"RandomRotation": 10}],
        [{"RandomCrop": {"size": [28, 28], "padding": 2}}, "RandomHorizontalFlip"],
        None,
    ):
        config = read(from_bytes("net.yaml", network(augment, [1, 28, 28]).encode()))
        assert config.diagnostics == ()
        assert fitting.faults(config) == []


#: What is written, and the fault that reading it finds.
FAULTS = {
    "[RandomFlip]": "no augmentation is called RandomFlip",
    "[]": "an empty list",
    "RandomHorizontalFlip": "a value that is no list",
    "[RandomRotation]": "RandomRotation needs degrees",
    "[{RandomRotation: {degree: 10}}]": "RandomRotation has no field degree",
    "[{RandomRotation: {degrees: [10, -10]}}]": "a value that RandomRotation.degrees does not take",
    "[{RandomCrop: [28, 28], p: 0.5}]": "an augmentation has no modifier p",
}


@pytest.mark.parametrize("written", FAULTS)
def test_faults_of_writing(written: str) -> None:
    """What is misspelt or out of its range is found without kornia, as it is of a layer."""
    text = f"input: [1, 8, 8]\nlayers: [Flatten]\ndata: {{Digits, augment: {written}}}\n"
    faults = read(from_bytes("net.yaml", text.encode())).diagnostics
    title = FAULTS[written].replace("an augmentation", "augmentation")
    assert [fault.title for fault in faults] == [title]


def test_kornia_is_not_imported() -> None:
    """What is checked is checked without torch and without kornia."""
    text = network([{"RandomCrop": [24, 24]}], [1, 28, 28])
    program = (
        "import sys\n"
        "from netbuild.augmentations import fitting\n"
        "from netbuild.config import read\n"
        "from netbuild.source import from_bytes\n"
        f"assert fitting.faults(read(from_bytes('net.yaml', {text.encode()!r})))\n"
        "sys.exit(bool({'torch', 'kornia', 'numpy'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# The catalogue and the schema.


def test_every_name_is_listed() -> None:
    """The listing has every name, under the title of its family."""
    lines = printed(listing(AUGMENTATIONS)).splitlines()
    titles = [line for line in lines if line and line[0] != " "]
    assert " ".join(line for line in lines if line not in titles).split() == list(AUGMENTATIONS)
    assert titles == list(catalogue.families(AUGMENTATIONS))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_page(name: str) -> None:
    """A page has what there is to know."""
    component = AUGMENTATIONS[name]
    text = printed(page(name, component))
    assert max(map(len, text.splitlines())) <= 80
    assert all(f"  {field} " in text for field in component.model_fields)
    assert catalogue.description(component)
    assert name in example(component).text


def test_command(netbuild: Netbuild) -> None:
    """The command shows one, and what was meant where there is none."""
    done = netbuild("augmentations", "RandomCrop")
    assert done.returncode == 0
    assert "pad_if_needed" in done.stdout
    done = netbuild("augmentations", "RandomCorp")
    assert done.returncode == 2
    said = "netbuild: no augmentation is called RandomCorp: did you mean RandomCrop?\n"
    assert done.stderr == said


def test_schema() -> None:
    """An editor's schema takes what fits, and refuses what is misspelt."""
    validator = Draft202012Validator(language())
    for augment in (None, ["RandomHorizontalFlip", {"RandomCrop": [28, 28]}], "$changes"):
        given = yaml.safe_load(network(augment, [1, 28, 28]))
        assert [error.message for error in validator.iter_errors(given)] == []
    for augment in ([], ["RandomFlip"], [{"RandomCrop": {"sizes": 3}}], "RandomHorizontalFlip"):
        given = yaml.safe_load(network(augment, [1, 28, 28]))
        assert not validator.is_valid(given)


# Training.

LAYERS = [{"Conv2d": {"out_channels": 4, "kernel_size": 3}}, "ReLU", "Flatten", {"Linear": 10}]


def write(folder: Path, augment: Any, **sections: Any) -> Path:
    """Write a small training on images with augmentations into a folder."""
    sections = {
        "layers": LAYERS,
        "optimizer": {"Adam": {"lr": 0.01}},
        "train": {"epochs": 2, "batch_size": 16, "device": "cpu"},
        "data": {"Random": {"samples": 60, "classes": 10}, "normalize": True, "augment": augment},
        **sections,
    }
    path = folder / "net.yaml"
    path.write_text(network(augment, sections.pop("shape", [3, 12, 12]), **sections), "utf-8")
    return path


class Stopping(Silent):
    """Stops a training behind a step whose number counts from 1."""

    def __init__(self, step: int) -> None:
        self.left = step

    def step(self, *_: object, **__: object) -> None:
        """Count, and stop."""
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


RESUMED = [
    [
        "RandomHorizontalFlip",
        {"RandomRotation": 10},
        {"RandomCrop": {"size": [12, 12], "padding": 2}},
    ],
    [{"RandomGaussianNoise": {"std": 0.1}}, {"ColorJitter": {"brightness": 0.2, "hue": 0.1}}],
    ["RandomErasing", {"RandomSaltAndPepperNoise": {"p": 1}}, "RandomChannelShuffle"],
    [{"RandAugment": {"n": 2, "m": 9}}, "RandomPlasmaShadow", "RandomThinPlateSpline"],
]


@pytest.mark.parametrize("augment", RESUMED, ids=range(len(RESUMED)))
def test_a_training_resumes(tmp_path: Path, augment: Any) -> None:
    """With augmentations a training that stopped anywhere ends with the same, bit by bit."""
    file = write(tmp_path, augment)
    whole = training.train(file, runs=tmp_path / "whole")
    for step in (1, 4):  # within the first epoch, and within the second
        trainer = training.prepare(trainable(load(file)), tmp_path / f"stopped{step}")
        with pytest.raises(training.Interrupted, match=r"^$"):
            training.fit(trainer, Stopping(step))
        torch.manual_seed(1)  # whatever else the process does with torch
        resumed = training.resume(trainer.run.folder)
        training.fit(resumed, Silent())
        assert outcome(resumed.run) == outcome(whole)
    write(tmp_path, None)
    assert outcome(training.train(file, runs=tmp_path / "plain")) != outcome(whole)


def test_resolved(tmp_path: Path) -> None:
    """A run holds the augmentations with all that they were, and it reads as the same config."""
    file = write(tmp_path, ["RandomHorizontalFlip", {"RandomCrop": [12, 12]}])
    run = training.train(file, runs=tmp_path)
    resolved = (run.folder / "resolved.yaml").read_text("utf-8")
    first, second = yaml.safe_load(resolved)["data"]["augment"]
    assert first == {
        "RandomHorizontalFlip": {
            "p": 0.5,
            "p_batch": 1.0,
            "same_on_batch": False,
            "keepdim": False,
        }
    }
    assert second["RandomCrop"]["size"] == [12, 12]
    config = read(from_bytes("resolved.yaml", resolved.encode()))
    assert config.diagnostics == ()
    assert config.preparation.augment == load(file).preparation.augment


@pytest.mark.parametrize("in_memory", [True, False])
def test_only_what_trains(tmp_path: Path, *, in_memory: bool) -> None:
    """Images that train are augmented, anew each time, then normalised; the others only that."""
    images = torch.rand(40, 3, 12, 12)
    save_file({"x": images, "y": torch.arange(40) % 10}, tmp_path / "images.safetensors")
    data = {
        "Arrays": {"file": "images.safetensors"},
        "validation": 0.25,
        "normalize": [[0.5] * 3, [0.25] * 3],
        "in_memory": in_memory,
        "augment": [{"RandomInvert": {"p": 1}}],
    }
    file = write(tmp_path, None, data=data)
    found = loaded(file)
    ((x,), _), *_ = found.training.shuffled(64, 0)
    ((held_out,), _), *_ = found.held_out.in_order(64)
    back = torch.cat([1 - (x * 0.25 + 0.5), held_out * 0.25 + 0.5])
    ours, theirs = (values.flatten(1).sum(1).sort().values for values in (back, images))
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_what_is_learned_by_heart_stays(tmp_path: Path) -> None:
    """A check that a few batches can be learned is one without augmentations."""
    file = write(tmp_path, [{"RandomGaussianNoise": {"p": 1}}])
    graph = trainable(load(file, ["train.overfit_batches=1"]))
    found = loading.load(graph, World(torch.device("cpu")))
    ((first,), _), *_ = found.training.shuffled(64, 0)
    ((second,), _), *_ = found.training.shuffled(64, 0)
    assert torch.equal(first, second)


def test_what_does_not_fit_is_not_trained(tmp_path: Path) -> None:
    """A training begins with no augmentation that does not fit."""
    file = write(tmp_path, [{"RandomCrop": [10, 10]}])
    with pytest.raises(ConfigError, match="RandomCrop does not fit the network"):
        training.train(file, runs=tmp_path)


def loaded(file: Path) -> Any:
    """Return the data of a config, ready to be trained with."""
    return loading.load(trainable(load(file)), World(torch.device("cpu")))


def test_kornia_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without kornia the command says what to install; without augmentations nobody needs it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "kornia"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    file = write(tmp_path, ["RandomHorizontalFlip"])
    with pytest.raises(ModuleNotFoundError, match="kornia"):
        training.train(file, runs=tmp_path)
    with pytest.raises(typer.Exit), terminal.reported_failures(tmp_path):
        training.train(file, runs=tmp_path)
    said = 'netbuild: the config needs kornia: pip install "netbuild[data]"\n'
    assert capsys.readouterr().err == said
    write(tmp_path, None)
    training.train(file, runs=tmp_path)
    for module, extra in (("torch", "train"), ("datasets.arrow", "data")):
        with pytest.raises(typer.Exit), terminal.needs_torch("train"):
            raise ModuleNotFoundError(name=module)
        name = module.partition(".")[0]
        said = f'netbuild: train needs {name}: pip install "netbuild[{extra}]"\n'
        assert capsys.readouterr().err == said


class Missing:
    """Finds no kornia."""

    def find_spec(self, name: str, *_: object) -> None:
        """Say that it is not installed."""
        if name.partition(".")[0] == "kornia":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
