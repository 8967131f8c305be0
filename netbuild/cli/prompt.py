"""`netbuild predict --prompt`: a language model continues a text."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NamedTuple

from netbuild.cli.predictions import opened
from netbuild.cli.terminal import needs_torch, reported_failures, reported_faults
from netbuild.diagnostics.escapes import of_json

if TYPE_CHECKING:
    from pathlib import Path

#: The number of tokens that are written by default.
LENGTH = 200


class Prompt(NamedTuple):
    """A run with its weights, a text, and how it is continued."""

    run: Path
    checkpoint: str
    #: The file of weights in place of the checkpoint.
    weights: Path | None
    text: str
    length: int
    temperature: float
    top_k: int | None
    seed: int


def on_prompt(asked: Prompt, form: str | None, output: Path | None) -> None:
    """Write how a network continues a text. Faults are found before torch is loaded."""
    from netbuild.checks.trace import trace
    from netbuild.training.prediction.network import network
    from netbuild.training.prediction.speech import speech

    with reported_faults(), reported_failures(asked.run):
        config, run = network(asked.run, asked.weights)
        graph = trace(config._replace(data=None))
        found = speech(graph, config.data)
        found.numbers(asked.text)
    with needs_torch("predict"):
        from netbuild.training.prediction.speak import Choice, Speaker
    with reported_faults(), reported_failures(asked.run):
        checkpoint = None if asked.weights else asked.checkpoint
        speaker = Speaker(found, graph, run, checkpoint)
        choice = Choice(asked.temperature, asked.top_k, asked.seed)
        written = speaker.tokens(asked.text, asked.length, choice)
        with opened(output) as file:
            if form == "json":
                told = [*written]
                tokens = [
                    {"token": t.token, "log_probability": round(t.log_probability, 6)} for t in told
                ]
                text = "".join(token.text for token in told)
                values = {"prompt": asked.text, "text": text, "tokens": tokens}
                file.write(of_json(json.dumps(values, ensure_ascii=False)) + "\n")
                return
            file.write(asked.text)
            for token in written:  # a terminal shows each as soon as it is written
                file.write(token.text)
                if output is None:
                    sys.stdout.flush()
            file.write("\n")
