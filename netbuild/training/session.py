"""A training from start to end, and the evaluation of a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from netbuild.builder import module as builder
from netbuild.checks.trace import trainable
from netbuild.components.tensor import product
from netbuild.config.config import Config
from netbuild.config.load import load
from netbuild.config.monitor import rises
from netbuild.config.optimizer import has_players
from netbuild.config.resolution import differences
from netbuild.config.schedules import training_of
from netbuild.diagnostics.exceptions import Interrupted, TrainingError
from netbuild.runs import folder as run
from netbuild.runs.folder import Run, folder_of
from netbuild.training import events, randomness
from netbuild.training.callbacks import Calls, expect_callbacks
from netbuild.training.changes import anew
from netbuild.training.data import batches, loading
from netbuild.training.data.batches import StreamedBatches
from netbuild.training.errors import data_faults, lost_processes, refused
from netbuild.training.loop import Trainer
from netbuild.training.parallel.distributed import join
from netbuild.training.progress import Several
from netbuild.training.shown import shown
from netbuild.training.signals import stopped_by_signals
from netbuild.training.step.criterion import Criterion
from netbuild.training.step.learner import HALVES, Learner, Network
from netbuild.training.step.memory_format import channels_last, lay_out
from netbuild.training.step.optimizer import optimizers
from netbuild.training.step.scheduler import Scheduling
from netbuild.training.step.stepping import Stepping

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netbuild.config.optimizer import Optimizing
    from netbuild.config.train import Train
    from netbuild.config.training_length import Training
    from netbuild.graph.graph import Graph
    from netbuild.training.callbacks import Callback
    from netbuild.training.data.loading import Data
    from netbuild.training.parallel.distributed import World
    from netbuild.training.progress import Progress


def train(
    path_or_config: str | Path | Config | None = None,
    *,
    set: str | Sequence[str] = (),  # noqa: A002  the option's name
    runs: str | Path = "runs",
    resume: str | Path | Run | None = None,
    progress: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """Train the network of a config, and return its run.

    Args:
        path_or_config: a config; None only with `resume`.
        set: settings of a file that is read, each a `path=value`, or settings of the run that is
            resumed.
        runs: the folder of all runs.
        resume: a run that is continued from its last checkpoint, with another config if one is
            given.
        progress: whether a bar shows the steps, in a terminal or in a notebook.
        callbacks: objects that are called at each step and epoch.

    Raises:
        ConfigError: the config has faults, lacks a section that training needs, or its data cannot
            be read.
        TrainingError: torch refused a step, the loss is not finite, or there is no run to resume.
        OSError: a file cannot be read, or the run's folder cannot be written.
        Interrupted: the process received a signal that ends it, such as SIGINT. The state is saved.
    """
    if isinstance(path_or_config, Config) and set:
        message = "set changes a file that is read: give it to netbuild.load, or to config.with_"
        raise TypeError(message)
    if path_or_config is None and resume is None:
        raise TypeError("name a config to train, or a run to resume")
    expect_callbacks(callbacks)
    trainer = _started(path_or_config, set, Path(runs), resume)
    calls = Calls(trainer, callbacks)
    try:
        with shown(trainer, wanted=progress) as bar:
            fit(trainer, Several(bar, calls))
    except Interrupted:
        if not calls.stopped:
            raise
    calls.end()
    return trainer.run


def _started(
    given: str | Path | Config | None,
    settings: str | Sequence[str],
    runs: Path,
    resumed: str | Path | Run | None,
) -> Trainer:
    """Return the training of a config, or of a run that is continued."""
    config = given if isinstance(given, Config) or given is None else load(given, settings)
    if resumed is None:
        assert config is not None
        return prepare(trainable(config), runs)
    folder = folder_of(resumed)
    if config is None and settings:
        config = run.find(folder).config([settings] if isinstance(settings, str) else settings)
    return resume(folder, config)


def prepare(graph: Graph, runs: Path, folder: Callable[[], Path] | None = None) -> Trainer:
    """Build a training, and make the folder of its run. The graph has to be `trainable`.

    `folder` gives the run's folder when the training can start; without it, a new one is made.

    Raises:
        ConfigError: the data cannot be read.
        TrainingError: the training cannot start.
        OSError: the run's folder cannot be written.
    """
    events.expect_package(graph.config.train)
    world = join(graph.config.train)

    def make(config: Config, kept: dict[str, Any]) -> Run:
        run.expect_room(runs, graph.weights_bytes)
        return run.create(config, runs, world.device, kept, folder and folder())

    return trainer_of(graph, world, make)


def resume(folder: Path, config: Config | None = None) -> Trainer:
    """Build the training of a run, and load its last checkpoint.

    If there is a `config`, it replaces the config of the run. The former config stays in the
    folder.

    Raises:
        ConfigError: the config has faults, or its data cannot be read.
        TrainingError: the folder is not a run, or its checkpoint is missing, is damaged or belongs
            to another network.
    """
    stopped = run.find(folder)
    before = stopped.config()
    config = config or before
    events.expect_package(config.train)
    world = join(config.train)
    graph = trainable(stopped.with_kept(config).starting_from())
    same = _samples(before) == _samples(config)
    trainer = trainer_of(graph, world, stopped, same=same)
    trainer.resume(anew(before, config))
    if world.writes and differences(before, config):  # only after the checkpoint was loaded
        stopped.change(config)
    return trainer


def _samples(config: Config) -> Any:
    """Return what decides which samples train."""
    parts = config.preparation
    return config.data, parts.validation, parts.test, parts.resize, config.train.seed


def fit(trainer: Trainer, progress: Progress) -> None:
    """Train to the end.

    Raises:
        ConfigError: a sample cannot be read.
        TrainingError: torch refused a step, or the loss is not finite.
        Interrupted: the process received a signal that ends it, such as SIGINT. The state is saved.
        KeyboardInterrupt: it received a second signal. The last checkpoint stays.
    """

    def stop() -> None:
        trainer.stop()
        progress.stopping()

    try:
        with (
            stopped_by_signals(stop, lambda: trainer.kept),
            data_faults(trainer.graph.config),
            lost_processes(),
        ):
            trainer.fit(progress)
    except Interrupted:
        trainer.world.leave()
        raise
    else:
        trainer.world.leave()
    finally:
        trainer.events.close()
        if trainer.lock:
            trainer.lock.release()


def trainer_of(
    graph: Graph,
    world: World,
    made: Run | Callable[[Config, dict[str, Any]], Run],
    *,
    lock: bool = True,
    split: str | None = None,
    same: bool = True,
) -> Trainer:
    """Build the training of a run that is there, or of one that is made when all else is.

    `same` is whether the config of the run names the same samples as when the run began.
    """
    config, train = graph.config, graph.config.train
    randomness.seed(train.seed, deterministic=train.deterministic)
    with data_faults(config):
        with refused("the data"):
            kept = made.kept if isinstance(made, Run) else None
            if kept and not same:
                kept.pop("samples", None)
            data = loading.load(graph, world, kept, split)
        learning = _learner(graph, data, world, split or "validation")
    if world.rank:  # each process drops other values
        torch.manual_seed(train.seed + world.rank)
    # The folder comes last: a training that cannot start leaves none.
    if not isinstance(made, Run) and world.writes:
        made = made(config._replace(preparation=data.preparation), data.kept)
    return Trainer(
        world.share(made if isinstance(made, Run) else None),
        graph,
        learning,
        world,
        training=data.training,
        held_out=data.held_out,
        lock=lock,
        notes=data.notes,
    )


def _learner(graph: Graph, data: Data, world: World, split: str) -> Learner:
    graph = graph._replace(config=graph.config._replace(preparation=data.preparation))
    config, train = graph.config, graph.config.train
    with refused("the network"):
        network = _network(graph, world)
    if config.over_batch and world.size > 1:
        called = config.over_batch.name
        message = f"{called} is a loss over the whole batch, which {world.size} processes share out"
        raise TrainingError(f"{message}: train in one process")
    with refused("the loss"):
        criterion = Criterion(graph, world.device, data.class_weights)
    if not isinstance(data.training, StreamedBatches):
        _expect_no_single_sample(graph, len(data.training), world.size)
    _look_at_labels(criterion, data, train, split)
    losses = [part.module for part in criterion.parts]
    steps = batches.steps(data.training, train, whole=config.over_batch is not None)
    made = optimizers(graph, network.module, losses, world)
    stepping = [
        Stepping(optimizer, Scheduling(schedule, optimizer, _training(config, one, steps)))
        for one, schedule, optimizer in zip(config.optimizers, config.schedules, made, strict=True)
    ]
    learner = Learner(graph, network, criterion, stepping, world)
    if has_players(config.optimizers):
        from netbuild.training.step.players import Players  # few trainings have players

        learner.players = Players(learner, config.optimizers)
    return learner


def _training(config: Config, one: Optimizing, steps: int | None) -> Training:
    """Return the training of an optimizer; `steps` are those of an epoch, None for a stream."""
    known = training_of(one, config.data, config.preparation, config.train)
    up = rises(config)
    return known._replace(batches=steps, endless=steps is None, grouped=False, rises=up)


def _look_at_labels(criterion: Criterion, data: Data, train: Train, split: str) -> None:
    """Tell the loss whether it ignores any label. The labels of a stream are not known yet.

    Raises:
        TrainingError: a split has no label that counts.
    """
    if isinstance(data.training, StreamedBatches) or isinstance(data.held_out, StreamedBatches):
        return
    training, held_out = data.training, data.held_out
    criterion.look(training, held_out, augmented=training.augment is not None)
    criterion.expect_labels(training, "the training samples")
    what = f"the {split} samples"
    limit = None if train.limit_batches is None else train.limit_batches * train.batch_size
    if limit is not None and limit < len(held_out):
        held_out = held_out.first(limit)
        what = f"the {limit} {split} samples within limit_batches"
    criterion.expect_labels(held_out, what)


def _network(graph: Graph, world: World) -> Network:
    """Build the network on the device of this process, in its memory format."""
    if world.sharded:
        from netbuild.training.parallel import units

        module = units.divided(graph, world.device, HALVES.get(graph.config.train.precision))
        return Network(module, module, channels_last=False)
    module = builder.module(graph).to(world.device)
    last = channels_last(graph, world)
    if last:
        lay_out(module)
    # DistributedDataParallel wants a gradient of each weight in each step.
    partly = any(row.unfreezes for row in graph.rows) or has_players(graph.config.optimizers)
    return Network(module, module if partly else world.distributed(module), last)


def _expect_no_single_sample(graph: Graph, samples: int, processes: int) -> None:
    """Refuse a batch of one sample if a batch norm would get one value per channel from it.

    Raises:
        TrainingError: a batch has a single sample, or no sample for some process.
    """
    train = graph.config.train
    size = train.batch_size
    if size < processes:
        message = f"train.batch_size {size} leaves some of {processes} processes without samples"
        raise TrainingError(message)
    last = samples % size if train.batches(samples) * size >= samples else 0
    shares = {
        (n + rank) // processes for n in (min(size, samples), last) for rank in range(processes)
    }
    if 1 not in shares:
        return
    for row in graph.rows:
        if row.layer.normalises != "batch" or row.layer.evaluates:
            continue
        if product(row.x[1:]) == 1:
            each = f" in each of {processes} processes" if processes > 1 else ""
            message = (
                f"train.batch_size {size} gives a batch of one sample{each} for {samples} samples: "
                f"{row.path} ({row.type}) cannot compute a variance; choose another batch size"
            )
            raise TrainingError(message)
