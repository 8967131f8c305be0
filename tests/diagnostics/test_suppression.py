"""`# netbuild: ignore[…]` at the end of a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.diagnostics import suppression
from netbuild.syntax.parser import from_bytes, from_file

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.diagnostics.diagnostic import Diagnostic, Document

NET = "input: [4]\nlayers:\n  - Linear: 4\n  - Linear: 4{}\n"


def found(text: str) -> list[tuple[str, int, str]]:
    """Return the code, the line and the label of each diagnostic of a text."""
    return [(d.code, d.span.line, d.label) for d in diagnostics(text)]


def diagnostics(text: str) -> tuple[Diagnostic, ...]:
    return infer(read(from_bytes("net.yaml", text.encode()))).diagnostics


@pytest.mark.parametrize(
    "comment",
    [
        "  # netbuild: ignore[NB301]",
        " #netbuild:ignore [NB301]",
        "  # netbuild: ignore[NB301] the factors are read one by one",
        "  # a reason # netbuild: ignore[ NB301 ]",
        "  # netbuild: ignore[NB3]",
        "  # netbuild: ignore[NB]",
    ],
)
def test_silences(comment: str) -> None:
    """A comment silences the warnings of its line that it names, or that a prefix means."""
    assert [code for code, *_ in found(NET.format(""))] == ["NB301"]
    assert found(NET.format(comment)) == []


def test_where_the_place_begins() -> None:
    """What counts is the line on which the underlined place begins, and no other."""
    text = (
        "input: [4]\nlayers:\n  - Linear: 4\n  - Linear: {} # netbuild: ignore[NB301]\n      {}\n"
    )
    assert found(text.format("", "out_features: 4")) == []
    late = NET.format("") + "  # netbuild: ignore[NB301]\n"
    unused = "no NB301 begins on this line"
    assert [(code, line) for code, line, _ in found(late)] == [("NB301", 4), ("NB318", 5)]
    assert found(late)[1][2] == unused


@pytest.mark.parametrize(
    ("comment", "labels"),
    [
        ("# netbuild: ignore[NB301, NB302]", ["no NB302 begins on this line"]),
        ("# netbuild: ignore[NB301, NB999]", ["no code begins with NB999"]),
        (
            "# netbuild: ignore[NB301, nb302, N]",
            ["no code begins with nb302", "no code begins with N"],
        ),
        ("# netbuild: ignore[NB301] # netbuild: ignore[NB318]", ["no NB318 begins on this line"]),
        ("# netbuild: ignore[NB301, NB204]", ["NB204 is an error"]),
        ("# netbuild: ignore[NB301, NB2]", ["NB2 is an error"]),
    ],
)
def test_a_code_for_nothing(comment: str, labels: list[str]) -> None:
    """A code that silences nothing, or that is no warning, is a warning itself."""
    assert found(NET.format(f"  {comment}")) == [("NB318", 4, label) for label in labels]


@pytest.mark.parametrize("comment", ["# netbuild: ignore", "# netbuild: ignore[]"])
def test_without_a_code(comment: str) -> None:
    """A comment silences what it names: nothing, where it names nothing."""
    text = NET.format(f"  {comment}")
    assert found(text)[1:] == [("NB318", 4, "it names no code")]
    assert found(text)[0][0] == "NB301"


def test_the_place_of_a_code() -> None:
    """The code that is for nothing is underlined, and its help says what it might have been."""
    text = "input: [4]\nlayers: [ReLU]  # netbuild: ignore[nb302, NB302]\n"
    first, second = diagnostics(text)
    assert (first.span.column, first.span.end_column) == (36, 41)
    assert first.help == "did you mean NB302?"
    assert (second.span.column, second.span.end_column) == (43, 48)


@pytest.mark.parametrize(
    ("line", "rest"),
    [
        ("layers: [ReLU]  # netbuild: ignore[NB301]", "layers: [ReLU]"),
        ("layers: [ReLU]  # see #7 # netbuild: ignore[NB301]", "layers: [ReLU]  # see #7"),
        ("layers: [ReLU]  # netbuild: ignore[NB301] as said", None),
    ],
)
def test_removal(line: str, rest: str | None) -> None:
    """A comment all of which is for nothing can be taken away, but not what follows it."""
    (fault,) = diagnostics(f"input: [4]\n{line}\n")
    if rest is None:
        assert fault.fixes == ()
        return
    (edit,) = fault.fixes[0].edits
    assert line[: edit.span.column - 1] + edit.text + line[edit.span.end_column - 1 :] == rest


@pytest.mark.parametrize(
    "text",
    [
        "input: [4]\nvars: {a: '# netbuild: ignore[NB301]'}\nlayers: [ReLU]\n",
        'input: [4]\nvars: {a: "one\n   # netbuild: ignore[NB301]"}\nlayers: [ReLU]\n',
        "input: [4]\nvars: {a: b#netbuild:ignore[NB301]}\nlayers: [ReLU]\n",
        "input: [4]\nvars:\n  a: |\n    # netbuild: ignore[NB301]\nlayers: [ReLU]\n",
    ],
)
def test_a_text_is_no_comment(text: str) -> None:
    """Within a text a `#` begins no comment: there is nothing that could silence nothing."""
    assert not any(code == "NB318" for code, *_ in found(text))


def test_behind_the_mark_of_a_block() -> None:
    """On the line of the mark `|` a comment may stand."""
    text = "input: [4]\nvars:\n  a: |  # netbuild: ignore[NB301]\n    b\nlayers: [ReLU]\n"
    assert [(code, line) for code, line, _ in found(text)] == [("NB327", 3), ("NB318", 3)]


def test_errors_are_not_silenced() -> None:
    """An error stays, and what else its file ignores is not judged: the lints did not run."""
    text = "input: [4]\nlayers:\n  - Linaer: 2  # netbuild: ignore[NB103]\n"
    assert [code for code, *_ in found(text)] == ["NB103"]


def test_a_repeated_item() -> None:
    """One comment silences the warning of every copy of a repeated item."""
    text = (
        "input: [4]\nlayers:\n  - Linear: 4\n"
        "  - {Linear: 4, repeat: 3}  # netbuild: ignore[NB301]\n"
    )
    assert found(text) == []


def test_in_a_base(tmp_path: Path) -> None:
    """A comment counts in a file that another extends, which says nothing of those for nothing."""
    base = tmp_path / "base.yaml"
    base.write_text(NET.format("  # netbuild: ignore[NB301, NB302]"), encoding="utf-8")
    over = tmp_path / "net.yaml"
    over.write_text("extends: base.yaml\nname: over\n", encoding="utf-8")
    assert infer(read(from_file(over))).diagnostics == ()
    assert [d.code for d in infer(read(from_file(base))).diagnostics] == ["NB318"]


def test_line_breaks() -> None:
    """Lines are counted as YAML counts them."""
    text = NET.format("  # netbuild: ignore[NB301]").replace("\n", "\r\n")
    assert found(f"# one\u2028# two\x85{text}") == []


def test_a_file_without_the_word_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the lines nor the tokens of a file without such a comment are looked at."""

    def refuse(_: Document) -> list[object]:
        pytest.fail("looked at")

    monkeypatch.setattr(suppression, "_comments", refuse)
    monkeypatch.setattr(suppression, "_texts", refuse)
    assert [code for code, *_ in found(NET.format("  # a comment"))] == ["NB301"]
