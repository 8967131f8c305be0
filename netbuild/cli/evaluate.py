"""`netbuild evaluate`: measures a checkpoint on the validation samples of its run, or on others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
    say,
    shapes_of,
    warn_of_input,
)
from netbuild.diagnostics.escapes import of_json

if TYPE_CHECKING:
    from rich.console import Console

    from netbuild.config.config import Config

#: The most numbers of a list that are printed as text.
_MOST_NUMBERS = 20

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
    split: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The samples that are measured: validation, test, train, all, or a split of the "
            "source.",
        ),
    ] = "validation",
    format: Annotated[  # noqa: A002
        Literal["text", "json"], typer.Option(help="How the metrics are printed.")
    ] = "text",
    set: Settings = None,  # noqa: A002
) -> None:
    """Print the loss and the metrics of a network.

    \b
    netbuild evaluate runs/lenet5
    netbuild evaluate runs/lenet5/2026-01-31T12-00-00 --checkpoint last
    netbuild evaluate runs/lenet5 --split test
    netbuild evaluate runs/churn --split all --set data.Csv.file=new.csv
    netbuild evaluate configs/lenet.yaml --weights lenet.safetensors
    """
    if weights is None and os.path.isfile(run):  # noqa: PTH113  it never raises
        fail(f"{run} is a config: name its weights with --weights FILE")
    if weights is not None and os.path.isdir(run):  # noqa: PTH112
        fail(f"{run} is a folder: --weights needs a config")
    config = None
    if weights is not None:
        from netbuild.config.load import read

        config = read(read_source(run), set or ())
        shapes_of(weights)
    with needs_torch("evaluate"):
        from netbuild.config.normalize import measures
        from netbuild.runs.exported import measured_with
        from netbuild.training import evaluation
    with reported_faults(), reported_failures(Path(run)):
        if config is not None and weights is not None:
            metrics = evaluation.evaluate_weights(config, weights, split=split, warn=warn_of_input)
            if measures(config.preparation.normalize) and not measured_with(weights):
                say(f"netbuild: {_MEASURED.format(run)}", err=True)
        else:
            _say_if_longer(run, set or ())
            metrics = evaluation.evaluate(
                run, checkpoint, split=split, set=set or (), warn=warn_of_input
            )
        matrix = any(isinstance(measured, list) for measured in metrics.values())
        names = _names(run, config) if matrix else None
    if format == "json":
        from netbuild.reports.runs import plain

        told = plain(metrics) | ({"classes": names} if names else {})
        console().print(of_json(json.dumps(told, allow_nan=False, ensure_ascii=False)))
    else:
        _print(metrics, names)


def _say_if_longer(run: str, settings: list[str] | tuple[str, ...]) -> None:
    """Say that a smaller `train.epochs` among the settings changes no checkpoint."""
    from netbuild.runs.folder import find

    found = find(Path(run))
    longer = found.longer(found.config(settings)) if settings else ""
    if longer:
        say(f"netbuild: {longer}: its checkpoints stay as they are", err=True)


def _names(place: str, config: Config | None) -> tuple[str, ...] | None:
    """Return the names of the classes of a run, or of the data of a config."""
    from netbuild.runs.folder import class_names, find

    return find(Path(place)).classes if config is None else class_names(config)


def _print(metrics: dict[str, Any], names: tuple[str, ...] | None) -> None:
    from netbuild.reports.runs import value

    out = console()
    width = max(len(name) for name, measured in metrics.items() if isinstance(measured, float))
    for name, measured in metrics.items():
        if isinstance(measured, float):
            out.print(f"{name:{width}} {value(name, measured)}")
    for name, measured in metrics.items():
        if isinstance(measured, list):
            out.print(f"\n{name}:{_listed(measured, names, out)}")


def _listed(measured: list[Any], names: tuple[str, ...] | None, out: Console) -> str:
    """Return the table of a matrix, or the numbers of another list."""
    from netbuild.reports.predictions import confusion
    from netbuild.reports.runs import number

    size = len(measured)
    square = size > 1 and all(isinstance(row, list) and len(row) == size for row in measured)
    if square and all(isinstance(cell, int | float) for row in measured for cell in row):
        made = confusion(measured, names, out.width if out.is_terminal else None)
        made = made or " the table is wider than the terminal: use --format json"
        return f" rows are true classes, columns are predicted classes\n\n{made}"
    if size <= _MOST_NUMBERS and all(isinstance(one, int | float) for one in measured):
        return " " + ", ".join(number(float(one)) for one in measured)
    return " these lists are long: use --format json"
