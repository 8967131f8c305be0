"""With the schema a real language server completes, explains and underlines.

It is yaml-language-server, which VS Code's YAML extension and other editors run. The tests need
node and `npm install yaml-language-server`, here or in the folder $YAML_LANGUAGE_SERVER; they are
skipped where that is not there, and install nothing.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from tests import ROOT
from tests.reports.language_server import LanguageServer, Place, command

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = ROOT / "docs/netbuild.schema.json"
#: No document is opened twice.
NUMBERS = count()

pytestmark = pytest.mark.skipif(
    command() is None, reason="yaml-language-server is not installed: npm install it"
)


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    """Give a language server."""
    found = command()
    assert found is not None
    with LanguageServer(found, SCHEMA) as running:
        yield running


def opened(server: LanguageServer, marked: str) -> tuple[str, Place, list[dict[str, Any]]]:
    """Open a text without its mark `|`; return its name, the place, and the diagnostics."""
    before, _, after = marked.partition("|")
    name = f"network{next(NUMBERS)}"
    place = Place(before.count("\n"), len(before) - before.rfind("\n") - 1)
    server.open(name, before + after)
    return name, place, server.diagnostics(name)


def proposed(server: LanguageServer, marked: str) -> dict[str, dict[str, Any]]:
    """Return what is proposed at the mark, by its label."""
    name, place, _ = opened(server, marked)
    return {item["label"]: item for item in reversed(server.completions(name, place))}


LAYERS = {
    "a list": "layers:\n  - |",
    "a list, with a beginning": "layers:\n  - Con|\n  - ReLU",
    "a mapping": "layers:\n  conv1:\n    |",
    "a mapping, with a beginning": "layers:\n  conv1:\n    Con|\n  relu: ReLU",
    "a list in a mapping": "layers:\n  stem:\n    - Con|",
    "a mapping in a list": "layers:\n  - conv1:\n      Con|",
    "a stack with modifiers": "layers:\n  - layers:\n      - Con|\n    repeat: 3",
    "a block": "blocks:\n  Block:\n    layers:\n      - Con|\nlayers: [Block]",
    "a mapping in a block": "blocks:\n  Block:\n    layers:\n      conv:\n        Con|",
    "braces": "layers:\n  conv1: {Con|}",
    "a file that extends another": "extends: a.yaml\nlayers:\n  conv1:\n    Con|",
}


@pytest.mark.parametrize("where", LAYERS)
def test_layers_are_proposed(server: LanguageServer, where: str) -> None:
    """In every kind of stack a layer is proposed, with its description."""
    conv = proposed(server, f"{LAYERS[where]}\n")["Conv2d"]
    assert "2-D convolution" in conv["documentation"]
    assert "torch.nn.Conv2d" in conv["documentation"]


def test_a_layer_comes_with_what_it_needs(server: LanguageServer) -> None:
    """A proposed layer has its required arguments, and none that has a default."""
    conv = proposed(server, "layers:\n  - Con|\n")["Conv2d"]
    assert conv["insertText"] == "Conv2d:\n    out_channels: $1\n    kernel_size: $2"


@pytest.mark.parametrize("text", ["layers:\n  - |", "layers:\n  relu: |", "layers:\n  relu: Re|"])
def test_a_layer_alone_is_proposed(server: LanguageServer, text: str) -> None:
    """A layer that needs no arguments is proposed as a value."""
    name, place, _ = opened(server, f"{text}\n")
    items = server.completions(name, place)
    (relu,) = (item for item in items if item["insertText"] == "ReLU")
    assert "max(0, x)" in relu["documentation"]
    assert not [item for item in items if item["insertText"] == "Linear"]


ARGUMENTS = {
    "a list": "layers:\n  - Conv2d:\n      |",
    "a mapping": "layers:\n  conv1:\n    Conv2d:\n      out_channels: 6\n      k|",
    "braces": "layers:\n  - Conv2d: {out_channels: 6, k|}",
    "a block": "blocks:\n  Block:\n    layers:\n      conv: {Conv2d: {k|}}\nlayers: [Block]",
    "a file that extends another": "extends: a.yaml\nlayers:\n  conv1:\n    Conv2d:\n      k|",
}


@pytest.mark.parametrize("where", ARGUMENTS)
def test_fields_are_proposed(server: LanguageServer, where: str) -> None:
    """Inside a layer its fields are proposed, with what they take."""
    size = proposed(server, f"{ARGUMENTS[where]}\n")["kernel_size"]
    assert "A whole number of at least 1, or a list with one for each axis" in size["documentation"]


PROPOSALS = {
    "|": {"layers", "input", "optimizer", "train"},
    "layers:\n  - {Conv2d: {out_channels: 6, kernel_size: 5}, na|}": {"name", "repeat", "when"},
    "layers:\n  - Conv2d:\n      padding: |": {"same", "valid"},
    "layers:\n  - Conv2d:\n      bias: |": {"true", "false"},
    "loss: |": {"CrossEntropyLoss", "MSELoss"},
    "optimizer: {Adam: {l|}}": {"lr", "betas"},
    "data: {Digits, r|}": {"resize", "validation"},
    "init:\n  - z|": {"zeros_", "match", "type"},
}


@pytest.mark.parametrize("text", PROPOSALS)
def test_everything_else_is_proposed(server: LanguageServer, text: str) -> None:
    """So are sections, modifiers, words, losses, optimizers and initializers."""
    assert proposed(server, f"{text}\n").keys() >= PROPOSALS[text]


CONV = "input: [1, 28, 28]\nlayers:\n  - Con|v2d: {out_channels: 6, kernel_size: 5}\n  - GELU\n"
HOVERS = {
    CONV: "2-D convolution",
    CONV.replace("|", "").replace("ker", "ke|r"): "A whole number of at least 1, or a list",
    CONV.replace("|", "").replace("GE", "G|E"): "with the normal distribution function Φ",
    CONV.replace("|", "").replace("inp", "in|p"): "The shape of one sample",
    CONV.replace("|", "").replace("lay", "la|y"): "The network",
    f"optimizer: {{Ad|am: {{}}}}\n{CONV.replace('|', '')}": "Kingma",
}


@pytest.mark.parametrize("text", HOVERS)
def test_hover(server: LanguageServer, text: str) -> None:
    """Over a layer, a field or a section stands what it is."""
    name, place, _ = opened(server, text)
    assert HOVERS[text] in server.hover(name, place).replace("\\", "")


#: A line below `layers:`, what of it is underlined, and the message.
UNDERLINED = {
    "  - Conv2d: {out_channels: 6, kernel_size: 5, pading: 1}": (
        "pading",
        "Property pading is not allowed.",
    ),
    "  - Conv2d: {out_channels: six, kernel_size: 5}": (
        "six",
        "wants a whole number of at least 1",
    ),
    "  - Conv2d: {out_channels: 6}": ("Conv2d", 'Missing property "kernel_size".'),
    "  - Conv2d: {out_channels: 6, kernel_size: 0}": ("0", "Value is below the minimum of 1."),
    "  - Conv2D: {out_channels: 6, kernel_size: 5}": ("Conv2D", "Property Conv2D is not allowed."),
    "  - ReLu": ("ReLu", "no type with this name can be used without arguments"),
    "  - Linear: ten": ("ten", "out_features wants a whole number of at least 1"),
    "  - {ReLU, repat: 3}": ("repat", "Property repat is not allowed."),
    "  Linear: 10": ("Linear", "a name is not Capitalised, and a list of layers has dashes"),
}


@pytest.mark.parametrize("line", UNDERLINED)
def test_what_is_wrong_is_underlined(server: LanguageServer, line: str) -> None:
    """A fault is one diagnostic, at its place and in words."""
    word, message = UNDERLINED[line]
    _, _, (found,) = opened(server, f"input: [1, 28, 28]\nlayers:\n{line}\n")
    start, end = found["range"]["start"], found["range"]["end"]
    assert start["line"] == end["line"] == 2
    assert line[start["character"] : end["character"]] == word
    assert found["message"] == message


def test_configs(server: LanguageServer) -> None:
    """No config of this repository is underlined."""
    folder = ROOT / "configs"
    configs = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.yaml")}
    for name, path in configs.items():
        server.open(name, path.read_text("utf-8"))
    assert len(configs) > 20
    assert {name: found for name in configs if (found := server.diagnostics(name))} == {}
