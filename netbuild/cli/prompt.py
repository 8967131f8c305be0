"""`netbuild predict --prompt`: a language model continues a text."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, NamedTuple

from netbuild.cli.predictions import opened
from netbuild.cli.terminal import fail, needs_torch, reported_failures, reported_faults
from netbuild.diagnostics.escapes import of_json

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.training.prediction.speak import Token

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
    if form in {"table", "csv"}:
        fail(f"--prompt writes a text, or json: it has no {form}")
    if not 0 <= asked.temperature < math.inf:
        fail(f"--temperature {asked.temperature:g} is not a number from 0 on")
    is_json = form == "json" or (output is not None and output.suffix == ".json")

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
            if is_json:
                file.write(_as_json(asked.text, [*written]))
                return
            file.write(asked.text)
            for token in written:  # a terminal shows each as soon as it is written
                file.write(token.text)
                if output is None:
                    sys.stdout.flush()
            file.write("\n")


def _as_json(prompt: str, written: list[Token]) -> str:
    """Return a text and its tokens as JSON."""
    tokens = [
        {"token": one.token, "log_probability": round(one.log_probability, 6)} for one in written
    ]
    values = {"prompt": prompt, "text": "".join(one.text for one in written), "tokens": tokens}
    return of_json(json.dumps(values, ensure_ascii=False)) + "\n"
