"""`netbuild evaluate`: a run's checkpoint on its validation split."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from netbuild.cli.terminal import FAULTS, console, fail, needs_torch, print_faults


class Checkpoint(str, Enum):
    """Which checkpoint of a run."""

    best = "best"
    last = "last"


class Format(str, Enum):
    """How the metrics are printed."""

    text = "text"
    json = "json"


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    checkpoint: Annotated[
        Checkpoint, typer.Option(help="The lowest validation loss, or the newest.")
    ] = Checkpoint.best,
    format: Annotated[Format, typer.Option(help="How the metrics are printed.")] = Format.text,  # noqa: A002
) -> None:
    """Print the validation loss, and accuracy, of a trained network.

    \b
    netbuild evaluate runs/lenet5
    netbuild evaluate runs/lenet5/2026-01-31T12-00-00 --checkpoint last
    """
    with needs_torch("evaluate"):
        from netbuild import training
    from netbuild.diagnostic import ConfigError

    try:
        metrics = training.evaluate(run, checkpoint.value)
    except ConfigError as error:
        print_faults(error.diagnostics)
        raise typer.Exit(FAULTS) from None
    except training.TrainingError as error:
        fail(str(error), FAULTS)
    if format is Format.json:
        console().print(json.dumps(metrics))
    else:
        for name, value in metrics.items():
            shown = f"{value:.2%}" if name.endswith("accuracy") else f"{value:.4f}"
            console().print(f"{name:13} {shown}")
