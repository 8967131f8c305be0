"""`netbuild predict --noise`: what a network, or a part of it, makes of noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.cli.predictions import ending, replacing, write
from netbuild.cli.terminal import needs_torch, reported_failures, reported_faults, say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netbuild.training.prediction.excerpt import Excerpt
    from netbuild.training.prediction.inputs import Array
    from netbuild.training.prediction.predict import Prediction

#: The files that hold arrays or a picture.
BINARY = frozenset({".png", ".npz", ".npy"})


class Noise(NamedTuple):
    """A run with its weights, and the noise for a part of its network."""

    run: Path
    checkpoint: str
    #: The file of weights in place of the checkpoint.
    weights: Path | None
    stack: str
    samples: int
    seed: int


def on_noise(asked: Noise, form: str | None, output: Path | None) -> None:
    """Write what a part of a network makes of noise. Faults are found before torch is loaded."""
    from netbuild.checks.trace import trace
    from netbuild.training.prediction.excerpt import excerpt
    from netbuild.training.prediction.network import network

    kind = output.suffix.lower() if output is not None and form is None else ""
    with reported_faults(), reported_failures(asked.run):
        config, run = network(asked.run, asked.weights)
        part = excerpt(trace(config._replace(data=None)), asked.stack)
        if kind == ".png":
            part.picture()
        if kind == ".npy":
            part.only()
    with needs_torch("predict"):
        from netbuild.training.prediction.noise import results
    with reported_faults(), reported_failures(asked.run):
        checkpoint = None if asked.weights else asked.checkpoint
        made = results(part, run, checkpoint, asked.samples, asked.seed)
        if output is not None and kind in BINARY:
            _save(made, part, output, kind)
        else:
            write(_told(made), run.folder, output, form or ending(output))


def _save(made: dict[str, Array], part: Excerpt, output: Path, kind: str) -> None:
    """Write results as a sheet or as arrays."""
    import numpy as np

    from netbuild.training.prediction.sheet import sheet

    said = ""
    with replacing(output) as written, written.open("wb") as file:
        if kind == ".npz":
            np.savez(file, **made)  # type: ignore[arg-type]
        elif kind == ".npy":
            np.save(file, made[part.only()])
        else:
            name = part.picture()
            scored = part.is_score(name)
            tiles = sheet(made[name], part.range(name), scores=scored)
            tiles.write(file)
            said = f", black is {tiles.black:.4g} and white is {tiles.white:.4g}"
    count = len(next(iter(made.values())))
    say(f"{output}: {count:,} sample{'' if count == 1 else 's'} of {part}{said}")


def _told(made: dict[str, Array]) -> Iterator[Prediction]:
    """Yield the results of each sample, as a prediction has them."""
    for index in range(len(next(iter(made.values())))):
        row = {name: y[index] for name, y in made.items()}
        told = {"output": next(iter(row.values()))} if len(row) == 1 else {"outputs": row}
        yield {"index": index} | told
