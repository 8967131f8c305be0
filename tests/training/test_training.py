"""The result of a training, and the metrics of `evaluate`."""

import json
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import netbuild
from netbuild import training
from netbuild.checks.trace import trace, trainable
from netbuild.config.load import load
from netbuild.training import Run
from netbuild.training.data import loading
from netbuild.training.parallel.distributed import World
from netbuild.training.progress import Silent
from tests.training.runs import CPU, FORMS, command
from tests.training_configs import (
    WEIGHTS,
    in_memory,
    outcome,
    write,
)

#: A few losses and optimizers; test_losses.py and test_optimizers.py train with each there is.
KINDS = ("CrossEntropyLoss", "NLLLoss", "MSELoss", "BCELoss", "BCEWithLogitsLoss")

#: The last layer that a loss wants; the others take anything.
LAST = {"NLLLoss": ["LogSoftmax"], "BCELoss": ["Sigmoid"]}


@pytest.mark.parametrize("optimizer", FORMS)
@pytest.mark.parametrize("loss", KINDS)
def test_every_loss_with_every_optimizer(tmp_path: Path, loss: str, optimizer: str) -> None:
    """Every loss trains with every optimizer: all weights change, and the losses are finite."""
    layers = [{"Linear": 8}, "Tanh", {"Linear": 3}, *LAST.get(loss, [])]
    file = write(tmp_path, layers=layers, loss=loss, optimizer=optimizer)
    settings_ = ["train.epochs=1", "train.batch_size=24"]
    trainer = training.prepare(trainable(load(file, settings_)), tmp_path / "runs")
    before = {name: tensor.clone() for name, tensor in trainer.learner.module.state_dict().items()}
    assert trainer.steps == 2
    training.fit(trainer, Silent())
    after = trainer.learner.module.state_dict()
    assert [name for name in before if torch.equal(before[name], after[name])] == []
    (epoch,) = trainer.run.metrics
    assert all(0 < epoch[key] < 10 for key in ("train_loss", "val_loss"))
    assert training.evaluate(trainer.run.folder).items() <= epoch.items()


def test_training_again_gives_the_same(tmp_path: Path, whole: Run) -> None:
    """The same config gives the same weights and metrics, and another seed gives others."""
    file = write(tmp_path)
    torch.manual_seed(99)
    assert outcome(training.train(file, runs=tmp_path / "a")) == outcome(whole)
    other = training.train(file, set=["train.seed=1"], runs=tmp_path / "b")
    assert outcome(other)["metrics"] != outcome(whole)["metrics"]


def test_training_in_a_thread(tmp_path: Path, whole: Run) -> None:
    """A training works in a thread that cannot handle signals."""
    done: list[Run] = []
    config = load(write(tmp_path))
    thread = threading.Thread(target=lambda: done.append(training.train(config, runs=tmp_path)))
    thread.start()
    thread.join(60)
    assert outcome(done[0]) == outcome(whole)


def test_training_learns(tmp_path: Path) -> None:
    """On real digits a small network gets nine of ten right within a few epochs."""
    sections = {"data": "Digits", "input": [1, 8, 8]}
    layers = ["Flatten", {"Linear": 32}, "ReLU", {"Linear": 10}]
    done = training.train(write(tmp_path, layers=layers, **sections), runs=tmp_path)
    losses = [epoch["train_loss"] for epoch in done.metrics]
    assert losses == sorted(losses, reverse=True)
    assert done.metrics[-1]["val_accuracy"] > 0.9


@pytest.mark.parametrize("which", ["best", "last"])
def test_evaluate_gives_the_metrics_of_its_epoch(tmp_path: Path, which: str) -> None:
    """`evaluate` gives the validation metrics of the epoch of the checkpoint."""
    layers = [{"Linear": 32}, "BatchNorm1d", "ReLU", {"Linear": 3}]  # learns the noise by heart
    file = write(tmp_path, layers=layers, optimizer={"Adam": {"lr": 0.1}})
    done = training.train(file, set=["train.epochs=12"], runs=tmp_path / "runs")
    best = done.best
    assert best is not None
    assert best["val_loss"] == min(epoch["val_loss"] for epoch in done.metrics)
    assert best["epoch"] < 12, "or both were the same"
    epoch = best if which == "best" else done.metrics[-1]
    expected = {name: epoch[name] for name in ("val_loss", "val_accuracy")}
    assert training.evaluate(done.folder, which) == expected
    printed = command(
        "evaluate", tmp_path / "runs" / "tiny", "--checkpoint", which, "--format=json"
    )
    assert (printed.code, json.loads(printed.out)) == (0, expected)
    printed = command("evaluate", done.folder, "--checkpoint", which)
    said = f"val_loss     {epoch['val_loss']:.4f}\nval_accuracy {epoch['val_accuracy']:.2%}\n"
    assert (printed.code, printed.out) == (0, said)


def test_evaluate_is_what_torch_computes(whole: Run) -> None:
    """The metrics are what plain torch gives for the weights and the held-out split."""
    config = whole.config()
    module = netbuild.build(config)
    module.load_state_dict(load_file(whole.checkpoint("best") / WEIGHTS))
    held_out = in_memory(loading.load(trace(config), World(CPU)).held_out)
    with torch.no_grad():
        y = module.eval()(*held_out.inputs)
    found = training.evaluate(whole.folder)
    assert found["val_loss"] == pytest.approx(nn.CrossEntropyLoss()(y, held_out.targets[0]).item())
    assert found["val_accuracy"] == (y.argmax(1) == held_out.targets[0]).double().mean().item()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("loss", KINDS)
def test_the_loss_is_of_a_sample(tmp_path: Path, loss: str, reduction: str) -> None:
    """The validation loss is the mean over samples, for any batch size."""
    layers = [{"Linear": 3}, *LAST.get(loss, [])]
    sections = {"loss": {loss: {"reduction": reduction}}, "optimizer": {"SGD": {"lr": 0}}}
    file = write(tmp_path, layers=layers, **sections)
    found = [
        training.train(file, set=[f"train.batch_size={n}", "train.epochs=1"], runs=tmp_path / "r")
        for n in (1, 5, 12, 100)
    ]
    losses = [done.metrics[0]["val_loss"] for done in found]
    assert losses == pytest.approx([losses[0]] * 4)
    assert [done.metrics[0]["train_loss"] for done in found] == pytest.approx(
        [found[0].metrics[0]["train_loss"]] * 4
    )


def test_settings_change_only_a_file(tmp_path: Path) -> None:
    """A config that is loaded has its settings already; they are refused, not ignored."""
    config = netbuild.load("configs/lenet.yaml")
    with pytest.raises(TypeError, match=r"give it to netbuild\.load"):
        netbuild.train(config, set=["train.epochs=1"], runs=tmp_path)


def test_the_samples_of_an_epoch_are_counted(tmp_path: Path) -> None:
    """The speed of an epoch is that of its samples, not of its batches."""
    trainer = training.prepare(trainable(load(write(tmp_path))), tmp_path / "runs")
    seen: list[int] = []
    progress = Silent()
    progress.step = lambda position, _: seen.append(position.samples)  # type: ignore[method-assign]
    trainer.epoch(progress)
    assert seen == [16, 32, 48]
