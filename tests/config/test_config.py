"""The sections of a file, what it extends, and what `--set` changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import netbuild
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.config.resolution import resolved
from netbuild.config.sections import SECTIONS
from netbuild.diagnostics.diagnostic import Document
from netbuild.syntax.node import plain
from netbuild.syntax.parser import from_bytes, from_file, parse

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.config.config import Config

BASE = """\
name: base
input: [1, 28, 28]
vars: {width: 8}
layers:
  features:
    - {Conv2d: {out_channels: $width, kernel_size: 3}, name: stem}
    - ReLU
    - MaxPool2d: 2
  classifier:
    - Flatten
    - Linear: 10
loss: CrossEntropyLoss
optimizer: Adam
data: {Digits, resize: [28, 28]}
"""


def config(text: str, *settings: str) -> Config:
    """Read a config from its text."""
    return read(parse(Document("net.yaml", text)), settings)


def at(config: Config, path: str) -> Any:
    """Return the plain value at a path of a config's tree."""
    value = plain(config.root)
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("name=other", "name", "other"),
        ("vars.width=16", "vars.width", 16),
        ("optimizer.Adam.lr=0.01", "optimizer.Adam", {"lr": 0.01}),
        ("optimizer={SGD: {lr: 1}}", "optimizer", {"SGD": {"lr": 1}}),
        ("layers.features.0.Conv2d.out_channels=4", "layers.features.0.Conv2d.out_channels", 4),
        ("layers.features.stem.Conv2d.stride=2", "layers.features.0.Conv2d.stride", 2),
        ("layers.features.1=Sigmoid", "layers.features.1", "Sigmoid"),
        ("layers.features.2.MaxPool2d=3", "layers.features.2.MaxPool2d", 3),
        ("layers.features.1.ReLU.inplace=true", "layers.features.1.ReLU", {"inplace": True}),
        ("data.resize=[14, 14]", "data.resize", [14, 14]),
        ("data.validation=0.5", "data.validation", 0.5),
        ("data.Digits.x=1", "data.Digits", {"x": 1}),
        ("train.epochs=3", "train", {"epochs": 3}),
        ("train.seed=", "train", {"seed": None}),
        ("name='a=b'", "name", "a=b"),
    ],
)
def test_set(setting: str, path: str, value: Any) -> None:
    """A setting changes the value at its path, and nothing else."""
    changed = config(BASE, setting)
    assert at(changed, path) == value
    assert "NB112" not in [fault.code for fault in changed.diagnostics]


@pytest.mark.parametrize(
    ("setting", "message", "help_"),
    [
        ("nmae=x", "the file has no nmae: unknown name", "did you mean name?"),
        ("vars.widht=3", "the file has no vars.widht: unknown name", "did you mean width?"),
        (
            "layers.feature.0=ReLU",
            "the file has no layers.feature: unknown name",
            "did you mean features?",
        ),
        (
            "layers.features.7=ReLU",
            "the file has no layers.features.7: the list has 3 entries, 0 to 2",
            "the names here are stem, 1, 2",
        ),
        (
            "optimiser.lr=1",
            "the file has no optimiser: unknown name",
            "did you mean optimizer?",
        ),
        (
            "zzz=1",
            "the file has no zzz: unknown name",
            (
                "the names here are name, input, vars, layers, loss, optimizer, data, extends, "
                "blocks, inputs, outputs, init, …"
            ),
        ),
        (
            "layers.features.2.MaxPool2d.stride=2",
            (
                "the file has no layers.features.2.MaxPool2d.stride: "
                "the value here is 2, without any keys"
            ),
            None,
        ),
        ("name", "a setting in the wrong form: a setting is a path, '=' and a value", None),
        ("=3", "a setting in the wrong form: a setting is a path, '=' and a value", None),
    ],
)
def test_set_nowhere(setting: str, message: str, help_: str | None) -> None:
    """A path that does not exist is a fault on the command line, with a suggestion."""
    (fault,) = config(BASE, setting).diagnostics
    assert (fault.code, fault.span.document.name, fault.message) == ("NB112", "--set", message)
    assert help_ is None or fault.help == help_


@pytest.mark.parametrize("section", SECTIONS)
def test_an_empty_section_is_absent(section: str) -> None:
    """A section with nothing after its colon means the same as none."""
    sections = {"input": "[4]", "layers": "[{layers: [Linear: 2, ReLU], outputs: }]"}
    sections.pop(section, None)
    absent, empty = (
        infer(config("".join(f"{name}: {value}\n" for name, value in written.items())))
        for written in (sections, sections | {section: ""})
    )
    assert [fault.message for fault in empty.diagnostics] == [
        fault.message for fault in absent.diagnostics
    ]
    assert empty.outputs == absent.outputs
    assert bool(empty.outputs) == (section not in {"input", "layers"})


def test_set_is_blamed_for_its_value() -> None:
    """A bad value from the command line is shown there, not in the file."""
    (fault,) = config(BASE, "train.epochs=three").diagnostics
    assert fault.span.document.name == "--set"
    assert fault.span[1:] == (1, 14, 1, 19)


def write(folder: Path, **files: str) -> None:
    """Write files named `<name>.yaml`."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def test_extends(tmp_path: Path) -> None:
    """Mappings merge by key, lists are replaced, an item gives way to one of another type."""
    child = "extends: base.yaml\nvars: {width: 4}\noptimizer: {SGD: {lr: 1}}\n"
    grandchild = (
        "extends: child.yaml\noptimizer: {SGD: {momentum: 0.9}}\nlayers: {classifier: [Flatten]}\n"
    )
    write(tmp_path, base=BASE, child=child, grandchild=grandchild)
    loaded = netbuild.load(tmp_path / "grandchild.yaml")
    assert loaded.names == {"width": 4}
    assert at(loaded, "optimizer") == {"SGD": {"lr": 1, "momentum": 0.9}}
    assert at(loaded, "layers.classifier") == ["Flatten"]
    assert [row.path for row in netbuild.trace(loaded).rows] == [
        "features.stem",
        "features.1",
        "features.2",
        "classifier.0",
    ]


def test_faults_of_a_base_are_in_the_base(tmp_path: Path) -> None:
    """A fault lies in the file that holds it, be it extended by another."""
    write(tmp_path, base="input: [4]\nlayers: [Linaer: 2]\n", child="extends: base.yaml\n")
    with pytest.raises(netbuild.ConfigError, match="no layer is called Linaer") as caught:
        netbuild.trace(netbuild.load(tmp_path / "child.yaml"))
    (fault,) = caught.value.diagnostics
    assert fault.span.document.name == str(tmp_path / "base.yaml")


def test_resolved_means_the_same(tmp_path: Path) -> None:
    """The resolved text needs no base and no settings, and resolves to itself."""
    write(tmp_path, base=BASE, child="extends: base.yaml\nname: '1e-3'\n")
    loaded = netbuild.load(tmp_path / "child.yaml", set=["vars.width=6", "train.epochs=2"])
    text = resolved(loaded)
    again = read(from_bytes("elsewhere.yaml", text.encode()))
    assert not again.diagnostics
    assert resolved(again) == text
    assert again.name == loaded.name == "1e-3"
    assert netbuild.trace(again).params == netbuild.trace(loaded).params
    assert (again.train, again.data, again.loss) == (loaded.train, loaded.data, loaded.loss)


def test_load_raises_all_faults(tmp_path: Path) -> None:
    """`load` raises one error that holds every fault of the sections."""
    write(tmp_path, bad="input: [0]\nlayers: [ReLU]\nloss: Nothing\ntrian: {}\n")
    with pytest.raises(netbuild.ConfigError, match="NB101 no section is called trian") as caught:
        netbuild.load(tmp_path / "bad.yaml")
    assert sorted(fault.code for fault in caught.value.diagnostics) == ["NB101", "NB103", "NB106"]


@pytest.mark.parametrize(
    ("file", "text", "name"),
    [
        ("net.yaml", "", "net"),
        ("net.yaml", "name: other\n", "other"),
        ("<stdin>", "", "stdin"),
        ("a b.yaml", "", "a-b"),
        ("net.yaml", "vars: {n: 3}\nname: net-$n\n", "net-3"),
    ],
)
def test_name(file: str, text: str, name: str) -> None:
    """A network is called what the file says, else as the file."""
    source = parse(Document(file, text + "input: [4]\nlayers: [ReLU]\n"))
    assert read(source).name == name


def test_blocks_are_added_to_those_of_the_base(tmp_path: Path) -> None:
    """Each block is a definition of its own, whatever their types: none replaces another."""
    base = "blocks:\n  A: {layers: [ReLU]}\n  B: {params: {x: 1}, layers: [Linear: $x]}\n"
    (tmp_path / "base.yaml").write_text(base)
    over = "extends: base.yaml\ninput: [4]\nblocks:\n  B: {params: {x: 2}}\n  C: {layers: [A, B]}\n"
    (tmp_path / "over.yaml").write_text(over + "layers: [C]\n")
    graph = infer(read(from_file(tmp_path / "over.yaml")))
    assert not graph.diagnostics
    assert [row.type for row in graph.rows] == ["ReLU", "Linear"]
    assert graph.output is not None
    assert graph.output.shape == (2,)


def test_one_setting_is_a_text(tmp_path: Path) -> None:
    """A single setting needs no list."""
    (tmp_path / "net.yaml").write_text("input: [4]\nlayers: [ReLU]\n")
    assert netbuild.load(tmp_path / "net.yaml", set="name=x").name == "x"


def test_trace_takes_a_path(tmp_path: Path) -> None:
    """A path or its text stands for the config in the file."""
    path = tmp_path / "net.yaml"
    path.write_text("input: [4]\nlayers: [Linear: 2]\n")
    assert netbuild.trace(path).params == netbuild.trace(str(path)).params == 10
