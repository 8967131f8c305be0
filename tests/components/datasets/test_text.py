"""Text as tokens, each to be told from those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from netbuild.components.datasets.text import Text
from netbuild.components.target import Classes, Values
from tests.components.datasets.test_datasets import loaded, refusal, wanted

if TYPE_CHECKING:
    from pathlib import Path

FOUR = wanted(4, target=Classes(9, (4,)), dtype="int64")


def text(folder: Path, contents: str, **fields: Any) -> Text:
    """Write a file, and return the source that reads it."""
    (folder / "x.txt").write_text(contents, encoding="utf-8")
    return Text(file=str(folder / "x.txt"), length=4, **fields)


def test_characters(tmp_path: Path) -> None:
    """Windows do not overlap; the targets are the same characters one further."""
    source = text(tmp_path, "abracadabra!")
    assert source.sample(FOUR) == (FOUR.inputs, {"target": Classes(6, (4,))})
    assert source.size == 2
    x, y = loaded(source, FOUR)
    assert ["".join("!abcdr"[n] for n in row) for row in x] == ["abra", "cada"]
    assert ["".join("!abcdr"[n] for n in row) for row in y] == ["brac", "adab"]


def test_one_behind(tmp_path: Path) -> None:
    """To a loss that compares with one class the target is the token behind the last."""
    source = text(tmp_path, "abracadabra!")
    one = wanted(4, target=Classes(6), dtype="int64")
    assert source.sample(one).target == Classes(6)
    assert ["!abcdr"[n] for n in loaded(source, one)[1]] == ["c", "b"]


@pytest.mark.parametrize(
    ("level", "contents", "numbers"),
    [
        ("word", "a b, a b a! 1", [0, 1, 3, 0, 1]),
        ("line", "x\ny\nx\r\nz\nx\n", [0, 1, 0, 2, 0]),
        ("character", "\u00e4\na\r\na", [2, 0, 1, 0, 1]),
    ],
)
def test_levels(tmp_path: Path, level: str, contents: str, numbers: list[int]) -> None:
    """Words and lines are numbered by how often they come, characters by their code points."""
    source = text(tmp_path, contents, level=level)
    x, y = loaded(source, FOUR)
    found = [*x[0].tolist(), int(y[0, -1])]
    assert found == numbers


def test_vocabulary(tmp_path: Path) -> None:
    """The most frequent have numbers of their own, and 0 is all others; known without the file."""
    source = text(tmp_path, "a b c a b a d e", level="word", vocabulary=3)
    assert source.sample(FOUR).target == Classes(3, (4,))
    x, _ = loaded(source, FOUR)
    assert x.tolist() == [[1, 2, 0, 1]]
    missing = Text(file=str(tmp_path / "no"), length=4, vocabulary=30)
    assert missing.sample(FOUR) == (FOUR.inputs, {"target": Classes(30, (4,))})
    unknown = Text(file=str(tmp_path / "no"), length=4)
    assert unknown.sample(FOUR) == (FOUR.inputs, {"target": None})
    assert unknown.size is None


def test_changed(tmp_path: Path) -> None:
    """A file that has changed is read again."""
    assert text(tmp_path, "ababa").sample(FOUR).target == Classes(2, (4,))
    assert text(tmp_path, "abcdefg").sample(FOUR).target == Classes(7, (4,))


def test_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file is not read while a config is checked."""
    monkeypatch.setattr("netbuild.components.datasets.text._MAX_READ", 3)
    source = text(tmp_path, "abab" * 5)
    assert (source.size, source.sample(FOUR).target) == (None, None)
    assert len(loaded(source, FOUR)[0]) == 4


def test_other_losses(tmp_path: Path) -> None:
    """Tokens are classes, whatever the loss compares with: it says that it does not take them."""
    source = text(tmp_path, "ababa")
    assert source.sample(wanted(4, target=Values((4,)))) == (
        FOUR.inputs,
        {"target": Classes(2, (4,))},
    )


def test_refused(tmp_path: Path) -> None:
    """Missing, empty, too short, no text, no split of its own."""
    source = Text(file=str(tmp_path / "no.txt"))
    assert refusal(source, FOUR) == (f"there is no {tmp_path}/no.txt", "file", None)
    source = text(tmp_path, "")
    assert refusal(source, FOUR) == (f"{tmp_path}/x.txt has no characters", "file", None)
    source = text(tmp_path, "abcd")
    message = f"{tmp_path}/x.txt has 4 tokens, and a sample needs 5: 4 and the next one"
    assert refusal(source, FOUR) == (message, "length", None)
    assert refusal(source, FOUR, "test")[0] == "Text has no split test of its own"
    (tmp_path / "x.txt").write_bytes(b"abc\xff")
    message = f"{tmp_path}/x.txt is not UTF-8 text: byte 3 is invalid"
    assert refusal(source, FOUR) == (message, "file", None)
    (tmp_path / "x.txt").unlink()
    (tmp_path / "x.txt").mkdir()
    message = f"{tmp_path}/x.txt is a folder, not a file"
    assert refusal(source, FOUR) == (message, "file", None)


def test_numbers_are_those_of_torch(tmp_path: Path) -> None:
    """What is loaded goes into an Embedding as it is."""
    import torch

    x, _ = loaded(text(tmp_path, "abracadabra!"), FOUR)
    assert torch.nn.Embedding(6, 3)(torch.from_numpy(x)).shape == (2, 4, 3)
    assert isinstance(x, np.ndarray)
