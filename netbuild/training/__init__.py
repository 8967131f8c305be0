"""From a config to a trained network in a run folder."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from netbuild import builder
from netbuild.config import Config, load
from netbuild.layers.layer import product
from netbuild.schedule import Training
from netbuild.tracer import trainable
from netbuild.training import batches, loop, run
from netbuild.training.checkpoint import load as load_checkpoint
from netbuild.training.criterion import Criterion
from netbuild.training.failure import RunNotFoundError, TrainingError, refused
from netbuild.training.loop import Interrupted, Trainer
from netbuild.training.progress import Silent
from netbuild.training.run import Run
from netbuild.training.scheduling import Scheduling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import nn

    from netbuild.graph import Graph
    from netbuild.optimizers import Optimizer
    from netbuild.training.progress import Progress

__all__ = [
    "Interrupted",
    "Run",
    "RunNotFoundError",
    "TrainingError",
    "evaluate",
    "fit",
    "prepare",
    "resume",
    "train",
]


def train(
    path_or_config: str | Path | Config,
    *,
    set: Sequence[str] = (),  # noqa: A002  the option's name
    runs: str | Path = "runs",
) -> Run:
    """Train the network of a config, and return its run.

    Raises:
        ConfigError: the config has faults, or lacks a section that training needs.
        TrainingError: torch refused a step, or the loss is not finite.
        OSError: a file cannot be read, or the run's folder cannot be written.
        Interrupted: the process got SIGINT or SIGTERM; the state is saved.
    """
    config = path_or_config if isinstance(path_or_config, Config) else load(path_or_config, set)
    trainer = prepare(trainable(config), Path(runs))
    fit(trainer, Silent())
    return trainer.run


def prepare(graph: Graph, runs: Path) -> Trainer:
    """Build everything that the training of a `trainable` graph needs, and its run's folder."""
    config = graph.config
    device = _device(config.train.device)
    torch.manual_seed(config.train.seed)
    return _trainer(graph, device, lambda: run.create(config, runs, device))


def resume(folder: Path) -> Trainer:
    """Build everything that a run's training needs to go on from its last checkpoint.

    Raises:
        TrainingError: the folder is no run, or has no checkpoint.
    """
    stopped = run.find(folder)
    config = stopped.config()
    trainer = _trainer(trainable(config), _device(config.train.device), lambda: stopped)
    trainer.resume()
    return trainer


def fit(trainer: Trainer, progress: Progress) -> None:
    """Train to the end; SIGINT and SIGTERM save the state and raise `Interrupted`."""
    try:
        with _stopped_by_signals(trainer.stop):
            trainer.fit(progress)
    finally:
        trainer.lock.release()


def evaluate(folder: str | Path, checkpoint: str = "best") -> dict[str, float]:
    """Return the validation loss, and accuracy, of a run's checkpoint `best` or `last`.

    Raises:
        TrainingError: the folder is no run, or has no such checkpoint.
    """
    found = run.find(Path(folder))
    config = found.config()
    graph = trainable(config)
    device = _device(config.train.device)
    module = builder.module(graph).to(device)
    loss = Criterion(graph, device)
    place = found.checkpoint(checkpoint)
    state = load_checkpoint(place, module)
    loss.load(state, place)
    _, held_out = batches.load(graph, device)
    sums = loop.evaluate(module, loss, held_out, config.train.batch_size)
    return sums.means("val", classes=loss.classifies(held_out.targets))


def _trainer(graph: Graph, device: torch.device, make_run: Callable[[], Run]) -> Trainer:
    config = graph.config
    assert config.optimizer is not None
    with refused("the data"):
        training, held_out = batches.load(graph, device)
    with refused("the network"):
        module = builder.module(graph).to(device)
    with refused("the loss"):
        loss = Criterion(graph, device)
    _expect_no_single_sample(graph, len(training))
    optimizer = _optimizer(config.optimizer, module, loss.module)
    steps = training.count(config.train.batch_size)
    known = Training(config.optimizer, config.train.epochs, steps)
    scheduling = Scheduling(config.scheduler, optimizer, known)
    # The folder comes last: what cannot be trained leaves none behind.
    return Trainer(
        make_run(),
        module,
        loss,
        optimizer,
        scheduling,
        config.train,
        batches=training,
        held_out=held_out,
    )


def _expect_no_single_sample(graph: Graph, samples: int) -> None:
    """Refuse an epoch with a batch of one sample where a batch norm would have one value.

    Raises:
        TrainingError: says which batch size leaves one.
    """
    size = graph.config.train.batch_size
    single = size == 1 or samples % size == 1
    for row in graph.rows:
        if single and row.type.startswith("BatchNorm") and product(row.x[1:]) == 1:
            message = (
                f"train.batch_size {size} makes a batch of one of {samples} samples, of which "
                f"{row.path} ({row.type}) cannot tell mean and variance: take another one"
            )
            raise TrainingError(message)


def _optimizer(declared: Optimizer, *modules: nn.Module) -> torch.optim.Optimizer:
    """Make the optimizer of all parameters of the network and of its loss.

    Raises:
        TrainingError: torch refuses a combination of fields on this device.
    """
    name = type(declared).__name__
    try:
        made: torch.optim.Optimizer = getattr(torch.optim, name)(
            [p for module in modules for p in module.parameters() if p.requires_grad],
            **declared.model_dump(),
        )
    except (RuntimeError, ValueError) as error:
        message = f"torch refuses this {name}: {error}"
        raise TrainingError(message) from error
    return made


def _device(name: str) -> torch.device:
    """Return the device of a name; `auto` is the fastest there is.

    Raises:
        TrainingError: the device is not there.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, there in available.items() if there)
    if not available[name]:
        message = f"train.device is {name}, and torch finds none"
        raise TrainingError(message)
    return torch.device(name)


@contextmanager
def _stopped_by_signals(stop: Callable[..., Any]) -> Iterator[None]:
    """Call `stop` on the first SIGINT or SIGTERM; a second one ends the process as ever."""

    def handler(number: int, _: Any) -> None:
        stop()
        signal.signal(number, signal.SIG_DFL)

    try:
        before = {n: signal.signal(n, handler) for n in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: signals are somebody else's
        before = {}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)
