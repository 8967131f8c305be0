"""Blocks that are the layers of another file, and files that hold only blocks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

import netbuild
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.config.resolution import resolved
from netbuild.syntax.parser import from_file
from netbuild.syntax.repair import Repair

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph
    from tests.conftest import Netbuild

TEACHER = """\
input: [1, 8, 8]
vars: {width: 4, twice: $(width * 2), act: ReLU, none: null}
blocks:
  Body:
    params: {out: $twice}
    layers: [{Conv2d: {out_channels: $out, kernel_size: 3}}, $act]
layers:
  first: Body
  second: {Body: {out: $width}}
  flat: Flatten
  head: {Linear: 10}
outputs: {scores: head, features: flat}
init: [{match: "head.*", constant_: 0.5}]
loss: CrossEntropyLoss
data: Nothing
"""
STUDENT = """\
input: [1, 8, 8]
vars: {width: 99}
blocks:
  Body: {layers: [{Linear: 10}]}
  Teacher: {file: nets/teacher.yaml}
layers:
  teacher: {Teacher: {width: 3}}
  again: {Teacher, inputs: input}
  flat: {Flatten, inputs: input}
  head: Body
outputs: [head, teacher.scores, again.features]
"""
LIBRARY = """\
vars: {width: 8}
blocks:
  Unit: {params: {out: $width}, layers: [{Linear: $out}, ReLU]}
  Teacher: {file: teacher.yaml}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a student, and its teacher in a folder inside."""
    (tmp_path / "nets").mkdir()
    (tmp_path / "student.yaml").write_text(STUDENT)
    (tmp_path / "nets/teacher.yaml").write_text(TEACHER)
    (tmp_path / "nets/library.yaml").write_text(LIBRARY)
    return tmp_path


def check(path: Path, text: str | None = None, settings: tuple[str, ...] = ()) -> Graph:
    """Return the graph of a file, which may get another text first."""
    if text is not None:
        path.write_text(text)
    return infer(read(from_file(path), settings))


def told(found: Graph) -> list[tuple[str, str, str, int]]:
    """Return the code, the label, the file and the line of each error."""
    return [
        (f.code, f.label, Path(f.span.document.name).name, f.span.line)
        for f in found.diagnostics
        if f.severity == "error"
    ]


def test_the_layers_of_a_file(folder: Path) -> None:
    """Its variables are parameters; its blocks, outputs and first values go with its layers."""
    found = check(folder / "student.yaml")
    assert told(found) == []
    shapes = {row.path: row.output.shape for row in found.rows}
    assert shapes["teacher.first.0"] == (6, 6, 6)
    assert shapes["again.second.0"] == (4, 4, 4)
    assert shapes["head.0"] == (10,)
    module = netbuild.build(folder / "student.yaml")
    assert set(module.teacher.head.weight.flatten().tolist()) == {0.5}
    assert 0.5 not in getattr(module.head, "0").weight.flatten().tolist()
    assert [tuple(y.shape) for y in module(torch.ones(2, 1, 8, 8))] == [(2, 10), (2, 10), (2, 64)]


def test_a_run_keeps_the_whole_file(folder: Path) -> None:
    """The config of a run holds the sections of the file, and builds the same network."""
    path = folder / "student.yaml"
    text = resolved(netbuild.load(path))
    assert "teacher.yaml" not in text
    assert "\nloss:" not in text
    torch.manual_seed(0)
    first = netbuild.build(path).state_dict()
    (folder / "kept.yaml").write_text(text)
    torch.manual_seed(0)
    again = netbuild.build(folder / "kept.yaml").state_dict()
    assert list(first) == list(again)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert resolved(netbuild.load(folder / "kept.yaml")).replace("kept", "student") == text


INPUTS = {
    "input: [3, 8, 8]": ("NB202", "T reads 3×8×8 (line 1 of other.yaml), and 1×8×8 arrives"),
    "input: [64]": ("NB201", "T reads 64 (line 1 of other.yaml), and 1×8×8 arrives"),
    "input: {shape: [1, 8, 8], dtype: int64}": (
        "NB207",
        "T reads int64 (line 1 of other.yaml), and float32 arrives",
    ),
    "inputs: {a: [1, 8, 8], b: [1]}": ("NB208", "T reads a and b, and this gives it input"),
}


@pytest.mark.parametrize("section", INPUTS)
def test_another_input(folder: Path, section: str) -> None:
    """The input of the file is compared with what arrives."""
    (folder / "other.yaml").write_text(f"{section}\nlayers: [{{Identity, inputs: b}}]\n")
    text = "input: [1, 8, 8]\nblocks: {T: {file: other.yaml}}\nlayers: [T, Flatten, Linear: 2]\n"
    assert told(check(folder / "net.yaml", text)) == [(*INPUTS[section], "net.yaml", 3)]


def test_names_of_inputs(folder: Path) -> None:
    """A single input needs no name; several are given by the names of the file."""
    (folder / "one.yaml").write_text("inputs: {x: [4]}\nlayers: [{Linear: 4, inputs: x}]\n")
    (folder / "two.yaml").write_text("inputs: {a: [4], b: [4]}\nlayers: [{Add, inputs: [b, a]}]\n")
    blocks = "blocks: {One: {file: one.yaml}, Two: {file: two.yaml}}"
    layers = "[One, {Two, inputs: {b: 0, a: input}}]"
    assert told(check(folder / "net.yaml", f"input: [4]\n{blocks}\nlayers: {layers}\n")) == []


UNREADABLE: dict[str, tuple[str, str]] = {
    "gone.yaml": ("NB111", "gone.yaml: No such file or directory"),
    "net.yaml": ("NB111", "net.yaml uses this file in turn"),
    "[a]": ("NB111", "this is the path of a file, and not a list"),
    "nets": ("NB111", "nets: Is a directory"),
    "secret": ("NB111", "secret: it is not a config, which is a mapping of sections"),
}


@pytest.mark.parametrize("file", UNREADABLE)
def test_a_file_that_cannot_be_read(folder: Path, file: str) -> None:
    """It is one fault, and shows nothing of another file."""
    (folder / "secret").write_text("password1234\n")
    text = f"input: [4]\nblocks:\n  T: {{file: {file}}}\nlayers: [T]\n"
    found = check(folder / "net.yaml", text)
    assert told(found) == [(*UNREADABLE[file], "net.yaml", 3)]
    assert "password" not in str(found.diagnostics)


def test_circles_and_chains(folder: Path) -> None:
    """Files that name each other end in one fault, also through a base file."""
    (folder / "a.yaml").write_text("extends: base.yaml\ninput: [4]\nlayers: [B]\n")
    (folder / "base.yaml").write_text("blocks: {B: {file: b.yaml}}\n")
    (folder / "b.yaml").write_text("blocks: {A: {file: a.yaml}}\nlayers: [A]\n")
    found = [("NB111", "a.yaml uses this file in turn", "b.yaml", 1)]
    assert told(check(folder / "a.yaml")) == found
    for n in range(12):
        text = f"blocks: {{T: {{file: c{n + 1}.yaml}}}}\nlayers: [T]\n"
        (folder / f"c{n}.yaml").write_text(text if n else f"input: [4]\n{text}")
    found = told(check(folder / "c0.yaml"))
    assert [fault[:2] for fault in found] == [("NB111", "more than 10 files use one another")]


def test_many_names_of_few_files(folder: Path) -> None:
    """Ten files, each of which names the next one ten times, are read once each."""
    for n in range(9):
        blocks = ", ".join(f"T{m}: {{file: d{n + 1}.yaml}}" for m in range(10))
        (folder / f"d{n}.yaml").write_text(f"input: [4]\nblocks: {{{blocks}}}\nlayers: [T1]\n")
    (folder / "d9.yaml").write_text("layers: [Linear: 4]\n")
    opened: list[Path] = []

    def counted(path: Path) -> Any:
        opened.append(path)
        return from_file(path)

    assert not infer(read(from_file(folder / "d0.yaml"), opened=counted)).diagnostics
    assert len(opened) <= 10 * 9


def test_faults_inside_the_file(folder: Path) -> None:
    """A fault has its place in the other file, and says where a value comes from."""
    text = STUDENT.replace("width: 3", "width: true")
    found = check(folder / "student.yaml", text)
    label = "arithmetic needs numbers, and true is not a number"
    assert told(found) == [("NB110", label, "teacher.yaml", 2)]
    text = STUDENT.replace("width: 3", "widht: 3").replace("Teacher, inputs", "Taecher, inputs")
    found = check(folder / "student.yaml", text)
    expected = [("NB104", "unknown parameter", "student.yaml", 7)]
    assert told(found) == [*expected, ("NB103", "unknown type", "student.yaml", 8)]
    beside = "blocks: {T: {file: nets/teacher.yaml, params: {a: 1}}}\n"
    found = check(folder / "net.yaml", f"input: [1, 8, 8]\n{beside}layers: [T]\n")
    assert told(found)[0][:2] == ("NB107", "the parameters are the vars of the file")


def test_fixes_edit_what_is_wrong(folder: Path) -> None:
    """A fix edits the other file only if that file has the fault by itself."""
    wrong = TEACHER.replace("Flatten", "Flaten").replace("data: Nothing\n", "")
    (folder / "nets/teacher.yaml").write_text(wrong)
    path = folder / "student.yaml"

    def diagnostics(source: Any) -> Any:
        return infer(read(source)).diagnostics

    repair = Repair(diagnostics, lambda fault: next(iter(fault.fixes), None), lambda c: c.write())
    repair.run([from_file(path)])
    assert (folder / "nets/teacher.yaml").read_text() == wrong.replace("Flaten", "Flatten")
    teacher = (
        "input: [1, 8, 8]\nvars: {k: 3}\nlayers: [{Conv2d: {out_channels: 2, kernel_size: $k}}]\n"
    )
    (folder / "nets/teacher.yaml").write_text(teacher)
    path.write_text(
        STUDENT.replace("width: 3", "k: 30").replace(".scores", "").replace(".features", "")
    )
    repair = Repair(diagnostics, lambda fault: next(iter(fault.fixes), None), lambda c: c.write())
    repair.run([from_file(path)])
    assert (folder / "nets/teacher.yaml").read_text() == teacher


def test_a_path_from_the_command_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a setting the path is relative to the current folder."""
    monkeypatch.chdir(folder / "nets")
    setting = ("blocks.Teacher.file=teacher.yaml",)
    assert told(check(folder / "student.yaml", settings=setting)) == []
    assert told(check(folder / "student.yaml", settings=("blocks.Teacher.file=nets/teacher.yaml",)))


def test_a_library(folder: Path, netbuild: Netbuild) -> None:
    """A file of blocks alone is extended, checks its blocks, and is no network by itself."""
    net = "extends: nets/library.yaml\ninput: [4]\nlayers: [Unit, {Unit: 3}]\n"
    assert told(check(folder / "net.yaml", net)) == []
    net = "extends: nets/library.yaml\ninput: [1, 8, 8]\nlayers: [Teacher]\n"
    assert told(check(folder / "net.yaml", net)) == []  # relative to the library
    done = netbuild("validate", str(folder / "nets/library.yaml"))
    assert (done.returncode, done.stdout) == (0, "1 file checked: no faults\n")
    assert "holds only blocks, which are checked without an input" in done.stderr
    done = netbuild("summary", str(folder / "nets/library.yaml"))
    assert done.returncode == 1
    assert "blocks alone are no network" in done.stdout + done.stderr
    path = folder / "nets/library.yaml"
    path.write_text(LIBRARY.replace("Linear: $out", "Linear: $outt"))
    done = netbuild("validate", str(path), "--format", "concise")
    assert done.returncode == 1
    assert done.stdout.count("NB") == done.stdout.count("NB110") == 1


def test_a_library_is_no_block(folder: Path) -> None:
    """The fault stands where the library is named, and not in the library."""
    text = STUDENT.replace("nets/teacher.yaml", "nets/library.yaml")
    (fault,) = check(folder / "student.yaml", text).diagnostics
    assert (fault.code, fault.span.line) == ("NB111", 5)
    assert fault.label == "nets/library.yaml holds only blocks, and no layers"
    assert fault.help is not None
    assert "extends: nets/library.yaml" in fault.help
