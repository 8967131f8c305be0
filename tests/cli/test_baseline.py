"""`--baseline` and `--write-baseline`: warnings that a project knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Netbuild

WARNED = "input: [4]\nlayers:\n  - Linear: 8\n  - Linear: 8\n  - Linear: 2\n"
KNOWN = ("--baseline", "known.json")


def write(folder: Path, text: str, name: str = "net.yaml") -> None:
    """Write a config."""
    (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def project(netbuild: Netbuild, tmp_path: Path) -> Path:
    """Return a folder with two warnings, which its baseline knows."""
    write(tmp_path, WARNED)
    done = netbuild("validate", ".", *KNOWN, "--write-baseline", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "1 file checked: no faults, 2 warnings in the baseline\n",
        "netbuild: wrote known.json: 2 known warnings\n",
    )
    return tmp_path


def test_the_file(project: Path) -> None:
    """The baseline has a line for each warning, for people who read its diff."""
    assert (project / "known.json").read_text(encoding="utf-8") == (
        '{\n  "version": 1,\n  "warnings": [\n'
        '    {"file": "net.yaml", "code": "NB301", "line": "- Linear: 2", "count": 1},\n'
        '    {"file": "net.yaml", "code": "NB301", "line": "- Linear: 8", "count": 1}\n'
        "  ]\n}\n"
    )


def test_lines_may_move(project: Path, netbuild: Netbuild) -> None:
    """A known warning stays known when lines come above it, and a new one is reported."""
    moved = WARNED.replace("layers:", "# a comment\nname: net\nlayers:").replace("  -", "    -")
    write(project, moved)
    assert netbuild("validate", ".", "--strict", *KNOWN, cwd=project).returncode == 0
    write(project, moved + "    - Linear: 2\n")
    done = netbuild("validate", ".", "--format", "concise", "--strict", *KNOWN, cwd=project)
    assert done.returncode == 1
    assert [line.split(" ")[0] for line in done.stdout.splitlines()] == ["net.yaml:8:7:"]


def test_another_line_is_another_warning(project: Path, netbuild: Netbuild) -> None:
    """A warning whose own line was edited is new, and the old one is gone."""
    write(project, WARNED.replace("- Linear: 2", "- Linear: 3"))
    done = netbuild("validate", ".", *KNOWN, cwd=project)
    assert "1 warning, 1 warning in the baseline" in done.stdout
    assert done.stderr == "netbuild: 1 known warning is gone; --write-baseline forgets them\n"


def test_errors_are_never_known(netbuild: Netbuild, tmp_path: Path) -> None:
    """An error stays an error: the network does not run."""
    write(tmp_path, "input: [4]\nlayers: [Linaer: 3]\n")
    done = netbuild("validate", ".", *KNOWN, "--write-baseline", cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads((tmp_path / "known.json").read_bytes())["warnings"] == []


def test_an_error_forgets_nothing(project: Path, netbuild: Netbuild) -> None:
    """A file with an error has no warnings yet. Its known ones stay in the baseline."""
    before = (project / "known.json").read_bytes()
    write(project, WARNED + "  - Linaer: 2\n")
    write(project, WARNED.replace("8", "9"), "new.yaml")
    done = netbuild("validate", "net.yaml", *KNOWN, cwd=project)
    assert (done.returncode, done.stderr) == (1, "")
    netbuild("validate", "net.yaml", *KNOWN, "--write-baseline", cwd=project)
    assert (project / "known.json").read_bytes() == before
    (project / "net.yaml").unlink()
    gone = netbuild("validate", "net.yaml", "new.yaml", *KNOWN, cwd=project)
    assert gone.returncode == 2
    assert "known warning" not in gone.stderr


def test_other_files_stay_known(project: Path, netbuild: Netbuild) -> None:
    """Writing renews the checked files only, and forgets files that are gone."""
    for name in ("other.yaml", "gone.yaml"):
        write(project, WARNED, name)
        netbuild("validate", name, *KNOWN, "--write-baseline", cwd=project)
    (project / "gone.yaml").unlink()
    write(project, "input: [4]\nlayers: [Linear: 2]\n")
    netbuild("validate", "net.yaml", *KNOWN, "--write-baseline", cwd=project)
    entries = json.loads((project / "known.json").read_bytes())["warnings"]
    assert {entry["file"] for entry in entries} == {"other.yaml"}


def test_a_project_has_its_own(netbuild: Netbuild, tmp_path: Path) -> None:
    """`baseline` in [tool.netbuild] starts at its pyproject.toml, from any folder."""
    write(tmp_path, WARNED)
    write(tmp_path, '[tool.netbuild]\nbaseline = "known.json"\n', "pyproject.toml")
    (tmp_path / "sub").mkdir()
    missing = netbuild("validate", tmp_path / "net.yaml", cwd=tmp_path / "sub")
    assert missing.returncode == 2
    assert missing.stderr == (
        "netbuild: the baseline ../known.json cannot be read: No such file or directory; "
        "--write-baseline writes it\n"
    )
    netbuild("validate", tmp_path / "net.yaml", "--write-baseline", cwd=tmp_path / "sub")
    known = netbuild("validate", tmp_path / "net.yaml", cwd=tmp_path / "sub")
    assert known.stdout == "1 file checked: no faults, 2 warnings in the baseline\n"


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"version": 2}', '{"version": 1, "warnings": [1]}', "[" * 100_000]
)
def test_a_file_that_is_no_baseline(text: str, netbuild: Netbuild, tmp_path: Path) -> None:
    """Another file is refused, and never overwritten."""
    write(tmp_path, WARNED)
    write(tmp_path, text, "known.json")
    for more in ((), ("--write-baseline",)):
        done = netbuild("validate", "net.yaml", *KNOWN, *more, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr == (
            "netbuild: known.json is not a baseline of netbuild; "
            "--write-baseline writes one into a file that does not exist\n"
        )
    assert (tmp_path / "known.json").read_text(encoding="utf-8") == text


def test_what_needs_a_baseline(netbuild: Netbuild, tmp_path: Path) -> None:
    """Writing needs a name, and does not go with --diff."""
    write(tmp_path, WARNED)
    alone = netbuild("validate", "net.yaml", "--write-baseline", cwd=tmp_path)
    assert alone.stderr == (
        "netbuild: --write-baseline needs --baseline FILE, or baseline in [tool.netbuild]\n"
    )
    both = netbuild("validate", ".", *KNOWN, "--write-baseline", "--diff", cwd=tmp_path)
    assert both.stderr == "netbuild: --write-baseline cannot be used with --diff\n"
    assert (alone.returncode, both.returncode) == (2, 2)
