"""Several processes: the same training as one process, each sample once, and a clean end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from netbuild.training import checkpoint, evaluate, train
from netbuild.training.data.batches import Batches, Share
from tests.training.parallel.digits import (
    assert_same,
    last_run,
    metrics,
    start,
    trained,
    weights,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="gloo's processes are started by fork")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the run of one process."""
    folder = tmp_path_factory.mktemp("alone")
    return trained(folder, "train", write(folder))


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_train_as_one(tmp_path: Path, alone: Path, strategy: str) -> None:
    """Within 1e-6, with the same batches; the checkpoint is one that a single process loads."""
    file = write(tmp_path, train={"strategy": strategy})
    run = trained(tmp_path, "train", file, "--processes", 2)
    assert_same(run, alone)
    shapes = {name: w.shape for name, w in weights(alone).items()}
    assert {name: w.shape for name, w in weights(run).items()} == shapes
    trained(tmp_path, "evaluate", run)
    more = ["--set", "train.epochs=3", "--allow-changes"]
    trained(tmp_path, "train", "--resume", run, *more)
    assert [epoch["epoch"] for epoch in metrics(run)] == [1, 2, 3]


#: Trainings in which a process often has nothing to add: no label of its share counts, or it has
#: no sample. The targets of Diabetes have a large mean.
UNEVEN: dict[str, dict[str, Any]] = {
    "ignored": {
        "loss": {"CrossEntropyLoss": {"ignore_index": 3}},
        "metrics": ["Accuracy", {"F1Score": {"average": "macro"}}, "ConfusionMatrix"],
        "data": {"Digits": {}, "class_weights": [1, 0, 0, 2, 0, 0, 1, 1, 0, 0]},
    },
    "named": {
        "layers": {
            "flat": "Flatten",
            "trunk": {"layers": [{"Linear": 8}, "Tanh"], "inputs": "flat"},
            "told": {"Linear": 10, "inputs": "trunk"},
            "copy": {"Linear": 64, "inputs": "trunk"},
        },
        "outputs": {"told": "told", "copy": "copy", "flat": "flat", "trunk": "trunk"},
        "loss": [
            {"CrossEntropyLoss": {"ignore_index": 3}, "inputs": "told", "name": "digit"},
            {"MSELoss": None, "inputs": "copy", "target": "flat", "weight": 0.5},
            {"L1Loss": None, "inputs": "trunk", "target": 1, "name": "one", "weight": 0.1},
            {"Mean": None, "inputs": "trunk", "name": "small", "weight": -0.1},
        ],
        "metrics": ["Accuracy", "AUROC", {"R2Score": None, "inputs": "copy", "target": "flat"}],
    },
    "values": {
        "input": [10],
        "layers": [{"Linear": 1}],
        "loss": "MSELoss",
        "metrics": [
            "MeanAbsoluteError",
            {"MeanSquaredError": {"squared": False}},
            "R2Score",
            "SpearmanCorrCoef",
        ],
        "data": {"Diabetes": {}, "normalize": False},
        "optimizer": {"SGD": {"lr": 1e-7}},
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", UNEVEN)
def test_processes_with_nothing_to_add(tmp_path: Path, name: str) -> None:
    """The losses, the metrics and the weights of two processes are the ones of one process."""
    few = {"batch_size": 3, "limit_batches": 25, "accumulate": 2}
    file = write(tmp_path, train=few, **UNEVEN[name])
    one = train(file, runs=tmp_path / "alone").folder
    assert_same(trained(tmp_path, "train", file, "--processes", 2), one)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_several_optimizers(tmp_path: Path, strategy: str) -> None:
    """Each optimizer steps its own weights, and goes on with what it remembers of them."""
    optimizer = [{"SGD": {"lr": 0.1, "momentum": 0.9}, "match": "*.bias"}, {"Adam": {"lr": 0.01}}]
    few = {"strategy": strategy, "limit_batches": 6}
    longer = few | {"epochs": 3}
    whole = train(write(tmp_path, optimizer=optimizer, train=longer), runs=tmp_path / "a").folder
    file = write(tmp_path, optimizer=optimizer, train=few)
    run = trained(tmp_path, "train", file, "--processes", 2)
    more = ["--set", "train.epochs=3", "--allow-changes", "--processes", 2]
    trained(tmp_path, "train", "--resume", run, *more)
    assert_same(run, whole, atol=1e-5)


@pytest.mark.slow
def test_checkpoints_in_parts(tmp_path: Path) -> None:
    """Each process writes its part of the last one, which one process or others go on with.

    The best one is a plain file; and from whole checkpoints several processes go on as well.
    """
    longer = ["--set", "train.epochs=3", "--allow-changes"]
    whole = trained(tmp_path, "train", write(tmp_path))
    shutil.copytree(whole, tmp_path / "whole")
    trained(tmp_path, "train", "--resume", whole, *longer)
    fsdp = ["--processes", 2, "--set", "train.strategy=fsdp"]
    parted = trained(tmp_path, "train", write(tmp_path), *fsdp)
    last = parted / "checkpoints" / "last"
    assert {path.name for path in last.iterdir()} == {"parts", "state.pt"}
    parts = {path.name for path in (last / "parts").iterdir()}
    assert parts == {".metadata", "__0_0.distcp", "__1_0.distcp"}
    best = load_file(parted / "checkpoints" / "best" / "model.safetensors")
    assert best.keys() == weights(parted).keys()
    found = evaluate(parted, "last")
    assert found["val_loss"] == pytest.approx(metrics(parted)[-1]["val_loss"], abs=1e-6)
    for number, ways in enumerate(([], fsdp, ["--processes", 2, "--set", "train.strategy=ddp"])):
        again = tmp_path / str(number)
        shutil.copytree(parted, again)
        trained(tmp_path, "train", "--resume", again, *ways, *longer)
        assert_same(again, whole)
    trained(tmp_path, "train", "--resume", tmp_path / "whole", *fsdp, *longer)
    assert_same(tmp_path / "whole", whole)
    # Of an optimizer that keeps nothing of weights there is nothing to divide.
    plain = trained(tmp_path, "train", write(tmp_path, optimizer={"SGD": {"lr": 0.1}}))
    trained(tmp_path, "train", "--resume", plain, *fsdp, *longer)
    assert len(metrics(plain)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_the_weights_of_a_loss_learn_from_all(tmp_path: Path, strategy: str) -> None:
    """A loss with weights of its own is the same in each process, and that of one."""
    sections = {
        "layers": ["Flatten", {"Linear": 16}, "Tanh"],
        "loss": {"LinearCrossEntropyLoss": {"num_classes": 10}},
        "data": "Digits",
    }
    alone_ = trained(tmp_path, "train", write(tmp_path, **sections))
    more = ["--processes", 2, "--set", f"train.strategy={strategy}"]
    several = trained(tmp_path, "train", write(tmp_path, **sections), *more)
    assert_same(several, alone_)
    states = [
        checkpoint.Saved(run / "checkpoints" / "last").state()["loss"] for run in (several, alone_)
    ]
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], atol=1e-6, rtol=0)


@pytest.mark.slow
def test_stacks_in_parts_train_as_one(tmp_path: Path) -> None:
    """Repeated stacks, an optimizer that counts its steps, and gradients clipped over all parts."""
    sections: dict[str, Any] = {
        "layers": [
            "Flatten",
            {"Linear": 16},
            {"layers": ["Tanh", {"Linear": 16}, "LayerNorm"], "repeat": 3},
            "Tanh",
        ],
        "loss": {"LinearCrossEntropyLoss": {"num_classes": 10}},
        "optimizer": {"Adam": {"lr": 0.003}},
        "data": "Digits",
        "train": {"batch_size": 25, "accumulate": 2, "clip_grad_norm": 0.5},
    }
    alone_ = trained(tmp_path, "train", write(tmp_path, **sections))
    more = ["--processes", 2, "--set", "train.strategy=fsdp"]
    several = trained(tmp_path, "train", write(tmp_path, **sections), *more)
    # Adam divides by the root of small squares, which makes the differences of rounding larger.
    assert_same(several, alone_, atol=1e-5)


@pytest.mark.slow
def test_half_precision_in_parts_is_that_of_ddp(tmp_path: Path) -> None:
    """Weights that travel with 16 bits give the bits of weights that autocast rounds."""
    layers = [{"Conv2d": {"out_channels": 4, "kernel_size": 3}}, "ReLU", "Flatten", {"Linear": 10}]
    file = write(tmp_path, layers=layers, train={"precision": "bf16"})
    more = ["--processes", 2, "--set"]
    whole = trained(tmp_path, "train", file, *more, "train.strategy=ddp")
    parted = trained(tmp_path, "train", file, *more, "train.strategy=fsdp")
    assert_same(parted, whole)


@pytest.mark.slow
def test_killed_in_parts_and_resumed(tmp_path: Path) -> None:
    """Two processes of fsdp that got SIGKILL end as two that nothing stopped, bit for bit."""
    layers = [{"Linear": 16}, "BatchNorm1d", "Tanh", {"Dropout": 0.1}]
    file = write(
        tmp_path,
        layers=["Flatten", {"layers": layers, "repeat": 2}, {"Linear": 10}],
        optimizer={"Adam": {"lr": 0.01}},
        train={"epochs": 8, "strategy": "fsdp"},
    )
    straight = trained(tmp_path, "train", file, "--processes", 2)
    shutil.move(tmp_path / "runs", tmp_path / "straight")
    straight = tmp_path / "straight" / "digits" / straight.name
    process = start(tmp_path, "train", file, "--processes", 2)
    run = _wait_for_epochs(tmp_path, process, 2)
    os.kill(_children(process.pid)[-1], signal.SIGKILL)
    process.communicate(timeout=100)
    assert 2 <= len(metrics(run)) < 8
    trained(tmp_path, "train", "--resume", run, "--processes", 2)
    for name, weight in weights(straight).items():
        assert torch.equal(weight, weights(run)[name]), name
    times = ("seconds", "samples_per_second")
    timeless = [
        [{n: m for n, m in e.items() if n not in times} for e in metrics(r)]
        for r in (straight, run)
    ]
    assert timeless[0] == timeless[1]


@pytest.mark.slow
def test_a_loss_that_is_not_finite_in_one_process(tmp_path: Path) -> None:
    """The run ends with the sentence of that process, which needs the others to find the layer."""
    x, y = np.ones((40, 4), dtype="float32"), np.arange(40) % 3
    x[7] = 3e38
    np.savez(tmp_path / "data.npz", x=x, y=y)
    sections = {
        "input": [4],
        "layers": [{"Linear": 8}, {"layers": [{"Linear": 8}], "repeat": 2}, {"Linear": 3}],
        "data": {"Arrays": {"file": "data.npz"}},
        "metrics": ["Accuracy"],
    }
    file = write(tmp_path, **sections, train={"strategy": "fsdp", "batch_size": 8})
    process = start(tmp_path, "train", file, "--processes", 2)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "the first output that is not finite comes from" in err
    assert "Traceback" not in err, err


@pytest.mark.slow
def test_torchrun(tmp_path: Path, alone: Path) -> None:
    """The same command under torch's own launcher."""
    file = write(tmp_path)
    launcher = ["--standalone", "--nproc-per-node", 2, "-m", "netbuild", "train", file]
    process = start(tmp_path, *launcher, module="torch.distributed.run")
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, out + err
    assert_same(last_run(tmp_path), alone)


@pytest.mark.slow
def test_small_batches_of_two_processes(tmp_path: Path, alone: Path) -> None:
    """Two of 25 samples in each make a step of 50."""
    file = write(tmp_path, train={"batch_size": 25, "accumulate": 2})
    assert_same(trained(tmp_path, "train", file, "--processes", 2), alone)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("samples", [1, 5, 12])
def test_every_sample_once(size: int, samples: int) -> None:
    """The processes see all samples, none twice, in the same number of batches."""
    data = torch.arange(samples)
    seen: list[int] = []
    batches = []
    for rank in range(size):
        split = Batches((data[:, None],), (data,), share=Share(rank, size))
        found = list(split.shuffled(4, seed=3))
        batches.append(len(found))
        for (x,), (target,) in found:
            assert len(x) >= 1  # a batch that does not count has a sample all the same
            assert x[: len(target), 0].tolist() == target.tolist()
            seen += target.tolist()
    assert sorted(seen) == list(range(samples))
    assert len(set(batches)) == 1


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def _wait_for_epochs(folder: Path, process: Any, epochs: int) -> Path:
    for _ in range(600):
        files = list((folder / "runs").glob("digits/*/metrics.jsonl"))
        if files and files[0].read_text().count("\n") >= epochs:
            return files[0].parent
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    raise AssertionError("the training has not begun")


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_process_that_is_killed_ends_the_run(tmp_path: Path, strategy: str) -> None:
    """A killed process ends the run with a sentence. One process can continue it."""
    file = write(tmp_path, train={"epochs": 5000, "strategy": strategy})
    process = start(tmp_path, "train", file, "--processes", 2)
    run = _wait_for_epochs(tmp_path, process, 2)
    os.kill(_children(process.pid)[-1], signal.SIGKILL)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 1
    assert re.search(r"signal 9 ended process \d; the last checkpoint is complete", err)
    assert "Traceback" not in err, err
    epochs = len(metrics(run))
    more = ["--set", f"train.epochs={epochs + 1}", "--allow-changes"]
    trained(tmp_path, "train", "--resume", run, *more)
    assert len(metrics(run)) == epochs + 1


@pytest.mark.slow
def test_an_interrupt_saves_where_the_training_stands(tmp_path: Path) -> None:
    """All processes stop behind the same step, and the run goes on from there."""
    process = start(tmp_path, "train", write(tmp_path, train={"epochs": 5000}), "--processes", 2)
    run = _wait_for_epochs(tmp_path, process, 1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (130, "")
    assert "stopped; continue with: netbuild train --resume" in out
    epochs = len(metrics(run))
    more = ["--set", f"train.epochs={epochs + 1}", "--allow-changes"]
    trained(tmp_path, "train", "--resume", run, "--processes", 2, *more)
    assert len(metrics(run)) == epochs + 1
