"""A run that continues with another config: messages, permission and refusals."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.config.load import load
from tests.training.by_hand import PLAIN, SGD, command, prepared, stopped, trained
from tests.training_configs import (
    WEIGHTS,
    files,
    outcome,
    text,
    write,
)


def test_a_changed_config_is_told(tmp_path: Path) -> None:
    """Without --allow-changes, the command prints the changes and leaves the run unchanged."""
    first = stopped(prepared(tmp_path), 2)
    before = {name: (first.folder / name).read_bytes() for name in files(first.folder)}
    changes = ("--set", "train.epochs=3", "--set", "optimizer.SGD.lr=0.25")
    code, printed = command("train", "--resume", first.folder, *changes)
    assert code == 1
    differs = "the config differs from the config of the run"
    assert printed.splitlines() == [
        f"netbuild: {differs}; add --allow-changes to continue with",
        "  optimizer.SGD.lr: 0.5 → 0.25",
        "  train.epochs: 2 → 3",
    ]
    assert {name: (first.folder / name).read_bytes() for name in files(first.folder)} == before


def test_a_changed_config_is_allowed(tmp_path: Path) -> None:
    """With --allow-changes a run continues with the new config, and keeps the former one."""
    first = stopped(prepared(tmp_path), 2)
    before = (first.folder / "resolved.yaml").read_bytes()
    code, printed = command(
        "train", "--resume", first.folder, "--set", "train.epochs=3", "--allow-changes"
    )
    assert code == 0
    lines = printed.splitlines()
    assert lines[:2] == ["continuing with", "  train.epochs: 2 → 3"]
    assert lines[2].startswith("training 67 parameters on cpu with 48 samples, seed 0, in ")
    assert lines[3] == "continuing in epoch 1, after step 2"
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
    """Continuing with the same file needs no --allow-changes."""
    file = write(tmp_path, layers=PLAIN, optimizer=SGD)
    first = stopped(training.prepare(trainable(load(file)), tmp_path / "runs"), 2)
    code, printed = command("train", file, "--resume", first.folder)
    assert (code, printed.splitlines()[1]) == (0, "continuing in epoch 1, after step 2")
    assert not (first.folder / "resolved-1.yaml").exists()


@pytest.mark.parametrize(("before", "after"), [("true", "false"), ("false", "true")])
def test_other_weights_learn(tmp_path: Path, before: str, after: str) -> None:
    """A layer can be frozen or set free; then the optimizer starts without its former state."""
    layers = [{"Linear": 8, "freeze": before == "true"}, "Tanh", {"Linear": 3}]
    first = stopped(prepared(tmp_path, layers=layers, optimizer={"Adam": {"lr": 0.01}}), 2)
    weights = load_file(first.checkpoint("last") / WEIGHTS)
    changes = ("--set", f"layers.0.freeze={after}", "--allow-changes")
    code, printed = command("train", "--resume", first.folder, *changes)
    assert (code, printed.splitlines()[2]) == (0, "the optimizer starts without its former state")
    later = load_file(first.checkpoint("last") / WEIGHTS)
    assert torch.equal(weights["0.weight"], later["0.weight"]) == (after == "true")
    assert not torch.equal(weights["2.weight"], later["2.weight"])


def test_a_change_with_a_fault_is_only_a_fault(tmp_path: Path) -> None:
    """A run does not say that it continues if the new config has a fault."""
    first = stopped(prepared(tmp_path), 2)
    change = ("--set", "train.monitor=val_nothing")
    code, printed = command("train", "--resume", first.folder, *change, "--allow-changes")
    assert code == 1
    assert "no value is called val_nothing" in printed
    assert "continuing" not in printed


#: Changes with which a checkpoint cannot go on.
CHANGES: dict[str, dict[str, Any]] = {
    "network": {"layers": [{"Linear": 9}, "Tanh", {"Linear": 3}]},
    "optimizer": {"optimizer": {"Adam": {"lr": 0.01}}, "layers": ["Tanh", *PLAIN]},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_cannot_be_leaves_the_run_as_it_was(tmp_path: Path, name: str) -> None:
    """A change that does not fit the checkpoint is refused, and the run can still continue."""
    first = stopped(prepared(tmp_path), 2)
    before = (first.folder / "resolved.yaml").read_bytes()
    sections = text(**{"layers": PLAIN, "optimizer": SGD} | CHANGES[name])
    (tmp_path / "other.yaml").write_text(sections, encoding="utf-8")
    arguments = (tmp_path / "other.yaml", "--resume", first.folder, "--allow-changes")
    code, printed = command("train", *arguments)
    assert code == 1
    assert re.search("belongs to another network|does not hold the state of this training", printed)
    assert (first.folder / "resolved.yaml").read_bytes() == before
    assert command("train", "--resume", first.folder)[0] == 0
