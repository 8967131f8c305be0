"""Columns of text as tokens: their numbers, their lengths, and what a run keeps of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import netbuild
from netbuild.components.datasets.dataset import DataError, Sample
from netbuild.components.datasets.delimited import Csv
from netbuild.components.target import Classes
from netbuild.components.tensor import Tensor

if TYPE_CHECKING:
    from pathlib import Path

ROWS = ("a b a c", "b a!", "", "NA", "a d e f")
WANTED = Sample((Tensor((3,), "int64"), Tensor((), "int64")), {"target": Classes(2)})
TOKENS = {"tokens": "review", "length": 3}


def reviews(folder: Path, rows: tuple[str, ...] = ROWS, /, **fields: Any) -> Csv:
    """Write a table of texts, and return the source that reads it."""
    lines = [f'"{row}",{"good" if n % 2 else "bad"}' for n, row in enumerate(rows)]
    (folder / "x.csv").write_text("\n".join(["review,mood", *lines]) + "\n", encoding="utf-8")
    inputs = {"words": TOKENS | fields.pop("tokens", {}), "count": "review.length"}
    how = {"target": "mood", "inputs": inputs, "missing": {"review": "unknown"}}
    return Csv(file=str(folder / "x.csv"), **(how | fields))


def test_numbers_and_lengths(tmp_path: Path) -> None:
    """The most frequent token is 2, 0 pads, and a text without tokens has the length 1."""
    source = reviews(tmp_path)
    assert source.sample(WANTED).inputs == WANTED.inputs
    assert source.bounds(WANTED.inputs) == ((0, 8), (1, 3))
    (words, counts), _ = source.load(WANTED)
    # a b ! c d e f are 2 3 4 5 6 7 8
    assert words.tolist() == [[2, 3, 2], [3, 2, 4], [0, 0, 0], [0, 0, 0], [2, 6, 7]]
    assert counts.tolist() == [3, 3, 1, 1, 3]
    assert (words.dtype, counts.dtype) == ("int64", "int64")


def test_vocabulary_and_level(tmp_path: Path) -> None:
    """`vocabulary` counts padding and the unknown token; tokens may be characters."""
    source = reviews(tmp_path, tokens={"vocabulary": 4})
    assert source.bounds(WANTED.inputs) == ((0, 3), (1, 3))
    assert source.load(WANTED)[0][0].tolist()[1] == [3, 2, 1]
    source = reviews(tmp_path, ("ab", "b"), tokens={"level": "character"})
    assert source.load(WANTED)[0][0].tolist() == [[3, 2, 0], [2, 0, 0]]
    assert source.load(WANTED)[0][1].tolist() == [2, 1]


def test_what_training_has_not_seen_is_unknown(tmp_path: Path) -> None:
    """A token that only held-out rows have is 1; another file is numbered by the run."""
    source = reviews(tmp_path)
    loaded = source.load(WANTED)
    training = tuple(tuple(x[:3] for x in part) for part in loaded)
    fitted = source.fitted(WANTED, training)
    held_out = fitted.filled(WANTED, loaded)
    assert held_out[0][0].tolist() == [[2, 3, 2], [3, 2, 4], [0, 0, 0], [0, 0, 0], [2, 1, 1]]
    assert held_out[0][1].tolist() == loaded[0][1].tolist()
    kept = json.loads(json.dumps(fitted.kept()))
    assert kept["tokens"] == {"words of review, all": ["a", "b", "!", None, None, None, None]}
    other = reviews(tmp_path, ("c b", "zebra a")).with_kept(kept)
    assert other.bounds(WANTED.inputs) == ((0, 8), (1, 3))
    assert other.filled(WANTED, other.load(WANTED))[0][0].tolist() == [[1, 3, 0], [1, 2, 0]]


@pytest.mark.parametrize(
    "changed",
    [
        {"tokens": {}},
        {"tokens": {"words of review, all": ["a", 3]}},
        {"tokens": []},
        {"inputs": [{"tokens": 3}, "review.length"]},
        {"inputs": [{"tokens": "review", "level": 3}, "review.length"]},
    ],
)
def test_what_a_run_has_kept_may_be_changed(tmp_path: Path, changed: Any) -> None:
    """It may come from a stranger."""
    source = reviews(tmp_path)
    kept = source.fitted(WANTED, source.load(WANTED)).kept()
    assert kept is not None
    with pytest.raises(DataError, match="the run has kept"):
        source.with_kept({**kept} | changed)


def test_missing_texts(tmp_path: Path) -> None:
    """They are a fault, left out, or empty."""
    with pytest.raises(DataError, match=r"review has no value in line 4, and in 1 more row"):
        reviews(tmp_path, missing=None).sample(WANTED)
    (words, counts), _ = reviews(tmp_path, missing={"review": "drop"}).load(WANTED)
    assert (len(words), counts.tolist()) == (3, [3, 3, 3])
    with pytest.raises(DataError, match="review is a text, and takes drop or unknown"):
        reviews(tmp_path, missing={"review": "mean"}).sample(WANTED)


@pytest.mark.parametrize(
    ("tokens", "code", "said", "help_"),
    [
        ("level: line", "NB106", "level wants character or word, not the text 'line'", None),
        ("length: 0", "NB106", "length wants a whole number of at least 1, not 0", None),
        (
            "length: long",
            "NB106",
            "length wants a whole number of at least 1, not the text 'long'",
            None,
        ),
        ("lenght: 3", "NB104", "unknown field", "did you mean length?"),
        ("size: 3", "NB104", "unknown field", "the fields are tokens, level, length, vocabulary"),
        ("vocabulary: 2", "NB106", "vocabulary wants a whole number of at least 3, because", None),
    ],
)
def test_wrong_entries(tmp_path: Path, tokens: str, code: str, said: str, help_: str) -> None:
    """The very value is marked."""
    file = tmp_path / "net.yaml"
    data = f"Csv: {{file: x.csv, target: mood, inputs: {{input: {{tokens: review, {tokens}}}}}}}"
    file.write_text(f"input: {{shape: [3], dtype: int64}}\nlayers: [Flatten]\ndata:\n  {data}\n")
    with pytest.raises(netbuild.ConfigError) as caught:
        netbuild.load(file)
    (fault,) = caught.value.diagnostics
    assert (fault.code, fault.help) == (code, help_)
    assert fault.label.startswith(said)
    name, _, value = tokens.partition(": ")
    assert fault.span.column == 3 + data.index(name if code == "NB104" else value, 50)


def test_a_column_of_texts_is_pointed_out(tmp_path: Path) -> None:
    """A column of text that is read as numbers: the fault says how to read it as tokens."""
    source = reviews(tmp_path, ("a film", "no film"), inputs=None)
    with pytest.raises(DataError) as caught:
        source.sample(Sample((Tensor((1,)),), WANTED.targets))
    help_ = "read it as tokens, as in inputs: {words: {tokens: review, length: 64}}"
    assert caught.value.help == help_


def test_names_that_do_not_exist(tmp_path: Path) -> None:
    """A length needs a column of tokens, and a column of tokens needs its column."""
    source = reviews(tmp_path, inputs={"words": TOKENS, "count": "mood.length"})
    with pytest.raises(DataError, match=r"has no column mood\.length"):
        source.sample(WANTED)
    source = reviews(tmp_path, inputs={"words": TOKENS | {"tokens": "text"}, "count": "mood"})
    with pytest.raises(DataError, match="has no column text"):
        source.sample(WANTED)
