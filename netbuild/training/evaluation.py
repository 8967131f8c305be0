"""The evaluation of a trained network."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netbuild.checks import objective
from netbuild.checks.trace import trainable
from netbuild.config.config import Config
from netbuild.config.load import load
from netbuild.config.normalize import measures, with_measured
from netbuild.config.pretrained import Pretrained
from netbuild.diagnostics.exceptions import TrainingError
from netbuild.runs.exported import measured_with, run_with
from netbuild.runs.folder import Run, find, folder_of
from netbuild.training.checkpoint import load as load_checkpoint
from netbuild.training.data.distribution import FAR
from netbuild.training.errors import data_faults
from netbuild.training.parallel.distributed import join
from netbuild.training.session import trainer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netbuild.graph.graph import Graph
    from netbuild.training.loop import Trainer


def evaluate(
    run: str | Path | Run,
    checkpoint: str = "best",
    *,
    split: str = "validation",
    set: str | Sequence[str] = (),  # noqa: A002  the option's name
    warn: Callable[[str], object] = warnings.warn,
) -> dict[str, Any]:
    """Return the loss, and the metrics, of a run's checkpoint `best` or `last`.

    `split` is `validation`, `test`, `train`, `all` samples, or another split of the source. The
    names of what is measured begin with it: `test_loss`; those of the validation begin with `val`.
    `set` changes the config of the run, such as `data.Csv.file=new.csv`. `warn` gets a sentence for
    each input whose samples lie far from those that have trained, and for each column of other data
    with categories that training has not seen.

    Raises:
        ConfigError: the config in the run's folder was changed, or its data cannot be read.
        TrainingError: the folder is not a run, has no such checkpoint, or `set` would measure
            samples that have trained.
    """
    found = find(folder_of(run))
    set = [set] if isinstance(set, str) else set  # noqa: A001
    config = found.config(set)
    before = found.config()
    _expect_unseen(before, config, split)
    trainer = restored(found, config, checkpoint, split)
    if before.data != config.data:
        _warn_of_unseen(trainer.graph, warn)
    elif split == "all":
        warn("most of these samples have trained the network: give other data, or another split")
    return _validated(trainer, split, warn)


def restored(found: Run, config: Config, checkpoint: str, split: str) -> Trainer:
    """Return a trainer that only validates, with the weights of a run's checkpoint.

    Raises:
        ConfigError: the data cannot be read.
        TrainingError: there is no such checkpoint.
    """
    place = found.checkpoint(checkpoint)
    trainer = _validating(trainable(found.with_kept(config)), found, split)
    state = load_checkpoint(place, trainer.learner.module, divided=trainer.world.sharded)
    trainer.learner.criterion.load(state, place)
    return trainer


def evaluate_weights(
    path_or_config: str | Path | Config,
    weights: str | Path,
    *,
    split: str = "validation",
    warn: Callable[[str], object] = warnings.warn,
) -> dict[str, Any]:
    """Return the loss, and the metrics, of a config's network with a file's weights.

    `split` and `warn` are the same as in `evaluate`.

    Raises:
        ConfigError: the config has faults, its data cannot be read, or the file has other tensors.
    """
    config = path_or_config if isinstance(path_or_config, Config) else load(path_or_config)
    preparation = config.preparation
    if measures(preparation.normalize) and (numbers := measured_with(weights)):
        numbers = with_measured(preparation.normalize, numbers)
        preparation = preparation.model_copy(update={"normalize": numbers})
    given = Pretrained(file=str(weights))
    graph = trainable(config.starting_from(given)._replace(preparation=preparation))
    found = run_with(weights)
    trainer = _validating(graph, found, split)
    if found and found.config().data != config.data:
        _warn_of_unseen(graph._replace(config=found.with_kept(graph.config)), warn)
    return _validated(trainer, split, warn)


def _expect_unseen(before: Config, after: Config, split: str) -> None:
    """Refuse to measure another part of the run's own data: most of it has trained the network.

    Raises:
        TrainingError: the held-out part differs from the run's.
    """
    cut = ("test",) if split == "test" else ("test", "validation")
    parts = [
        ([config.preparation.parts.get(name) for name in cut], config.train.seed)
        for config in (before, after)
    ]
    measured = split in after.preparation.parts
    if before.data == after.data and measured and parts[0] != parts[1]:
        message = (
            "this would measure samples that have trained the network: they come from the same "
            "data, with another part held out; name a split, as in --split test"
        )
        raise TrainingError(message)


def _warn_of_unseen(graph: Graph, warn: Callable[[str], object]) -> None:
    """Say in which columns other data has categories that training has not seen."""
    data = graph.config.data
    assert data is not None
    with data_faults(graph.config):
        unseen = data.unseen(objective.wanted(graph.config, graph.outputs))
    for column, count in unseen.items():
        values = f"{count:,} value{'s'[: count != 1]}"
        warn(f"{column} has {values} that training has not seen")


def _validated(trainer: Trainer, split: str, warn: Callable[[str], object]) -> dict[str, Any]:
    for note in trainer.notes:
        warn(f"{FAR}: {note}")
    with data_faults(trainer.graph.config):
        measures = trainer.learner.validate(trainer.validation())
    measures.expect_loss("the evaluation" if split != "validation" else "the validation")
    return measures.means("val" if split == "validation" else split)


def _validating(graph: Graph, found: Run | None, split: str) -> Trainer:
    """Return a trainer that only validates. It does not average weights.

    Args:
        graph: the network, and its config.
        found: the run of the weights, which has kept what its data told; None without.
        split: the samples that are measured.
    """
    config = graph.config
    config = config._replace(train=config.train.model_copy(update={"ema": None}))
    graph = graph._replace(config=config)
    made = found or (lambda *_: Run(Path()))
    return trainer_of(graph, join(config.train), made, lock=False, split=split)
