"""A language model continues a text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch

from netbuild.checks.trace import trace
from netbuild.components.datasets.tokens import Joiner
from netbuild.diagnostics.exceptions import TrainingError
from netbuild.training.errors import refused
from netbuild.training.prediction.network import network
from netbuild.training.prediction.speech import speech
from netbuild.training.prediction.trained import fastest, learned_module
from netbuild.training.step.criterion import Criterion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.graph.graph import Graph
    from netbuild.runs.folder import Run
    from netbuild.training.prediction.speech import Speech


class Token(NamedTuple):
    """A token that a network has written."""

    #: The token, with the space or the line break before it.
    text: str
    token: str
    #: The logarithm of the probability that the network has given it.
    log_probability: float


class Choice(NamedTuple):
    """How the next token is chosen from the scores of the network."""

    #: The scores are divided by it: below 1, likely tokens become likelier. 0 takes the likeliest.
    temperature: float = 1.0
    #: Only so many of the likeliest tokens are chosen from; None chooses from all.
    top_k: int | None = None
    seed: int = 0


def speak(
    folder: str | Path,
    prompt: str,
    *,
    length: int = 200,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
    checkpoint: str = "best",
    weights: str | Path | None = None,
) -> str:
    """Return the text with which a run's network continues a prompt, without the prompt.

    The network was trained on data: Text, and tells the next token. It writes `length` tokens, each
    drawn by the softmax of the scores divided by `temperature`, from the `top_k` likeliest ones.
    With a `temperature` of 0 it is always the likeliest. The same `seed` gives the same text on
    one machine. The network sees its last tokens only, as many as its input has. It never writes
    the token that stands for all others.

    A file of `weights` replaces those of the checkpoint. `folder` may then be a config.

    >>> speak("runs/gpt", "To be", length=20)  # doctest: +SKIP
    ', or not to be: that'

    Raises:
        ConfigError: the config has faults, or the file of weights has other tensors.
        InputError: the prompt is empty, too short, or has a token that the training has not seen.
        TrainingError: the folder is not a run, or its network cannot continue a text.
        ValueError: `length`, `temperature` or `top_k` is too small.
    """
    if length < 1 or not 0 <= temperature < float("inf") or (top_k is not None and top_k < 1):
        message = "length and top_k are at least 1, and temperature is at least 0"
        raise ValueError(message)
    config, run = network(Path(folder), weights)
    graph = trace(config._replace(data=None))
    speaker = Speaker(speech(graph, config.data), graph, run, None if weights else checkpoint)
    written = speaker.tokens(prompt, length, Choice(temperature, top_k, seed))
    return "".join(token.text for token in written)


class Speaker:
    """The network of a run, which continues texts."""

    def __init__(self, found: Speech, graph: Graph, run: Run, checkpoint: str | None) -> None:
        """Build the network with the weights of a checkpoint; None for those that a file gives."""
        self.speech = found
        self.device = fastest(graph.config.train.device)
        self.module, learned = learned_module(graph, self.device, run, checkpoint)
        self.criterion = Criterion(graph, self.device)
        if learned:
            self.criterion.load(*learned)
        numbers = [n for n, part in enumerate(found.vocabulary) if part is not None]
        #: The tokens that can be written: the one that stands for all others cannot.
        self.written = torch.tensor(numbers)

    def tokens(self, prompt: str, length: int, choice: Choice) -> Iterator[Token]:
        """Yield the tokens behind a prompt, each as soon as it is chosen.

        Raises:
            InputError: the prompt does not fit.
            TrainingError: torch refuses it, or the scores are not finite.
        """
        numbers = self.speech.numbers(prompt)
        joiner = Joiner(self.speech.source.level)
        for part in self.speech.source.parts(prompt):
            joiner.add(part)
        drawn = torch.Generator().manual_seed(choice.seed)
        spaced = prompt[-1:].isspace() and self.speech.source.level != "character"
        for _ in range(length):
            scores = self.scores(numbers)
            number = self.written[_chosen(scores[self.written], choice, drawn)]
            numbers.append(int(number))
            token = self.speech.vocabulary[numbers[-1]]
            assert token is not None
            text = joiner.add(token)
            yield Token(text.lstrip() if spaced else text, token, float(scores[number]))
            spaced = False

    @torch.inference_mode()
    def scores(self, numbers: list[int]) -> torch.Tensor:
        """Return the logarithms of the probabilities of all tokens behind some tokens.

        Raises:
            TrainingError: torch refuses the tokens, or a score is not finite.
        """
        seen = numbers[-self.speech.window :]
        x = torch.zeros(1, self.speech.window, dtype=torch.int64)
        x[0, : len(seen)] = torch.tensor(seen)
        with refused("the prompt"):
            scores = self.criterion.first.all_scores(self.module(x.to(self.device)))
        told = scores[len(seen) - 1 if self.speech.everywhere else 0].cpu().double()
        if told.isnan().any() or not told[self.written].max().isfinite():
            raise TrainingError("the output of the network is not finite")
        return told.log_softmax(0)


def _chosen(scores: torch.Tensor, choice: Choice, drawn: torch.Generator) -> int:
    """Return the position of the next token among the scores of those that can be written."""
    if choice.temperature == 0:
        return int(scores.argmax())
    best, order = scores.sort(descending=True, stable=True)
    best, order = best[: choice.top_k], order[: choice.top_k]
    shares = ((best - best[0]) / choice.temperature).softmax(0)
    return int(order[torch.multinomial(shares, 1, generator=drawn)])
