"""`netbuild diff`: its output, its formats and its exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

import netbuild as package
from netbuild.cli.terminal import print_whole
from netbuild.reports.difference import diff
from netbuild.reports.difference import table as render
from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Netbuild

LENET = "configs/lenet.yaml"
TEXT = (ROOT / LENET).read_text(encoding="utf-8")

WITH_NORM = TEXT.replace("    - ReLU\n", "    - BatchNorm2d\n    - ReLU\n", 1)

INSERTED = """\
configs/lenet.yaml → <stdin>

    name                type         changed   output   params  MACs
 ───────────────────────────────────────────────────────────────────
 +  features.1          BatchNorm2d            6×28×28     +12
 →  features.1…5 → 2…6               5 layers

7 layers the same

               A        B   difference
 ─────────────────────────────────────
 layers       12       13   +1 (+8.3%)
 params   61,706   61,718  +12 (+0.0%)
 MACs    416,520  416,520         none

8 of the 10 tensors in a checkpoint of A would load into B, which has 15.

 tensor                   A  B
 ──────────────────────────────────────
 features.1.weight        –  6  missing
 features.1.bias          –  6  missing
 features.1.running_mean  –  6  missing
 features.1.running_var   –  6  missing

features.3.* is now features.4.*
"""

WIDENED = """\
configs/lenet.yaml

    name        type    changed             output             params     MACs
 ─────────────────────────────────────────────────────────────────────────────
 ~  features.0  Conv2d  out_channels 6 → 8  6×28×28 → 8×28×28     +52  +39,200
 ~  features.3  Conv2d  in_channels 6 → 8   16×10×10             +800  +80,000

8 layers the same · 2 layers with other shapes only

               A        B         difference
 ───────────────────────────────────────────
 layers       12       12               none
 params   61,706   62,558       +852 (+1.4%)
 MACs    416,520  535,720  +119,200 (+28.6%)

7 of the 10 tensors in a checkpoint of A would load into B, which has 10.

 tensor                    A         B
 ──────────────────────────────────────────────────
 features.0.weight   6×1×5×5   8×1×5×5  other shape
 features.0.bias           6         8  other shape
 features.3.weight  16×6×5×5  16×8×5×5  other shape
"""

REPLACED = """\
**configs/lenet.yaml → <stdin>**

|  | name | type | changed | output | params | MACs |
| --- | --- | --- | --- | --- | ---: | ---: |
| ~ | `features.2` | MaxPool2d → AvgPool2d |  | 6×14×14 |  |  |

11 layers the same

|  | A | B | difference |
| --- | ---: | ---: | ---: |
| layers | 12 | 12 | none |
| params | 61,706 | 61,706 | none |
| MACs | 416,520 | 416,520 | none |

A checkpoint of A would load into B completely.
"""

DEEPER = """\
configs/torchvision/resnet18.yaml → configs/torchvision/resnet34.yaml

    name      type        changed   output         params          MACs
 ──────────────────────────────────────────────────────────────────────
 +  layer1.2  BasicBlock  7 layers  64×56×56      +73,984  +231,211,008
 +  layer2.2  BasicBlock  7 layers  128×28×28    +295,424  +231,211,008
 +  layer2.3  BasicBlock  7 layers  128×28×28    +295,424  +231,211,008
 +  layer3.2  BasicBlock  7 layers  256×14×14  +1,180,672  +231,211,008
 +  layer3.3  BasicBlock  7 layers  256×14×14  +1,180,672  +231,211,008
 +  layer3.4  BasicBlock  7 layers  256×14×14  +1,180,672  +231,211,008
 +  layer3.5  BasicBlock  7 layers  256×14×14  +1,180,672  +231,211,008
 +  layer4.2  BasicBlock  7 layers  512×7×7    +4,720,640  +231,211,008

69 layers the same
"""

NARROW = """\
    name          type         changed        output      params     MACs
 ────────────────────────────────────────────────────────────────────────
 ~  features.0    Conv2d       padding 2 → 0  6×28×28             −31,200
                                              → 6×24×24
"""


def stripped(text: str) -> str:
    """Return a text without blanks at the ends of its lines."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


def test_an_inserted_layer(netbuild: Netbuild) -> None:
    """A new layer in the middle of a list is one change: the later layers have moved."""
    done = netbuild("diff", LENET, "-", text=WITH_NORM)
    assert stripped(done.stdout) == INSERTED
    assert (done.returncode, done.stderr) == (0, "")


def test_a_setting(netbuild: Netbuild) -> None:
    """Without B, what --set changes is shown, with what follows from it."""
    done = netbuild("diff", LENET, "--set", "layers.features.0.Conv2d.out_channels=8")
    assert stripped(done.stdout) == WIDENED
    again = netbuild("diff", LENET, LENET, "--set", "layers.features.0.Conv2d.out_channels=8")
    assert again.stdout == done.stdout


def test_another_type_in_markdown(netbuild: Netbuild) -> None:
    """A pooling that replaces a pooling at its place is a changed layer."""
    text = TEXT.replace("MaxPool2d", "AvgPool2d", 1)
    done = netbuild("diff", LENET, "-", "--format", "markdown", text=text)
    assert done.stdout == REPLACED


def test_whole_blocks(netbuild: Netbuild) -> None:
    """A block that was added, layer by layer, is one line, and so are its tensors."""
    folder = "configs/torchvision"
    done = netbuild("diff", f"{folder}/resnet18.yaml", f"{folder}/resnet34.yaml")
    assert stripped(done.stdout).startswith(DEEPER)
    assert "\n layer3.4.*  –  10 tensors  missing" in done.stdout
    assert "122 of the 122 tensors in a checkpoint of A would load into B" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_narrow_terminal(netbuild: Netbuild) -> None:
    """A line that is too long breaks at its arrows or before a value. It is never cut."""
    done = netbuild("diff", LENET, "configs/lenet-bn.yaml")
    assert "~  classifier.1      Linear       in_features 400 → 256  120" in done.stdout
    changes = diff(
        *(package.trace(package.load(ROOT / path)) for path in (LENET, "configs/lenet-bn.yaml"))
    )
    console = Console(width=80, file=io.StringIO())
    console.print(render.table(changes, console))
    assert isinstance(console.file, io.StringIO)
    said = stripped(console.file.getvalue())
    assert NARROW in said
    assert max(map(len, said.splitlines())) <= 80


def test_the_same(netbuild: Netbuild) -> None:
    """Networks that do not differ get one sentence, whatever the format that people read."""
    sentence = "The networks are the same: 12 layers, 61,706 params.\n"
    for format_ in ("table", "markdown"):
        done = netbuild("diff", LENET, LENET, "--exit-code", "--format", format_)
        assert (done.returncode, done.stdout) == (0, sentence)
    optimizer = netbuild("diff", LENET, "--set", "optimizer.Adam.lr=1", "--exit-code")
    assert optimizer.returncode == 1
    assert optimizer.stdout.startswith(
        f"{sentence.rstrip()} Sections that differ: optimizer.\n\n setting            in A   in B\n"
    )
    assert optimizer.stdout.rstrip().endswith("\n optimizer.Adam.lr  0.002  1.0")


def test_json(netbuild: Netbuild) -> None:
    """The JSON has the documented keys, and its changes add up to its totals."""
    done = netbuild("diff", LENET, "-", "--format", "json", text=WITH_NORM)
    said: dict[str, Any] = json.loads(done.stdout)
    added = ["sections", "settings", "totals"]
    assert list(said) == ["a", "b", "layers", "same", *added, "checkpoint"]
    assert (said["a"], said["b"], said["same"]) == (LENET, "<stdin>", 7)
    assert said["layers"][0] == {
        "change": "added",
        "before": None,
        "after": "features.1",
        "type": [None, "BatchNorm2d"],
        "arguments": {},
        "inputs": None,
        "outputs": [None, {"output": [6, 28, 28]}],
        "params": [0, 12],
        "macs": [0, 0],
    }
    assert said["layers"][1]["change"] == "moved"
    assert said["totals"] == {
        "layers": [12, 13],
        "params": [61_706, 61_718],
        "macs": [416_520, 416_520],
    }
    assert said["checkpoint"]["fits"] == 8
    assert said["checkpoint"]["differences"][0] == {
        "name": "features.1.weight",
        "a": None,
        "b": [6],
    }
    assert said["checkpoint"]["renamed"] == {
        "features.3.weight": "features.4.weight",
        "features.3.bias": "features.4.bias",
    }


def test_json_of_a_setting(netbuild: Netbuild) -> None:
    """Each argument has its old and its new value; what only has other shapes is there too."""
    setting = "layers.features.0.Conv2d.out_channels=8"
    done = netbuild("diff", LENET, "--set", setting, "--format", "json")
    layers = json.loads(done.stdout)["layers"]
    assert [layer["change"] for layer in layers] == ["changed", "reshaped", "reshaped", "changed"]
    arguments = [layer["arguments"] for layer in layers]
    assert arguments == [{"out_channels": [6, 8]}, {}, {}, {"in_channels": [6, 8]}]


def test_faults(netbuild: Netbuild) -> None:
    """The faults of either file are printed, once, and the exit code is 1."""
    bad = "input: [4]\nlayers: [Linaer: 2]\n"
    done = netbuild("diff", "-", LENET, text=bad)
    assert (done.returncode, done.stdout.count("error[NB103]"), done.stderr) == (1, 1, "")
    done = netbuild("diff", LENET, "-", "--format", "json", text=bad)
    assert (done.returncode, done.stdout, done.stderr.count("error[NB103]")) == (1, "", 1)
    done = netbuild("diff", "-", "--set", "vars.width=2", text=bad)
    assert (done.returncode, done.stdout.count("error[")) == (1, 1)
    done = netbuild("diff", LENET, "--set", "vars.width=2")
    assert (done.returncode, done.stdout.count("error[NB112]")) == (1, 1)


def test_what_cannot_be_compared(netbuild: Netbuild, tmp_path: Path) -> None:
    """A file that is not there, or a command without a second config, is exit code 2."""
    done = netbuild("diff", LENET, tmp_path / "none.yaml")
    assert done.returncode == 2
    assert done.stderr.endswith("none.yaml cannot be read: No such file or directory\n")
    alone, twice = netbuild("diff", LENET), netbuild("diff", "-", "-", text=TEXT)
    assert (alone.returncode, twice.returncode) == (2, 2)
    assert alone.stderr == (
        "netbuild: there is nothing to compare: name a second config, or give --set\n"
    )
    assert twice.stderr == "netbuild: only one of the two configs can be standard input\n"


def test_exit_code(netbuild: Netbuild) -> None:
    """The exit code of different networks is 1 only with --exit-code."""
    arguments = ("diff", LENET, "-", "--format", "json")
    assert netbuild(*arguments, text=WITH_NORM).returncode == 0
    assert netbuild(*arguments, "--exit-code", text=WITH_NORM).returncode == 1


def test_help(netbuild: Netbuild) -> None:
    """The help has examples, and fits 80 columns."""
    done = netbuild("diff", "--help")
    assert done.stdout.count("netbuild diff") >= 4
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_no_torch() -> None:
    """Nothing of the extra `train` is loaded."""
    code = (
        "import sys; from netbuild.cli import app\n"
        "try: app()\n"
        "except SystemExit: print(sorted({'torch', 'numpy', 'safetensors'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "diff", LENET, "configs/lenet-bn.yaml"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("lenet", "resnet18"),
        ("lstm", "siamese"),
        ("torchvision/vit_b_16", "torchvision/efficientnet_b0"),
    ],
)
def test_different_networks_fit_80_columns(a: str, b: str) -> None:
    """The table of two networks that have little in common is not wider than a terminal."""
    graphs = [package.trace(package.load(f"configs/{name}.yaml")) for name in (a, b)]
    console = Console(file=io.StringIO(), width=80)
    print_whole(console, render.table(diff(*graphs), console))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line != line.rstrip()]
