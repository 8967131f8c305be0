"""Tokens: how they are put together, and the vocabulary that a run keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from netbuild.components.datasets.dataset import DataError
from netbuild.components.datasets.tokens import Joiner, Level, parts, read_vocabulary
from tests.components.datasets.test_datasets import loaded
from tests.components.datasets.test_text import FOUR, text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("word", 'She said: "Well-known words, don\'t they?" (Yes!) [3] and 5% of $2; so…'),
        ("word", 'A "quote" and a "second one", and the end.'),
        ("line", "one\ntwo\n\nfour"),
        ("character", "as it  is\n"),
    ],
)
def test_what_is_read_is_written_again(level: Level, written: str) -> None:
    """The marks of a text tell where its spaces were."""
    joiner = Joiner(level)
    assert "".join(map(joiner.add, parts(written, level))) == written


@pytest.mark.parametrize(
    ("kept", "most", "said"),
    [
        ([], None, "the run has kept no list of tokens as its vocabulary"),
        ({}, None, "the run has kept no list of tokens as its vocabulary"),
        ({"vocabulary": ["a"], "level": "word"}, None, "has kept words as its vocabulary"),
        ({"vocabulary": []}, None, "has something other than tokens"),
        ({"vocabulary": ["a", 3]}, None, "has something other than tokens"),
        ({"vocabulary": ["a", ""]}, None, "has something other than tokens"),
        ({"vocabulary": [None, "a"]}, None, "has something other than tokens"),
        ({"vocabulary": [None]}, 3, "has something other than tokens"),
        ({"vocabulary": ["a", "b", "a"]}, None, "has a token twice"),
        ({"vocabulary": [None, "a", "b", "c"]}, 3, "has kept 4 tokens, and vocabulary is 3"),
        ({"vocabulary": ["a", "b"]}, 3, "has kept 2 tokens, and vocabulary is 3"),
    ],
)
def test_a_vocabulary_that_was_changed(kept: Any, most: int | None, said: str) -> None:
    """What a run has kept may come from a stranger."""
    kept = {"level": "character"} | kept if kept else kept
    with pytest.raises(DataError, match=said):
        read_vocabulary(kept, "character", most)


def test_the_numbers_of_the_run(tmp_path: Path) -> None:
    """A source numbers tokens as the run did, whatever its file holds now."""
    kept = text(tmp_path, "abracadabra!").kept()
    assert kept == {"level": "character", "vocabulary": [*"!abcdr"]}
    source = text(tmp_path, "cabd!").with_kept(kept)
    assert source.sample(FOUR).target == text(tmp_path, "abracadabra!").sample(FOUR).target
    assert source.bounds(FOUR.inputs) == ((0, 5),)
    (tmp_path / "x.txt").write_text("cabd!")
    assert loaded(source, FOUR)[0].tolist() == [[3, 1, 2, 4]]


def test_tokens_that_the_training_has_not_seen(tmp_path: Path) -> None:
    """They are 0 with a `vocabulary`, and a fault without."""
    kept = text(tmp_path, "a b a c b a", level="word").kept()
    unknown = text(tmp_path, "a x b y z", level="word").with_kept(kept)
    said = r"x.txt has the word 'x', and 2 more, but the text of the training lacks it"
    with pytest.raises(DataError, match=said) as caught:
        loaded(unknown, FOUR)
    assert "train with vocabulary: N" in str(caught.value.help)
    kept = text(tmp_path, "a b a c b a", level="word", vocabulary=3).kept()
    assert kept["vocabulary"] == [None, "a", "b"]
    unknown = text(tmp_path, "a x b y z", level="word", vocabulary=3).with_kept(kept)
    assert loaded(unknown, FOUR)[0].tolist() == [[1, 0, 2, 0]]


def test_a_missing_file(tmp_path: Path) -> None:
    """What the run has kept is enough to describe a sample."""
    source = text(tmp_path, "abracadabra!")
    kept = source.kept()
    (tmp_path / "x.txt").unlink()
    assert source.with_kept(kept).sample(FOUR).target is not None
    assert source.with_kept(kept).size is None
    with pytest.raises(DataError, match="there is no"):
        source.known()
