"""Training: the run's folder, stopping and going on, what can go wrong, and what is printed."""

import json
import os
import platform
import random
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn
from typer.testing import CliRunner

import netbuild
from netbuild import training
from netbuild.checks.trace import trace, trainable
from netbuild.cli import app
from netbuild.components.datasets.dataset import Sample
from netbuild.components.optimizers.adaptive import Adam
from netbuild.components.target import Classes
from netbuild.config.load import load, read
from netbuild.config.resolved import resolved
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.runs import folder as run
from netbuild.syntax.parser import from_bytes
from netbuild.training import Interrupted, Run, TrainingError
from netbuild.training.data import loading
from netbuild.training.data.batches import Batches
from netbuild.training.parallel.distributed import World
from netbuild.training.progress import Silent
from tests import ROOT
from tests.training_configs import (
    EPOCHS,
    FILES,
    SECTIONS,
    STATE,
    STEPS,
    TIMES,
    WEIGHTS,
    Killed,
    Moment,
    ending,
    files,
    go_on_and_be_killed,
    in_memory,
    outcome,
    text,
    train_and_die,
    write,
)

CPU = torch.device("cpu")
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


class Printed(SimpleNamespace):
    """What a command printed, and the code with which it left."""

    code: int
    out: str
    err: str


def command(*arguments: object, stdin: bytes = b"") -> Printed:
    """Run the command line in this process; an exception that it lets through is one here."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Printed(code=result.exit_code, out=result.stdout, err=result.stderr)


def start(folder: Path, *arguments: object, python: Sequence[str] = ("-m", "netbuild")) -> Any:
    """Start the command line as a process of its own, with its output in pipes."""
    plain = {k: v for k, v in os.environ.items() if k not in {"FORCE_COLOR", "TTY_COMPATIBLE"}}
    return subprocess.Popen(
        [sys.executable, *python, *map(str, arguments)],
        cwd=folder,
        env=plain | {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def end(process: Any) -> Printed:
    """Wait for a process."""
    out, err = process.communicate(timeout=60)
    return Printed(code=process.returncode, out=out, err=err)


def go_on(folder: Path) -> Run:
    """Resume a run, and train to its end."""
    trainer = training.resume(folder)
    training.fit(trainer, Silent())
    return trainer.run


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give the run of a training that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    return training.train(write(folder), runs=folder / "runs")


#: A few losses and optimizers; test_losses.py and test_optimizers.py train with each there is.
KINDS = ("CrossEntropyLoss", "NLLLoss", "MSELoss", "BCELoss", "BCEWithLogitsLoss")
FORMS = ("SGD", "Adam", "RMSprop", "Adagrad")

# Stopping and going on.


class Stopping(Silent):
    """Sends a signal to this process at every step whose number, from 1, is among some."""

    def __init__(self, number: signal.Signals, steps: set[int]) -> None:
        self.number, self.steps, self.seen = number, steps, 0

    def step(self, *_: object, **__: object) -> None:
        """Count, and send."""
        self.seen += 1
        if self.seen in self.steps:
            signal.raise_signal(self.number)


@pytest.mark.parametrize("step", range(1, STEPS * EPOCHS + 1))
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_at_any_step_and_resumed(
    tmp_path: Path, whole: Run, number: signal.Signals, step: int
) -> None:
    """Stopped by a signal behind any step, a resumed training ends with the same, bit for bit."""
    before = signal.getsignal(number)
    trainer = training.prepare(trainable(load(write(tmp_path))), tmp_path / "runs")
    with pytest.raises(Interrupted, match=r"^$"):
        training.fit(trainer, Stopping(number, {step}))
    assert signal.getsignal(number) is before
    assert trainer.position.epoch * STEPS + trainer.position.step == step
    torch.manual_seed(step)  # whatever else the process does with torch
    finished = go_on(trainer.run.folder)
    assert outcome(finished) == outcome(whole)
    assert files(finished.folder) == FILES


def test_interrupted_at_every_step(tmp_path: Path, whole: Run) -> None:
    """Stopped again behind every single step, a training ends with the same, bit for bit."""
    trainer = training.prepare(trainable(load(write(tmp_path))), tmp_path / "runs")
    for _ in range(STEPS * EPOCHS):
        with pytest.raises(Interrupted, match=r"^$"):
            training.fit(trainer, Stopping(signal.SIGINT, {1}))
        trainer = training.resume(tmp_path / "runs" / "tiny")
    training.fit(trainer, Silent())
    assert outcome(trainer.run) == outcome(whole)


def test_every_kind_of_random_state(tmp_path: Path) -> None:
    """With other optimizers, whose state a checkpoint holds too, the same is true."""
    for name in FORMS:
        folder = tmp_path / name
        folder.mkdir()
        momentum = {"momentum": 0.9} if name in {"SGD", "RMSprop"} else {}
        file = write(folder, optimizer={name: {"lr": 0.01, **momentum}})
        uninterrupted = training.train(file, runs=folder / "whole")
        trainer = training.prepare(trainable(load(file)), folder / "stopped")
        with pytest.raises(Interrupted, match=r"^$"):
            training.fit(trainer, Stopping(signal.SIGINT, {STEPS + 1}))
        assert outcome(go_on(trainer.run.folder)) == outcome(uninterrupted), name


@posix
def test_ctrl_c_on_the_command_line(tmp_path: Path) -> None:
    """Ctrl-C in mid-epoch leaves with 130 and says how to go on, which ends with the same bits."""
    write(tmp_path, data="Digits", input=[1, 8, 8], layers=["Flatten", *_layers(10)])
    often = ("--set", "train.epochs=6", "--set", "train.batch_size=6")
    with (
        start(tmp_path, "train", "tiny.yaml", "--runs", "whole", *often) as whole,
        start(tmp_path, "train", "tiny.yaml", "--runs", "stopped", *often) as stopped,
    ):
        _wait_for_epochs(tmp_path / "stopped" / "tiny", 2)
        stopped.send_signal(signal.SIGINT)
        first = end(stopped)
        assert end(whole).code == 0
    assert (first.code, first.err) == (130, "")
    *_, said = first.out.splitlines()
    resuming = said.removeprefix("stopped; go on with: netbuild ")
    assert resuming != said
    (folder,) = (tmp_path / "stopped" / "tiny").iterdir()
    position = torch.load(folder / "checkpoints" / "last" / STATE, weights_only=True)["position"]
    assert position["step"] > 0
    with start(tmp_path, *shlex.split(resuming)) as resumed:
        second = end(resumed)
    assert (second.code, second.err) == (0, "")
    at = f"going on in epoch {position['epoch'] + 1}, after step {position['step']}"
    assert second.out.splitlines()[0] == at
    (uninterrupted,) = (tmp_path / "whole" / "tiny").iterdir()
    assert outcome(Run(folder)) == outcome(Run(uninterrupted))
    assert_plain(first.out + second.out)


def _layers(classes: int) -> list[Any]:
    return [{"Linear": 8}, "BatchNorm1d", "ReLU", {"Dropout": 0.3}, {"Linear": classes}]


def _wait_for_epochs(parent: Path, epochs: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(len(Run(folder).metrics) >= epochs for folder in parent.glob("*")):
            return
        time.sleep(0.005)
    pytest.fail("the training has not come so far")


#: The first epoch saves `best` and then `last`, over the `last` of the beginning.
KILLS = {
    "in the first epoch": Moment("step", 2),
    "in the second epoch": Moment("step", STEPS + 1),
    "behind the weights of best": Moment("save", 1),
    "behind best": Moment("mkdir", 7),
    "before the weights of last": Moment("save_file", 2),
    "halfway through the weights": Moment("save_file", 2, halfway=True),
    "behind the weights of last": Moment("save", 2),
    "halfway through the state": Moment("save", 2, halfway=True),
    "before the first rename": Moment("rename", 2),
    "between the renames": Moment("rename", 3),
    "before the clean-up": Moment("rmtree", 6),
    "halfway through the clean-up": Moment("rmtree", 6, halfway=True),
}


@posix
@pytest.mark.parametrize("moment", KILLS)
def test_killed_and_resumed(tmp_path: Path, whole: Run, moment: str) -> None:
    """A process that got SIGKILL and is resumed ends with the same weights, bit for bit."""
    code = train_and_die(write(tmp_path), tmp_path / "runs", KILLS[moment])
    assert code == -signal.SIGKILL
    stopped = run.find(tmp_path / "runs" / "tiny")
    assert len(stopped.metrics) < EPOCHS
    finished = go_on(stopped.folder)
    assert outcome(finished) == outcome(whole)
    assert files(finished.folder) == FILES


def test_killed_at_any_moment(tmp_path: Path, whole: Run) -> None:
    """Ended at any moment at all of its writing, a training goes on and ends with the same."""
    file = write(tmp_path)
    with ending(None) as every:
        training.train(file, runs=tmp_path / "counted")
    different = []
    for number, at in enumerate(every):
        runs = tmp_path / str(number)
        with ending(at), pytest.raises(Killed, match=r"^$"):
            training.train(file, runs=runs)
        if not _started(runs):
            continue
        finished = go_on(runs / "tiny")
        if outcome(finished) != outcome(whole) or files(finished.folder) != FILES:
            different.append(at)
    assert different == []
    assert _started(runs)


def test_killed_at_fifty_random_moments(tmp_path: Path) -> None:
    """One run, killed again and again by SIGKILL, ends as one that nothing stopped.

    With an average of the weights and scaled gradients, whose states count too. What is written is
    never unreadable: each resumption reads it.
    """
    epochs = 800
    options = {"epochs": epochs, "ema": 0.9, "precision": "fp16", "accumulate": 2}
    file = write(tmp_path, train=SECTIONS["train"] | options)
    straight = training.train(file, runs=tmp_path / "straight")
    chance = random.Random(0)  # noqa: S311  no secret
    trainer = training.prepare(trainable(load(file)), tmp_path / "runs")
    trainer.save("last")
    trainer.lock.release()
    killed = 0
    while killed < 50 and len(trainer.run.metrics) < epochs:
        code = go_on_and_be_killed(trainer.run.folder, chance.uniform(0.02, 0.2))
        killed += code == -signal.SIGKILL
    assert killed == 50
    assert outcome(go_on(trainer.run.folder)) == outcome(straight)


def _started(runs: Path) -> bool:
    """Whether a run has its first checkpoint; before, going on is refused in a sentence."""
    if any(runs.glob("*/*/checkpoints/last")) or any(runs.glob("*/*/checkpoints/.last.old")):
        return True
    with pytest.raises(TrainingError, match=r"is no run|nothing was saved there"):
        training.resume(runs / "tiny")
    return False


def test_resuming_a_finished_run(whole: Run) -> None:
    """A finished run that is resumed stays as it is, and the command says that it has finished."""
    before = outcome(whole)
    printed = command("train", "--resume", whole.folder)
    assert (printed.code, printed.err) == (0, "")
    assert printed.out.startswith("the run has finished\nbest epoch ")
    assert outcome(whole) == before


#: What may have become of the metrics of a run that was stopped behind its first epoch.
METRICS = {
    "missing": lambda path: path.unlink(),
    "a torn line": lambda path: path.write_bytes(path.read_bytes() + b'{"epoch": 2, "tr'),
    "a line too many": lambda path: path.write_bytes(
        path.read_bytes() + path.read_bytes().replace(b'"epoch": 1', b'"epoch": 2')
    ),
    "zeros": lambda path: path.write_bytes(path.read_bytes() + bytes(20)),
}


@pytest.mark.parametrize("damage", METRICS)
def test_damaged_metrics(tmp_path: Path, whole: Run, damage: str) -> None:
    """Lines that a kill left torn or too many in metrics.jsonl are dropped by going on."""
    trainer = training.prepare(trainable(load(write(tmp_path))), tmp_path / "runs")
    with pytest.raises(Interrupted, match=r"^$"):
        training.fit(trainer, Stopping(signal.SIGINT, {STEPS + 1}))
    METRICS[damage](trainer.run.folder / "metrics.jsonl")
    finished = outcome(go_on(trainer.run.folder))
    if damage == "missing":  # what is gone is gone
        finished["metrics"] = [*whole.metrics[:1], *finished["metrics"]]
        finished["metrics"][0] = outcome(whole)["metrics"][0]
    assert finished == outcome(whole)


def test_a_finished_run_without_metrics(tmp_path: Path) -> None:
    """A finished run whose metrics are gone is resumed without an exception."""
    finished = training.train(write(tmp_path), runs=tmp_path / "runs")
    (finished.folder / "metrics.jsonl").unlink()
    assert command("train", "--resume", finished.folder).code in {0, 1}


# The folder of a run.


def test_the_files_of_a_run(whole: Run) -> None:
    """A finished run has the files of the design and no other, one object an epoch."""
    assert files(whole.folder) == FILES
    text_ = (whole.folder / "metrics.jsonl").read_text(encoding="utf-8")
    metrics = [json.loads(line, parse_constant=pytest.fail) for line in text_.splitlines()]
    assert metrics == whole.metrics
    assert [epoch["epoch"] for epoch in metrics] == list(range(1, EPOCHS + 1))
    assert text_.endswith("}\n")


#: Losses with what stands in a line of the metrics; targets without classes have no accuracy.
KEYS = {
    "CrossEntropyLoss": ["train_loss", "train_accuracy", "val_loss", "val_accuracy"],
    "MSELoss": ["train_loss", "val_loss"],
}


@pytest.mark.parametrize("loss", KEYS)
def test_the_keys_of_the_metrics(tmp_path: Path, loss: str) -> None:
    """Each epoch has its number, losses, learning rate and times, and accuracies for classes."""
    done = training.train(write(tmp_path, loss=loss), runs=tmp_path / "runs")
    for epoch in done.metrics:
        assert set(epoch) == {"epoch", *KEYS[loss], "lr", "best", *TIMES}
        assert epoch["lr"] == 0.01
        assert epoch["seconds"] > 0
        assert epoch["samples_per_second"] > 0
        assert all(0 <= epoch[key] <= 1 for key in KEYS[loss] if key.endswith("accuracy"))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"),
        lambda data: data.rstrip(b"\n"),
        lambda data: b"# \xc3\xa9 \xe2\x88\x92\n\n" + data + b"\n\n# the end  \n",
    ],
    ids=["plain", "crlf", "bom", "bom-crlf", "no-newline", "comments"],
)
@pytest.mark.parametrize("stdin", [False, True], ids=["file", "stdin"])
def test_the_config_is_kept_byte_for_byte(tmp_path: Path, change: Any, *, stdin: bool) -> None:
    """config.yaml is the file as given, whatever its line ends are; resolved.yaml says the same."""
    data = change(text().encode())
    path = tmp_path / "given.yaml"
    path.write_bytes(data)
    runs = tmp_path / "runs"
    name = "-" if stdin else path
    assert command("train", name, "--runs", runs, stdin=data if stdin else b"").code == 0
    made = run.find(runs / "tiny")
    assert (made.folder / "config.yaml").read_bytes() == data
    again = load(made.folder / "resolved.yaml")
    expected = read(from_bytes("again.yaml", text().encode()))
    assert resolved(again) == resolved(expected)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_resolved_resolves_to_itself(tmp_path: Path, path: Path) -> None:
    """resolved.yaml loads on its own, means the same network, and resolves to the same text."""
    config = load(path)
    made = run.create(config, tmp_path, CPU)
    text_ = (made.folder / "resolved.yaml").read_text(encoding="utf-8")
    again = made.config()
    assert resolved(again) == text_
    assert trace(again).rows == trace(config).rows or _named(again) == _named(config)
    for section in ("name", "input", "loss", "optimizer", "data", "preparation", "train"):
        assert getattr(again, section) == getattr(config, section), section


def _named(config: Any) -> list[tuple[str, str, str]]:
    return [(row.path, row.type, repr(row.arguments)) for row in trace(config).rows]


def test_resolved_stands_alone(tmp_path: Path) -> None:
    """A base file and settings are in resolved.yaml, and neither in config.yaml."""
    write(tmp_path)
    child = tmp_path / "child.yaml"
    child.write_text("extends: tiny.yaml\nname: child\ntrain: {epochs: 3}\n", encoding="utf-8")
    config = load(child, set=["train.epochs=1", "optimizer.Adam.lr=0.5"])
    made = training.train(config, runs=tmp_path / "runs")
    assert (made.folder / "config.yaml").read_bytes() == child.read_bytes()
    (tmp_path / "tiny.yaml").unlink()
    again = made.config()
    assert (again.name, again.train.epochs) == ("child", 1)
    assert again.optimizer == Adam(lr=0.5)
    assert "extends" not in again.root.entries
    assert [epoch["lr"] for epoch in made.metrics] == [0.5]


def test_a_setting_is_resolved(tmp_path: Path) -> None:
    """A run with --set has the setting in resolved.yaml, and the config as it was given."""
    file = write(tmp_path)
    runs = tmp_path / "runs"
    assert command("train", file, "--runs", runs, "--set", "train.epochs=1").code == 0
    made = run.find(runs / "tiny")
    assert (made.folder / "config.yaml").read_bytes() == file.read_bytes()
    assert made.config().train.epochs == 1
    assert len(made.metrics) == 1


def test_the_environment(whole: Run) -> None:
    """environment.json says with what versions, on what device and by what command it ran."""
    environment = json.loads((whole.folder / "environment.json").read_text(encoding="utf-8"))
    expected = {
        "netbuild": netbuild.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": "cpu",
        "threads": torch.get_num_threads(),
        "command": sys.argv,
    }
    assert environment | expected == environment
    assert set(environment) - set(expected) == {"numpy", "platform", "processor", "started"}


#: What state.pt holds, and of whose random states.
STATES = {"position", "optimizer", "scheduler", "scaler", "loss", "measures", "averaged", "model"}
STATES |= {"randomness"}
GENERATORS = {"rng", "cuda_rng", "python_rng", "numpy_rng"}


@pytest.mark.parametrize("which", ["last", "best"])
def test_the_files_of_a_checkpoint(whole: Run, which: str) -> None:
    """A checkpoint holds the weights and buffers that the summary names, and a plain state."""
    folder = whole.checkpoint(which)
    assert files(folder) == {WEIGHTS, STATE}
    expected: dict[str, tuple[int, ...]] = {}
    for row in trace(whole.config()).rows:
        expected |= {f"{row.path}.{name}": shape for name, shape in row.weights.items()}
        expected |= {f"{row.path}.{name}": buffer.shape for name, buffer in row.buffers.items()}
    weights = load_file(folder / WEIGHTS)
    assert {name: tuple(tensor.shape) for name, tensor in weights.items()} == expected
    netbuild.build(whole.folder / "resolved.yaml").load_state_dict(weights)
    state = torch.load(folder / STATE, weights_only=True)
    assert set(state) == STATES
    assert [set(process) for process in state["randomness"]] == [GENERATORS]


def test_runs_of_the_same_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that start in the same second get a folder each, and the newest is the last of them."""
    clock = SimpleNamespace(strftime=lambda _: "2026-01-31T12-00-00")
    monkeypatch.setattr(run, "time", clock)
    config = load(write(tmp_path))
    newest = []
    made = []
    for _ in range(12):
        made.append(run.create(config, tmp_path / "runs", CPU).folder)
        newest.append(run.find(tmp_path / "runs" / "tiny").folder)
    assert len(set(made)) == 12
    assert newest == made


def test_the_newest_run_is_found(tmp_path: Path) -> None:
    """A network's folder stands for its newest run, and a run's folder for itself."""
    file = write(tmp_path)
    made = [training.train(file, set=["train.epochs=1"], runs=tmp_path / "runs") for _ in "ab"]
    assert run.find(tmp_path / "runs" / "tiny") == made[1]
    assert [run.find(each.folder) for each in made] == made


# What a training computes.

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
    """Where signals belong to another thread, training does without them."""
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
    """A checkpoint evaluates to just what the epoch that it is of had for the validation split."""
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
    assert found["val_loss"] == pytest.approx(nn.CrossEntropyLoss()(y, held_out.targets).item())
    assert found["val_accuracy"] == (y.argmax(1) == held_out.targets).double().mean().item()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("loss", KINDS)
def test_the_loss_is_of_a_sample(tmp_path: Path, loss: str, reduction: str) -> None:
    """The validation loss is that of a sample, whatever the batch size is."""
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


# The split and the batches.


def loaded(file: Path, *settings_: str) -> tuple[Batches, Batches]:
    """Return both splits of a config's data."""
    found = loading.load(trace(load(file, settings_)), World(CPU))
    return in_memory(found.training), in_memory(found.held_out)


def samples(split: Batches) -> set[bytes]:
    """Return the samples of a split, each with its target, for sets."""
    return {
        x.numpy().tobytes() + t.numpy().tobytes()
        for x, t in zip(*split.inputs, split.targets, strict=True)
    }


@settings(max_examples=60)
@given(
    count=st.integers(2, 200),
    classes=st.integers(1, 3),
    validation=st.floats(0.05, 0.95),
    seed=st.integers(0, 2**31 - 1),
)
def test_the_split_is_a_partition(count: int, classes: int, validation: float, seed: int) -> None:
    """Both splits are disjoint, hold all samples, and have the sizes that were asked for."""
    held_out = round(count * validation)
    data = {"Random": {"samples": count, "classes": classes}, "validation": validation}
    source = from_bytes("split.yaml", text(data=data, train={"seed": seed}).encode())
    if not 0 < held_out < count:
        with pytest.raises(ConfigError, match=r"\d+ samples? with validation .* leave none to"):
            trace(read(source))
        return
    graph = trace(read(source))
    training_, validation_ = map(in_memory, loading.load(graph, World(CPU))[:2])
    assert (len(training_), len(validation_)) == (count - held_out, held_out)
    (inputs,), targets = _random(count, classes)
    all_ = Batches((torch.from_numpy(inputs),), torch.from_numpy(targets))
    assert samples(training_) | samples(validation_) == samples(all_)
    assert len(samples(training_)) + len(samples(validation_)) == count


def _random(count: int, classes: int) -> Any:
    config = read(from_bytes("all.yaml", text(data={"Random": {"samples": count}}).encode()))
    assert config.data is not None
    assert config.input is not None
    return config.data.load(Sample((config.input,), Classes(classes)))


#: Data with classes: ten real ones, and a few made up.
STRATIFIED: dict[str, dict[str, Any]] = {
    "digits": {"data": "Digits", "input": [1, 8, 8], "layers": ["Flatten", {"Linear": 10}]},
    "random": {"data": {"Random": {"samples": 100}}},
    "half": {"data": {"Random": {"samples": 100}, "validation": 0.5}},
}


@pytest.mark.parametrize("name", STRATIFIED)
@pytest.mark.parametrize("seed", [0, 7])
def test_the_split_is_stratified(tmp_path: Path, name: str, seed: int) -> None:
    """Of every class the same share is held out, to a sample."""
    splits = loaded(write(tmp_path, **STRATIFIED[name]), f"train.seed={seed}")
    counts = [split.targets.bincount(minlength=10).double() for split in splits]
    share = len(splits[1]) / (len(splits[0]) + len(splits[1]))
    assert ((counts[0] + counts[1]) * share - counts[1]).abs().max() < 1


def test_the_split_depends_on_the_seed(tmp_path: Path) -> None:
    """The same seed splits alike, and another one differently."""
    file = write(tmp_path)
    first, again, other = (loaded(file, f"train.seed={seed}")[1] for seed in (0, 0, 1))
    assert torch.equal(first.inputs[0], again.inputs[0])
    assert samples(first) != samples(other)


numbered = st.integers(1, 60).map(lambda n: Batches((torch.arange(n) * 1.0,), torch.arange(n)))


@given(split=numbered, size=st.integers(1, 70), seed=st.integers(0, 2**62), skip=st.integers(0, 70))
def test_an_epoch_sees_every_sample_once(split: Batches, size: int, seed: int, skip: int) -> None:
    """Shuffled batches hold every sample once, with its target, and `skip` leaves just the tail."""
    every = [targets.tolist() for _, targets in split.shuffled(size, seed)]
    assert sorted(chain(*every)) == list(range(len(split)))
    assert [len(batch) for batch in every[:-1]] == [size] * (len(every) - 1)
    assert 0 < len(every[-1]) <= size
    tail = list(split.shuffled(size, seed, skip=skip))
    assert [targets.tolist() for _, targets in tail] == every[skip:]
    assert all(inputs.tolist() == targets.tolist() for (inputs,), targets in tail)


@given(split=numbered, size=st.integers(1, 70))
def test_validation_sees_every_sample_in_order(split: Batches, size: int) -> None:
    """Batches in order hold every sample once."""
    seen = chain(*(targets.tolist() for _, targets in split.in_order(size)))
    assert list(seen) == list(range(len(split)))


class Recorded(Batches):
    """Batches that remember what was asked of them."""

    seen: list[list[float]]

    def shuffled(
        self, size: int, seed: int, skip: int = 0, most: int | None = None
    ) -> Iterator[tuple[tuple[torch.Tensor, ...], torch.Tensor]]:
        """Yield the batches, and note the first input of each sample."""
        self.seen.append([])
        for x, target in super().shuffled(size, seed, skip, most):
            self.seen[-1] += x[0][:, 0].tolist()
            yield x, target


def test_every_epoch_has_its_own_order(tmp_path: Path) -> None:
    """Every epoch of a training sees all samples, each in another order."""
    config = load(write(tmp_path), ["train.epochs=4"])
    trainer = training.prepare(trainable(config), tmp_path / "runs")
    Recorded.seen = []
    split = in_memory(trainer.training)
    recorded = trainer.training = Recorded(split.inputs, split.targets)
    training.fit(trainer, Silent())
    everything = sorted(recorded.inputs[0][:, 0].tolist())
    assert [sorted(epoch) for epoch in Recorded.seen] == [everything] * 4
    assert len({tuple(epoch) for epoch in Recorded.seen}) == 4


# What can go wrong.

_FLAT = ["Flatten"]
_TOO_LARGE = 2**31 - 1
#: Sections, and what is said of them; all leave with 1 and with no run that could be mistaken.
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no loss": ({"loss": None}, "training needs a loss"),
    "no optimizer": ({"optimizer": None}, "training needs an optimizer"),
    "no data": ({"data": None}, "training needs data"),
    "unknown loss": ({"loss": "CrosEntropyLoss"}, "CrosEntropyLoss"),
    "no weights": (
        {"layers": ["Identity"], "loss": "MSELoss"},
        r"NB402(?s:.*)none of the layers has weights",
    ),
    "none to validate with": (
        {"data": {"Random": {"samples": 2}}},
        "2 samples with validation 0.2 leave none to validate with",
    ),
    "none to train on": (
        {"data": {"Random": {"samples": 2}, "validation": 0.9}},
        "2 samples with validation 0.9 leave none to train on",
    ),
    "one sample": ({"data": {"Random": {"samples": 1}}}, "leave none"),
    "no probabilities": (
        {"layers": [{"Linear": 3}], "loss": "BCELoss"},
        "torch refused the step: .*between 0 and 1",
    ),
    "a batch of one": (
        {"train": {"batch_size": 47}},
        "train.batch_size 47 makes a batch of one of 48 samples",
    ),
    "nan in a step": (
        {"optimizer": {"SGD": {"lr": 1e30}}, "loss": "MSELoss"},
        r"the loss is (nan|inf) in epoch 1, step \d: the first output .* that of [04].*; a lower",
    ),
    "nan in validation": (
        {
            "optimizer": {"SGD": {"lr": 1e30}},
            "loss": "MSELoss",
            "train": {"epochs": 1, "batch_size": 48},
        },
        "the loss is (nan|inf) in the validation of epoch 1\n",
    ),
    "a rate too large for torch": (
        {"optimizer": {"Adam": {"lr": 1e300}}},
        "torch refuse|the loss is",
    ),
    "refused by the optimizer": (
        {"optimizer": {"Adam": {"capturable": True, "fused": False}}},
        "torch refuse[sd] ",
    ),
    "refused in the step": (
        {"optimizer": {"SGD": {"differentiable": True}}},
        "torch refuse[sd] ",
    ),
    "data that no memory holds": (
        {"input": [_TOO_LARGE, _TOO_LARGE], "layers": [{"Linear": 3}], "loss": "MSELoss"},
        "memory|too large|refuse",
    ),
    "weights that no memory holds": (
        {
            "input": [1, 8, 8],
            "data": "Digits",
            "layers": [
                {"Conv2d": {"out_channels": _TOO_LARGE, "kernel_size": 1001, "padding": 500}},
                *_FLAT,
            ],
        },
        "memory|too large|refuse|overflow",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told(tmp_path: Path, name: str) -> None:
    """A training that cannot start or go on leaves with 1, and with one sentence or diagnostics."""
    sections, said = FAULTS[name]
    printed = command("train", write(tmp_path, **sections), "--runs", tmp_path / "runs")
    assert printed.code == 1
    assert re.search(said, printed.out + printed.err), printed
    if printed.err:
        assert re.fullmatch(r"netbuild: [^\n]{10,}\n", printed.err)
    assert_plain(printed.out + printed.err)


def test_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    """Without loss, optimizer and data, a training names all three, and writes no run."""
    file = write(tmp_path, loss=None, optimizer=None, data=None)
    printed = command("train", file, "--runs", tmp_path / "runs")
    assert printed.code == 1
    assert len(re.findall("error.NB102.: training needs ", printed.out)) == 3
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    """A device that torch does not find is named, and no run is written."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    runs = tmp_path / "runs"
    printed = command("train", write(tmp_path), "--runs", runs, "--set", f"train.device={device}")
    said = f"netbuild: train.device is {device}, and torch finds none\n"
    assert (printed.code, printed.out, printed.err) == (1, "", said)
    assert not runs.exists()


def test_nan_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    """A loss that is no longer finite ends the training, and `last` stays readable and finite."""
    sections, said = FAULTS["nan in a step"]
    runs = tmp_path / "runs"
    with pytest.raises(TrainingError, match=said):
        training.train(write(tmp_path, **sections), runs=runs)
    assert training.evaluate(runs / "tiny", "last")["val_loss"] < 10
    with pytest.raises(TrainingError, match=r"best does not exist: nothing was saved there"):
        training.evaluate(runs / "tiny")
    with pytest.raises(TrainingError, match=said):
        go_on(runs / "tiny")


#: Arguments that make no sense, or name what cannot be used, and what is said of them.
UNUSABLE = {
    "neither": ([], "train takes a FILE, or --resume RUN"),
    "runs": (
        ["--resume", "runs", "--runs", "others"],
        "a resumed run stays where it is: --runs and --dry-run do not go with --resume",
    ),
    "dry run": (["--resume", "runs", "--dry-run"], "--runs and --dry-run do not go with"),
    "processes": (["-", "--processes", "2"], "several processes cannot all read standard input"),
    "no process": (["tiny.yaml", "--processes", "0"], "--processes"),
    "no run": (["tiny.yaml", "--resume", "runs"], "runs is no run: it has no resolved.yaml"),
    "no file": (["none.yaml"], "none.yaml cannot be read: No such file"),
    "folder": (["folder"], "folder cannot be read: "),
    "file for runs": (["tiny.yaml", "--runs", "file"], "file.* cannot be read or written: "),
    "file in runs": (["tiny.yaml", "--runs", "taken"], "taken/tiny cannot be read or written: "),
    "unknown option": (["tiny.yaml", "--epochs", "3"], "--epochs"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_arguments_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Arguments that cannot be understood or used leave with 2, and with a message on stderr."""
    write(tmp_path)
    for folder in ("folder", "taken"):
        (tmp_path / folder).mkdir()
    for file in ("file", "taken/tiny"):
        (tmp_path / file).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    arguments, said = UNUSABLE[name]
    printed = command("train", *arguments)
    assert (printed.code, printed.out) == (2, "")
    assert re.search(said, printed.err), printed.err
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.parametrize("there", ["nothing", "file", "empty", "no checkpoint", "changed config"])
@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_what_is_no_run_is_told(tmp_path: Path, name: str, there: str) -> None:
    """A path that is no run, or a run without a checkpoint, is told in a sentence with code 2."""
    path = tmp_path / "it"
    code = 2
    said = "it is no run: it has no resolved.yaml"
    if there == "file":
        path.write_bytes(b"")
        said = "is a config: say of which weights" if name == "evaluate" else said
    elif there == "empty":
        path.mkdir()
    elif there == "no checkpoint":
        path = training.prepare(trainable(load(write(tmp_path))), tmp_path / "runs").run.folder
        said = "does not exist: nothing was saved there"
    elif there == "changed config":
        path.mkdir()
        (path / "resolved.yaml").write_text("input: [4]\nlayers: [Linaer: 3]\n", encoding="utf-8")
        said, code = "no layer is called Linaer", 1
    printed = command(*([name, "--resume", path] if name == "train" else [name, path]))
    assert printed.code == code
    assert re.search(said, printed.out + printed.err), printed
    assert_plain(printed.out + printed.err)


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    """Going on with, and evaluating, a damaged checkpoint leaves with 1 and a sentence."""
    done = training.train(write(tmp_path), runs=tmp_path / "runs")
    for which in ("last", "best"):
        path = done.checkpoint(which) / WEIGHTS
        path.write_bytes(path.read_bytes()[:100])
    for arguments in (["train", "--resume", done.folder], ["evaluate", done.folder]):
        printed = command(*arguments)
        assert (printed.code, printed.out) == (1, "")
        assert re.fullmatch(r"netbuild: the checkpoint .* is damaged \(\w+\)\n", printed.err)


LIMITED = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
runpy.run_module("netbuild", run_name="__main__", alter_sys=True)
"""


@posix
@pytest.mark.parametrize("wide", [200, 4], ids=[WEIGHTS, STATE])
def test_a_full_disk_is_told(tmp_path: Path, wide: int) -> None:
    """A checkpoint that the disk has no room for is told in a sentence, not by an exception."""
    write(tmp_path, layers=[{"Linear": wide}, "ReLU", {"Linear": 3}])
    python = ("-B", "-c", LIMITED.format(size=4000))
    with start(tmp_path, "train", "tiny.yaml", python=python) as process:
        printed = end(process)
    assert printed.code in {1, 2}
    assert re.fullmatch(r"netbuild: [^\n]{10,}\n", printed.err), printed.err


# What is printed.

HEAD = ["epoch", "train", "loss", "accuracy", "val", "loss", "accuracy", "samples/s"]
LINE = r" +(\d+)/(\d+) +\d+\.\d{4} +\d+\.\d\d% +\d+\.\d{4} +\d+\.\d\d% +[\d,]+"


def assert_plain(printed: str) -> None:
    """Check that a text is lines of printable characters, and no traceback."""
    assert all(character == "\n" or character.isprintable() for character in printed)
    assert "Traceback" not in printed


def test_lines_without_a_terminal(tmp_path: Path) -> None:
    """Without a terminal there is one plain line an epoch below a head, and two that sum up."""
    runs = tmp_path / "a folder [with] :cat: a rather long name, as a path may well have one" / "r"
    file = write(tmp_path)
    printed = command("train", file, "--runs", runs, "--set", "train.epochs=10")
    assert (printed.code, printed.err) == (0, "")
    assert_plain(printed.out)
    head, *epochs, best, folder = printed.out.splitlines()
    assert head.split() == HEAD
    assert {len(line) for line in epochs} == {len(head)}
    for number, line in enumerate(epochs, 1):
        said = re.fullmatch(LINE, line)
        assert said is not None, line
        assert said.groups() == (str(number), "10")
    assert len(epochs) == 10
    done = run.find(runs / "tiny")
    found = done.best
    assert found is not None
    metrics = f"val loss {found['val_loss']:.4f}, accuracy {found['val_accuracy']:.2%}"
    assert best == f"best epoch {found['epoch']}: {metrics}"
    assert folder == f"run {done.folder}"


def test_lines_without_classes(tmp_path: Path) -> None:
    """Where the target is no class, no line speaks of an accuracy."""
    printed = command("train", write(tmp_path, loss="MSELoss"), "--runs", tmp_path / "runs")
    assert printed.code == 0
    assert len(printed.out.splitlines()) == EPOCHS + 3
    assert "accuracy" not in printed.out
    assert command("evaluate", tmp_path / "runs" / "tiny").out.startswith("val_loss ")


def test_columns_stay_apart(tmp_path: Path) -> None:
    """However large the numbers are, there is a space between any two of them."""
    sections = {"loss": "MSELoss", "optimizer": {"SGD": {"lr": 300}}, "layers": [{"Linear": 3}]}
    runs = tmp_path / "runs"
    printed = command("train", write(tmp_path, **sections), "--runs", runs)
    assert printed.code == 0
    assert max(epoch["val_loss"] for epoch in run.find(runs / "tiny").metrics) > 1e12
    for line in printed.out.splitlines()[1 : EPOCHS + 1]:
        assert len(line.split()) == 4, line


def test_silence_in_a_program(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A training that a program starts prints nothing."""
    training.train(write(tmp_path), runs=tmp_path / "runs")
    assert capfd.readouterr() == ("", "")


@posix
def test_the_command_to_go_on_can_be_pasted(tmp_path: Path) -> None:
    """The command that goes on is right for a shell also where the path has a space."""
    runs = tmp_path / "my runs"
    with ending(Moment("step", 1), lambda: signal.raise_signal(signal.SIGINT)):
        printed = command("train", write(tmp_path), "--runs", runs)
    assert printed.code == 130
    said = printed.out.strip().partition("go on with: netbuild ")[2]
    assert command(*shlex.split(said)).code == 0


def test_evaluation_leaves_the_data_alone(tmp_path: Path) -> None:
    """A first layer that works in place overwrites a copy of each batch."""
    layers = [{"Hardswish": {"inplace": True}}, *_layers(10)]
    file = write(tmp_path, data="Digits", input=[1, 8, 8], layers=["Flatten", *layers])
    done = training.train(file, runs=tmp_path / "runs")
    best = min(epoch["val_loss"] for epoch in done.metrics)
    assert training.evaluate(done.folder)["val_loss"] == pytest.approx(best, abs=1e-6)
