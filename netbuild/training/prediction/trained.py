"""A trained network: its config, its run, and its module with the weights of a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from netbuild.builder import module as builder
from netbuild.checks.trace import trace
from netbuild.diagnostics.exceptions import TrainingError
from netbuild.runs.folder import class_names, is_run
from netbuild.training import checkpoint as checkpoints
from netbuild.training.errors import refused
from netbuild.training.parallel.distributed import device_of
from netbuild.training.prediction.network import network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

    from netbuild.config.config import Config
    from netbuild.graph.graph import Graph
    from netbuild.runs.folder import Run


class Trained(NamedTuple):
    """A network that predicts.

    `place` is what it was read from. `forward` takes the inputs on the device. `learned` has the
    state of the checkpoint and its folder; None for other weights. `inputs` are the statistics of
    the samples that have trained it.
    """

    place: Path
    config: Config
    graph: Graph
    device: torch.device
    forward: Callable[..., Any]
    learned: tuple[dict[str, Any], Path] | None
    classes: tuple[str, ...] | None
    inputs: Mapping[str, Any] | None
    #: Returns the logarithms of the probabilities of classes, (n, classes), of the outputs; None if
    #: the loss tells them.
    scores: Callable[[Any], torch.Tensor] | None = None


def trained(
    folder: str | Path, checkpoint: str = "best", weights: str | Path | None = None
) -> Trained:
    """Return the network of a run, or of a config with a file of weights.

    Raises:
        ConfigError: the config has faults, or the file of weights has other tensors.
        TrainingError: the folder is not a run, or has no such checkpoint.
    """
    config, run = network(Path(folder), weights)
    # A prediction does not need the training data, which may have moved or changed.
    graph = trace(config._replace(data=None))
    device = fastest(config.train.device)
    module, learned = learned_module(graph, device, run, None if weights else checkpoint)
    known = weights is None or is_run(run.folder)
    names = run.classes if known else class_names(config)
    inputs = run.kept.get("inputs") if known else None
    return Trained(run.folder, config, graph, device, module, learned, names, inputs)


def module_of(run: Run, checkpoint: str) -> nn.Module:
    """Return the network of a run with the weights of a checkpoint, in evaluation, on the CPU.

    Raises:
        ConfigError: the config of the run has faults.
        TrainingError: there is no such checkpoint, or it cannot be read.
    """
    graph = trace(run.with_kept(run.config())._replace(data=None))
    module, _ = learned_module(graph, torch.device("cpu"), run, checkpoint)
    return module


def learned_module(
    graph: Graph, device: torch.device, run: Run, checkpoint: str | None
) -> tuple[nn.Module, tuple[dict[str, Any], Path] | None]:
    """Return a network in evaluation mode, with the weights of a checkpoint.

    Without a checkpoint, its weights are those of the files that the graph names. With one, the
    state and the folder of the checkpoint are returned too.
    """
    with refused("the network"):
        module = builder.module(graph).to(device)
    learned = None
    if checkpoint is not None:
        place = run.checkpoint(checkpoint)
        learned = checkpoints.load(place, module), place
    return module.eval(), learned


def fastest(name: str) -> torch.device:
    """Return the device of the config; if the machine does not have it, the fastest device."""
    try:
        return device_of(name)
    except TrainingError:
        return device_of("auto")
