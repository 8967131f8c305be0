"""`netbuild import`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import netbuild
from netbuild.cli import app
from netbuild.diagnostics.exceptions import ImportedError
from netbuild.exchange.importer import imported as comparison
from netbuild.exchange.importer.targets import module_of, samples
from netbuild.runs import held

if TYPE_CHECKING:
    from pathlib import Path

NETS = """\
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.fc, self.out = nn.Linear(8, width), nn.Linear(width, 2)

    def forward(self, x):
        return self.out(self.fc(x).relu())

class Odd(Net):
    def forward(self, x):
        return self.out(torch.fft.fft(self.fc(x)).real)

made = Net(3)
number = 3

def fails():
    raise OSError("no disk")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder with a file of networks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets_of_test.py").write_text(NETS, encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    """Return the exit code, the output and the errors of `netbuild import arguments…`."""
    found = CliRunner().invoke(app, ["import", *arguments])
    return found.exit_code, found.stdout, found.stderr


def test_a_file_and_its_weights(folder: Path) -> None:
    """The config is written, and its network computes what the module does with the weights."""
    given = ("nets_of_test.py:Net(width=3)", "--input", "8", "-o", "net.yaml")
    code, printed, said = run(*given, "--weights", "net.safetensors")
    assert (code, printed) == (0, "")
    assert said == (
        "net.yaml: 6 lines; built and compared for batches of 1, 2 and 5: largest difference 0, "
        "in training too\n"
    )
    assert netbuild.load(folder / "net.yaml").name == "net"
    assert {*load_file("net.safetensors")} == {*netbuild.build("net.yaml").state_dict()}
    assert run(*given)[0] == 2  # it exists already
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == {
        *("net.yaml", "net.safetensors", "nets_of_test.py")
    }


def test_standard_output_and_a_config(folder: Path) -> None:
    """`-` prints the config, and a config is refused by its name."""
    code, printed, _ = run("nets_of_test.py:Net(width=3)", "--input", "8", "-o", "-")
    assert (code, printed.splitlines()[0]) == (0, "name: net")
    code, _, said = run("net.yaml")
    assert (code, said.startswith("netbuild: net.yaml is a config already: ")) == (2, True)
    assert not {"-", "net.yaml"} & {path.name for path in folder.iterdir()}


def test_two_files_or_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the second file cannot be written, the first one is not there either."""
    calls: list[int] = []

    def full(number: int) -> None:
        calls.append(number)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(held.os, "fsync", full)
    given = ("nets_of_test.py:Net", "--input", "8", "-o", "net.yaml", "--weights", "w.safetensors")
    code, _, said = run(*given)
    assert code == 2
    assert said.endswith("No space left on device\n")
    assert not [one for one in folder.iterdir() if "nets" not in one.name and one.suffix]


@pytest.mark.usefixtures("folder")
def test_gaps_are_written_with_exit_code_1() -> None:
    """What a config cannot hold is named on both sides."""
    code, printed, said = run("nets_of_test.py:Odd", "--input", "x=8")
    assert code == 1
    assert "# gap: fft_fft: fft_fft: a config has no counterpart\n" in printed
    assert said.splitlines()[-1] == "gap: fft_fft: fft_fft: a config has no counterpart"


def test_a_difference_is_not_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A config that computes something else is refused, and no file is left."""
    made = comparison.config_of

    def spoilt(network: object) -> object:
        found = made(network)  # type: ignore[arg-type]
        return found._replace(text=found.text.replace("ReLU", "Tanh"))

    monkeypatch.setattr(comparison, "config_of", spoilt)
    code, _, said = run("nets_of_test.py:Net", "--input", "8", "-o", "net.yaml")
    assert code == 1
    assert said.startswith("netbuild: output 1 of the config differs from the module by ")
    assert not (folder / "net.yaml").exists()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nets_of_test", "nets_of_test is not MODULE:CALL"),
        ("nothing_like_it:Net", "there is no module nothing_like_it"),
        ("nothing.py:Net", "there is no file nothing.py"),
        ("nets_of_test.py:Nett", "nets_of_test.py has no Nett"),
        ("nets_of_test.py:Net(", "Net( is no name and no call with plain values"),
        ("nets_of_test.py:Net(height=1)", "raises TypeError"),
        ("nets_of_test.py:fails", "nets_of_test.py:fails raises OSError: no disk"),
        ("nets_of_test.py:made(3)", "is a module already, and takes no arguments"),
        ("nets_of_test.py:number", "number in nets_of_test.py is no class"),
        ("nets_of_test.py:torch.zeros(1)", "returns Tensor, and no nn.Module"),
    ],
)
def test_targets_that_are_refused(target: str, message: str) -> None:
    """Each wrong target is named in a sentence."""
    with pytest.raises(ImportedError) as caught:
        module_of(target)
    assert message in str(caught.value)


@pytest.mark.usefixtures("folder")
def test_targets() -> None:
    """A target is a class, a function, a module, with arguments of both kinds."""
    assert module_of("nets_of_test:made").fc.out_features == 3
    assert module_of("nets_of_test.py:Net(5)").fc.out_features == 5
    assert module_of("nets_of_test.py:Net", {"width": 6}).fc.out_features == 6
    assert module_of("torch.nn:Linear(2, 3)").out_features == 3


def test_samples() -> None:
    """An input is written with a name and a dtype, or without."""
    assert samples(["3,8"]).shape == (2, 3, 8)  # type: ignore[union-attr]
    found = samples(["tokens=5:int64", "length=:int64", "mask=5:bool"])
    assert isinstance(found, dict)
    assert {name: (tuple(one.shape), one.dtype) for name, one in found.items()} == {
        "tokens": ((2, 5), torch.int64),
        "length": ((2,), torch.int64),
        "mask": ((2, 5), torch.bool),
    }
    for wrong, message in (
        (["3,x"], "3,x is no shape without the batch"),
        (["x=3:float16"], "float16 is no dtype of an input"),
        (["3", "4"], "several inputs need names of their own"),
    ):
        with pytest.raises(ImportedError, match=message):
            samples(wrong)


def test_without_an_input() -> None:
    """The shape of the input is asked for."""
    code, _, said = run("torch.nn:Linear(2, 3)")
    assert code == 2
    assert said == "netbuild: --input says the shape of an input, such as --input 3,224,224\n"
