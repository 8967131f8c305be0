"""The section `train:`: what each option does, against loops written by hand."""

import copy
import math
import random
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.optim.swa_utils import AveragedModel
from typer.testing import CliRunner

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.cli import app
from netbuild.config.load import load, read
from netbuild.runs import folder as run
from netbuild.syntax.parser import from_bytes
from netbuild.training import Interrupted, Run, TrainingError
from netbuild.training.loop import Trainer
from netbuild.training.progress import Silent
from tests.training_configs import (
    EPOCHS,
    STATE,
    STEPS,
    WEIGHTS,
    Moment,
    ending,
    files,
    in_memory,
    outcome,
    text,
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


def batches(trainer: Trainer, epochs: int = EPOCHS) -> Iterator[tuple[Any, torch.Tensor]]:
    """Yield the batches that a training is going to have."""
    for epoch in range(epochs):
        yield from trainer.training.shuffled(trainer.train.batch_size, epoch)


def by_hand(
    trainer: Trainer, step: Step | None = None, behind: Step | None = None, epochs: int = EPOCHS
) -> nn.Module:
    """Train a copy of the network of a training that has not begun, in plain torch."""
    module = copy.deepcopy(trainer.learner.module)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    for (x,), target in batches(trainer, epochs):
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
    """Return by how much the weights of two trainings differ at most."""
    pairs = zip(trainer.learner.module.parameters(), other.learner.module.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


def gradients_of(module: nn.Module) -> list[torch.Tensor]:
    """Return the gradients that the last step has left."""
    return [p.grad for p in module.parameters() if p.grad is not None]


@contextmanager
def seen(module: nn.Module, look: Callable[[Any, Any], Any]) -> Iterator[list[Any]]:
    """Give the list of what `look` finds in a layer's first input and its output, at each call."""
    found: list[Any] = []
    hook = module.register_forward_hook(lambda _, x, y: found.append(look(x[0], y)))
    yield found
    hook.remove()


class Stopping(Silent):
    """Stops a training behind a step whose number counts from 1."""

    def __init__(self, step: int) -> None:
        self.left = step

    def step(self, *_: object, **__: object) -> None:
        """Count, and stop."""
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


def stopped(trainer: Trainer, step: int) -> Run:
    """Stop a training behind a step."""
    with pytest.raises(Interrupted, match=r"^$"):
        training.fit(trainer, Stopping(step))
    return trainer.run


def resumed(stopped_: Run) -> Trainer:
    """Go on with a training to its end."""
    torch.manual_seed(99)  # whatever else the process does with torch
    trainer = training.resume(stopped_.folder)
    training.fit(trainer, Silent())
    return trainer


def in_folder(folder: Path) -> Path:
    """Make and return a folder."""
    folder.mkdir()
    return folder


def command(*arguments: object) -> tuple[int, str]:
    """Run the command line in this process; return its code and all that it printed."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_a_loop_by_hand_gives_the_same(tmp_path: Path) -> None:
    """Without any option a training is five lines of torch, bit for bit."""
    trainer = prepared(tmp_path)
    module = by_hand(trainer)
    training.fit(trainer, Silent())
    assert same(trainer.learner.module, module)


# Steps of several batches.

_PLACES = [{"Unflatten": {"dim": 1, "unflattened_size": [1, 2, 2]}}]
#: Losses whose mean is over more, or over fewer, than the samples.
ACCUMULATED: dict[str, dict[str, Any]] = {
    "a class": {},
    "weighted": {"loss": {"CrossEntropyLoss": {"weight": [0.1, 1.0, 5.0]}}},
    "ignored": {"loss": {"CrossEntropyLoss": {"ignore_index": 1}}},
    "both": {"loss": {"CrossEntropyLoss": {"weight": [0.1, 1.0, 5.0], "ignore_index": 0}}},
    "smoothed": {"loss": {"CrossEntropyLoss": {"weight": [0.1, 1.0, 5.0], "label_smoothing": 0.2}}},
    "summed": {"loss": {"CrossEntropyLoss": {"reduction": "sum"}}, "optimizer": {"SGD": 0.01}},
    "places": {
        "layers": [*_PLACES, {"Conv2d": {"out_channels": 3, "kernel_size": 1}}],
        "loss": {"CrossEntropyLoss": {"weight": [0.1, 1.0, 5.0], "ignore_index": 1}},
    },
    "values": {"loss": "MSELoss"},
    "probabilities": {"data": {"Random": {"samples": 60, "target": [3]}}, "metrics": []},
    "weighted probabilities": {
        "metrics": [],
        "data": {"Random": {"samples": 60, "target": [3]}},
        "loss": {"CrossEntropyLoss": {"weight": [0.1, 1.0, 5.0]}},
    },
    "its own weights": {"loss": {"LinearCrossEntropyLoss": {"num_classes": 3}}},
    "a mean and a sum": {
        "loss": [
            {"CrossEntropyLoss": {}},
            {"CrossEntropyLoss": {"reduction": "sum"}, "weight": 0.01},
        ]
    },
    "terms of other proportions": {
        "loss": [
            {"CrossEntropyLoss": {"weight": [0.1, 1.0, 5.0]}},
            {"CrossEntropyLoss": {"label_smoothing": 0.1}, "weight": 0.5},
        ]
    },
}


@pytest.mark.parametrize(("size", "times"), [(16, 3), (10, 2), (7, 4)])
@pytest.mark.parametrize("name", ACCUMULATED)
def test_accumulated_batches_are_one(tmp_path: Path, name: str, size: int, times: int) -> None:
    """Some small batches make the step of a large one, also where the last group is smaller."""
    sections = ACCUMULATED[name]
    small = trained(tmp_path, f"train.batch_size={size}", f"train.accumulate={times}", **sections)
    large = trained(tmp_path, f"train.batch_size={size * times}", **sections)
    assert small.steps == large.steps
    assert small.position.total == large.position.total == EPOCHS * math.ceil(48 / size / times)
    assert apart(small, large) < 1e-6
    for ours, theirs in zip(small.run.metrics, large.run.metrics, strict=True):
        for key in ("train_loss", "val_loss"):
            assert ours[key] == pytest.approx(theirs[key], abs=1e-6)


def test_a_batch_without_a_class_that_counts(tmp_path: Path) -> None:
    """Accumulated with others, a batch of ignored classes alone changes nothing."""
    sections = {
        "data": {"Random": {"samples": 60, "classes": 2}},
        "loss": {"CrossEntropyLoss": {"ignore_index": 1}},
        "train": {"epochs": 1, "device": "cpu"},
    }
    small = trained(tmp_path, "train.batch_size=1", "train.accumulate=48", **sections)
    large = trained(tmp_path, "train.batch_size=48", **sections)
    assert apart(small, large) < 1e-6


def test_accumulation_resumes(tmp_path: Path) -> None:
    """Stopped between two steps of several batches, a training ends with the same."""
    sections = {"layers": [*PLAIN[:2], {"Dropout": 0.3}, PLAIN[2]]}
    options = ("train.batch_size=10", "train.accumulate=2")
    whole = trained(tmp_path, *options, **sections)
    assert whole.steps == 3
    for step in range(1, 6):
        again = resumed(stopped(prepared(tmp_path, *options, **sections), step))
        assert outcome(again.run) == outcome(whole.run)


def test_a_schedule_goes_by_steps(tmp_path: Path) -> None:
    """A scheduler that steps behind batches steps behind groups of them, and so ends in time."""
    cycle = {"OneCycleLR": {"max_lr": 0.5}}
    trainer = trained(tmp_path, "train.accumulate=3", scheduler=cycle)
    assert trainer.steps == 1
    made = trainer.learner.scheduling.made
    assert (made.total_steps, made.last_epoch) == (EPOCHS, EPOCHS)


# Gradients.


def test_clip_grad_norm(tmp_path: Path) -> None:
    """The norm of all gradients together is what torch's function leaves of it."""
    trainer = prepared(tmp_path, "train.clip_grad_norm=0.1")
    module = by_hand(trainer, lambda m, _: nn.utils.clip_grad_norm_(m.parameters(), 0.1))
    training.fit(trainer, Silent())
    assert same(trainer.learner.module, module)
    gradients = [gradient.flatten() for gradient in gradients_of(trainer.learner.module)]
    assert torch.cat(gradients).norm().item() == pytest.approx(0.1, abs=1e-6)
    assert apart(trainer, trained(tmp_path)) > 0.01


def test_clip_grad_value(tmp_path: Path) -> None:
    """No gradient is larger than that."""
    trainer = prepared(tmp_path, "train.clip_grad_value=0.01")
    module = by_hand(trainer, lambda m, _: nn.utils.clip_grad_value_(m.parameters(), 0.01))
    training.fit(trainer, Silent())
    assert same(trainer.learner.module, module)
    gradients = [gradient.abs().max() for gradient in gradients_of(trainer.learner.module)]
    assert max(gradients).item() == pytest.approx(0.01)
    assert apart(trainer, trained(tmp_path)) > 0.01


@pytest.mark.parametrize("name", ["clip_grad_norm", "clip_grad_value"])
def test_what_is_clipped_is_of_all_batches(tmp_path: Path, name: str) -> None:
    """The gradients of a step are clipped once, whatever the number of its batches is."""
    small = trained(tmp_path, "train.accumulate=3", f"train.{name}=0.05")
    large = trained(tmp_path, "train.batch_size=48", f"train.{name}=0.05")
    assert apart(small, large) < 1e-6


def test_the_weights_of_the_loss_are_clipped(tmp_path: Path) -> None:
    """What the loss learns itself counts in the norm as well."""
    loss = {"LinearCrossEntropyLoss": {"num_classes": 3}}
    trainer = trained(tmp_path, "train.clip_grad_norm=0.1", loss=loss)
    parts = (trainer.learner.module, trainer.learner.criterion.module)
    gradients = [gradient.flatten() for part in parts for gradient in gradients_of(part)]
    assert torch.cat(gradients).norm().item() == pytest.approx(0.1, abs=1e-6)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize("name", ["clip_grad_norm", "clip_grad_value"])
def test_sparse_gradients_that_torch_does_not_clip(tmp_path: Path, name: str) -> None:
    """Are told in a sentence."""
    words = {"num_embeddings": 5, "embedding_dim": 3, "sparse": True}
    sections = {
        "input": {"shape": [3], "dtype": "int64"},
        "layers": [{"Embedding": words}, "Flatten"],
        "data": {"Random": {"samples": 60, "below": 5}},
        "loss": "MSELoss",
        "optimizer": "SparseAdam",
    }
    with pytest.raises(TrainingError, match=r"^torch refused the step: "):
        trained(tmp_path, f"train.{name}=0.1", **sections)


# The average of the weights.


def averaged_by_hand(trainer: Trainer, decay: float) -> tuple[nn.Module, list[nn.Module]]:
    """Return the network trained in plain torch, and the average of its weights at each epoch."""

    def average(kept: torch.Tensor, new: torch.Tensor, number: torch.Tensor | int) -> torch.Tensor:
        steps = int(number) - 1
        return torch.lerp(kept, new, 1 - min(decay, (1 + steps) / (10 + steps)))

    averaged = AveragedModel(trainer.learner.module, avg_fn=average)
    averaged.n_averaged.fill_(1)  # or the first update would be a copy
    epochs: list[nn.Module] = []

    def behind(module: nn.Module, _: torch.optim.Optimizer) -> None:
        averaged.update_parameters(module)
        if int(averaged.n_averaged - 1) % STEPS == 0:
            epochs.append(copy.deepcopy(averaged.module))

    return by_hand(trainer, behind=behind), epochs


@pytest.mark.parametrize("decay", [0.15, 0.9])
def test_ema_is_torchs(tmp_path: Path, decay: float) -> None:
    """The average is that of torch's AveragedModel, is validated, and is what is saved."""
    sections = {"layers": [PLAIN[0], "BatchNorm1d", "Tanh", PLAIN[2]]}
    trainer = prepared(tmp_path, f"train.ema={decay}", **sections)
    module, averages = averaged_by_hand(trainer, decay)
    training.fit(trainer, Silent())
    assert same(trainer.learner.module, module)
    assert trainer.learner.averaged is not None
    assert same(trainer.learner.averaged.module, averages[-1])
    assert not same(trainer.learner.module, averages[-1])
    (x,), target = in_memory(trainer.held_out).inputs, in_memory(trainer.held_out).targets
    for average, epoch in zip(averages, trainer.run.metrics, strict=True):
        with torch.no_grad():
            loss = nn.functional.cross_entropy(average.eval()(x), target)
        assert epoch["val_loss"] == pytest.approx(loss.item(), abs=1e-7)
    best = trainer.run.best
    assert best is not None
    for which, average in (("best", averages[best["epoch"] - 1]), ("last", averages[-1])):
        weights = load_file(trainer.run.checkpoint(which) / WEIGHTS)
        expected = average.state_dict()
        assert all(torch.equal(weights[name], expected[name]) for name in expected)
        assert training.evaluate(trainer.run.folder, which)["val_loss"] == pytest.approx(
            trainer.run.metrics[-1 if which == "last" else best["epoch"] - 1]["val_loss"]
        )
    state = torch.load(trainer.run.checkpoint("last") / STATE, weights_only=True)
    assert state["averaged"] == {"steps": STEPS * EPOCHS}
    expected = module.state_dict()
    assert all(torch.equal(state["model"][name], expected[name]) for name in expected)


def test_ema_resumes(tmp_path: Path) -> None:
    """Stopped behind any step, a training goes on with its weights and with their average."""
    layers = [{"Linear": 8}, "BatchNorm1d", "ReLU", {"Dropout": 0.3}, {"Linear": 3}]
    sections: dict[str, Any] = {"layers": layers, "optimizer": {"Adam": {"lr": 0.01}}}
    whole = trained(tmp_path, "train.ema=0.9", **sections)
    for step in range(1, STEPS * EPOCHS + 1):
        again = resumed(stopped(prepared(tmp_path, "train.ema=0.9", **sections), step))
        assert outcome(again.run) == outcome(whole.run)
        assert same(again.learner.module, whole.learner.module)


# How long.


def test_patience(tmp_path: Path) -> None:
    """A training ends once so many epochs had no lower validation loss."""
    still = {"SGD": {"lr": 0}}
    trainer = trained(tmp_path, "train.patience=2", "train.epochs=9", optimizer=still)
    assert len(trainer.run.metrics) == 3
    assert trainer.finished
    assert training.resume(trainer.run.folder).finished


def test_patience_counts_from_the_best(tmp_path: Path) -> None:
    """The epochs since the best one count, those before it do not; going on counts on."""
    options = ("train.patience=3", "train.epochs=60")
    sections: dict[str, Any] = {"data": "Iris", "optimizer": {"Adam": {"lr": 0.1}}}
    whole = trained(tmp_path, *options, **sections)
    steps = whole.steps
    assert steps is not None
    losses = [epoch["val_loss"] for epoch in whole.run.metrics]
    assert 4 < len(losses) < 60
    assert len(losses) - 1 - losses.index(min(losses)) == 3
    again = resumed(
        stopped(prepared(tmp_path, *options, **sections), steps * (len(losses) - 2) + 1)
    )
    assert outcome(again.run) == outcome(whole.run)


@pytest.mark.parametrize("steps", [1, STEPS, STEPS + 1, STEPS * EPOCHS, 99])
def test_max_steps(tmp_path: Path, steps: int) -> None:
    """A training ends behind so many steps, and validates what it has come to."""
    trainer = prepared(tmp_path, f"train.max_steps={steps}")
    left = iter(range(steps))
    module = copy.deepcopy(trainer.learner.module)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    for (x,), target in batches(trainer):
        if next(left, None) is None:
            break
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(module(x), target))
        optimizer.step()
    training.fit(trainer, Silent())
    assert trainer.position.total == min(steps, STEPS * EPOCHS)
    assert len(trainer.run.metrics) == math.ceil(min(steps, STEPS * EPOCHS) / STEPS)
    assert same(trainer.learner.module, module)
    assert training.resume(trainer.run.folder).finished


@pytest.mark.parametrize("step", [1, STEPS, STEPS + 1])
def test_max_steps_resumes(tmp_path: Path, step: int) -> None:
    """Stopped at any step, the last one as well, what it has come to is validated and kept."""
    options = (f"train.max_steps={STEPS + 1}", "train.epochs=9")
    whole = trained(tmp_path, *options)
    again = resumed(stopped(prepared(tmp_path, *options), step))
    assert outcome(again.run) == outcome(whole.run)


def test_max_time(tmp_path: Path) -> None:
    """A training ends behind the step at which its time is over, and validates."""
    trainer = trained(tmp_path, "train.max_time=1e-9", "train.epochs=9")
    assert trainer.position.total == 1
    assert [epoch["epoch"] for epoch in trainer.run.metrics] == [1]
    assert trained(tmp_path, "train.max_time=1h").position.total == STEPS * EPOCHS


@pytest.mark.parametrize(("written", "seconds"), [("90", 90), ("1h30m", 5400), ("2m 5s", 125)])
def test_a_time_has_units(written: str, seconds: float) -> None:
    """A time is seconds, or hours, minutes and seconds; resolved it is a number."""
    config = read(from_bytes("a.yaml", text().encode()), [f"train.max_time={written}"])
    assert (config.train.max_time, config.diagnostics) == (seconds, ())


def test_max_time_counts_all_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is that of all epochs; what a stopped training took before counts too."""
    clock = iter(range(10_000))
    monkeypatch.setattr("netbuild.training.loop.time.perf_counter", lambda: float(next(clock)))
    options = ("train.max_time=8", "train.epochs=99")  # one second between two looks at the clock
    assert trained(tmp_path, *options).position.total == 8
    assert resumed(stopped(prepared(tmp_path, *options), 5)).position.total == 8


def test_limit_batches(tmp_path: Path) -> None:
    """An epoch, and a validation, has no more than so many batches."""
    trainer = prepared(tmp_path, "train.limit_batches=2", "train.batch_size=5")
    module = copy.deepcopy(trainer.learner.module)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    for epoch in range(EPOCHS):
        for number, ((x,), target) in enumerate(trainer.training.shuffled(5, epoch)):
            if number < 2:
                optimizer.zero_grad()
                torch.autograd.backward(nn.functional.cross_entropy(module(x), target))
                optimizer.step()
    training.fit(trainer, Silent())
    assert trainer.steps == 2
    assert trainer.position.total == 2 * EPOCHS
    assert same(trainer.learner.module, module)
    (x,), target = in_memory(trainer.held_out).inputs, in_memory(trainer.held_out).targets
    with torch.no_grad():
        expected = nn.functional.cross_entropy(module(x[:10]), target[:10]).item()
    assert trainer.run.metrics[-1]["val_loss"] == pytest.approx(expected, abs=1e-6)
    options = ("train.limit_batches=3", "train.accumulate=2", "train.batch_size=5")
    assert trained(tmp_path, *options).position.total == 2 * EPOCHS


def test_limit_batches_of_what_has_a_single_sample_left(tmp_path: Path) -> None:
    """A last batch of one sample, which a batch norm could not take, is none that is reached."""
    sections = {"layers": [PLAIN[0], "BatchNorm1d", PLAIN[2]]}
    options = ("train.batch_size=47", "train.limit_batches=1")
    assert trained(tmp_path, *options, **sections).position.total == EPOCHS


def test_overfit_batches(tmp_path: Path) -> None:
    """A network that can learn comes to a loss near zero on one batch, its validation too."""
    options = ("train.overfit_batches=1", "train.epochs=60", "train.batch_size=8")
    trainer = trained(
        tmp_path, *options, layers=[{"Linear": 32}, "Tanh", {"Linear": 3}], optimizer={"Adam": 0.05}
    )
    last = trainer.run.metrics[-1]
    assert trainer.steps == 1
    assert last["train_loss"] < 0.01
    assert last["val_loss"] < 0.01
    assert last["val_accuracy"] == 1
    assert len(in_memory(trainer.training)) == 8
    assert torch.equal(in_memory(trainer.training).targets, in_memory(trainer.held_out).targets)
    assert training.evaluate(trainer.run.folder, "last")["val_loss"] == last["val_loss"]


# Numbers of half the bits.

_CASTS = {"bf16": torch.bfloat16, "fp16": torch.float16}


@pytest.mark.parametrize("precision", ["fp32", *_CASTS])
def test_precision(tmp_path: Path, precision: str) -> None:
    """Layers compute with half the bits, weights keep all, as in a loop of torch's autocast."""
    trainer = prepared(tmp_path, f"train.precision={precision}")
    dtype = _CASTS.get(precision)
    module = copy.deepcopy(trainer.learner.module)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    scaler = torch.amp.GradScaler("cpu", enabled=precision == "fp16")
    for (x,), target in batches(trainer):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=dtype) if dtype else nullcontext():
            loss = nn.functional.cross_entropy(module(x), target)
        torch.autograd.backward(scaler.scale(loss))
        scaler.step(optimizer)
        scaler.update()
    first = trainer.learner.module.get_submodule("0")
    with seen(first, lambda _, y: y.dtype) as dtypes:
        training.fit(trainer, Silent())
    assert set(dtypes) == {dtype or torch.float32}
    assert len(dtypes) == (STEPS + 1) * EPOCHS, "validated with the same"
    assert {p.dtype for p in trainer.learner.module.parameters()} == {torch.float32}
    assert same(trainer.learner.module, module)


@pytest.mark.parametrize("loss", ["BCELoss", "NLLLoss", "MSELoss", "KLDivLoss", "PoissonNLLLoss"])
@pytest.mark.parametrize("precision", _CASTS)
def test_losses_with_half_the_bits(tmp_path: Path, precision: str, loss: str) -> None:
    """Every loss trains with half the bits, close to what it does with all of them."""
    last = {"BCELoss": ["Sigmoid"], "NLLLoss": ["LogSoftmax"], "KLDivLoss": ["LogSoftmax"]}
    sections = {"layers": [*PLAIN, *last.get(loss, [])], "loss": loss, "optimizer": {"SGD": 0.05}}
    half = trained(tmp_path, f"train.precision={precision}", **sections)
    whole = trained(tmp_path, **sections)
    assert 0 < apart(half, whole) < 0.01
    assert half.run.metrics[-1]["val_loss"] == pytest.approx(
        whole.run.metrics[-1]["val_loss"], abs=0.01
    )


def test_the_scale_of_fp16_is_resumed(tmp_path: Path) -> None:
    """Gradients too large for fp16 halve the scale, and a training goes on with that one."""
    sections = {"loss": {"MSELoss": {"reduction": "sum"}}, "optimizer": {"SGD": {"lr": 1e-3}}}
    options = ("train.precision=fp16", "train.epochs=3")
    whole = trained(tmp_path, *options, **sections)
    first = stopped(prepared(tmp_path, *options, **sections), 2)
    state = torch.load(first.checkpoint("last") / STATE, weights_only=True)
    assert state["scaler"]["scale"] < 2**16
    assert training.resume(first.folder).learner.scaler.get_scale() == state["scaler"]["scale"]
    again = resumed(first)
    assert outcome(again.run) == outcome(whole.run)
    assert again.learner.scaler.state_dict() == whole.learner.scaler.state_dict()


def test_a_step_of_fp16_is_clipped_by_its_own_gradients(tmp_path: Path) -> None:
    """The gradients are clipped without the factor that fp16 has on them."""
    trainer = trained(tmp_path, "train.precision=fp16", "train.clip_grad_norm=0.1")
    gradients = [gradient.flatten() for gradient in gradients_of(trainer.learner.module)]
    assert torch.cat(gradients).norm().item() == pytest.approx(0.1, abs=1e-6)


# How torch computes.


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
@pytest.mark.filterwarnings("ignore")  # torch's own, of versions to come
def test_compile(tmp_path: Path) -> None:
    """Compiled, a network has the same losses, and its checkpoint the same names."""
    sections = {"train": {"epochs": 1, "batch_size": 24, "device": "cpu"}}
    compiled = trained(tmp_path, "train.compile=true", **sections)
    plain = trained(tmp_path, **sections)
    assert type(compiled.learner.forward).__name__ == "OptimizedModule"
    (ours,), (theirs,) = compiled.run.metrics, plain.run.metrics
    for key in ("train_loss", "val_loss"):
        assert ours[key] == pytest.approx(theirs[key], abs=1e-5)
    assert apart(compiled, plain) < 1e-5
    names = (load_file(t.run.checkpoint("best") / WEIGHTS).keys() for t in (compiled, plain))
    assert next(names) == next(names)


@pytest.mark.parametrize("wanted", [True, False])
def test_channels_last(tmp_path: Path, *, wanted: bool) -> None:
    """Inputs and weights of images lie with their channels last, and the losses are the same."""
    convolution = {"Conv2d": {"out_channels": 4, "kernel_size": 3}}
    sections = {
        "input": [3, 8, 8],
        "layers": [convolution, "ReLU", convolution, "Flatten", {"Linear": 3}],
        "optimizer": {"SGD": 0.05},
    }
    trainer = prepared(tmp_path, f"train.channels_last={str(wanted).lower()}", **sections)

    def last(x: torch.Tensor, y: torch.Tensor) -> list[bool]:
        return [t.is_contiguous(memory_format=torch.channels_last) for t in (x, y)]

    for name in ("0", "2"):
        layer = trainer.learner.module.get_submodule(name)
        weight = layer.get_parameter("weight")
        assert weight.is_contiguous(memory_format=torch.channels_last) == wanted
    with seen(layer, last) as found:
        training.fit(trainer, Silent())
    assert found == [[wanted, wanted]] * (STEPS + 1) * EPOCHS
    weights = load_file(trainer.run.checkpoint("last") / WEIGHTS)
    assert weights["0.weight"].is_contiguous()
    other = trained(tmp_path, **sections)
    assert apart(trainer, other) < 1e-5


@pytest.mark.parametrize("wanted", [True, False])
def test_deterministic(tmp_path: Path, *, wanted: bool) -> None:
    """Within a deterministic training torch refuses what is not reproducible."""
    trainer = prepared(tmp_path, f"train.deterministic={str(wanted).lower()}")
    first = trainer.learner.module.get_submodule("0")
    with seen(first, lambda *_: torch.are_deterministic_algorithms_enabled()) as found:
        training.fit(trainer, Silent())
    torch.use_deterministic_algorithms(mode=False)
    assert set(found) == {wanted}


def test_every_generator_is_resumed(tmp_path: Path) -> None:
    """What Python, numpy and torch draw next behind a resumption is what they would have drawn."""

    def drawn() -> list[Any]:
        numbers = np.random.standard_normal(3)  # noqa: NPY002  what others' code draws from
        return [random.gauss(0, 1), numbers.tolist(), torch.rand(3).tolist()]

    first = stopped(prepared(tmp_path), STEPS + 1)
    random.gauss(0, 1)  # the second of a pair, which is remembered
    expected = drawn()
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002  the same
    torch.manual_seed(5)
    training.resume(first.folder)
    random.gauss(0, 1)
    assert drawn() == expected


def test_a_seed_is_of_every_generator(tmp_path: Path) -> None:
    """The same seed has Python, numpy and torch draw the same in each training."""

    def drawn(seed: int) -> list[float]:
        prepared(tmp_path, f"train.seed={seed}")
        return [random.gauss(0, 1), np.random.random(), torch.rand(1).item()]  # noqa: NPY002

    first = drawn(3)
    assert drawn(3) == first
    assert all(a != b for a, b in zip(drawn(4), first, strict=True))


# What is done with the data.


def arrays(folder: Path, inputs: Any, targets: Any) -> dict[str, Any]:
    """Write arrays, and return the section `data:` that reads them."""
    np.savez(folder / "arrays.npz", x=np.asarray(inputs, "float32"), y=np.asarray(targets))
    return {"Arrays": {"file": str(folder / "arrays.npz")}}


def images(count: int = 40) -> tuple[Any, Any]:
    """Return images of two channels that differ in mean and deviation, and their classes."""
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((count, 2, 3, 3))
    scaled = noise * np.array([2.0, 0.1])[:, None, None] + np.array([5.0, -1.0])[:, None, None]
    return scaled, np.arange(count) % 3


IMAGES: dict[str, Any] = {"input": [2, 3, 3], "layers": ["Flatten", {"Linear": 3}]}


def test_normalize_measures_what_trains(tmp_path: Path) -> None:
    """Mean and deviation of each channel are those of the training split alone, and recorded."""
    x, y = images()
    plain = prepared(tmp_path, **IMAGES, data=arrays(tmp_path, x, y))
    source = arrays(tmp_path, x, y)
    trainer = trained(tmp_path, **IMAGES, data={**source, "normalize": True})
    raw: torch.Tensor = in_memory(plain.training).inputs[0]
    mean, deviation = raw.mean((0, 2, 3)), raw.std((0, 2, 3), correction=0)
    recorded = trainer.run.config().preparation.normalize
    assert not isinstance(recorded, bool)
    torch.testing.assert_close(torch.tensor(recorded), torch.stack([mean, deviation]))
    for name in ("training", "held_out"):
        before, after = (in_memory(getattr(t, name)) for t in (plain, trainer))
        expected = (before.inputs[0] - mean[:, None, None]) / deviation[:, None, None]
        torch.testing.assert_close(after.inputs[0], expected)
    normalised: torch.Tensor = in_memory(trainer.training).inputs[0]
    torch.testing.assert_close(normalised.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    text_ = (trainer.run.folder / "resolved.yaml").read_text(encoding="utf-8")
    assert "normalize: true" not in text_
    last = trainer.run.metrics[-1]["val_loss"]
    assert training.evaluate(trainer.run.folder, "last")["val_loss"] == last


def test_normalize_takes_what_is_given(tmp_path: Path) -> None:
    """Given numbers are used as they are, for each channel."""
    x, y = images()
    source = arrays(tmp_path, x, y)
    plain = prepared(tmp_path, **IMAGES, data=source)
    given = prepared(tmp_path, **IMAGES, data={**source, "normalize": [[5.0, 0.0], [2.0, 4.0]]})
    before, after = (in_memory(t.held_out).inputs[0] for t in (plain, given))
    assert torch.equal(after[:, 0], (before[:, 0] - 5) / 2)
    assert torch.equal(after[:, 1], before[:, 1] / 4)


def test_normalize_leaves_a_constant_channel(tmp_path: Path) -> None:
    """A channel that is the same everywhere becomes 0, and nothing is divided by 0."""
    x, y = images()
    x[:, 1] = 7
    trainer = prepared(tmp_path, **IMAGES, data={**arrays(tmp_path, x, y), "normalize": True})
    after: torch.Tensor = in_memory(trainer.training).inputs[0]
    assert (after[:, 1] == 0).all()


def test_normalize_goes_on_with_what_was_measured(tmp_path: Path) -> None:
    """A resumed training has the same numbers, and a file that has not changed is no change."""
    x, y = images()
    sections: Any = {**IMAGES, "data": {**arrays(tmp_path, x, y), "normalize": True}}
    whole = trained(tmp_path, **sections)
    first = stopped(prepared(tmp_path, **sections), 2)
    again = resumed(first)
    assert outcome(again.run) == outcome(whole.run)
    file = write(tmp_path, optimizer=SGD, **sections)
    code, printed = command("train", file, "--resume", whole.run.folder)
    assert (code, printed.splitlines()[0]) == (0, "the run has finished")


NORMALIZES: dict[str, tuple[dict[str, Any], Any, str]] = {
    "channels": (IMAGES, [[0.5], [0.5]], r"the samples have 2 channels, and it has numbers for 1"),
    "whole numbers": (
        {
            "input": {"shape": [4], "dtype": "int64"},
            "layers": [{"Embedding": {"num_embeddings": 5, "embedding_dim": 3}}, "Flatten"],
            "data": {"Random": {"samples": 60, "below": 5}},
            "loss": "MSELoss",
        },
        True,
        "it is for networks with one input, of floating-point numbers",
    ),
}


@pytest.mark.parametrize("name", NORMALIZES)
def test_normalize_is_refused(tmp_path: Path, name: str) -> None:
    """Where it does not go with the samples, that is a fault of the file, and no run is made."""
    sections, normalize, said = NORMALIZES[name]
    data = sections.get("data") or arrays(tmp_path, *images())
    file = write(tmp_path, **sections | {"data": {**data, "normalize": normalize}})
    code, printed = command("train", file, "--runs", tmp_path / "runs")
    assert code == 1
    assert re.search(said, printed), printed
    assert not (tmp_path / "runs").exists()


CLASSES = np.repeat([0, 1, 2], [6, 24, 30])


def test_class_weights_are_balanced(tmp_path: Path) -> None:
    """`balanced` gives the weights that scikit-learn computes of the training split."""
    x = np.random.default_rng(0).standard_normal((60, 4))
    data = {**arrays(tmp_path, x, CLASSES), "class_weights": "balanced"}
    trainer = prepared(tmp_path, data=data)
    targets = in_memory(trainer.training).targets.numpy()
    expected = compute_class_weight("balanced", classes=np.arange(3), y=targets)
    torch.testing.assert_close(
        trainer.learner.criterion.module.weight, torch.tensor(expected, dtype=torch.float32)
    )
    weight = trainer.learner.criterion.module.weight
    module = copy.deepcopy(trainer.learner.module)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    for (inputs,), target in batches(trainer):
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(module(inputs), target, weight))
        optimizer.step()
    training.fit(trainer, Silent())
    assert same(trainer.learner.module, module)
    last = trainer.run.metrics[-1]["val_loss"]
    assert training.evaluate(trainer.run.folder, "last")["val_loss"] == pytest.approx(last)


def test_class_weights_leave_out_what_does_not_count(tmp_path: Path) -> None:
    """Samples of the class that the loss ignores have no part in the weights of the others."""
    x = np.random.default_rng(0).standard_normal((60, 4))
    data = {**arrays(tmp_path, x, CLASSES), "class_weights": "balanced"}
    loss = {"CrossEntropyLoss": {"ignore_index": 2}}
    trainer = prepared(tmp_path, data=data, loss=loss)
    targets = in_memory(trainer.training).targets.numpy()
    kept = targets[targets != 2]
    expected = compute_class_weight("balanced", classes=np.arange(2), y=kept)
    weight = trainer.learner.criterion.module.weight
    # The mean divides by the weights, so that only their proportion counts.
    assert (weight[1] / weight[0]).item() == pytest.approx(expected[1] / expected[0])


def test_class_weights_are_given(tmp_path: Path) -> None:
    """Given weights are those of the loss."""
    data = {"Random": {"samples": 60}, "class_weights": [0.5, 1, 4]}
    given = trained(tmp_path, data=data)
    weighted = trained(tmp_path, loss={"CrossEntropyLoss": {"weight": [0.5, 1.0, 4.0]}})
    assert same(given.learner.module, weighted.learner.module)


CLASS_WEIGHTS: dict[str, tuple[dict[str, Any], Any, str]] = {
    "values": ({"loss": "MSELoss"}, "balanced", "MSELoss takes no weights of classes"),
    "number": ({}, [1.0, 2.0], "there are 3 classes, and it has numbers for 2"),
}


@pytest.mark.parametrize("name", CLASS_WEIGHTS)
def test_class_weights_are_refused(tmp_path: Path, name: str) -> None:
    """Where the loss takes none, or another number, that is said, and no run is made."""
    sections, weights, said = CLASS_WEIGHTS[name]
    data = {"Random": {"samples": 60}, "class_weights": weights}
    code, printed = command(
        "train", write(tmp_path, data=data, **sections), "--runs", tmp_path / "runs"
    )
    assert code == 1
    assert said in printed
    assert not (tmp_path / "runs").exists()


def folder_of_images(folder: Path) -> dict[str, Any]:
    """Write grey images of two classes, and return the sections that read them."""
    generator = np.random.default_rng(0)
    for number in range(40):
        split = "train" if number < 30 else "test"
        place = folder / "images" / split / "ab"[number % 5 == 0]
        place.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (4, 4), dtype="uint8")
        Image.fromarray(pixels).save(place / f"{number}.png")
    source = {"ImageFolder": {"folder": str(folder / "images")}}
    return {"input": [1, 4, 4], "data": {**source, "validation": "test"}}


READ: dict[str, list[Any]] = {
    "plain": ["Flatten", {"Linear": 8}, "Tanh", {"Linear": 2}],
    "random": ["Flatten", {"Linear": 8}, "Tanh", {"Dropout": 0.4}, {"Linear": 2}],
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("layers", READ)
def test_what_is_read_trains_alike(tmp_path: Path, layers: str, workers: int) -> None:
    """Samples that are read one by one make the same training as those held in memory."""
    sections = folder_of_images(tmp_path) | {"layers": READ[layers]}
    held = trained(tmp_path, "train.batch_size=12", **sections)
    sections["data"] |= {"in_memory": False}
    read_ = trained(tmp_path, "train.batch_size=12", f"train.workers={workers}", **sections)
    assert type(read_.training).__name__ == "Read"
    assert outcome(read_.run) == outcome(held.run)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_read_is_split_alike(tmp_path: Path) -> None:
    """The part that is held out is the same, and of each class, whether or not memory holds all."""
    sections = folder_of_images(tmp_path) | {"layers": READ["plain"]}
    sections["data"] |= {"validation": 0.2, "class_weights": "balanced"}
    held = prepared(tmp_path, **sections)
    sections["data"] |= {"in_memory": False}
    read_ = prepared(tmp_path, "train.workers=0", **sections)
    targets = [
        torch.cat([target for _, target in trainer.held_out.in_order(99)])
        for trainer in (held, read_)
    ]
    assert targets[0].bincount().tolist() == [5, 1]
    assert torch.equal(*targets)
    weights = [trainer.learner.criterion.module.weight for trainer in (held, read_)]
    assert weights[1].tolist() == pytest.approx([24 / (2 * 19), 24 / (2 * 5)])
    assert torch.equal(*weights)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("layers", READ)
def test_what_is_read_resumes(tmp_path: Path, layers: str) -> None:
    """Stopped in mid-epoch, a training whose samples are read ends with the same."""
    sections = folder_of_images(tmp_path) | {"layers": READ[layers]}
    sections["data"] |= {"in_memory": False, "normalize": True, "validation": 0.2}
    options = ("train.batch_size=12", "train.workers=0")
    whole = trained(tmp_path, *options, **sections)
    for step in (1, 4):
        again = resumed(stopped(prepared(tmp_path, *options, **sections), step))
        assert outcome(again.run) == outcome(whole.run)


# What is not finite.


def test_the_first_layer_that_is_not_finite_is_named(tmp_path: Path) -> None:
    """A loss that is no number ends the training with the name of the layer to blame."""
    x = np.random.default_rng(0).standard_normal((60, 4)) * 1e30
    layers = {
        "first": {"Linear": 8},
        "apart": {"Unflatten": {"dim": 1, "unflattened_size": [1, 8]}},
        "norm": {"LPPool1d": {"norm_type": 4, "kernel_size": 2}},
        "together": "Flatten",
        "last": {"Linear": 3},
    }
    data = arrays(tmp_path, x, CLASSES)
    with pytest.raises(TrainingError, match=r"^the loss is (nan|inf) in epoch 1, step 1") as info:
        trained(tmp_path, layers=layers, data=data)
    assert ": the first output that is not finite is that of norm; a lower" in str(info.value)
    folder = run.find(tmp_path / "runs" / "tiny")
    assert not folder.checkpoint("best").exists()


def test_weights_on_disk_stay_those_before(tmp_path: Path) -> None:
    """Where a later epoch has a loss that is no number, both checkpoints stay as they were."""
    trainer = prepared(tmp_path, "train.epochs=5")
    trainer.epoch(Silent())
    before = outcome(trainer.run)
    with torch.no_grad():
        trainer.learner.module.get_parameter("2.weight")[0, 0] = math.nan
    said = (
        r"^the loss is nan in epoch 2, step 1: the first output that is not finite is that of 2, "
        r"whose weight is not finite; a lower learning rate often helps$"
    )
    with pytest.raises(TrainingError, match=said):
        training.fit(trainer, Silent())
    assert outcome(trainer.run) == before
    again = training.resume(trainer.run.folder)
    assert again.position.epoch == 1
    training.fit(again, Silent())
    assert len(again.run.metrics) == 5


def test_a_loss_that_makes_it_is_named(tmp_path: Path) -> None:
    """Where the network gives what is finite, the loss is to blame: the log of a negative."""
    loss = {"PoissonNLLLoss": {"log_input": False}}
    said = r"^the loss is nan in epoch 1, step 1: the network gives what is finite, and the loss"
    with pytest.raises(TrainingError, match=said):
        trained(tmp_path, loss=loss)


def test_what_overflows_with_half_the_bits_is_named(tmp_path: Path) -> None:
    """The layer is named whose output is too large for fp16, though fp32 would hold it."""
    x = np.random.default_rng(0).standard_normal((60, 4)) * 1e6
    sections = {"data": arrays(tmp_path, x, CLASSES), "layers": {"only": {"Linear": 3}}}
    with pytest.raises(TrainingError, match="first output that is not finite is that of only"):
        trained(tmp_path, "train.precision=fp16", **sections)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_data_that_is_not_finite_is_told_before(tmp_path: Path, value: float) -> None:
    """A sample with a value that is no number is a fault of the data, and no run is made."""
    x = np.random.default_rng(0).standard_normal((60, 4))
    x[17, 2] = value
    file = write(tmp_path, data=arrays(tmp_path, x, CLASSES))
    code, printed = command("train", file, "--runs", tmp_path / "runs")
    assert code == 1
    assert f"x is {value} at index 17, and no network computes with that" in printed
    assert not (tmp_path / "runs").exists()


def test_targets_that_are_not_finite_are_told_before(tmp_path: Path) -> None:
    """A target that is no number is a fault of the data as well."""
    x, y = np.random.default_rng(0).standard_normal((2, 60, 4))
    y[17, 2] = math.nan
    sections = {"layers": [{"Linear": 4}], "loss": "MSELoss", "data": arrays(tmp_path, x, y)}
    code, printed = command("train", write(tmp_path, **sections), "--runs", tmp_path / "runs")
    assert code == 1
    assert "y is nan at index 17, and no loss computes with that" in printed
    assert not (tmp_path / "runs").exists()


# A run that goes on with another config.


def test_a_changed_config_is_told(tmp_path: Path) -> None:
    """Going on with another config says what changed, and changes nothing on its own."""
    first = stopped(prepared(tmp_path), 2)
    before = {name: (first.folder / name).read_bytes() for name in files(first.folder)}
    changes = ("--set", "train.epochs=3", "--set", "optimizer.SGD.lr=0.25")
    code, printed = command("train", "--resume", first.folder, *changes)
    assert code == 1
    assert printed.splitlines() == [
        "netbuild: the config is not that of the run; --allow-changes goes on with",
        "  optimizer.SGD.lr: 0.5 → 0.25",
        "  train.epochs: 2 → 3",
    ]
    assert {name: (first.folder / name).read_bytes() for name in files(first.folder)} == before


def test_a_changed_config_is_allowed(tmp_path: Path) -> None:
    """With --allow-changes a run goes on with it, and keeps the config that it had."""
    first = stopped(prepared(tmp_path), 2)
    before = (first.folder / "resolved.yaml").read_bytes()
    code, printed = command(
        "train", "--resume", first.folder, "--set", "train.epochs=3", "--allow-changes"
    )
    assert code == 0
    assert printed.splitlines()[:3] == [
        "going on with",
        "  train.epochs: 2 → 3",
        "going on in epoch 1, after step 2",
    ]
    assert len(first.metrics) == 3
    assert (first.folder / "resolved-1.yaml").read_bytes() == before
    assert first.config().train.epochs == 3
    arguments = ("--resume", first.folder, "--set", "train.epochs=4", "--allow-changes")
    assert command("train", *arguments)[0] == 0
    assert (first.folder / "resolved-1.yaml").read_bytes() == before
    assert (first.folder / "resolved-2.yaml").exists()
    whole = trained(tmp_path, "train.epochs=4")
    assert outcome(first) == outcome(whole.run)


def test_a_config_that_is_the_same_is_no_change(tmp_path: Path) -> None:
    """Going on with the file that the run was made of needs no leave."""
    file = write(tmp_path, layers=PLAIN, optimizer=SGD)
    first = stopped(training.prepare(trainable(load(file)), tmp_path / "runs"), 2)
    code, printed = command("train", file, "--resume", first.folder)
    assert (code, printed.splitlines()[0]) == (0, "going on in epoch 1, after step 2")
    assert not (first.folder / "resolved-1.yaml").exists()


#: Changes with which a checkpoint cannot go on.
CHANGES: dict[str, dict[str, Any]] = {
    "network": {"layers": [{"Linear": 9}, "Tanh", {"Linear": 3}]},
    "optimizer": {"optimizer": {"Adam": {"lr": 0.01}}, "layers": ["Tanh", *PLAIN]},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_cannot_be_leaves_the_run_as_it_was(tmp_path: Path, name: str) -> None:
    """A change that the checkpoint does not go with is told, and the run can go on as before."""
    first = stopped(prepared(tmp_path), 2)
    before = (first.folder / "resolved.yaml").read_bytes()
    sections = text(**{"layers": PLAIN, "optimizer": SGD} | CHANGES[name])
    (tmp_path / "other.yaml").write_text(sections, encoding="utf-8")
    arguments = (tmp_path / "other.yaml", "--resume", first.folder, "--allow-changes")
    code, printed = command("train", *arguments)
    assert code == 1
    assert re.search("is of another network|is no state of this training", printed)
    assert (first.folder / "resolved.yaml").read_bytes() == before
    assert command("train", "--resume", first.folder)[0] == 0


def test_an_average_can_begin_later(tmp_path: Path) -> None:
    """It begins with the weights that are there, and can be done without again."""
    first = stopped(prepared(tmp_path), 2)
    ema = ["--set", "train.ema=0.9", "--allow-changes"]
    assert command("train", "--resume", first.folder, *ema)[0] == 0
    weights = load_file(first.folder / "checkpoints" / "last" / "model.safetensors")
    state = torch.load(first.folder / "checkpoints" / "last" / "state.pt", weights_only=True)
    assert any(not torch.equal(state["model"][name], weights[name]) for name in weights)
    more = ["--set", "train.ema=null", "--set", "train.epochs=3", "--allow-changes"]
    assert command("train", "--resume", first.folder, *more)[0] == 0


def test_other_samples_have_their_own_best(tmp_path: Path) -> None:
    """A validation loss on other samples is not compared with the ones before."""
    done = training.train(write(tmp_path), runs=tmp_path / "runs")
    more = ["--set", "data.validation=0.5", "--set", "train.epochs=3", "--allow-changes"]
    code, printed = command("train", "--resume", done.folder, *more)
    assert code == 0
    assert "other samples, or another loss: which epoch is best begins anew" in printed
    state = torch.load(done.folder / "checkpoints" / "best" / "state.pt", weights_only=True)
    assert state["position"]["epoch"] == 3


def test_why_it_ends_is_said(tmp_path: Path) -> None:
    """By which limit, where that is not the number of epochs."""
    for setting, said in (
        ("train.max_steps=4", "ended with epoch 2: after 4 steps: max_steps"),
        ("train.max_time=0.000001", "ended with epoch 1: the time is over: max_time"),
    ):
        code, printed = command("train", write(tmp_path), "--set", setting)
        assert code == 0
        assert said in printed


# A dry run.


def test_a_dry_run_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One step and one batch of validation, and no folder."""
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path)
    with ending(None) as moments:
        code, printed = command("train", file, "--dry-run")
    assert code == 0
    numbers = (
        r"train_loss \d\.\d{4}, train_accuracy [\d.]+%, val_loss \d\.\d{4}, val_accuracy [\d.]+%"
    )
    said = rf"a dry run: {numbers}; nothing is kept\n"
    assert re.fullmatch(said, printed), printed
    assert files(tmp_path) == {file.name}
    assert [m for m in moments if m.operation == "step"] == [Moment("step")]


def test_a_dry_run_that_is_stopped(tmp_path: Path) -> None:
    """Ctrl-C ends a dry run as it ends a training, without a traceback."""
    with ending(Moment("step"), lambda: signal.raise_signal(signal.SIGINT)):
        code, printed = command("train", write(tmp_path), "--dry-run")
    assert (code, "Traceback" in printed) == (130, False)


def test_a_dry_run_goes_through_everything(tmp_path: Path) -> None:
    """What would stop a training stops a dry run with the same sentence."""
    sections = {"layers": [{"Linear": 3}], "loss": "BCELoss"}
    code, printed = command("train", write(tmp_path, **sections), "--dry-run")
    assert code == 1
    assert printed.startswith("netbuild: torch refused the step: ")
