"""Typical use of the public surface, for a type checker: `tests/test_types.py` gives it to mypy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from typing_extensions import assert_type

import netbuild

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Noted(netbuild.Callback):
    """A callback that overrides each method."""

    def on_train_begin(self, run: netbuild.Run, module: nn.Module) -> None:
        """See the network."""
        assert_type(run.folder, Path)
        assert_type(module.training, bool)

    def on_step_end(self, step: int, loss: float) -> None:
        """End the training."""
        if step > 10 and loss < 0.1:
            raise netbuild.StopTraining

    def on_epoch_end(self, epoch: int, metrics: Mapping[str, Any]) -> None:
        """See an epoch."""

    def on_train_end(self, run: netbuild.Run) -> None:
        """See the end."""


def configs() -> netbuild.Config:
    """Use configs."""
    config = netbuild.load("net.yaml", set="train.epochs=3")
    assert_type(config, netbuild.Config)
    assert_type(netbuild.load(Path("net.yaml"), set=["train.epochs=3"]), netbuild.Config)
    assert_type(netbuild.load({"input": [4], "layers": []}), netbuild.Config)
    assert_type(netbuild.loads("input: [4]", set=[]), netbuild.Config)
    assert_type(config.with_({"train.epochs": 3}), netbuild.Config)
    assert_type(config.dumps(), str)
    assert_type(config.train.epochs, int)
    return config


def graphs(config: netbuild.Config) -> nn.Module:
    """Use graphs."""
    graph = netbuild.trace(config)
    assert_type(graph, netbuild.Graph)
    assert_type(graph.params, int)
    assert_type(graph.rows, tuple[netbuild.Row, ...])
    assert_type(graph.rows[0].output.shape, tuple[int, ...])
    assert_type(netbuild.trace("net.yaml"), netbuild.Graph)
    return netbuild.build(config)


def trainings(config: netbuild.Config) -> netbuild.Run:
    """Use trainings."""
    run = netbuild.train(config, runs=Path("runs"), progress=True, callbacks=[Noted()])
    assert_type(run, netbuild.Run)
    assert_type(netbuild.train(resume=run, set="train.epochs=5"), netbuild.Run)
    assert_type(run.metrics, list[dict[str, Any]])
    assert_type(run.best, dict[str, Any] | None)
    assert_type(run.module("last"), nn.Module)
    assert_type(netbuild.evaluate(run, split="test"), dict[str, Any])
    assert_type(netbuild.evaluate("runs/net", "last", set="data.validation=test"), dict[str, Any])
    return run


def predictions(run: netbuild.Run) -> None:
    """Use predictions."""
    found = netbuild.predict(run, np.zeros((2, 4)), top=3, warn=print)
    assert_type(found, list[netbuild.Prediction])
    one = found[0]
    assert_type(one.name, str | None)
    assert_type(one.top, tuple[netbuild.Likely, ...])
    assert_type(one.top[0].probability, float)
    assert_type(one.output, np.ndarray[Any, Any])
    for given in (torch.zeros(4), "a.png", ["a.png", "b.png"], [{"age": 3}], {"left": [1.0]}):
        netbuild.predict(run.folder, given)


def batches(config: netbuild.Config) -> Iterator[torch.Tensor]:
    """Use batches."""
    train, validation = netbuild.loaders(config)
    assert_type(train, netbuild.Loader)
    assert_type(validation.epoch, int)
    for inputs, targets in train:
        assert_type(inputs, tuple[torch.Tensor, ...])
        assert_type(targets, tuple[torch.Tensor, ...])
        yield from inputs


def faults(config: netbuild.Config) -> Sequence[netbuild.Diagnostic]:
    """Use exceptions."""
    try:
        netbuild.trace(config)
    except netbuild.ConfigError as error:
        assert_type(error.diagnostics, tuple[netbuild.Diagnostic, ...])
        return error.diagnostics
    except netbuild.NetbuildError:
        pass
    return ()


def exports(run: netbuild.Run) -> netbuild.Exported:
    """Use exports."""
    return netbuild.export(run.folder, "onnx", "net.onnx")
