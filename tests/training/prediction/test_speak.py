"""A language model continues a text: the tokens it chooses, and the networks that can."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file
from scipy.stats import chisquare

import netbuild
from netbuild.diagnostics.exceptions import InputError, TrainingError
from netbuild.training import speak
from netbuild.training.prediction.speak import Choice, _chosen
from netbuild.training.prediction.speech import Speech, speech
from tests.training.runs import command

if TYPE_CHECKING:
    from pathlib import Path

BOOK = "to be, or not to be: that is the question\n"
KNOWN = sorted({*BOOK})

NET = """
input: {{shape: [8], dtype: int64}}
layers:
  words: {{Embedding: {{num_embeddings: {classes}, embedding_dim: 6}}}}
{body}
  head: {{Linear: {classes}}}
  scores: {{Transpose: {{dim0: 1, dim1: 2}}}}
loss: CrossEntropyLoss
data: {{Text: {{file: book.txt, length: 8{more}}}}}
"""
GRU = "  body: {GRU: 6}"
ATTENTION = """
  places: {Parameter: {shape: [8, 6]}, init: {normal_: {std: 1.0}}}
  embed: {Add, inputs: [words, places]}
  body: {TransformerEncoderLayer: {nhead: 2, dim_feedforward: 8, dropout: 0.5}, is_causal: true}
""".replace("}, is_causal: true", ", is_causal: true}").strip("\n")
BEHIND = "  body: {GRU: 6}\n  last: {Select: {dim: 1, index: -1}}"


def made(folder: Path, body: str, *, more: str = "", classes: int = 0) -> tuple[Path, Path, Any]:
    """Give a config with random weights, their file, and the module in evaluation mode."""
    file, weights = folder / "net.yaml", folder / "net.safetensors"
    (folder / "book.txt").write_text(BOOK * 50, encoding="utf-8")
    text = NET.format(body=body, more=more, classes=classes or len(KNOWN))
    if "last:" in body:
        text = text.replace("  scores: {Transpose: {dim0: 1, dim1: 2}}\n", "")
    file.write_text(text, encoding="utf-8")
    torch.manual_seed(1)
    module = netbuild.build(file).eval()
    for parameter in module.parameters():
        parameter.data.mul_(2)  # scores that differ
    save_file(module.state_dict(), weights)
    return file, weights, module


def of(file: Path) -> Speech:
    """Return how the network of a file continues texts."""
    config = netbuild.load(file)
    return speech(netbuild.trace(config._replace(data=None)), config.data)


@torch.no_grad()
def by_hand(module: Any, prompt: str, length: int, temperature: float, seed: int) -> str:
    """Continue a text with a network that tells a token at each place."""
    drawn = torch.Generator().manual_seed(seed)
    told = prompt
    for _ in range(length):
        seen = [KNOWN.index(c) for c in told[-8:]]
        x = torch.tensor([seen + [3] * (8 - len(seen))])  # any token behind the text
        scores = module(x)[0, :, len(seen) - 1].double().log_softmax(0)
        if temperature:
            best, order = scores.sort(descending=True, stable=True)
            shares = ((best - best[0]) / temperature).softmax(0)
            told += KNOWN[order[torch.multinomial(shares, 1, generator=drawn)]]
        else:
            told += KNOWN[scores.argmax()]
    return told[len(prompt) :]


@pytest.mark.parametrize("body", [GRU, ATTENTION])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_by_hand(tmp_path: Path, body: str, temperature: float) -> None:
    """The text is that of a loop by hand, from a prompt shorter than the window to its end."""
    file, weights, module = made(tmp_path, body)
    for prompt in ("t", "to be, or not"):
        text = speak(file, prompt, length=20, temperature=temperature, seed=4, weights=weights)
        assert text == by_hand(module, prompt, 20, temperature, 4)
    other = speak(file, "t", length=20, seed=5, weights=weights)
    assert other != speak(file, "t", length=20, seed=6, weights=weights)


def test_the_token_behind(tmp_path: Path) -> None:
    """A network with scores for the token behind the last one needs a full window."""
    file, weights, module = made(tmp_path, BEHIND)
    text = speak(file, "to be, or", length=2, temperature=0, weights=weights)
    told = "to be, or"
    for _ in range(2):
        seen = torch.tensor([[KNOWN.index(c) for c in told[-8:]]])
        told += KNOWN[module(seen)[0].argmax()]
    assert told == "to be, or" + text
    said = "the prompt has 5 characters, and the network tells the token behind 8: give 8"
    with pytest.raises(InputError, match=said):
        speak(file, "to be", weights=weights)


@pytest.mark.parametrize("temperature", [0.8, 1.5])
def test_draws_follow_the_softmax(temperature: float) -> None:
    """A chi-square test of 600 draws, and of those among the three likeliest."""
    scores = torch.tensor([0.3, -1.0, 2.0, 1.0, -0.2], dtype=torch.float64).log_softmax(0)
    drawn = torch.Generator().manual_seed(0)
    for top, places in ((None, [0, 1, 2, 3, 4]), (3, [0, 2, 3])):
        choice = Choice(temperature, top)
        counts = Counter(_chosen(scores, choice, drawn) for _ in range(600))
        assert sorted(counts) == places
        shares = (scores[places] / temperature).softmax(0)
        seen = [counts[place] for place in places]
        assert chisquare(seen, (shares * 600).tolist()).pvalue > 0.001
    assert _chosen(scores, Choice(0.0), drawn) == 2


def test_the_token_of_all_others_is_never_written(tmp_path: Path) -> None:
    """Nor is a class without a token. The prompt may have it."""
    file, weights, _ = made(tmp_path, GRU, more=", vocabulary: 30", classes=30)
    text = speak(file, "Zeus", length=100, temperature=9.0, weights=weights)
    assert {*text} <= {*KNOWN}
    assert len(text) == 100
    file, weights, _ = made(tmp_path, GRU)
    with pytest.raises(InputError, match="the prompt has the character 'Z', and 1 more, but the"):
        speak(file, "ZU", weights=weights)
    with pytest.raises(InputError, match="the prompt is empty: give at least one character"):
        speak(file, "", weights=weights)
    with pytest.raises(InputError, match="the prompt is not UTF-8 text"):
        speak(file, "to\udcff", weights=weights)


@pytest.mark.parametrize("level", ["word", "line"])
def test_other_levels(tmp_path: Path, level: str) -> None:
    """Words are put together with spaces, lines with line breaks."""
    file, weights, _ = made(tmp_path, GRU, more=f", level: {level}, vocabulary: 20", classes=20)
    text = speak(file, "to be", length=3, weights=weights, seed=1)
    if level == "line":
        assert text == f"\n{BOOK.strip()}" * 3
    else:
        assert text[0] in " ,:"
        assert speak(file, "to be ", length=3, weights=weights, seed=1) == text.lstrip()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "  body: {GRU: {hidden_size: 6, bidirectional: true}}",
            r"sees later places in body \(GRU, line 5\), and .*: write bidirectional: false",
        ),
        (
            "  body: {TransformerEncoderLayer: {nhead: 2}}",
            r"in body \(TransformerEncoderLayer, line 5\).*: write is_causal: true",
        ),
    ],
)
def test_networks_that_see_later_places(tmp_path: Path, body: str, said: str) -> None:
    """The layer that shows later places is named."""
    (tmp_path / "book.txt").write_text(BOOK)
    file = tmp_path / "net.yaml"
    file.write_text(NET.format(body=body, more="", classes=len(KNOWN)))
    with pytest.raises(TrainingError, match=said):
        of(file)


def test_unclear_networks_want_a_full_window(tmp_path: Path) -> None:
    """A window that is full needs no later place."""
    body = "  body: {Reshape: [6, 8]}\n  back: {Reshape: [8, 6]}"
    file, weights, _ = made(tmp_path, body)
    assert len(speak(file, "to be, or", length=3, weights=weights)) == 3
    with pytest.raises(InputError, match="has 5 characters, and it is unclear whether a place"):
        speak(file, "to be", weights=weights)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Text: {file: book.txt, length: 8}", "Random: {}", "its data is Random"),
        ("data: {Text: {file: book.txt, length: 8}}", "", "it has no data"),
        ("loss: CrossEntropyLoss", "loss: MSELoss", "MSELoss compares with values"),
        ("loss: CrossEntropyLoss", "", "a prompt needs a loss"),
        ("dtype: int64", "dtype: int32", r"it reads input \(8 of int32\)"),
        ("book.txt", "gone.txt", "the run keeps no vocabulary, and there is no .*gone.txt"),
    ],
)
def test_other_networks(tmp_path: Path, old: str, new: str, said: str) -> None:
    """A network that cannot continue a text says why."""
    (tmp_path / "book.txt").write_text(BOOK)
    file = tmp_path / "net.yaml"
    text = NET.format(body=GRU, more="", classes=len(KNOWN))
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(TrainingError, match=said):
        of(file)


def test_numbers_out_of_range(tmp_path: Path) -> None:
    """A negative length, temperature or choice is refused."""
    for wrong in ({"length": 0}, {"temperature": -1.0}, {"temperature": math.nan}, {"top_k": 0}):
        with pytest.raises(ValueError, match="length and top_k are at least 1"):
            speak(tmp_path, "x", **wrong)  # type: ignore[arg-type]


def test_the_command(tmp_path: Path) -> None:
    """It prints the prompt and what comes behind it, as a text or as JSON; control characters not.

    The log-probability of a token is the network's, whatever the temperature.
    """
    file, weights, module = made(tmp_path, GRU, more=", vocabulary: 30", classes=30)
    asked = ("predict", file, "--weights", weights, "--length", 4, "--seed", 2)
    text = speak(file, "to\x1b", length=4, weights=weights, seed=2)
    told = command(*asked, "--prompt", "to\x1b")
    assert (told.code, told.out, told.err) == (0, f"to\\x1b{text}\n", "")
    told = command(*asked, "--prompt", "to\x1b", "--format", "json")
    values = json.loads(told.out)
    assert (values["prompt"], values["text"]) == ("to\x1b", text)
    assert "".join(token["token"] for token in values["tokens"]) == text
    cool = (*asked, "--prompt", "t", "--temperature", 0.1, "--top-k", 2, "--format", "json")
    values = json.loads(command(*cool).out)
    known = netbuild.load(file).data.known()  # type: ignore[union-attr]
    x = torch.tensor([[known.index("t")] + [0] * 7])
    share = module(x).detach()[0, :, 0].log_softmax(0)[known.index(values["tokens"][0]["token"])]
    assert values["tokens"][0]["log_probability"] == pytest.approx(float(share), abs=1e-5)
    written = tmp_path / "told.txt"
    assert command(*asked, "--prompt", "to", "-o", written).out == ""
    assert written.read_text().startswith("to")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--prompt", "x", "--top", 3),
            "--prompt excludes INPUT, --top, --raw, --noise and --stack",
        ),
        (("--prompt", "x", "--format", "csv"), "--prompt writes a text, or json: it has no csv"),
        (("--prompt", "x", "--temperature", "nan"), "--temperature nan is not a number from 0 on"),
        (("--prompt", "x", "--temperature", -1), "--temperature -1 is not a number from 0 on"),
        (("--length", 3), "--length needs --prompt"),
        (("a.npy", "--top-k", 3), "--top-k needs --prompt"),
    ],
)
def test_options(tmp_path: Path, options: tuple[Any, ...], said: str) -> None:
    """Options that do not go together are refused before anything is read."""
    told = command("predict", tmp_path, *options)
    assert (told.code, told.err) == (2, f"netbuild: {said}\n")


def test_a_run_knows_its_tokens(tmp_path: Path) -> None:
    """A run speaks without its text, and is evaluated on another text with its own tokens."""
    file, _, _ = made(tmp_path, GRU)
    more = "optimizer: Adam\nmetrics: Perplexity\ntrain: {epochs: 1, batch_size: 4}\n"
    file.write_text(file.read_text() + more)
    run = netbuild.train(file, runs=tmp_path / "runs")
    measured = run.metrics[-1]
    assert measured["val_perplexity"] == pytest.approx(math.exp(measured["val_loss"]), rel=1e-5)
    before = speak(run.folder, "to be", length=5)
    (tmp_path / "book.txt").unlink()
    assert speak(run.folder, "to be", length=5) == before
    other = tmp_path / "other.txt"
    other.write_text("note the set\n" * 20)  # fewer characters than the run knows
    setting = f"data.Text.file={other}"
    told = command("evaluate", run.folder, "--set", setting)
    assert (told.code, told.err) == (0, "")
    other.write_text("Zeus\n" * 20)
    told = command("evaluate", run.folder, "--set", setting)
    assert told.code == 1
    assert "lacks it" in told.out  # a long path wraps the sentence
    (run.folder / "data.json").write_text('{"source": {"level": "character", "vocabulary": [1]}}')
    told = command("predict", run.folder, "--prompt", "to")
    assert told.code == 1
    assert "data.json does not fit the data: the vocabulary of the run has something" in told.err
