"""`netbuild evaluate`: a run's checkpoint on its validation split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from netbuild.cli.terminal import console, needs_torch, reported_failures, reported_faults


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    checkpoint: Annotated[
        Literal["best", "last"], typer.Option(help="The lowest validation loss, or the newest.")
    ] = "best",
    format: Annotated[  # noqa: A002
        Literal["text", "json"], typer.Option(help="How the metrics are printed.")
    ] = "text",
) -> None:
    """Print the validation loss, and accuracy, of a trained network.

    \b
    netbuild evaluate runs/lenet5
    netbuild evaluate runs/lenet5/2026-01-31T12-00-00 --checkpoint last
    """
    with needs_torch("evaluate"):
        from netbuild import training
    with reported_faults(), reported_failures(run):
        metrics = training.evaluate(run, checkpoint)
    if format == "json":
        console().print(json.dumps(metrics))
    else:
        for name, value in metrics.items():
            shown = f"{value:.2%}" if name.endswith("accuracy") else f"{value:.4f}"
            console().print(f"{name:13} {shown}")
