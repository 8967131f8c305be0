"""What is said of augmentations that do not fit, and what `netbuild augmentations` prints."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from netbuild.checks import augmentations as fitting
from netbuild.components.augmentations import AUGMENTATIONS
from netbuild.config.load import read
from netbuild.reports.catalogue import entries as catalogue
from netbuild.reports.catalogue.entries import example
from netbuild.reports.catalogue.page import listing, page
from netbuild.reports.schema import language
from netbuild.syntax.parser import from_bytes
from tests.components.augmentations.cases import network
from tests.reports.test_catalogue import printed

if TYPE_CHECKING:
    from tests.conftest import Netbuild

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
        "the images become 1×24×24, but the network reads 1×28×28",
        "size: [28, 28]",
    ),
    "other size by a side": (
        [{"LongestMaxSize": 14}],
        [1, 28, 28],
        "14",
        "the images become 1×14×14, but the network reads 1×28×28",
        "restore the size afterwards with RandomCrop: [28, 28] or Resize: [28, 28]",
    ),
    "crop too large": (
        [{"RandomCrop": {"size": [32, 32], "padding": 1}}],
        [1, 28, 28],
        "size: [32, 32]",
        "a crop of 32×32 does not fit into an image of 30×30",
        "pad_if_needed: true",
    ),
    "sometimes": (
        [{"Resize": {"size": [32, 32], "p": 0.5}}, {"CenterCrop": {"size": 28}}],
        [1, 28, 28],
        "p: 0.5",
        "it must be 1: unchanged images are 1×28×28, and changed ones 1×32×32",
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
        "it augments float32 images, but the network reads int64",
        None,
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_said(name: str) -> None:
    """What does not fit is said at the field that is to blame."""
    augment, shape, place, said, help_ = SAID[name]
    config = read(from_bytes("net.yaml", network(augment, shape).encode()))
    assert config.diagnostics == ()
    (fault,) = fitting.check(config)
    line = config.document.text.splitlines()[fault.span.line - 1]
    found = line[fault.span.column - 1 :]
    assert found.startswith(place.partition(":")[0])
    assert (fault.code, fault.label, fault.help) == ("NB501", said, help_)
    assert fault.title.endswith(" does not fit the network")


def test_an_expression_gives_them() -> None:
    """Of augmentations that an expression gives, the fault is at the expression."""
    variables = {"vars": {"changes": [{"RandomCrop": [24, 24]}]}}
    text = network("$changes", [1, 28, 28], **variables)
    (fault,) = fitting.check(read(from_bytes("net.yaml", text.encode())))
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
        assert fitting.check(config) == []


#: What is written, and the fault that reading it finds.
FAULTS = {
    "[RandomFlip]": "no augmentation is called RandomFlip",
    "[]": "an empty list",
    "RandomHorizontalFlip": "a value that is not a list",
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
    assert [fault.title for fault in faults] == [FAULTS[written]]


def test_kornia_is_not_imported() -> None:
    """What is checked is checked without torch and without kornia."""
    text = network([{"RandomCrop": [24, 24]}], [1, 28, 28])
    program = (
        "import sys\n"
        "from netbuild.checks import augmentations\n"
        "from netbuild.config.load import read\n"
        "from netbuild.syntax.parser import from_bytes\n"
        f"assert augmentations.check(read(from_bytes('net.yaml', {text.encode()!r})))\n"
        "sys.exit(bool({'torch', 'kornia', 'numpy'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_name_is_listed() -> None:
    """The listing has every name, under the title of its family."""
    lines = printed(listing(AUGMENTATIONS, 80)).splitlines()
    titles = [line for line in lines if line and line[0] != " "]
    assert " ".join(line for line in lines if line not in titles).split() == list(AUGMENTATIONS)
    assert titles == list(catalogue.families(AUGMENTATIONS))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_page(name: str) -> None:
    """A page has what there is to know."""
    component = AUGMENTATIONS[name]
    text = printed(page(name, component, 80))
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
