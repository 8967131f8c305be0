"""`--select`, `--ignore`, `--strict`, and `[tool.netbuild]`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from netbuild.diagnostics.codes import CODES, severity
from netbuild.diagnostics.diagnostic import Diagnostic, Document, Span
from netbuild.diagnostics.exceptions import SettingsError
from netbuild.diagnostics.selection import KEYS, Settings, codes, from_project
from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Netbuild

WARNED = "input: [4]\nlayers: [Linear: 4, Linear: 4]\n"
WRONG = "input: [4]\nlayers: [Linaer: 2, Dropout: 7]\n"


@pytest.mark.parametrize(
    ("select", "ignore", "code", "reported"),
    [
        (None, None, "NB301", True),
        (None, ("NB301",), "NB301", False),
        (None, ("NB3",), "NB301", False),
        (None, ("NB3",), "NB204", True),
        (None, ("NB",), "NB204", False),
        (("NB3",), None, "NB301", True),
        (("NB3",), None, "NB204", False),
        (("NB3",), ("NB301",), "NB301", False),
        (("NB3",), ("NB301",), "NB302", True),
        (("NB301",), ("NB3",), "NB301", True),
        (("NB301",), ("NB301",), "NB301", False),
        (("NB2", "NB301"), ("NB",), "NB301", True),
    ],
)
def test_longer_prefixes_count(
    select: tuple[str, ...] | None, ignore: tuple[str, ...] | None, code: str, *, reported: bool
) -> None:
    """What is said of fewer codes counts; of two alike, `ignore` does."""
    assert Settings(select, ignore).reports(code) is reported


def test_words() -> None:
    """Codes are separated by commas, repeated, or both."""
    assert codes(["NB301, NB2", "NB302,"], "--select") == ("NB301", "NB2", "NB302")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("NB399", "--ignore: no code begins with NB399; did you mean NB329?"),
        ("nb301", "--ignore: no code begins with nb301; did you mean NB301?"),
        ("nb3", "--ignore: no code begins with nb3; did you mean NB3?"),
        (
            "NB6",
            "--ignore: no code begins with NB6; a code looks like NB301, and a group like NB3",
        ),
        ("x", "--ignore: no code begins with x; a code looks like NB301, and a group like NB3"),
        ("N", "--ignore: no code begins with N; a code looks like NB301, and a group like NB3"),
        (",", "--ignore names no code"),
    ],
)
def test_unknown_codes(words: str, said: str, netbuild: Netbuild) -> None:
    """What is no code is one sentence and exit code 2."""
    with pytest.raises(SettingsError) as caught:
        codes([words], "--ignore")
    assert str(caught.value) == said
    if words == "NB399":
        done = netbuild("validate", "-", "--ignore", words, text=WARNED)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"netbuild: {said}\n"


def test_warnings_are_those_of_diagnostics() -> None:
    """A code is a warning where its diagnostics are."""
    span = Span(Document("net.yaml", ""), 1, 1, 1, 1)
    for code in CODES:
        wanted = "warning" if code.startswith("NB3") else "error"
        assert severity(code) == Diagnostic(code, "", span).severity == wanted


def test_ignored_warnings_are_gone(netbuild: Netbuild) -> None:
    """A warning that is not reported does not count, not even with --strict."""
    done = netbuild("validate", "-", "--strict", "--ignore", "NB301", text=WARNED)
    assert (done.returncode, done.stdout) == (0, "1 file checked: no faults\n")
    assert netbuild("validate", "-", "--strict", "--select", "NB301", text=WARNED).returncode == 1


def test_ignored_errors_still_count(netbuild: Netbuild) -> None:
    """An error that is not reported is counted, and the exit code is still 1."""
    done = netbuild("validate", "-", "--ignore", "NB1", text=WRONG)
    assert (done.returncode, done.stdout) == (1, "1 file checked: 0 errors, 2 errors hidden\n")
    some = netbuild("validate", "-", "--select", "NB103", "--format", "json", text=WRONG)
    assert [fault["code"] for fault in json.loads(some.stdout)["diagnostics"]] == ["NB103"]
    assert some.returncode == 1
    assert some.stderr == "netbuild: 1 error is not shown: see --select and --ignore\n"


def project(folder: Path, text: str) -> None:
    """Write a `pyproject.toml`."""
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def test_project(tmp_path: Path) -> None:
    """The nearest file upwards holds; without the table, or without any file, nothing is said."""
    below = tmp_path / "a/b"
    below.mkdir(parents=True)
    project(tmp_path, '[tool.netbuild]\nselect = ["NB2", "NB3"]\nignore = []\nstrict = true\n')
    assert from_project(below) == Settings(("NB2", "NB3"), None, strict=True, folder=tmp_path)
    project(below, "[tool.other]\nnetbuild = 1\n")
    assert from_project(below) == Settings(folder=below)
    project(below, "not TOML, and not for us")
    assert from_project(below) == Settings(folder=below)


def test_the_command_line_wins(netbuild: Netbuild, tmp_path: Path) -> None:
    """What a command says replaces what the project says, each setting by itself."""
    project(tmp_path, '[tool.netbuild]\nignore = ["NB301"]\nstrict = true\n')

    def code(*options: str) -> int:
        return netbuild("validate", "-", *options, text=WARNED, cwd=tmp_path).returncode

    assert code() == 0
    assert code("--ignore", "NB302") == 1
    assert code("--ignore", "NB302", "--no-strict") == 0
    assert Settings(strict=False).over(Settings(("NB3",), None, strict=True)) == Settings(
        ("NB3",), None, strict=False
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[tool.netbuild]\nselct = []\n",
            "pyproject.toml: [tool.netbuild] has no selct; did you mean select?",
        ),
        (
            "[tool.netbuild]\nx = 1\n",
            (
                "pyproject.toml: [tool.netbuild] has no x; its keys are select, ignore, strict, "
                "include, exclude, per-file-ignores, baseline"
            ),
        ),
        (
            "[tool.netbuild]\nselect = 'NB301'\n",
            'pyproject.toml: select in [tool.netbuild] must be a list of codes, such as ["NB301"]',
        ),
        (
            "[tool.netbuild]\nignore = ['NB999']\n",
            (
                "pyproject.toml: ignore in [tool.netbuild]: no code begins with NB999; "
                "a code looks like NB301, and a group like NB3"
            ),
        ),
        (
            "[tool.netbuild]\nstrict = 1\n",
            "pyproject.toml: strict in [tool.netbuild] must be true or false",
        ),
        (
            "tool.netbuild = 3\n",
            "pyproject.toml: tool.netbuild is not a table; write [tool.netbuild]",
        ),
    ],
)
def test_a_table_that_is_not_understood(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key or a value that a table cannot have is said in one sentence."""
    monkeypatch.chdir(tmp_path)
    project(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        from_project(tmp_path)
    assert str(caught.value) == said


def test_the_page_of_settings(tmp_path: Path) -> None:
    """The block on the page is understood, and its table names every setting."""
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml settings\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    project(tmp_path, block)
    found = from_project(tmp_path)
    assert found.strict is True
    assert found.baseline == tmp_path / "netbuild-baseline.json"
    assert found.per_file_ignores == {
        "experiments/*": ("NB3",),
        "configs/lenet-sigmoid.yaml": ("NB306",),
    }
    assert {*re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)} == {*KEYS}


def test_malformed_toml(netbuild: Netbuild, tmp_path: Path) -> None:
    """A file that is no TOML, or no UTF-8, is one sentence and exit code 2."""
    for data in (b"[tool.netbuild\n", b"[tool.netbuild]\n# \xff\n"):
        (tmp_path / "pyproject.toml").write_bytes(data)
        done = netbuild("validate", "-", text=WARNED, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("netbuild: pyproject.toml is not valid TOML: ")
        assert len(done.stderr.splitlines()) == 1
