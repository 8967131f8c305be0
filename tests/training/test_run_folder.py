"""The folder of a run: its files, its metrics, its config, and which run is the newest."""

import json
import platform
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import netbuild
from netbuild import training
from netbuild.checks.trace import trace, trainable
from netbuild.components.optimizers.adaptive import Adam
from netbuild.config.load import load, read
from netbuild.config.resolution import resolved
from netbuild.runs import folder as run
from netbuild.syntax.parser import from_bytes
from netbuild.training import Interrupted, Run
from tests import ROOT
from tests.training.runs import CPU, Stopping, command, go_on
from tests.training_configs import (
    EPOCHS,
    FILES,
    STATE,
    STEPS,
    TIMES,
    WEIGHTS,
    files,
    outcome,
    text,
    write,
)

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def test_resuming_a_finished_run(whole: Run) -> None:
    """A finished run that is resumed stays as it is, and the command says that it has finished."""
    before = outcome(whole)
    printed = command("train", "--resume", whole.folder)
    assert (printed.code, printed.err) == (0, "")
    assert printed.out.startswith("the run is already finished\nbest epoch ")
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
    """A resumption drops incomplete and additional lines in metrics.jsonl after a kill."""
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


def test_the_files_of_a_run(whole: Run) -> None:
    """A finished run has exactly the files of the layout, with one object for each epoch."""
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
    """config.yaml is an exact copy of the file; resolved.yaml means the same."""
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
    """resolved.yaml contains the base file and the settings; config.yaml does not."""
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
    """environment.json has the versions, the device and the command."""
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
    """Runs that start in the same second have different folders, and the last is the newest."""
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
    """The folder of a network means its newest run, and the folder of a run means that run."""
    file = write(tmp_path)
    made = [training.train(file, set=["train.epochs=1"], runs=tmp_path / "runs") for _ in "ab"]
    assert run.find(tmp_path / "runs" / "tiny") == made[1]
    assert [run.find(each.folder) for each in made] == made


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault of a full disk never says that 0 MiB are needed."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(training.TrainingError, match=r"room for 0 MiB, .* may need 1 MiB$"):
        run.expect_room(tmp_path, 500)
