"""`netbuild train`: a config trained on its data, into a run folder."""

from __future__ import annotations

import gc
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuild.cli.terminal import (
    INTERRUPTED,
    Settings,
    console,
    fail,
    needs_torch,
    read_source,
    reported_failures,
    reported_faults,
)

if TYPE_CHECKING:
    from rich.console import Console

    from netbuild.training.loop import Trainer


def train(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A config, or - for standard input.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with a run that was stopped.")
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where runs are kept.  [default: runs]"),
    ] = None,
    set: Settings = None,  # noqa: A002
) -> None:
    """Train a network, and keep its metrics and weights in runs/NAME/TIME/.

    Ctrl-C saves where the training stands; --resume goes on from there.

    \b
    netbuild train configs/lenet.yaml
    netbuild train configs/lenet.yaml --set train.epochs=20
    netbuild train --resume runs/lenet5
    """
    if (file is None) == (resume is None):
        fail("train takes a FILE, or --resume RUN")
    if resume is not None and (set or runs):
        fail("a resumed run goes on as it was: --set and --runs do not go with --resume")
    folder = runs or Path("runs")
    from netbuild.config import read
    from netbuild.tracer import trainable

    with reported_faults():
        # A fault is found before torch is loaded, which takes longer than to find it.
        graph = trainable(read(read_source(file), set or ())) if file is not None else None
        with needs_torch("train"):
            from netbuild import training
        gc.enable()
        with reported_failures(resume or folder):
            if graph is not None:
                trainer = training.prepare(graph, folder)
            else:
                assert resume is not None
                trainer = training.resume(resume)
            _fit(trainer, console())


def _fit(trainer: Trainer, out: Console) -> None:
    from netbuild import training
    from netbuild.training.progress import Printed

    run, position = trainer.run, trainer.position
    done = position.epoch * trainer.steps + position.step
    if position.epoch == trainer.train.epochs:
        out.print("the run has finished")
    elif done:
        out.print(f"going on in epoch {position.epoch + 1}, after step {position.step}")
    try:
        progress = Printed(out, trainer.train.epochs, trainer.steps, done, len(trainer.batches))
        with progress:
            training.fit(trainer, progress)
    except training.Interrupted:
        out.print(f"stopped; go on with: netbuild train --resume {shlex.quote(str(run.folder))}")
        raise typer.Exit(INTERRUPTED) from None
    best = run.best
    if best is not None:
        accuracy = f", accuracy {best['val_accuracy']:.2%}" if "val_accuracy" in best else ""
        out.print(f"best epoch {best['epoch']}: val loss {best['val_loss']:.4f}{accuracy}")
    out.print(f"run {run.folder}")
