"""The parts that all sides of `benchmarks.train` share: networks, samples and the watch."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from tests.torchvision_networks.residual import Residual, ResNet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from netbuild.training.loop import Trainer

RATE = 1e-3
CLASSES = 10

#: The number of parts of an epoch that are timed.
PARTS = 20


class LeNet(nn.Module):
    """The network of configs/lenet.yaml, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(400, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, CLASSES),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 28, 28) to (N, 10)."""
        return self.classifier(self.features(x))


def perceptron() -> nn.Module:
    """Return the network of benchmarks/perceptron.yaml, written by hand."""
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, CLASSES)
    )


class Recurrent(nn.Module):
    """The network of benchmarks/recurrent.yaml, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(1000, 64)
        self.gru = nn.GRU(64, 64, batch_first=True)
        self.head = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 64) tokens to (N, 10)."""
        y, _ = self.gru(self.table(x))
        return self.head(y[:, -1])


class InPlace(Residual):
    """A residual block that works in place where possible, as in torchvision."""

    def forward(self, x: Tensor) -> Tensor:
        """Add the input, or its projection, to the result of the convolutions."""
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu_()))
        y += x if self.downsample is None else self.downsample(x)
        return y.relu_()


def resnet18() -> ResNet:
    """Return the network of configs/torchvision/resnet18.yaml, written by hand."""
    network = ResNet((2, 2, 2, 2))
    for block in network.modules():
        if isinstance(block, Residual):
            block.__class__ = InPlace
    return network


class Network(NamedTuple):
    """A network: its config, and the same network written by hand."""

    file: str
    settings: tuple[str, ...]
    by_hand: Callable[[], nn.Module]
    #: The numbers that whole random inputs lie below; None for random values.
    below: int | None = None


NETWORKS = {
    "LeNet": Network("configs/lenet.yaml", (), LeNet),
    "ResNet-18": Network(
        "configs/torchvision/resnet18.yaml",
        ("input=[3, 32, 32]", "loss=CrossEntropyLoss"),
        resnet18,
    ),
    "perceptron": Network("benchmarks/perceptron.yaml", (), perceptron),
    "GRU": Network("benchmarks/recurrent.yaml", (), Recurrent, below=1000),
}


class Setting(NamedTuple):
    """A setting: the network, its batches, the device, and the sides that take part."""

    network: str
    samples: int
    batch: int
    device: str
    threads: int
    sides: tuple[str, ...]

    def __str__(self) -> str:
        """The start of the lines with its figures."""
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        place = "GPU" if self.device == "cuda" else threads
        return f"{self.network}, batch {self.batch}, {place}"

    @property
    def by_clock(self) -> bool:
        """Whether times are clock times, not processor times."""
        return self.device == "cuda" or self.threads > 1


class Turns:
    """The epochs of a side. Each epoch waits for its turn; the first one warms up."""

    def __init__(self, pipe: Connection, setting: Setting, epochs: int) -> None:
        self.pipe, self.setting, self.epochs = pipe, setting, epochs
        steps = -(-setting.samples // setting.batch)
        self.every, self.steps = max(1, steps // PARTS), 0
        self.marks: list[float] = []

    def __iter__(self) -> Iterator[None]:
        """Time each epoch."""
        for _ in range(self.epochs):
            self.begin()
            yield
            self.end()

    def begin(self) -> None:
        """Send the times of the last epoch, wait for the turn, and start the watch."""
        self.report()
        self.pipe.recv()
        self.steps, self.marks = 0, [self._now()]

    def step(self) -> None:
        """Record a step. It does not wait for a GPU."""
        self.steps += 1
        if self.steps % self.every == 0 and self.setting.device != "cuda":
            self.marks.append(self._now())

    def end(self) -> None:
        """Stop the watch."""
        self.marks.append(self._now())

    def report(self) -> None:
        """Send the time of each part of the last epoch."""
        self.pipe.send([after - before for before, after in pairwise(self.marks)])

    def _now(self) -> float:
        if self.setting.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() if self.setting.by_clock else time.process_time()


class Sums:
    """The loss and the hits of an epoch, on the device."""

    def __init__(self, device: str) -> None:
        self.loss = torch.zeros((), dtype=torch.float64, device=device)
        self.hits = torch.zeros((), dtype=torch.int64, device=device)

    def add(self, loss: Tensor, scores: Tensor, classes: Tensor) -> None:
        """Add a batch."""
        self.loss += loss.detach() * len(classes)
        self.hits += (scores.argmax(1) == classes).sum()

    def read(self) -> tuple[float, float]:
        """Return both. It waits for the device."""
        return self.loss.item(), self.hits.item()


class Task(NamedTuple):
    """The start of a side: samples, and a network with netbuild's first weights."""

    setting: Setting
    trainer: Trainer

    @property
    def samples(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets, on the device."""
        (x,), (y,) = self.trainer.training.inputs, self.trainer.training.targets
        return x, y

    def network(self) -> nn.Module:
        """Return the network that is written by hand."""
        network = NETWORKS[self.setting.network].by_hand()
        network.load_state_dict(self.trainer.learner.module.state_dict())
        return network.to(self.setting.device).train()

    def loader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return a loader of the samples. As usual, they are in the processor's memory."""
        x, y = self.samples
        return DataLoader(
            TensorDataset(x.cpu(), y.cpu()),
            self.setting.batch,
            shuffle=True,
            pin_memory=self.setting.device == "cuda",
        )
