"""Small trainings, and loops of plain torch to compare them with."""

import copy
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.cli import app
from netbuild.config.load import load
from netbuild.training import Interrupted, Run
from netbuild.training.loop import Trainer
from netbuild.training.progress import Silent
from tests.training_configs import (
    EPOCHS,
    write,
)

#: Nothing random, nothing remembered: what a loop of five lines computes.
PLAIN: list[Any] = [{"Linear": 8}, "Tanh", {"Linear": 3}]
SGD = {"SGD": {"lr": 0.5}}
Step = Callable[[nn.Module, torch.optim.Optimizer], Any]


def prepared(folder: Path, *settings_: str, **sections: Any) -> Trainer:
    """Return the training of a small network; its run is in a new folder."""
    file = write(folder, **{"layers": PLAIN, "optimizer": SGD, **sections})
    return training.prepare(trainable(load(file, settings_)), folder / "runs")


def trained(folder: Path, *settings_: str, **sections: Any) -> Trainer:
    """Return the training of a small network, finished."""
    trainer = prepared(folder, *settings_, **sections)
    training.fit(trainer, Silent())
    return trainer


def batches(trainer: Trainer, epochs: int = EPOCHS) -> Iterator[tuple[Any, Any]]:
    """Yield the batches of the next training."""
    for epoch in range(epochs):
        yield from trainer.training.shuffled(trainer.train.batch_size, epoch)


def by_hand(
    trainer: Trainer, step: Step | None = None, behind: Step | None = None, epochs: int = EPOCHS
) -> nn.Module:
    """Train a copy of a network in plain torch, before the training begins."""
    module = copy.deepcopy(trainer.learner.module)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    for (x,), (target,) in batches(trainer, epochs):
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(module(x), target))
        if step:
            step(module, optimizer)
        optimizer.step()
        if behind:
            behind(module, optimizer)
    return module


def same(module: nn.Module, other: nn.Module) -> bool:
    """Whether two modules have the same weights, bit for bit."""
    ours, theirs = module.state_dict(), other.state_dict()
    assert list(ours) == list(theirs)
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def apart(trainer: Trainer, other: Trainer) -> float:
    """Return the largest difference between the weights of two trainings."""
    pairs = zip(trainer.learner.module.parameters(), other.learner.module.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


def gradients_of(module: nn.Module) -> list[torch.Tensor]:
    """Return the gradients of the last step."""
    return [p.grad for p in module.parameters() if p.grad is not None]


class Stopping(Silent):
    """Progress that stops a training after a step; steps count from 1."""

    def __init__(self, step: int) -> None:
        self.left = step

    def step(self, *_: object, **__: object) -> None:
        """Count the step, and stop the training at the chosen one."""
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


def stopped(trainer: Trainer, step: int) -> Run:
    """Stop a training after a step."""
    with pytest.raises(Interrupted, match=r"^$"):
        training.fit(trainer, Stopping(step))
    return trainer.run


def resumed(stopped_: Run) -> Trainer:
    """Continue a training to its end."""
    torch.manual_seed(99)  # whatever else the process does with torch
    trainer = training.resume(stopped_.folder)
    training.fit(trainer, Silent())
    return trainer


def command(*arguments: object) -> tuple[int, str]:
    """Run the command line in this process. Return its exit code and its output."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def arrays(folder: Path, inputs: Any, targets: Any) -> dict[str, Any]:
    """Write arrays, and return the section `data:` that reads them."""
    np.savez(folder / "arrays.npz", x=np.asarray(inputs, "float32"), y=np.asarray(targets))
    return {"Arrays": {"file": str(folder / "arrays.npz")}}


def images(count: int = 40) -> tuple[Any, Any]:
    """Return images with two channels of different mean and deviation, and their classes."""
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((count, 2, 3, 3))
    scaled = noise * np.array([2.0, 0.1])[:, None, None] + np.array([5.0, -1.0])[:, None, None]
    return scaled, np.arange(count) % 3


CLASSES = np.repeat([0, 1, 2], [6, 24, 30])
