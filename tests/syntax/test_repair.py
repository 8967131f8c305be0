"""`--fix`, `--unsafe-fixes` and `--diff`: what they change, and what they leave alone."""

from __future__ import annotations

import re
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.diagnostics.diagnostic import Diagnostic, Document, Edit, Fix, Span
from netbuild.syntax.parser import Source, from_bytes
from netbuild.syntax.repair import Change, Repair, edited

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.conftest import Netbuild

BOM = b"\xef\xbb\xbf"
#: Three safe fixes among what fixes must not touch; `Linaer` has an unsafe one.
BAD = (
    BOM + b"input: [4]\r\nlayers:\r\n  - Linaer: 2  \r\n"
    b"  - Dropout: {inplace: no}   # \xe2\x98\x83 'no'\r\n"
    b"  - Dropout: {p: '0.5'}\n  - Dropout:{p: 0.25}\r\n \n  - ReLU"
)
FIXED = (
    BAD.replace(b"inplace: no", b"inplace: false")
    .replace(b"'0.5'", b"0.5")
    .replace(b"Dropout:{", b"Dropout: {")
)
UNSAFE = "; 1 fixable with --fix --unsafe-fixes\n"
SUMMARY = f"1 file checked: 1 error, 3 fixed{UNSAFE}"


def check(source: Source) -> Sequence[Diagnostic]:
    """Return what is wrong in a source."""
    return infer(read(source)).diagnostics


def safe(diagnostic: Diagnostic) -> Fix | None:
    """Return the safe fix of a diagnostic."""
    return next((fix for fix in diagnostic.fixes if fix.safe), None)


def repaired(data: bytes) -> bytes:
    """Return a text with its safe fixes applied."""
    source = from_bytes("net.yaml", data)
    repair = Repair(check, safe, lambda _: None)
    repair.run([source])
    return repair.text(source)


def test_fix(netbuild: Netbuild, tmp_path: Path) -> None:
    """The safe fixes are applied, each other byte and the mode stay, and nothing lies beside."""
    path = tmp_path / "net.yaml"
    path.write_bytes(BAD)
    path.chmod(0o640)
    done = netbuild("validate", "net.yaml", "--fix", cwd=tmp_path)
    assert path.read_bytes() == FIXED
    assert (done.returncode, done.stdout.endswith("\n\n" + SUMMARY)) == (1, True)
    assert "error[NB103]" in done.stdout
    assert "NB106" not in done.stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [file.name for file in tmp_path.iterdir()] == ["net.yaml"]
    again = netbuild("validate", "net.yaml", "--fix", cwd=tmp_path)
    assert again.stdout.endswith(f"\n\n1 file checked: 1 error{UNSAFE}")


def test_unsafe_fixes(netbuild: Netbuild, tmp_path: Path) -> None:
    """Unsafe fixes are applied where they are asked for, and only there."""
    path = tmp_path / "net.yaml"
    path.write_bytes(BAD)
    done = netbuild("validate", "net.yaml", "--fix", "--unsafe-fixes", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "1 file checked: no faults, 4 fixed\n")
    assert path.read_bytes() == FIXED.replace(b"Linaer", b"Linear")
    alone = netbuild("validate", "net.yaml", "--unsafe-fixes", cwd=tmp_path)
    assert alone.returncode == 2
    assert alone.stderr == "netbuild: --unsafe-fixes needs --fix or --diff\n"


def test_diff(netbuild: Netbuild, tmp_path: Path) -> None:
    """A diff writes nothing, is exit code 1, and `patch` makes of it what --fix would."""
    path = tmp_path / "net.yaml"
    path.write_text("input: [4]\nlayers: [Dropout: {inplace: no}]", encoding="utf-8")
    done = netbuild("validate", "net.yaml", "--diff", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == (
        "--- net.yaml\n+++ net.yaml\n@@ -1,2 +1,2 @@\n input: [4]\n"
        "-layers: [Dropout: {inplace: no}]\n\\ No newline at end of file\n"
        "+layers: [Dropout: {inplace: false}]\n\\ No newline at end of file\n"
    )
    assert done.stderr == "1 file checked: no faults, 1 would be fixed\n"
    assert b"no}" in path.read_bytes()
    subprocess.run(
        ["git", "apply", "-p0", "-"], input=done.stdout.encode(), cwd=tmp_path, check=True
    )
    assert path.read_bytes() == b"input: [4]\nlayers: [Dropout: {inplace: false}]"
    clean = netbuild("validate", "net.yaml", "--diff", cwd=tmp_path)
    assert (clean.returncode, clean.stdout) == (0, "")
    assert clean.stderr == "1 file checked: no faults\n"


def test_diff_of_all_bytes() -> None:
    """Neither a byte order mark nor other line breaks are lost in a diff."""
    said = Change("net.yaml", BAD, FIXED).diff()
    minus = [line[1:] for line in said.split(b"\n") if line.startswith(b"-")][1:]
    assert minus == [line for line in BAD.split(b"\n") if line not in FIXED.split(b"\n")]


def test_standard_input(netbuild: Netbuild, tmp_path: Path) -> None:
    """Of standard input the fixed text goes to standard output, and the report beside."""
    done = netbuild("validate", "-", "--fix", text=BAD, cwd=tmp_path)
    assert done.stdout.encode() == FIXED
    assert done.stderr.endswith("\n\n" + SUMMARY)
    assert done.returncode == 1
    clean = netbuild("validate", "-", "--fix", text="input: [4]\nlayers: [ReLU]\n")
    assert (clean.returncode, clean.stdout) == (0, "input: [4]\nlayers: [ReLU]\n")
    assert clean.stderr == "1 file checked: no faults\n"


def test_in_a_base(netbuild: Netbuild, tmp_path: Path) -> None:
    """A fault of a file that others extend is fixed there, once, and a diff shows it there."""
    base = tmp_path / "base.yaml"
    base.write_text("input: [4]\nlayers: {a: {Dropout: {inplace: no}}}\n", encoding="utf-8")
    for name in ("one.yaml", "two.yaml"):
        (tmp_path / name).write_text("extends: base.yaml\n", encoding="utf-8")
    diff = netbuild("validate", "one.yaml", "two.yaml", "--diff", cwd=tmp_path)
    assert diff.stdout.startswith("--- base.yaml\n+++ base.yaml\n")
    assert diff.stderr == "2 files checked: no faults, 1 would be fixed\n"
    done = netbuild("validate", "one.yaml", "two.yaml", "--fix", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "2 files checked: no faults, 1 fixed\n")
    assert base.read_text(encoding="utf-8").endswith("{inplace: false}}}\n")


def test_only_what_is_reported(netbuild: Netbuild, tmp_path: Path) -> None:
    """What --select leaves out is not fixed."""
    path = tmp_path / "net.yaml"
    path.write_bytes(BAD)
    done = netbuild("validate", "net.yaml", "--fix", "--select", "NB009", cwd=tmp_path)
    assert path.read_bytes() == BAD.replace(b"Dropout:{", b"Dropout: {")
    assert done.stdout == "1 file checked: 0 errors, 3 errors hidden, 1 fixed\n"


def test_what_cannot_be_parsed_stays(netbuild: Netbuild, tmp_path: Path) -> None:
    """A file whose YAML is broken beyond a fix is not written, though some fix would apply."""
    text = "input: [4]\nlayers:\n  - Dropout:{p: 0.5}\n  - {Linear: 2\n  - ReLU\n"
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    done = netbuild("validate", "net.yaml", "--fix", cwd=tmp_path)
    assert done.returncode == 1
    assert "fixed" not in done.stdout
    assert path.read_text(encoding="utf-8") == text


def test_one_syntax_error_behind_another() -> None:
    """Syntax errors of which each hides the next are all fixed."""
    data = b"input: [4]\nlayers:\n  - a:1\n    b: 2\n"
    broken = b"name:x\ninput: [4]\nloss:y\nlayers: [ReLU]\n"
    assert from_bytes("net.yaml", broken).root is None
    assert repaired(broken) == b"name: x\ninput: [4]\nloss: y\nlayers: [ReLU]\n"
    assert repaired(data) == data.replace(b"a:1", b"a: 1")


def test_a_file_that_cannot_be_written(netbuild: Netbuild, tmp_path: Path) -> None:
    """A file that changed meanwhile is not written over; what cannot be written is exit code 2."""
    path = tmp_path / "net.yaml"
    path.write_bytes(BAD)
    change = Change(str(path), FIXED, BAD)
    with pytest.raises(OSError, match="the file changed after the check"):
        change.write()
    done = netbuild("validate", "/dev/stdin", "--fix", text=BAD)
    assert done.returncode == 2
    refusals = (
        "cannot be read: it is a named pipe, not a file",
        "cannot be written: it is not a file",
    )
    assert done.stderr.rstrip().endswith(refusals)


def test_a_link_stays_one(tmp_path: Path) -> None:
    """Behind a link the file is written, not the link."""
    path, link = tmp_path / "net.yaml", tmp_path / "link.yaml"
    path.write_bytes(BAD)
    link.symlink_to(path)
    Change(str(link), BAD, FIXED).write()
    assert link.is_symlink()
    assert path.read_bytes() == FIXED


def fake(spans: list[tuple[int, int, str]], text: str = "abcdef\n") -> bytes:
    """Return a text after a repair with fixes of these columns and texts."""
    document = Document("net.yaml", text, text.encode())
    fixes = [
        Fix("", (Edit(Span(document, 1, start, 1, end), new),), safe=True)
        for start, end, new in spans
    ]
    found = [
        Diagnostic("NB101", str(number), fix.edits[0].span, fixes=(fix,))
        for number, fix in enumerate(fixes)
    ]
    repair = Repair(
        lambda source: found if source.document is document else (), safe, lambda _: None
    )
    source = Source(document, None)
    repair.run([source])
    return repair.text(source)


@pytest.mark.parametrize(
    ("spans", "after"),
    [
        ([(1, 3, "X"), (3, 5, "Y")], b"XYef\n"),
        ([(2, 5, "X"), (1, 3, "Y")], b"aXef\n"),
        ([(2, 5, "X"), (3, 3, "Y")], b"aXef\n"),
        ([(3, 3, "X"), (3, 3, "Y")], b"abXcdef\n"),
        ([(2, 5, "X"), (5, 5, "Y")], b"aXYef\n"),
        ([(5, 99, "")], b"abcd\n"),
    ],
)
def test_overlapping_edits(spans: list[tuple[int, int, str]], after: bytes) -> None:
    """Of two fixes that overlap the first wins; those that touch are both applied."""
    assert fake(spans) == after


def test_fixes_that_undo_each_other() -> None:
    """Fixes stop before a text comes back that was there before. The fault counts once."""
    rounds = 0

    def turn(source: Source) -> list[Diagnostic]:
        nonlocal rounds
        rounds += 1
        new = "b" if source.document.text.startswith("a") else "a"
        edit = Edit(Span(source.document, 1, 1, 1, 2), new)
        return [Diagnostic("NB101", "", edit.span, fixes=(Fix("", (edit,), safe=True),))]

    repair = Repair(turn, safe, lambda _: None)
    repair.run([from_bytes("net.yaml", b"a: 1\n")])
    assert rounds == 2
    assert len(repair.fixed) == 1


def test_a_fault_that_returns() -> None:
    """The fix of a fault that returns is not applied again, and the fault counts once."""

    def insert(source: Source) -> list[Diagnostic]:
        last = len(source.document.lines) - 1
        span = Span(source.document, last, 1, last, 1)
        edit = Edit(span, "- Flatten\n")
        fixes = (Fix("", (edit,), safe=True),)
        return [Diagnostic("NB202", "", span, layer="fc", fixes=fixes)]

    repair = Repair(insert, safe, lambda _: None)
    source = from_bytes("net.yaml", b"- Linear\n")
    repair.run([source])
    assert repair.text(source) == b"- Flatten\n- Linear\n"
    assert len(repair.fixed) == 1


@given(
    lines=st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters="\r\n\x85\u2028\u2029", codec="utf-8")),
            st.sampled_from(["\n", "\r\n", "\r", "\x85", "\u2028", "\u2029"]),
            st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9), st.text("xy€", max_size=3)),
        ),
        min_size=1,
        max_size=8,
    ),
    marked=st.booleans(),
)
def test_edits_leave_other_bytes_alone(
    *, lines: list[tuple[str, str, tuple[int, int, str] | None]], marked: bool
) -> None:
    """An edit replaces its own characters: line ends, a byte order mark, all else stays."""
    # A line that ends with \r before one that begins with \n would be one break of two.
    mark = BOM if marked else b""
    text = "".join(line + end for line, end, _ in lines)
    if "\r\n" in text.replace("\r\n", ""):
        return
    parts = re.split("(\r\n|[\r\n\x85\u2028\u2029])", text)
    document = Document("net.yaml", text, mark + text.encode())
    edits, after = [], parts[:]
    for number, (_, _, change) in enumerate(lines):
        if change is None or 2 * number >= len(parts):
            continue
        line = parts[2 * number]
        start, end = sorted((min(change[0], len(line)), min(change[1], len(line))))
        edits.append(Edit(Span(document, number + 1, start + 1, number + 1, end + 1), change[2]))
        after[2 * number] = line[:start] + change[2] + line[end:]
    assert edited(document, edits) == mark + "".join(after).encode()


def test_new_lines_end_like_the_others() -> None:
    """A line that an edit adds ends like the first one of the file."""
    for end in ("\n", "\r\n"):
        text = f"a: 1{end}b: 2{end}"
        document = Document("net.yaml", text, text.encode())
        edit = Edit(Span(document, 2, 1, 2, 1), "c: 3\n")
        assert edited(document, [edit]) == f"a: 1{end}c: 3{end}b: 2{end}".encode()


LAYERS = st.sampled_from(
    [
        "Dropout: {inplace: no}",
        "Dropout: {inplace: off, p: '0.5'}  # no: '0.5'",
        "Dropout:{p: 0.5}",
        "Linear: '4'",
        "Linear: {bias: yes,\n      out_features: '1_0'}",
        "Linaer: 3",
        "ReLU   ",
        "Conv2d:3",
        '"Linear":4',
    ]
)


@given(
    layers=st.lists(LAYERS, min_size=1, max_size=6),
    end=st.sampled_from(["\n", "\r\n"]),
    marked=st.booleans(),
)
def test_fixing_twice_is_fixing_once(*, layers: list[str], end: str, marked: bool) -> None:
    """What is left after the safe fixes has none, and lines without a fault are as they were."""
    text = "input: [4]\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers)
    data = (BOM if marked else b"") + text.replace("\n", end).encode()
    once = repaired(data)
    assert repaired(once) == once
    if once != data:
        assert not any(map(safe, check(from_bytes("net.yaml", once))))
    before, after = data.split(b"\n"), once.split(b"\n")
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert (old == new) or re.search(rb": ?(no|off|yes|')|Dropout:\{|Conv2d:3", old)


@pytest.mark.parametrize(
    ("layer", "mended"),
    [
        ('Linear: {"bias:false": 1}', 'Linear: {"bias:false": 1}'),
        ("Dropout:3\n      4", "Dropout: 3\n      4"),
    ],
)
def test_a_missing_space_is_only_put_where_it_is_missing(layer: str, mended: str) -> None:
    """A key in quotes and a text of several lines lose nothing to the fix of a missing space."""
    text = "input: [4]\nlayers:\n  - LAYER\n  - ReLU\n"
    after = repaired(text.replace("LAYER", layer).encode())
    assert after in {text.replace("LAYER", layer).encode(), text.replace("LAYER", mended).encode()}
