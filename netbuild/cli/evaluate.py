"""`netbuild evaluate`: measures a checkpoint on the validation samples of its run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from netbuild.cli import completion
from netbuild.cli.terminal import (
    Settings,
    console,
    fail,
    needs_torch,
    read_source,
    reported_failures,
    reported_faults,
)

_MEASURED = (
    "normalize: true has measured the training samples of {}; if the weights come from other "
    "samples, write their means and deviations"
)


def evaluate(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE",
            help="The folder of a run, or a config.",
            autocompletion=completion.runs,
        ),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take the weights from this file; RUN is then a config."),
    ] = None,
    checkpoint: Annotated[
        Literal["best", "last"],
        typer.Option(help="The epoch with the lowest validation loss, or the newest one."),
    ] = "best",
    format: Annotated[  # noqa: A002
        Literal["text", "json"], typer.Option(help="How the metrics are printed.")
    ] = "text",
    set: Settings = None,  # noqa: A002
) -> None:
    """Print the validation loss and the metrics of a network.

    \b
    netbuild evaluate runs/lenet5
    netbuild evaluate runs/lenet5/2026-01-31T12-00-00 --checkpoint last
    netbuild evaluate runs/lenet5 --set data.validation=test
    netbuild evaluate configs/lenet.yaml --weights lenet.safetensors
    """
    if weights is None and Path(run).is_file():
        fail(f"{run} is a config: name its weights with --weights FILE")
    if weights is not None and Path(run).is_dir():
        fail(f"{run} is a folder: --weights needs a config")
    config = None
    if weights is not None:
        from netbuild.config.load import read

        config = read(read_source(run), set or ())
    with needs_torch("evaluate"):
        from netbuild.training import session
    with reported_faults(), reported_failures(Path(run)):
        if config is not None and weights is not None:
            metrics = session.evaluate_weights(config, weights)
            if config.preparation.normalize is True and not session.measured_with(weights):
                typer.echo(f"netbuild: {_MEASURED.format(run)}", err=True)
        else:
            metrics = session.evaluate(run, checkpoint, set=set or ())
    if format == "json":
        from netbuild.reports.runs import plain

        console().print(json.dumps(plain(metrics), allow_nan=False))
    else:
        _print(metrics)


def _print(metrics: dict[str, Any]) -> None:
    from netbuild.reports.runs import value

    out = console()
    width = max(map(len, metrics))
    for name, measured in metrics.items():
        if isinstance(measured, float):
            out.print(f"{name:{width}} {value(name, measured)}")
    for name, measured in metrics.items():
        if isinstance(measured, list):
            out.print(f"\n{name}: rows are true classes, columns are predicted classes")
            cells = max(len(str(count)) for row in measured for count in row) + 2
            if cells * len(measured) > out.width:
                out.print("the table is wider than the terminal: use --format json")
                continue
            for row in measured:
                out.print("".join(f"{count:>{cells}}" for count in row))
