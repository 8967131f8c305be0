"""`netbuild layers` and the other catalogues are complete and correct, and fit a terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
import torch
import yaml
from rich.console import Console

from netbuild.checks.trace import infer
from netbuild.components.layers import LAYERS
from netbuild.config.load import read
from netbuild.reports.catalogue import entries as catalogue
from netbuild.reports.catalogue.page import does, listing, page
from netbuild.syntax.parser import from_bytes
from tests.tables import over

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tests.conftest import Netbuild

KINDS = ("layers", "losses", "optimizers", "schedulers", "initializers")
NAMED = [(kind, name) for kind in KINDS for name in catalogue.catalogue(kind)]


def printed(what: RenderableType) -> str:
    """Return what a terminal of 80 columns shows."""
    console = Console(file=io.StringIO(), width=80)
    console.print(what)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_is_listed(kind: str) -> None:
    """The listing has every name, under the title of its family."""
    known = catalogue.catalogue(kind)
    lines = printed(listing(known, 80)).splitlines()
    titles = [line for line in lines if line and line[0] != " "]
    assert " ".join(line for line in lines if line not in titles).split() == list(known)
    assert titles == list(catalogue.families(known))


@over(NAMED, " ".join)
def test_page(named: tuple[str, str]) -> None:
    """A page has every part. Its example has the type, and torch has a page of its name."""
    kind, name = named
    component = catalogue.catalogue(kind)[name]
    text = printed(page(name, component, 80))
    lines = text.splitlines()
    assert lines[0].strip() == name
    assert max(map(len, lines)) <= 80
    assert all(f"  {field} " in text for field in component.model_fields)
    assert catalogue.description(component)
    assert name in catalogue.example(component).text
    torchs = catalogue.page(component)
    if torchs is None:
        assert name.startswith(("SwitchableNorm", "Formula", "Constant"))
        return
    library = torchs.partition(".")[0]
    assert lines[-1].strip() == f"{library}  {torchs}"
    if library != "torch":  # tests of its families compare these with their libraries
        return
    found = torch
    for part in torchs.partition(",")[0].removeprefix("torch.").split("."):
        found = getattr(found, part)


@over(LAYERS)
def test_example_of_a_layer(name: str) -> None:
    """The docstring has the shapes of the input and the output of the example."""
    example = catalogue.example(LAYERS[name])
    assert example.row is not None
    assert type(example.row.layer).__name__ == name
    (said,) = [line for line in (LAYERS[name].__doc__ or "").splitlines() if "# " in line]
    assert said.partition("# ")[2] == does(example.row)


@over([n for n in NAMED if n[0] not in {"layers", "initializers"}], " ".join)
def test_example_of_a_section(named: tuple[str, str]) -> None:
    """The example of a loss, an optimizer or a scheduler is read without a fault."""
    kind, name = named
    text = catalogue.example(catalogue.catalogue(kind)[name]).text
    config = read(from_bytes("example", f"input: [8]\nlayers: [Linear: 2]\n{text}".encode()))
    assert not config.diagnostics
    (section,) = set(yaml.safe_load(text))
    found = {
        "loss": [term.loss for term in config.losses],
        "scheduler": [config.scheduler and config.scheduler.scheduler],
        "optimizer": [config.optimizer],
    }[section]
    assert name in {type(part).__name__ for part in found}


@over(catalogue.catalogue("initializers"))
def test_example_of_an_initializer(name: str) -> None:
    """The example of an initializer fits its layer."""
    text = catalogue.example(catalogue.catalogue("initializers")[name]).text
    graph = infer(read(from_bytes("example", f"input: [8, 9, 9]\nlayers:\n{text}".encode())))
    assert not graph.diagnostics
    (initializer,) = graph.rows[0].init.by_name.values()
    assert initializer.torch_name() == name


def test_no_line_is_padded_and_no_word_is_divided() -> None:
    """In a narrow terminal a line breaks between words only, and no line ends with a blank."""
    known = catalogue.catalogue("layers")
    for width in (40, 60, 80):
        for name in ("MultiheadAttention", "Conv2d", "Dropout"):
            lines = page(name, known[name], width).plain.splitlines()
            assert max(len(line) for line in lines if not line.startswith("  - ")) <= width
            assert not [line for line in lines if line != line.rstrip()]
            words = " ".join(lines).split()
            assert words == page(name, known[name], 400).plain.split()
    assert listing(known, 40).plain.split() == listing(known, 400).plain.split()


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("Conv2d", ["Conv2d"]),
        ("conv2d", ["Conv2d"]),
        ("attention", ["MultiheadAttention", "ScaledDotProductAttention"]),
        ("lstm", ["LSTM"]),
        ("embedd", ["Embedding", "EmbeddingBag"]),
        ("machine epsilon", ["RMSNorm"]),
        ("", []),
        ("Dense", []),
    ],
)
def test_a_part_of_a_name_finds_it(word: str, found: list[str]) -> None:
    """A name counts before parts of names, and these before descriptions."""
    assert list(catalogue.find(catalogue.catalogue("layers"), word)) == found


def test_several_names_are_listed(netbuild: Netbuild) -> None:
    """If several names have the part, each comes with its first sentence."""
    listed = netbuild("layers", "embedd").stdout
    assert listed.startswith("Embedding     Looks up the row of each index: ")
    assert "\nEmbeddingBag  The mean, sum or maximum of the rows" in listed
    assert "MultiheadAttention\n" in netbuild("layers", "multihead").stdout
    nothing = netbuild("layers", "Xyz")
    assert (nothing.returncode, nothing.stdout) == (2, "")


@pytest.mark.parametrize(
    ("kind", "word", "hint"),
    [
        ("layers", "Dense", "did you mean Linear?"),
        ("layers", "nn.Linear", "did you mean Linear?"),
        ("layers", "GlobalAveragePooling2D", "did you mean AdaptiveAvgPool2d?"),
        ("layers", "BatchNormalization", "did you mean BatchNorm1d or BatchNorm2d or BatchNorm3d?"),
        ("losses", "categorical_crossentropy", "did you mean CrossEntropyLoss?"),
        ("layers", "xyzzy", "netbuild layers lists them"),
        ("layers", "", "netbuild layers lists them"),
    ],
)
def test_names_of_other_libraries(netbuild: Netbuild, kind: str, word: str, hint: str) -> None:
    """A name that another library uses leads to netbuild's own."""
    done = netbuild(kind, word)
    assert done.returncode == 2
    assert done.stderr.endswith(f": {hint}\n")
