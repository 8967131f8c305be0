"""Every file of `tests/faults/` gives the text in the file of the same name.

A first line `# --set …` holds options of the command; `# with torch …` names the installed release.
`pytest --overwrite` renews the texts.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.diagnostics.codes import CODES
from netbuild.reports import faults
from netbuild.syntax.parser import from_bytes
from tests.torch_release import pretend

if TYPE_CHECKING:
    from collections.abc import Callable

    from netbuild.diagnostics.diagnostic import Diagnostic

FOLDER = Path(__file__).parent / "faults"
FILES = sorted(FOLDER.glob("*.yaml"))

#: Codes that only the start of a training gives; tests/training/test_training.py has them.
ONLY_IN_TRAINING = {"NB402"}


def check(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Diagnostic, ...]:
    """Return what `netbuild validate` finds in a file of the folder."""
    monkeypatch.chdir(FOLDER)
    data = path.read_bytes()
    first = data.decode("utf-8", "replace").partition("\n")[0]
    pretend(first, monkeypatch)
    words = shlex.split(first[1:]) if first.startswith("# --set") else []
    settings = [word for word in words if word != "--set"]
    return infer(read(from_bytes(path.name, data), settings)).diagnostics


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_text(
    path: Path, monkeypatch: pytest.MonkeyPatch, expect: Callable[[Path, str], None]
) -> None:
    """The whole text of the faults is the expected one, at 80 columns, none of them wider."""
    found = check(path, monkeypatch)
    assert found
    text = faults.text(found, 80).plain
    expect(path.with_suffix(".txt"), text)
    too_wide = [line for line in text.splitlines() if len(line) > 80 and not is_title(line)]
    assert not too_wide


def is_title(line: str) -> bool:
    """Whether a line is the first of a fault, which the terminal wraps where it has to."""
    return re.match(r"(error|warning)\[NB", line) is not None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_places(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fault lies on a line and in a column that its document has."""
    for diagnostic in check(path, monkeypatch):
        span = diagnostic.span
        assert 1 <= span.line <= span.end_line <= len(span.document.lines)
        assert 1 <= span.column <= len(span.document.lines[span.line - 1]) + 1
        assert (span.line, span.column) <= (span.end_line, span.end_column)


def test_every_code_has_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each code of the table is given by some file, and no file gives another one."""
    given = {diagnostic.code for path in FILES for diagnostic in check(path, monkeypatch)}
    assert given | ONLY_IN_TRAINING == set(CODES)


def test_five_faults_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five faults of five kinds are five diagnostics, each at its line and column."""
    found = check(FOLDER / "five-faults.yaml", monkeypatch)
    assert [(d.code, d.span.line, d.span.column, d.message) for d in found] == [
        (
            "NB204",
            3,
            31,
            "Conv2d does not fit its input: kernel_size 31 is larger than the padded input 28",
        ),
        ("NB103", 4, 5, "no layer is called Relu: unknown type"),
        ("NB104", 5, 14, "Linear has no field out_feature: unknown field"),
        (
            "NB106",
            6,
            32,
            (
                "a value that Dropout.inplace does not take: "
                "inplace wants true or false, not the text 'no'"
            ),
        ),
        ("NB003", 7, 45, "the key bias occurs twice: this is the second one"),
    ]
