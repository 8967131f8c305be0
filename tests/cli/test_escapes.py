"""Control characters of foreign files never reach the terminal: output has escapes."""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import TYPE_CHECKING, Any, get_args
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text
from safetensors.numpy import save_file

from netbuild.checks.trace import infer
from netbuild.cli import terminal
from netbuild.config.load import read
from netbuild.diagnostics.escapes import of_json, one_line, visible
from netbuild.reports import faults
from netbuild.reports.faults.report import CheckedFile, Report
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Netbuild

#: What no output may have, besides line feeds and tabs.
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
#: A file whose faults quote its control characters.
FAULTY = r"""input: [4]
layers: [{Linear: "\e[31mRED\e]0;title\a\e[2J"}, {"Li\e[5mnear": 3}, {ReLU: {"\u202einplace": 1}}]
name: "a\e[7mb"
loss: "\0\e[1mX"
data: {Digits: {"\x9b31m\x7f": 1}}
"""
#: A name of a file, as a stranger may give it.
NAME = "a\x1b[31mb\x1b]0;x\x07\u202e.yaml"
GOOD = "input: [4]\nlayers: [Linear: 3, ReLU]\n"


@pytest.mark.parametrize("name", get_args(faults.Format))
def test_formats(name: faults.Format) -> None:
    """No format of `validate` has a control character, and those for programs stay valid."""
    found = infer(read(from_bytes(NAME, FAULTY.encode()))).diagnostics
    assert len(found) == 6
    text = str(faults.render(name, Report((CheckedFile(NAME, found),))))
    assert not RAW.findall(text)
    assert (r"\u001b[5m" if name in {"json", "gitlab", "sarif"} else r"\x1b[5m") in text
    if name in {"json", "gitlab", "sarif"}:
        assert "Li\x1b[5mnear" in "".join(_strings(json.loads(text)))
    elif name == "junit":
        ET.fromstring(text)  # noqa: S314  our own text
    else:
        assert name == "text" or len(text.splitlines()) == len(found)


def _strings(value: Any) -> list[str]:
    """Return all strings in a value of JSON."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _strings(part)]


def test_excerpt_points_at_the_place() -> None:
    """Carets stand below the place also where the line itself has shown escapes before it."""
    text = 'input: [4]\nlayers: [ReLU, "\u202eLinaer"]\nlos: x\n'
    shown = faults.text(infer(read(from_bytes("a.yaml", text.encode()))).diagnostics, 80).plain
    lines = shown.splitlines()
    (line,) = (n for n, part in enumerate(lines) if part.startswith("2 |"))
    start, end = (lines[line].index(part) for part in ('"', "]"))
    assert lines[line + 1][start:end].strip("^") == ""
    assert lines[line + 1][:start].strip(" |") == ""


@given(st.text(max_size=30) | st.text("\x1b\n\t\r\x7f\x9b\u202e\u2066\u2028\\a", max_size=12))
def test_functions(text: str) -> None:
    """An escaped text has no control characters, and JSON keeps its meaning."""
    assert not RAW.search(visible(text))
    assert visible(visible(text)) == visible(text)
    assert not {"\n", "\t"} & {*one_line(text)}
    assert visible(text) == text or RAW.search(text)
    written = of_json(json.dumps({"a": text}, ensure_ascii=False))
    assert not RAW.search(written)
    assert json.loads(written) == {"a": text}


def test_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """A console keeps its own colours, and shows those of a text as escapes."""
    out = terminal.console()
    out.file = stream = StringIO()
    monkeypatch.setattr(out, "_color_system", 1)
    table = Table("\x1b[2Jname")
    table.add_row(Text("\x9bred", "red"))
    for what in ("\x1b[31mtext", Text("a\x07", "bold red"), table):
        out.print(what)
    assert r"\x1b[31mtext" in stream.getvalue()
    assert "\\x9b" in stream.getvalue()
    own = re.sub("\x1b\\[[0-9;]*m", "", stream.getvalue())
    assert not RAW.search(own)
    assert own != stream.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate"],
        ["validate", "--format", "github"],
        ["validate", "--diff", "--unsafe-fixes"],
        ["summary"],
        ["explain"],
        ["diff", "good.yaml"],
        ["weights", "w.safetensors"],
    ],
    ids=" ".join,
)
def test_commands(arguments: list[str], netbuild: Netbuild, tmp_path: Path) -> None:
    """Each command that reads a faulty file shows its text and its name with escapes."""
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / NAME).write_text(FAULTY)
    save_file({"w": np.zeros(1, "float32")}, tmp_path / "w.safetensors")
    done = netbuild(*arguments, NAME, cwd=tmp_path)
    assert done.returncode == 1
    # A diff in a pipe is for `patch`: only its report is shown.
    shown = done.stderr if "--diff" in arguments else done.stdout + done.stderr
    assert not RAW.findall(shown)
    assert "--diff" in arguments or r"Li\x1b[5mnear" in shown  # it would be mended
    assert r"a\x1b[31mb\x1b]0;x\x07\u202e.yaml" in shown


def test_names_of_weights(netbuild: Netbuild, tmp_path: Path) -> None:
    """A file with a name that cannot be printed is refused, and the message has escapes."""
    (tmp_path / "good.yaml").write_text(GOOD)
    save_file({"\x1b[2J\u202ename": np.zeros((2, 3), "float32")}, tmp_path / "w.safetensors")
    done = netbuild("weights", "w.safetensors", "good.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert not RAW.findall(done.stdout + done.stderr)
    assert r"'\x1b[2J\u202ename' is not a name of a tensor" in done.stderr


def test_a_file_that_is_not_there(netbuild: Netbuild, tmp_path: Path) -> None:
    """The message about a file that cannot be read shows its name with escapes."""
    done = netbuild("summary", NAME, cwd=tmp_path)
    assert done.returncode == 2
    assert not RAW.findall(done.stderr)
    assert r"a\x1b[31mb" in done.stderr
