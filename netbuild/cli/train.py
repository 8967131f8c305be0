"""`netbuild train`: trains a network on its data, in a run folder."""

from __future__ import annotations

import gc
import math
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netbuild.cli import completion
from netbuild.cli.terminal import (
    FAULTS,
    INTERRUPTED,
    Settings,
    console,
    fail,
    needs_torch,
    print_whole,
    read_source,
    reported_failures,
    reported_faults,
    say,
)

if TYPE_CHECKING:
    from rich.console import Console

    from netbuild.config.config import Config
    from netbuild.graph.graph import Graph
    from netbuild.training.loop import Trainer


_File = Annotated[
    str | None, typer.Argument(metavar="FILE", help="A config, or - for standard input.")
]
_Resume = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="Continue this run from its last checkpoint.",
        autocompletion=completion.runs,
    ),
]
_AllowChanges = Annotated[
    bool,
    typer.Option("--allow-changes", help="Continue the run although its config has changed."),
]
_Runs = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Keep runs in this folder.  [default: runs]"),
]
_DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Train and validate on one batch, and keep nothing."),
]
_Folds = Annotated[
    int | None,
    typer.Option(
        min=2,
        metavar="K",
        help="Train K times: each time another K-th of the samples validates.",
        show_default=False,
    ),
]
_Processes = Annotated[
    int, typer.Option(min=1, metavar="N", help="Train with N processes together.")
]


def train(  # noqa: PLR0917  a parameter is an option, and typer names them
    file: _File = None,
    resume: _Resume = None,
    allow_changes: _AllowChanges = False,
    runs: _Runs = None,
    dry_run: _DryRun = False,
    folds: _Folds = None,
    processes: _Processes = 1,
    set: Settings = None,  # noqa: A002
) -> None:
    """Train a network, and keep its weights in runs/NAME/TIME/.

    Ctrl-C saves a checkpoint, and --resume continues from it. RUN is the folder of a run, or the
    folder of a network: then its newest run is meant. With --resume, FILE or --set changes the
    config of the run if --allow-changes confirms it.

    \b
    netbuild train configs/lenet.yaml
    netbuild train configs/lenet.yaml --set train.epochs=20
    netbuild train configs/lenet.yaml --dry-run
    netbuild train --resume runs/lenet5
    netbuild train --resume runs/lenet5 --set train.epochs=30 --allow-changes
    netbuild train configs/lenet.yaml --folds 5
    netbuild train configs/lenet.yaml --processes 2
    """
    if file is None and resume is None:
        fail("name a config, or a run to continue: --resume RUN")
    if resume is not None and (runs or dry_run):
        fail("--runs and --dry-run cannot be used with --resume: a run keeps its folder")
    if folds is not None and (resume or dry_run or processes > 1):
        fail("--folds cannot be used with --resume, --dry-run or --processes")
    if file == "-" and processes > 1:
        fail("several processes cannot read standard input: name a file")
    graph = _graph(file, set or [], folds)
    from netbuild.cli import launching

    with needs_torch("train"):
        from netbuild.runs.folder import newest_folds
        from netbuild.training import session
    if processes > 1:
        raise typer.Exit(launching.launch(processes, sys.argv[1:]))
    gc.enable()
    place = resume or runs or Path("runs")
    with launching.one_of_several(), reported_faults(), reported_failures(place):
        if folds is not None or (resume is not None and newest_folds(resume)):
            _train_folds(graph, resume, folds, place, changes=bool(file or set))
        elif resume is not None:
            config = _changed(resume, graph, set or [], allowed=allow_changes)
            trainer = session.resume(resume, config)
            _fit(trainer)
        elif dry_run:
            assert graph is not None
            _try(graph, console())
        else:
            assert graph is not None
            trainer = session.prepare(graph, place)
            _fit(trainer)


def _graph(file: str | None, settings: list[str], folds: int | None) -> Graph | None:
    """Return the network of a file, or None. Its faults are found before torch is loaded.

    With folds, the data has to divide into them.
    """
    from netbuild.checks.trace import trainable
    from netbuild.config.load import read

    if file is None:
        return None
    with reported_faults():
        graph = trainable(read(read_source(file), settings))
        if folds is not None:
            from netbuild.runs.folds import of_fold

            with reported_failures(Path(file)):
                trainable(of_fold(graph.config, 1, folds))
        return graph


def _train_folds(
    graph: Graph | None, resume: Path | None, of: int | None, runs: Path, *, changes: bool
) -> None:
    """Train the folds of a network, or those of a folder that have not ended."""
    from netbuild.reports import folds as render
    from netbuild.runs.folder import newest_folds
    from netbuild.runs.folds import read
    from netbuild.training import folds as training

    out = console()
    place = None if resume is None else newest_folds(resume)
    if place is not None:
        if changes:
            fail(f"the folds in {place} continue as they began: leave out FILE and --set")
        trainings = training.resumed(place)
    else:
        assert graph is not None
        assert of is not None
        trainings = training.trainings(graph.config, runs, of)
    for number, folds, trainer in trainings:
        place = folds.folder
        out.print(f"fold {number} of {folds.of}")
        _fit(trainer, place)
        out.print()
    assert place is not None
    out.print(render.table(read(place), out.width), end="")


def _changed(
    resume: Path, graph: Graph | None, settings: list[str], *, allowed: bool
) -> Config | None:
    """Return the changed config of a run, or None. Exit if changes are not allowed."""
    from netbuild.checks.trace import trainable
    from netbuild.config.normalize import measures, with_measured
    from netbuild.config.resolution import differences
    from netbuild.runs.folder import find
    from netbuild.training.changes import anew

    stopped = find(resume)
    before = stopped.config()
    after = graph.config if graph is not None else stopped.config(settings)
    if measures(after.preparation.normalize):
        # `true` stands for the numbers that the run has measured.
        numbers = with_measured(after.preparation.normalize, before.preparation.normalize)
        measured = {"normalize": numbers}
        after = after._replace(preparation=after.preparation.model_copy(update=measured))
    changes = differences(before, after)
    if longer := stopped.longer(after):
        say(f"netbuild: {longer}: nothing is left to train", err=True)
    if not changes:
        return None
    said = "".join(f"\n  {change}" for change in changes)
    if not allowed:
        differs = "the config differs from the config of the run"
        fail(f"{differs}; add --allow-changes to continue with{said}", FAULTS)
    with reported_faults():
        trainable(stopped.with_kept(after))
    console().print(f"continuing with{said}")
    begins = anew(before, after)
    if begins.best:
        console().print("the samples or the loss have changed: the best epoch is chosen anew")
    if begins.optimizer:
        console().print("the optimizer starts without its former state")
    return after


def _try(graph: Graph, out: Console) -> None:
    """Take one step and validate one batch, in a temporary folder."""
    from netbuild.diagnostics.exceptions import Interrupted
    from netbuild.reports.runs import value
    from netbuild.training import session
    from netbuild.training.progress import LastEpoch
    from netbuild.training.step.metrics import UNCOUNTED

    progress = LastEpoch()
    with tempfile.TemporaryDirectory() as folder:
        trainer = session.prepare(graph, Path(folder))
        limits = {"max_steps": 1, "limit_batches": trainer.train.accumulate}
        trainer.train = trainer.train.model_copy(update=limits)
        trainer.trial = True
        _print_groups(graph, out)
        try:
            session.fit(trainer, progress)
        except (Interrupted, KeyboardInterrupt):
            raise typer.Exit(INTERRUPTED) from None
    measured = {n: m for n, m in progress.metrics.items() if _is_measured(n, m)}
    shown = (f"{name} {value(name, metric)}" for name, metric in measured.items())
    out.print(f"dry run: {', '.join(shown)}; no files are kept")
    for name, split in (("train_loss", "step"), ("val_loss", "validation")):
        if math.isnan(measured[name]):
            out.print(f"no label of the {split} counts: {UNCOUNTED}")


def _is_measured(name: str, metric: Any) -> bool:
    return name.startswith(("train_", "val_")) and isinstance(metric, float)


def _print_groups(graph: Graph, out: Console) -> None:
    """Print the weights of each optimizer and the options of each parameter group.

    Nothing is printed for one optimizer without groups.
    """
    config = graph.config
    several = len(config.optimizers) > 1
    if not several and not any(one.groups for one in config.optimizers):
        return
    from rich.table import Table

    from netbuild.checks.optimizers import weights
    from netbuild.checks.parameter_groups import described
    from netbuild.config.optimizer import divided

    made = Table(box=None, pad_edge=False, header_style="bold")
    headers = ["group", "weights", "params", "options"]
    for header in ["optimizer", *headers] if several else headers:
        made.add_column(header, justify="right" if header in {"weights", "params"} else "left")
    parts, _ = divided(weights(config, graph.rows, graph.outputs), config.optimizers)
    for one, own in zip(config.optimizers, parts, strict=True):
        for group in described(one, own):
            row = [group.name, str(group.weights), f"{group.params:,}", group.options]
            made.add_row(*([one.item.type.text, *row] if several else row))
    print_whole(out, made)
    out.print()


def _fit(trainer: Trainer, folder: Path | None = None) -> None:
    """Train to the end, and print what a reader follows it with.

    `folder` is the folder to continue from after a stop, if it is not that of the run.
    """
    from netbuild.cli.output import Output
    from netbuild.diagnostics.exceptions import Interrupted
    from netbuild.training import session
    from netbuild.training.bar import ProgressBar

    output = Output(trainer.stop)
    out, position = console(file=output), trainer.position
    _print_groups(trainer.graph, out)
    if trainer.finished:
        out.print("the run is already finished")
    else:
        out.print(_headline(trainer, out))
        _print_units(trainer.graph, out)
        for note in trainer.notes:
            out.print(note)
        if line := _place(trainer):
            out.print(line)
        if left_out := trainer.run.left_out:
            broken = "1 broken picture is" if left_out == 1 else f"{left_out:,} broken pictures are"
            out.print(
                f"{broken} left out; {trainer.run.folder / 'broken.txt'} says why", soft_wrap=True
            )
        if trainer.train.compile and trainer.world.device.type == "cpu":
            out.print("compile: on a CPU, most networks train slower when they are compiled")
    if position.total and not trainer.finished:
        out.print(f"continuing in epoch {position.epoch + 1}, after step {position.step}")
    try:
        progress = ProgressBar(out, trainer.train.epochs, trainer.steps, position.total)
        with progress:
            session.fit(trainer, progress)
    except (Interrupted, KeyboardInterrupt) as error:
        now = " now, at the last checkpoint" if isinstance(error, KeyboardInterrupt) else ""
        command = f"netbuild train --resume {shlex.quote(str(folder or trainer.run.folder))}"
        out.print(said := f"stopped{now}; continue with: {command}")
        output.expect_written(f"; {said}")
        raise typer.Exit(INTERRUPTED) from None
    _print_result(trainer, out)
    output.expect_written(f"; the run {trainer.run.folder} is finished")


def _headline(trainer: Trainer, out: Console) -> str:
    """Return the line before a training: what trains, where, on what, and into which folder."""
    from textwrap import fill

    from netbuild.training.data.batches import StreamedBatches

    data, world = trainer.training, trainer.world
    samples = "a stream of" if isinstance(data, StreamedBatches) else f"{len(data):,}"
    processes = f" in {world.size} processes" if world.size > 1 else ""
    said = (
        f"training {trainer.graph.params:,} parameters on {world.device}{processes} with {samples} "
        f"samples, seed {trainer.train.seed}, in {trainer.run.folder}"
    )
    if not out.is_terminal:
        return said
    return fill(said, max(out.width, 1), break_long_words=False, break_on_hyphens=False)


def _print_units(graph: Graph, out: Console) -> None:
    """Say that losses and metrics differ in their units, if a target is scaled."""
    from netbuild.config.scaling import scales

    scaled = [*scales(graph.config, graph.outputs).targets]
    if scaled:
        of = "" if scaled == ["target"] else f" of {', '.join(scaled)}"
        out.print(f"losses{of} are of normalized targets, metrics are in the unit of the data")


def _place(trainer: Trainer) -> str:
    """Return a line that says where the samples are; "" if they are in memory, as most are."""
    from netbuild.training.data.batches import Batches, ReadBatches

    data, config = trainer.training, trainer.graph.config
    if isinstance(data, ReadBatches):
        return f"samples are read from disk: {data.why}"
    if isinstance(data, Batches) and config.preparation.in_memory is False:
        source = type(config.data).__name__
        said = "samples are in memory, although in_memory is false"
        return f"{said}: {source} gives them as a whole"
    return ""


def _print_result(trainer: Trainer, out: Console) -> None:
    """Print why a training ended, its best epoch, and its folder."""
    from netbuild.reports.runs import number, value
    from netbuild.runs.records import shown_metric

    if trainer.finished and trainer.ending:
        out.print(f"ended after epoch {trainer.position.epoch}: {trainer.ending}")
    best = trainer.run.best
    if best is not None:
        monitored = (trainer.train.monitor or "").removeprefix("val_")
        known = monitored != "loss" and f"val_{monitored}" in best
        name = monitored if known else shown_metric(best, "val")
        metric = f", {name} {value(name, best[f'val_{name}'])}" if name else ""
        which = "best" if trainer.train.monitor else "newest"
        out.print(f"{which} epoch {best['epoch']}: val loss {number(best['val_loss'])}{metric}")
    out.print(f"run {trainer.run.folder}")
