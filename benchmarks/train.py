"""Samples per second of netbuild's training, against loops by hand, Lightning and Keras.

    python -m benchmarks.train --rounds 7

The benchmark needs the extra `bench`. LeNet learns 20,000 random pictures of 1×28×28 in batches of
64 and of 256. ResNet-18 learns some hundreds of pictures of 3×32×32. They run on one thread, on all
threads, and on a GPU if torch finds one. Two small networks learn in batches of 32 on one thread: a
perceptron of 64, 128, 64 and 10 features, and a GRU that reads 64 tokens. The other sides are

    loader         a loop by hand over a DataLoader of a TensorDataset
    in memory      the best loop by hand: each batch is an index selection of tensors on the device,
                   with a fused Adam
    channels last  the same loop; images and weights have their channels last in memory. The network
                   decides which of the two loops is faster
    Lightning      its Trainer with `barebones`, which omits everything that costs time, over the
                   same loader
    Keras          Keras 3 on torch: its own layers, and `fit` on arrays

All sides have the samples and the first weights of netbuild's trainer, and a smaller last batch.
Adam has its default options, except for `lr` and where the list above says otherwise. All sides
count hits, and sum the loss on the device; they read it once an epoch. Keras does this in its own
way. The time of an epoch begins with the request for the first batch, and ends with the loss of the
epoch. Validation and checkpoints come later: netbuild saves two an epoch, and the others none.
netbuild also checks in each step that the loss is finite, and records its position.

Each side is a process. They take turns after each epoch, so that a slow moment of the machine
affects all of them. The first epoch does not count. Times are processor times for one thread, and
clock times for several threads and on a GPU. The best time of a side is a sum: each epoch has
twenty parts, and the fastest time of each part counts. A whole epoch without a disturbance is rare
on a shared machine. On a GPU, which runs behind the program, and for Keras, which is slower if it
reports steps, the best time is the fastest whole epoch. The median is the median of the ratios of
whole epochs in each round.

Start-up is the time of a process that trains one step of `configs/lenet.yaml`, with validation and
checkpoints of one batch, minus the time of a process that imports torch. It is compared with a
program by hand that takes one step: there, torch's optimizer imports torch's compiler first.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from benchmarks.processes import Spent, spent
from benchmarks.sides import SIDES
from benchmarks.startup import PYTHON, ROOT
from benchmarks.tasks import CLASSES, NETWORKS, RATE, Setting, Task, Turns
from netbuild import training
from netbuild.checks import trace as tracer
from netbuild.config import load as config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from netbuild.training.loop import Trainer

#: The number of validation samples, as a part of the training samples.
HELD_OUT = 0.025

#: The lowest wanted ratio to another side's speed, by network, side and batch size.
WANTED = {
    ("LeNet", "in memory", 64): 0.97,
    ("LeNet", "in memory", 256): 0.97,
    ("LeNet", "channels last", 64): 0.97,
    ("LeNet", "channels last", 256): 0.97,
    ("LeNet", "loader", 64): 1.35,
    ("LeNet", "Lightning", 64): 1.35,
    ("ResNet-18", "in memory", 32): 0.98,
    ("perceptron", "in memory", 32): 0.98,
    ("GRU", "in memory", 32): 0.98,
    ("ResNet-18", "channels last", 32): 0.98,
}

MOST_STARTUP = 0.5

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


def trainer_of(setting: Setting, folder: Path) -> Trainer:
    """Return netbuild's trainer for a setting."""
    network = NETWORKS[setting.network]
    samples = round(setting.samples * (1 + HELD_OUT))
    validation = HELD_OUT / (1 + HELD_OUT)
    below = f", below: {network.below}" if network.below else ""
    drawn = f"samples: {samples}, classes: {CLASSES}{below}"
    settings = (
        *network.settings,
        f"optimizer={{Adam: {{lr: {RATE}}}}}",
        f"data={{Random: {{{drawn}}}, validation: {validation}}}",
        f"train={{epochs: 1000, batch_size: {setting.batch}, device: {setting.device}}}",
        "metrics=[Accuracy]",
    )
    loaded = config.load(ROOT / network.file, settings)
    trainer = training.prepare(tracer.trainable(loaded), folder)
    if len(trainer.training) != setting.samples:
        message = f"{len(trainer.training)} samples, and not {setting.samples}"
        raise ValueError(message)
    return trainer


def work(side: str, setting: Setting, epochs: int, pipe: Connection) -> None:
    """Run one side, in its own process."""
    if setting.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Keras and Lightning use every GPU that they see
    torch.set_num_threads(setting.threads)
    with tempfile.TemporaryDirectory() as folder:
        turns = Turns(pipe, setting, epochs)
        SIDES[side](Task(setting, trainer_of(setting, Path(folder))), turns)
        turns.report()


def timed(setting: Setting, rounds: int) -> dict[str, list[list[float]]]:
    """Run the epochs of all sides in turn. Return the seconds of each part."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Any] = {}
    processes = []
    for side in setting.sides:
        pipes[side], other = context.Pipe()
        arguments = (side, setting, rounds + 1, other)
        processes.append(context.Process(target=work, args=arguments, daemon=True))
        processes[-1].start()
        other.close()  # the pipe then ends if a side fails
    for pipe in pipes.values():
        pipe.recv()  # the side is ready
    found: dict[str, list[list[float]]] = {side: [] for side in setting.sides}
    for number in range(rounds + 1):
        for side in setting.sides[:: -1 if number % 2 else 1]:
            pipes[side].send(None)
            found[side].append(pipes[side].recv())
    for process in processes:
        process.join()
    return {side: seconds[1:] for side, seconds in found.items()}


class Speed(NamedTuple):
    """The speed of a side, from the times of all parts of its epochs."""

    name: str
    epochs: list[list[float]]

    @property
    def seconds(self) -> list[float]:
        """The seconds of each epoch."""
        return [sum(parts) for parts in self.epochs]

    @property
    def best(self) -> float:
        """The sum of the fastest time of each part, in seconds."""
        return sum(map(min, zip(*self.epochs, strict=True)))

    def said(self, samples: int) -> str:
        """Return the samples per second."""
        middle = samples / statistics.median(self.seconds)
        return f"{self.name} best {samples / self.best:,.0f} median {middle:,.0f}"


def show(setting: Setting, found: dict[str, list[list[float]]]) -> None:
    """Print netbuild's speed against the speed of each other side."""
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
    """Yield the settings for this machine."""
    cores = torch.get_num_threads()
    places = [("cpu", 1), *([("cpu", cores)] if cores > 1 else [])]
    places += [("cuda", 1)] if torch.cuda.is_available() else []
    for device, threads in places:
        for batch in (64, 256):
            yield Setting("LeNet", 20_000, batch, device, threads, tuple(SIDES))
        samples = 12_800 if device == "cuda" else 320
        sides = ("netbuild", "in memory", "channels last")
        yield Setting("ResNet-18", samples, 32, device, threads, sides)
        if threads == 1:
            for network, samples in (("perceptron", 32_000), ("GRU", 1_600)):
                yield Setting(network, samples, 32, device, threads, ("netbuild", "in memory"))


def show_startup(runs: int) -> None:
    """Print the time of processes of one step, minus the time for importing torch."""
    with tempfile.TemporaryDirectory() as folder:
        limits = ("--set", "train.max_steps=1", "--set", "train.limit_batches=1")
        file = "configs/lenet.yaml"
        train = [sys.executable, "-m", "netbuild", "train", file, *limits, "--runs", folder]
        commands = {"netbuild": train, "by hand": [*PYTHON, BY_HAND]}
        imports = [*PYTHON, "import torch"]
        for command in (imports, *commands.values()):
            spent(command)  # the first runs read the disk
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
    """Time all sides of all settings, and print their comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=7, help="the number of epochs that count, for each side"
    )
    parser.add_argument(
        "--only", default="", help="run only settings that begin with this, or `start-up`"
    )
    options = parser.parse_args()
    for setting in settings():
        if str(setting).startswith(options.only):
            show(setting, timed(setting, options.rounds))
    if "start-up".startswith(options.only):
        show_startup(options.rounds)


if __name__ == "__main__":
    main()
