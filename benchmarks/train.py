"""Samples per second of netbuild's training, against loops by hand, Lightning and Keras.

    python -m benchmarks.train --rounds 7

needs the extra `bench`. LeNet learns 20,000 random pictures of 1×28×28 in batches of 64 and of 256,
ResNet-18 some hundreds of 3×32×32: on one thread, on all, and on a GPU where torch finds one. The
other sides are

    loader         a loop by hand over a DataLoader of a TensorDataset
    in memory      the best loop by hand: each batch an index selection of tensors on the device,
                   and a fused Adam
    channels last  that, with images and weights that have their channels last in memory: it depends
                   on the network which of the two is the best
    Lightning      its Trainer with `barebones`, which leaves out all that costs time, over that
                   loader
    Keras          Keras 3 on torch: its own layers, and `fit` on arrays

All have the samples and the first weights of netbuild's trainer, and a last batch that is smaller.
Where nothing else is said Adam is as torch or Keras makes it by `lr` alone. All count hits, and sum
the loss on the device, where it is read once an epoch; Keras does so in its own way. An epoch is
timed from asking for the first batch to having its loss: validation and checkpoints, of which
netbuild has two an epoch and the others none, come behind it. netbuild also looks, in each step,
whether the loss is finite, and keeps a position from which it can go on.

Each side is a process, and they take turns of an epoch, so that a slow moment of the machine meets
all of them; the first epoch does not count. Times are those of the processor for one thread, of the
clock for more and on a GPU. The best of a side is an epoch of which each part, a twentieth, is the
fastest there was at that place: a whole epoch that nothing disturbs is rare on a shared machine. On
a GPU, which runs behind the program, and of Keras, which is slower where it tells of steps, it is
the fastest whole epoch. The median is of the ratios of whole epochs in each round.

Start-up is what a process takes that trains one step of `configs/lenet.yaml`, validation and
checkpoints of one batch included, less that of one that imports torch. Beside it stands a program
by hand that takes one step: an optimizer of torch imports torch's compiler before it does.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
import warnings
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.processes import Spent, spent
from benchmarks.startup import PYTHON, ROOT
from netbuild import training
from netbuild.checks import trace as tracer
from netbuild.config import load as config
from tests.torchvision_networks.residual import Residual, ResNet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from netbuild.training.loop import Trainer

RATE = 1e-3
CLASSES = 10
#: What is held out beside the samples that train, as a part of them.
HELD_OUT = 0.025
#: The least part of another side's speed, by network, side and size of a batch.
WANTED = {
    ("LeNet", "in memory", 64): 0.97,
    ("LeNet", "in memory", 256): 0.97,
    ("LeNet", "channels last", 64): 0.97,
    ("LeNet", "channels last", 256): 0.97,
    ("LeNet", "loader", 64): 1.35,
    ("LeNet", "Lightning", 64): 1.35,
    ("ResNet-18", "in memory", 32): 0.98,
    ("ResNet-18", "channels last", 32): 0.98,
}
MOST_STARTUP = 0.5
#: What an epoch is timed in.
PARTS = 20

BY_HAND = """
import torch
from torch import nn
network = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
)
optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
x, y = torch.randn(32, 1, 28, 28), torch.randint(10, (32,))
nn.functional.cross_entropy(network(x), y).backward()
optimizer.step()
"""


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


class InPlace(Residual):
    """A residual block that works in place where it can, as torchvision's does."""

    def forward(self, x: Tensor) -> Tensor:
        """Add the input, or what makes it fit, to what the convolutions find."""
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
    """What is trained."""

    file: str
    settings: tuple[str, ...]
    by_hand: Callable[[], nn.Module]


NETWORKS = {
    "LeNet": Network("configs/lenet.yaml", (), LeNet),
    "ResNet-18": Network(
        "configs/torchvision/resnet18.yaml",
        ("input=[3, 32, 32]", "loss=CrossEntropyLoss"),
        resnet18,
    ),
}


class Setting(NamedTuple):
    """What all sides do, and where."""

    network: str
    samples: int
    batch: int
    device: str
    threads: int
    sides: tuple[str, ...]

    def __str__(self) -> str:
        """As the lines of its figures begin."""
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        place = "GPU" if self.device == "cuda" else threads
        return f"{self.network}, batch {self.batch}, {place}"

    @property
    def by_clock(self) -> bool:
        """Whether the clock is read, and not the processor's."""
        return self.device == "cuda" or self.threads > 1


class Turns:
    """The epochs of a side, each of which waits for its turn; the first one warms up."""

    def __init__(self, pipe: Connection, setting: Setting, epochs: int) -> None:
        self.pipe, self.setting, self.epochs = pipe, setting, epochs
        steps = -(-setting.samples // setting.batch)
        self.every, self.steps = max(1, steps // PARTS), 0
        self.marks: list[float] = []

    def __iter__(self) -> Iterator[None]:
        """Time what is done with each epoch."""
        for _ in range(self.epochs):
            self.begin()
            yield
            self.end()

    def begin(self) -> None:
        """Say what the last epoch took, wait for the turn, and start the watch."""
        self.report()
        self.pipe.recv()
        self.steps, self.marks = 0, [self._now()]

    def step(self) -> None:
        """Note a step; a GPU is not waited for."""
        self.steps += 1
        if self.steps % self.every == 0 and self.setting.device != "cuda":
            self.marks.append(self._now())

    def end(self) -> None:
        """Stop the watch."""
        self.marks.append(self._now())

    def report(self) -> None:
        """Say what the last epoch took, part by part."""
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
        """Return both, as soon as they are there."""
        return self.loss.item(), self.hits.item()


class Task(NamedTuple):
    """What a side begins with: samples, and a network with netbuild's first weights."""

    setting: Setting
    trainer: Trainer

    @property
    def samples(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets, on the device."""
        (x,), y = self.trainer.training.inputs, self.trainer.training.targets
        return x, y

    def network(self) -> nn.Module:
        """Return the network by hand."""
        network = NETWORKS[self.setting.network].by_hand()
        network.load_state_dict(self.trainer.learner.module.state_dict())
        return network.to(self.setting.device).train()

    def loader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return a loader of the samples, which are in the processor's memory as is usual."""
        x, y = self.samples
        return DataLoader(
            TensorDataset(x.cpu(), y.cpu()),
            self.setting.batch,
            shuffle=True,
            pin_memory=self.setting.device == "cuda",
        )


def of_netbuild(task: Task, turns: Turns) -> None:
    """Train as netbuild does."""
    trainer = task.trainer

    class Watched(training.Silent):
        def step(self, position: Any, measures: Any) -> None:
            turns.step()
            if position.step == trainer.steps:
                measures.means("train")
                turns.end()

    for _ in range(turns.epochs):
        turns.begin()
        trainer.epoch(Watched())


def in_memory(
    task: Task, turns: Turns, layout: torch.memory_format = torch.contiguous_format
) -> None:
    """Train by hand, on tensors that lie on the device."""
    device, size = task.setting.device, task.setting.batch
    x, y = task.samples
    x = x.contiguous(memory_format=layout)
    network, compute = task.network(), nn.CrossEntropyLoss()
    network = network.to(memory_format=layout)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
    for _ in turns:
        sums = Sums(device)
        for chosen in torch.randperm(len(y), device=device).split(size):
            inputs, classes = x.index_select(0, chosen), y.index_select(0, chosen)
            optimizer.zero_grad(set_to_none=True)
            scores = network(inputs)
            loss = compute(scores, classes)
            loss.backward()
            optimizer.step()
            sums.add(loss, scores, classes)
            turns.step()
        sums.read()


def with_loader(task: Task, turns: Turns) -> None:
    """Train by hand, on what a DataLoader gives."""
    device, loader = task.setting.device, task.loader()
    network, compute = task.network(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    for _ in turns:
        sums = Sums(device)
        for x, y in loader:
            inputs, classes = x.to(device, non_blocking=True), y.to(device, non_blocking=True)
            optimizer.zero_grad(set_to_none=True)
            scores = network(inputs)
            loss = compute(scores, classes)
            loss.backward()
            optimizer.step()
            sums.add(loss, scores, classes)
            turns.step()
        sums.read()


def with_lightning(task: Task, turns: Turns) -> None:
    """Train with Lightning."""
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # its advice
    warnings.simplefilter("ignore")

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.compute = task.network(), nn.CrossEntropyLoss()

        def on_train_epoch_start(self) -> None:
            turns.begin()
            self.sums = Sums(task.setting.device)

        def training_step(self, batch: list[Tensor], _: int) -> Tensor:
            x, y = batch
            scores = self.network(x)
            loss: Tensor = self.compute(scores, y)
            self.sums.add(loss, scores, y)
            return loss

        def on_train_batch_end(self, *_: Any) -> None:
            turns.step()

        def on_train_epoch_end(self) -> None:
            self.sums.read()
            turns.end()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.network.parameters(), lr=RATE)

    accelerator = "gpu" if task.setting.device == "cuda" else "cpu"
    trainer = lightning.Trainer(
        accelerator=accelerator, devices=1, max_epochs=turns.epochs, barebones=True
    )
    trainer.fit(Module(), task.loader())


def with_keras(task: Task, turns: Turns) -> None:
    """Train LeNet with Keras."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    from keras import layers

    keras.config.set_image_data_format("channels_first")

    class Timed(keras.callbacks.Callback):
        def on_epoch_begin(self, *_: Any) -> None:
            turns.begin()

        def on_epoch_end(self, *_: Any) -> None:
            turns.end()

    network = keras.Sequential(
        [
            layers.Input((1, 28, 28)),
            layers.Conv2D(6, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Reshape((400,)),
            layers.Dense(120, activation="relu"),
            layers.Dense(84, activation="relu"),
            layers.Dense(CLASSES),
        ]
    )
    x, y = task.samples
    module = task.network()
    weights = [p.detach().cpu() for p in module.parameters()]
    # Kernels are (height, width, in, out) in Keras, and matrices (in, out).
    axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}
    network.set_weights([w.permute(axes[w.ndim]).numpy() for w in weights])
    with torch.no_grad():
        torch.testing.assert_close(network(x[:8]), module(x[:8]))
    network.compile(
        optimizer=keras.optimizers.Adam(RATE, epsilon=1e-8),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    network.fit(
        x.cpu().numpy(),
        y.cpu().numpy(),
        batch_size=task.setting.batch,
        epochs=turns.epochs,
        verbose=0,
        callbacks=[Timed()],
    )


SIDES: dict[str, Callable[[Task, Turns], None]] = {
    "netbuild": of_netbuild,
    "loader": with_loader,
    "in memory": in_memory,
    "channels last": partial(in_memory, layout=torch.channels_last),
    "Lightning": with_lightning,
    "Keras": with_keras,
}


def trainer_of(setting: Setting, folder: Path) -> Trainer:
    """Return netbuild's trainer of a setting."""
    network = NETWORKS[setting.network]
    samples = round(setting.samples * (1 + HELD_OUT))
    validation = HELD_OUT / (1 + HELD_OUT)
    settings = (
        *network.settings,
        f"optimizer={{Adam: {{lr: {RATE}}}}}",
        f"data={{Random: {{samples: {samples}, classes: {CLASSES}}}, validation: {validation}}}",
        f"train={{epochs: 1000, batch_size: {setting.batch}, device: {setting.device}}}",
        "metrics=[accuracy]",
    )
    loaded = config.load(ROOT / network.file, settings)
    trainer = training.prepare(tracer.trainable(loaded), folder)
    if len(trainer.training.targets) != setting.samples:
        message = f"{len(trainer.training.targets)} samples, and not {setting.samples}"
        raise ValueError(message)
    return trainer


def work(side: str, setting: Setting, epochs: int, pipe: Connection) -> None:
    """Be a side: a process of its own."""
    if setting.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Keras and Lightning take what there is
    torch.set_num_threads(setting.threads)
    with tempfile.TemporaryDirectory() as folder:
        turns = Turns(pipe, setting, epochs)
        SIDES[side](Task(setting, trainer_of(setting, Path(folder))), turns)
        turns.report()


def timed(setting: Setting, rounds: int) -> dict[str, list[list[float]]]:
    """Return the seconds of the parts of each side's epochs, which they go through in turn."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Any] = {}
    processes = []
    for side in setting.sides:
        pipes[side], other = context.Pipe()
        arguments = (side, setting, rounds + 1, other)
        processes.append(context.Process(target=work, args=arguments, daemon=True))
        processes[-1].start()
        other.close()  # a side that fails ends the pipe
    for pipe in pipes.values():
        pipe.recv()  # it is ready
    found: dict[str, list[list[float]]] = {side: [] for side in setting.sides}
    for number in range(rounds + 1):
        for side in setting.sides[:: -1 if number % 2 else 1]:
            pipes[side].send(None)
            found[side].append(pipes[side].recv())
    for process in processes:
        process.join()
    return {side: seconds[1:] for side, seconds in found.items()}


class Speed(NamedTuple):
    """How fast a side was, by its epochs part by part."""

    name: str
    epochs: list[list[float]]

    @property
    def seconds(self) -> list[float]:
        """Of each epoch."""
        return [sum(parts) for parts in self.epochs]

    @property
    def best(self) -> float:
        """The seconds of an epoch of which each part is the fastest that there was."""
        return sum(map(min, zip(*self.epochs, strict=True)))

    def said(self, samples: int) -> str:
        """Return the samples of a second."""
        middle = samples / statistics.median(self.seconds)
        return f"{self.name} best {samples / self.best:,.0f} median {middle:,.0f}"


def show(setting: Setting, found: dict[str, list[list[float]]]) -> None:
    """Print netbuild's speed against that of each other side."""
    ours, *others = (Speed(side, epochs) for side, epochs in found.items())
    for theirs in others:
        side, least = theirs.name, theirs.best / ours.best
        pairs = zip(ours.seconds, theirs.seconds, strict=True)
        middle = statistics.median(b / a for a, b in pairs)
        speeds = [speed.said(setting.samples) for speed in (ours, theirs)]
        wanted = WANTED.get((setting.network, side, setting.batch))
        said = f", wanted at least {wanted}" if wanted else ""
        print(
            f"{f'{setting}, {side}':42}  samples/s {', '.join(speeds)},"
            f" ratio of bests {least:.3f} median {middle:.3f}{said}",
            flush=True,
        )


def settings() -> Iterator[Setting]:
    """Yield what is compared on this machine."""
    cores = torch.get_num_threads()
    places = [("cpu", 1), *([("cpu", cores)] if cores > 1 else [])]
    places += [("cuda", 1)] if torch.cuda.is_available() else []
    for device, threads in places:
        for batch in (64, 256):
            yield Setting("LeNet", 20_000, batch, device, threads, tuple(SIDES))
        samples = 12_800 if device == "cuda" else 320
        sides = ("netbuild", "in memory", "channels last")
        yield Setting("ResNet-18", samples, 32, device, threads, sides)


def show_startup(runs: int) -> None:
    """Print what processes of one step take beyond one that imports torch."""
    with tempfile.TemporaryDirectory() as folder:
        limits = ("--set", "train.max_steps=1", "--set", "train.limit_batches=1")
        file = "configs/lenet.yaml"
        train = [sys.executable, "-m", "netbuild", "train", file, *limits, "--runs", folder]
        commands = {"netbuild": train, "by hand": [*PYTHON, BY_HAND]}
        imports = [*PYTHON, "import torch"]
        for command in (imports, *commands.values()):
            spent(command)  # the first ones read the disk
        found = [{name: spent(c) for name, c in commands.items()} for _ in range(runs)]
        torch_alone = [spent(imports) for _ in range(runs)]
    for name in commands:
        for clock in Spent._fields:
            ours = [getattr(each[name], clock) for each in found]
            theirs = [getattr(each, clock) for each in torch_alone]
            difference = statistics.median(ours) - statistics.median(theirs)
            said = f", wanted at most {MOST_STARTUP}" if name == "netbuild" else ""
            print(
                f"{f'start-up, {name}, {clock} s':42}  one step min {min(ours):.3f} median"
                f" {statistics.median(ours):.3f}, import torch min {min(theirs):.3f} median"
                f" {statistics.median(theirs):.3f}, difference of minima"
                f" {min(ours) - min(theirs):.3f} of medians {difference:.3f}{said}",
                flush=True,
            )


def main() -> None:
    """Time all sides of all settings, and print how they compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="epochs that count, of each side")
    parser.add_argument("--only", default="", help="settings that begin so, or `start-up`")
    options = parser.parse_args()
    for setting in settings():
        if str(setting).startswith(options.only):
            show(setting, timed(setting, options.rounds))
    if "start-up".startswith(options.only):
        show_startup(options.rounds)


if __name__ == "__main__":
    main()
