"""Paths of strangers: whatever is at a path is a fault of the file that names it, at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netbuild.checks.trace import infer
from netbuild.cli.files import Projects
from netbuild.config.load import read
from netbuild.diagnostics.selection import Settings
from netbuild.syntax.parser import from_file
from tests.untrusted import spoiled

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Diagnostic
    from tests.conftest import Netbuild

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")

GOOD = "input: [4]\nlayers: [Linear: 3]\n"
LOSS = "loss: CrossEntropyLoss\noptimizer: SGD\n"
IMAGE = "input: [3, 8, 8]\nlayers: [Flatten, Linear: 3]\n" + LOSS
#: A config for each kind of path, with the code of its fault.
CONFIGS = {
    "extends": (GOOD + "extends: {}\n", "NB111"),
    "a block": (GOOD + "blocks: {{T: {{file: {}}}}}\n", "NB111"),
    "pretrained": (GOOD + "pretrained: {}\n", "NB502"),
    "Csv": (GOOD + LOSS + "data: {{Csv: {{file: {}, target: y}}}}\n", "NB501"),
    "Arrays": (GOOD + LOSS + "data: {{Arrays: {}}}\n", "NB501"),
    "Hub": (GOOD + LOSS + "data: {{Hub: {{files: {}}}}}\n", "NB501"),
    "ImageFolder": (IMAGE + "data: {{ImageFolder: {}}}\n", "NB501"),
    "Idx": (IMAGE.replace("[3", "[1") + "data: {{Idx: {}}}\n", "NB501"),
    "Text": (
        "input: {{shape: [4], dtype: int64}}\n"
        "layers: [{{Embedding: {{num_embeddings: 50, embedding_dim: 8}}}}, {{Linear: 50}}]\n"
        + LOSS
        + "data: {{Text: {{file: {}, length: 4}}}}\n",
        "NB501",
    ),
}
REASONS = {
    "pipe": "it is a named pipe, not a file",
    "/dev/zero": "it is a device, not a file",
    "circle": "Too many levels of symbolic links",
    '"a\\0b"': "a path cannot have this character",
    "x" * 300: "File name too long",
}
if sys.platform == "linux":
    REASONS["/proc/self/mem"] = "it is a file of the system without a size"


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Enter a folder with what paths may lead to."""
    monkeypatch.chdir(tmp_path)
    spoiled.lay_out(tmp_path)
    return tmp_path


def faults(text: str) -> tuple[Diagnostic, ...]:
    """Return the faults of a config in the current folder."""
    Path("case.yaml").write_text(text, encoding="utf-8")
    return infer(read(from_file(Path("case.yaml")))).diagnostics


@pytest.mark.parametrize("path", REASONS)
@pytest.mark.parametrize("kind", CONFIGS)
def test_paths_in_a_config(kind: str, path: str) -> None:
    """A path to anything but a file is a fault at the path, with a reason."""
    text, code = CONFIGS[kind]
    (fault,) = faults(text.format(path))
    assert (fault.code, fault.span.document.name) == (code, "case.yaml")
    assert fault.label.endswith(REASONS[path])


@pytest.mark.parametrize("path", ["pipe", "zero", "circle", "x" * 300, "closed", "/proc/self/mem"])
def test_paths_of_configs(path: str, inside: Path, netbuild: Netbuild) -> None:
    """A path that is no config is exit code 2, and the faults of the other files come."""
    Path("bad.yaml").write_text("input: [4]\nlayers: [Linaer: 3]\n", encoding="utf-8")
    done = netbuild("validate", path, "bad.yaml", "--format", "concise", cwd=inside)
    assert done.returncode == 2
    assert done.stdout == "bad.yaml:2:10: error[NB103] no layer is called Linaer: unknown type\n"
    assert done.stderr.startswith(f"netbuild: {path} c")
    assert "output" not in done.stderr


def test_a_folder_that_may_not_be_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one sentence, and the files in the other folders are found."""
    Path("open").mkdir()
    Path("open/net.yaml").write_text(GOOD)
    scandir = os.scandir

    def refused(path: str) -> object:  # the superuser may enter any folder
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    files, complaints = Projects(Settings()).files(["open", "closed", "arrays"])
    assert files == ["open/net.yaml"]
    assert complaints == [
        "closed cannot be read: Permission denied",
        "arrays contains no .yaml or .yml file that can be read",
    ]


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_path_that_may_not_be_followed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a fault of the config, also for data, which may be missing otherwise."""
    stat = os.stat

    def refused(path: str | Path, **more: bool) -> os.stat_result:
        if str(path).startswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **more)

    monkeypatch.setattr(os, "stat", refused)
    text, code = CONFIGS[kind]
    (fault,) = faults(text.format("closed/x"))
    assert fault.code == code
    assert fault.label.endswith("Permission denied")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/etc/passwd", "it is not a config, which is a mapping of sections"),
        ("secret", "line 3 cannot be read (NB005)"),
        ("wide.yaml", "it is not a config: the key in line 1 is not a section"),
        ("keys.yaml", "it is not a config: the key in line 2 is not a section"),
    ],
)
def test_a_base_that_is_no_config(path: str, reason: str, inside: Path, netbuild: Netbuild) -> None:
    """Nothing of a file that is not a config is printed, not even its faults."""
    Path("secret").write_text("password: hunter2\n---\n--- root:\n")
    Path("keys.yaml").write_text("name: x\npassword: hunter2\n")
    Path("case.yaml").write_text(GOOD + f"extends: {path}\n")
    for format_ in ("text", "json", "sarif"):
        done = netbuild("validate", "case.yaml", "--format", format_, cwd=inside)
        assert done.returncode == 1
        assert not [word for word in ("hunter2", "root:", "password") if word in done.stdout]
    (fault,) = faults(GOOD + f"extends: {path}\n")
    assert fault.label == f"{path}: {reason}" if path != "secret" else fault.code == "NB111"


def test_a_base_with_a_misspelt_section() -> None:
    """A base file whose keys are sections, or nearly, is a config: its faults are shown."""
    Path("near.yaml").write_text("input: [4]\nlayer: [Linear: 3]\n")
    found = faults("extends: near.yaml\n")
    assert ("NB101", "near.yaml") in [(f.code, f.span.document.name) for f in found]


def test_a_table_that_is_none_by_its_name() -> None:
    """A fault quotes a table, but no file of another name."""
    text = CONFIGS["Csv"][0]
    for name in ("table.csv", "id_rsa"):
        Path(name).write_text("hunter2,b,c,d\n1,2,3,x\n")
        (fault,) = faults(text.format(name))
        assert fault.label == f"{name} has no column y"
        assert ("hunter2" in str(fault.help)) is (name == "table.csv")


@pytest.mark.parametrize("path", ["row.csv", "long.csv"])
def test_a_row_without_an_end(path: str) -> None:
    """A row of many megabytes is refused before it is in memory."""
    line = 1 if path == "row.csv" else 3
    (fault,) = faults(CONFIGS["Csv"][0].format(path))
    said = f"the row in line {line} has more than 1,048,576 characters"
    assert fault.label == f"{path} is not a table of text: {said}"


def test_a_picture_that_fills_the_memory() -> None:
    """The size in the header of a picture is checked."""
    (fault,) = faults(IMAGE + "data: {ImageFolder: bomb, resize: [8, 8]}\n")
    said = "bomb/a/1.png has 100000×100000 pixels; at most 178,956,970 are read"
    assert fault.label == said


def test_pipes_in_folders() -> None:
    """What lies in a folder of data is looked at before it is opened."""
    (fault,) = faults(CONFIGS["Idx"][0].format("folder"))
    assert fault.label.startswith("folder has no file train-labels") or "named pipe" in fault.label
    os.mkfifo("bomb/a/2.png")
    (fault,) = faults(CONFIGS["ImageFolder"][0].format("bomb"))
    assert fault.label == "bomb/a/2.png cannot be read: it is a named pipe, not a file"


def test_a_base_in_a_circle_of_names() -> None:
    """A file that extends itself under another name is found out."""
    Path("other.yaml").symlink_to("case.yaml")
    (fault, *_) = faults("extends: other.yaml\n")
    assert fault.label == "other.yaml extends this file in turn"


def test_metrics_in_a_pipe(inside: Path, netbuild: Netbuild) -> None:
    """The folder of a run may hold anything as well."""
    folder = inside / "runs/n/2026-01-31T12-00-00"
    folder.mkdir(parents=True)
    (folder / "resolved.yaml").write_text(GOOD + "train: {epochs: 3}\n")
    for name in ("metrics.jsonl", "environment.json"):
        os.mkfifo(folder / name)
    assert netbuild("runs", cwd=inside).returncode == 0
