"""The command line: formats, exit codes and help."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import netbuild as package
from netbuild.reports import summary as render
from tests import ROOT

if TYPE_CHECKING:
    from tests.conftest import Netbuild

LENET = "configs/lenet.yaml"
BAD = "input: [4]\nlayers:\n  - Linaer: 2\n  - Dropout: {inplace: no}\n"
COMMANDS = ["validate", "summary", "diff", "weights", "train", "evaluate", "runs", "report", "new"]


def test_summary_json(netbuild: Netbuild) -> None:
    """The JSON of a summary has the documented keys, in their order, and LeNet's numbers."""
    said: dict[str, Any] = json.loads(netbuild("summary", LENET, "--format", "json").stdout)
    assert list(said) == ["name", "inputs", "outputs", "layers", "totals"]
    assert said["name"] == "lenet5"
    assert said["inputs"] == {"input": {"shape": [1, 28, 28], "dtype": "float32"}}
    assert said["outputs"] == {"output": [10]}
    assert said["layers"][0] == {
        "path": "features.0",
        "type": "Conv2d",
        "inputs": [[1, 28, 28]],
        "outputs": {"output": [6, 28, 28]},
        "arguments": {
            "in_channels": 1,
            "out_channels": 6,
            "kernel_size": 5,
            "stride": 1,
            "padding": 2,
            "dilation": 1,
            "groups": 1,
            "bias": True,
            "padding_mode": "zeros",
        },
        "weights": {"weight": [6, 1, 5, 5], "bias": [6]},
        "buffers": {},
        "params": 156,
        "trainable": 156,
        "macs": 117600,
        "receptive_field": [5, 5],
        "line": 5,
    }
    shapes = [layer["outputs"]["output"] for layer in said["layers"]]
    assert shapes[5:] == [[16, 5, 5], [400], [120], [120], [84], [84], [10]]
    assert said["totals"] == {
        "params": 61_706,
        "trainable": 61_706,
        "macs": 416_520,
        "weights_bytes": 246_824,
        "constants_bytes": 0,
        "activations_bytes": 48_080,
        "shared_activations_bytes": 0,
    }


def test_summary_table_adds_up(netbuild: Netbuild) -> None:
    """The columns of the table add up to its totals, and it fits 80 columns."""
    lines = netbuild("summary", LENET).stdout.splitlines()
    rows = [line.split() for line in lines if re.match(r" +\d+ +[A-Z]", line)]
    assert len(rows) == 12
    total = next(line.split() for line in lines if line.startswith(" total"))
    counts = [[int(c.replace(",", "")) for c in row[3:] if "×" not in c] for row in rows]
    assert sum(count[0] for count in counts if count) == int(total[1].replace(",", ""))
    assert sum(count[1] for count in counts if len(count) > 1) == int(total[2].replace(",", ""))
    assert max(len(line.rstrip()) for line in lines) <= 80


def test_summary_csv_and_markdown(netbuild: Netbuild) -> None:
    """The other formats hold the same numbers."""
    rows = list(csv.DictReader(io.StringIO(netbuild("summary", LENET, "--format", "csv").stdout)))
    assert len(rows) == 12
    assert sum(int(row["params"]) for row in rows) == 61_706
    assert rows[0] == {
        "name": "features.0",
        "type": "Conv2d",
        "output": "6x28x28",
        "params": "156",
        "macs": "117600",
        "receptive_field": "5x5",
    }
    text = netbuild("summary", LENET, "--format", "markdown").stdout
    assert "| features.0 | Conv2d | 6×28×28 | 156 | 117,600 | 5×5 |" in text
    assert "| **total** |  |  | 61,706 | 416,520 |  |" in text


def test_summary_depth(netbuild: Netbuild) -> None:
    """A folded summary has the same totals, and each stack has its last shape."""
    done = netbuild("summary", LENET, "--format", "csv", "--depth", "1")
    assert done.stdout.splitlines()[1:] == [
        "features,6 layers,16x5x5,2572,357600,16x16",
        "classifier,6 layers,10,59134,58920,",
    ]


def test_summary_of_blocks(netbuild: Netbuild) -> None:
    """A folded stack has the type of its block and the shape of its output."""
    text = """
input: [4]
blocks:
  Two: {layers: {wide: {Linear: 8}, narrow: {Linear: 3}}, outputs: {first: wide, second: narrow}}
layers:
  a: Two
  b: {Reuse: a, inputs: input}
  c: [ReLU]
"""
    done = netbuild("summary", "-", "--format", "csv", "--depth", "1", text=text)
    assert done.stdout.splitlines()[1:] == [
        'a,"Two, 2 layers",8,67,56,',
        'b,"Reuse: a, 2 layers",8,0,56,',
        "c,1 layer,8,0,0,",
    ]
    lines = netbuild("summary", "-", text=text).stdout.splitlines()
    assert [line.split() for line in lines if line.startswith((" a", " b"))] == [
        ["a", "Two"],
        ["b", "Reuse:", "a"],
    ]


def test_summary_of_a_stack_that_gives_its_input(netbuild: Netbuild) -> None:
    """A stack without its last layer (`when: false`) has the shape of that layer's input."""
    text = """
input: [4]
layers:
  a: {wide: {Linear: 8}, add: {Add, inputs: [input, wide], when: false}}
  b: [Linear: 3]
"""
    done = netbuild("summary", "-", "--format", "csv", "--depth", "1", text=text)
    assert done.stdout.splitlines()[1:] == ["a,1 layer,4,40,32,", "b,1 layer,3,15,12,"]


def test_summary_fits_its_terminal() -> None:
    """A table that is too wide gets shorter MACs, then loses the receptive fields."""
    graph = package.trace(package.load("configs/torchvision/efficientnet_b0.yaml"))
    tables = list(render.tables(graph))
    wide, short, narrow = (table.text().plain.splitlines() for table in tables)
    assert [table.width for table in tables] == [93, 89, 78]
    assert [max(map(len, lines)) for lines in (wide, short, narrow)] == [93, 89, 78]
    assert "10,838,016" in wide[6]
    assert "10.8 M" in short[6]
    assert [row.split()[:4] for row in narrow[6:8]] == [
        ["0", "Conv2d", "32×112×112", "864"],
        ["1", "BatchNorm2d", "32×112×112", "64"],
    ]


@pytest.mark.parametrize("size", ["1,32,32", "1x32x32"])
def test_summary_input(size: str, netbuild: Netbuild) -> None:
    """`--input` changes the shapes, and data of another shape is no fault then."""
    done = netbuild("summary", LENET, "--input", size, "--format", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["layers"][5]["outputs"]["output"] == [16, 6, 6]


@pytest.mark.parametrize("size", ["", "a", "1,", "0,3", "1,-2", "1.5", "9" * 30])
def test_summary_input_that_is_none(size: str, netbuild: Netbuild) -> None:
    """A malformed input is one sentence and exit code 2."""
    done = netbuild("summary", LENET, "--input", size)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"netbuild: --input {size} is not a shape: write 1,32,32, without the batch axis\n"
    )


def test_summary_of_a_faulty_file(netbuild: Netbuild) -> None:
    """For a faulty file, the rows before the fault and the fault are printed; exit code 1."""
    setting = "layers.features.3.Conv2d.kernel_size=17"
    done = netbuild("summary", LENET, "--set", setting)
    assert done.returncode == 1
    assert "features.2" in done.stdout
    assert "classifier" not in done.stdout
    assert "error[NB204]" in done.stdout
    as_json = netbuild("summary", LENET, "--set", setting, "--format", "json")
    assert as_json.returncode == 1
    assert len(json.loads(as_json.stdout)["layers"]) == 3
    assert "error[NB204]" in as_json.stderr


def test_summary_without_input(netbuild: Netbuild) -> None:
    """The output is valid JSON even if the input is unknown."""
    done = netbuild("summary", "-", "--format", "json", text="layers: [ReLU]\n")
    assert done.returncode == 1
    assert json.loads(done.stdout)["layers"] == []
    given = netbuild("summary", "-", "--input", "3,4", text="layers: [ReLU]\n")
    assert given.returncode == 0


def test_validate_json(netbuild: Netbuild) -> None:
    """The JSON of `validate` has the documented keys; lines and columns count from 1."""
    done = netbuild("validate", "-", LENET, "--format", "json", text=BAD)
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert [said[key] for key in ("files", "errors", "warnings")] == [2, 2, 0]
    first, second = said["diagnostics"]
    assert first == {
        "file": "<stdin>",
        "line": 3,
        "column": 5,
        "end_line": 3,
        "end_column": 11,
        "code": "NB103",
        "severity": "error",
        "message": "no layer is called Linaer: unknown type",
        "notes": [],
        "help": "did you mean Linear?",
        "layer": "0",
        "fixes": [
            {
                "title": "replace Linaer with Linear",
                "safe": False,
                "edits": [
                    {"line": 3, "column": 5, "end_line": 3, "end_column": 11, "text": "Linear"}
                ],
            }
        ],
    }
    assert second["fixes"][0]["edits"][0]["text"] == "false"
    assert second["fixes"][0]["safe"] is True


def test_validate_concise(netbuild: Netbuild) -> None:
    """The concise format has one line for each fault, and the line begins with the place."""
    done = netbuild("validate", "-", "--format", "concise", text=BAD)
    assert done.stdout == (
        "<stdin>:3:5: error[NB103] no layer is called Linaer: unknown type\n"
        "<stdin>:4:24: error[NB106] a value that Dropout.inplace does not take: "
        "inplace wants true or false, not the text 'no'\n"
    )


def test_validate_folders(netbuild: Netbuild, tmp_path: Path) -> None:
    """A folder means the .yaml and .yml files in it and below it. No file is an error."""
    (tmp_path / "below").mkdir()
    good = "input: [4]\nlayers: [Linear: 2]\n"
    for name in ("a.yaml", "below/b.yml", "below/c.txt"):
        (tmp_path / name).write_text(good, encoding="utf-8")
    done = netbuild("validate", tmp_path)
    assert (done.returncode, done.stdout) == (0, "2 files checked: no faults\n")
    (tmp_path / "empty").mkdir()
    done = netbuild("validate", tmp_path / "empty")
    assert done.returncode == 2
    assert done.stderr.endswith("empty contains no .yaml or .yml file that can be read\n")


def test_strict(netbuild: Netbuild) -> None:
    """Warnings are allowed, unless --strict counts them as errors."""
    text = "input: [4]\nlayers: [Linear: 2, Linear: 2]\n"
    assert netbuild("validate", "-", text=text).returncode == 0
    assert netbuild("validate", "-", "--strict", text=text).returncode == 1


def test_new(netbuild: Netbuild, tmp_path: Path) -> None:
    """The starter file is valid and has comments. It never overwrites another file."""
    done = netbuild("new", "mynet", cwd=tmp_path)
    assert done.stdout == "wrote mynet.yaml; next: netbuild summary mynet.yaml\n"
    assert netbuild("validate", "mynet.yaml", "--strict", cwd=tmp_path).returncode == 0
    again = netbuild("new", "mynet.yaml", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (2, "netbuild: mynet.yaml already exists\n")
    bad = netbuild("new", "my net", cwd=tmp_path)
    assert bad.returncode == 2
    long = netbuild("new", "a" * 101, cwd=tmp_path)
    assert "a name has at most 100 characters" in long.stderr
    nowhere = netbuild("new", "no/where", cwd=tmp_path)
    assert (
        nowhere.stderr == "netbuild: no/where.yaml cannot be written: No such file or directory\n"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str, netbuild: Netbuild) -> None:
    """Every command's help has examples, and fits 80 columns."""
    done = netbuild(command, "--help")
    assert done.returncode == 0
    assert done.stdout.count(f"  netbuild {command}") >= 2
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


@pytest.mark.parametrize("arguments", [["nothing"], ["summary"], ["summary", LENET, "--what"]])
def test_misunderstood(arguments: list[str], netbuild: Netbuild) -> None:
    """The exit code of a command with a wrong option is 2."""
    assert netbuild(*arguments).returncode == 2


def test_version(netbuild: Netbuild) -> None:
    """`--version` prints the version."""
    assert netbuild("--version").stdout == f"netbuild {package.__version__}\n"


@pytest.mark.parametrize("arguments", [["train", str(ROOT / LENET)], ["evaluate", "runs"]])
def test_without_the_extra(arguments: list[str], tmp_path: Path) -> None:
    """Without torch, `train` and `evaluate` print how to install it."""
    code = "import sys; sys.modules['torch'] = None\nfrom netbuild.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    said = f'netbuild: {arguments[0]} needs torch: pip install "netbuild[train]"\n'
    assert done.stderr == said


def test_validate_goes_on_behind_an_unreadable_file(netbuild: Netbuild, tmp_path: Path) -> None:
    """A file that cannot be read does not hide faults of other files; the exit code is 2."""
    done = netbuild("validate", tmp_path / "none.yaml", "-", "--format", "concise", text=BAD)
    assert done.returncode == 2
    assert done.stderr.endswith("none.yaml cannot be read: No such file or directory\n")
    assert len(done.stdout.splitlines()) == 2


def test_validate_leaves_runs_out(netbuild: Netbuild, tmp_path: Path) -> None:
    """Folders of runs are skipped: a config in them may extend a missing file."""
    run = tmp_path / "runs" / "net" / "2026-01-31T12-00-00"
    run.mkdir(parents=True)
    for name in ("config.yaml", "resolved.yaml", "environment.json"):
        (run / name).write_text("extends: base.yaml\n", encoding="utf-8")
    (tmp_path / "net.yaml").write_text("input: [4]\nlayers: [Linear: 2]\n", encoding="utf-8")
    assert netbuild("validate", tmp_path).stdout == "1 file checked: no faults\n"


def test_a_full_disk_behind_the_output() -> None:
    """No traceback appears if output cannot be written or encoded."""
    command = [sys.executable, "-m", "netbuild", "summary", LENET]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr.count(b"Traceback")) == (2, 0)
    env = {"PATH": "", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, cwd=ROOT, check=False, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"6?28?28" in done.stdout
