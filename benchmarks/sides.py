"""The sides of `benchmarks.train`: netbuild, loops by hand, Lightning and Keras."""

from __future__ import annotations

import logging
import os
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from benchmarks.tasks import CLASSES, RATE, Sums, Task, Turns
from netbuild import training

if TYPE_CHECKING:
    from collections.abc import Callable


def of_netbuild(task: Task, turns: Turns) -> None:
    """Train with netbuild."""
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
    """Train by hand, with tensors on the device."""
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
    """Train by hand, with a DataLoader."""
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

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # silences its advice
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
        metrics=["Accuracy"],
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
