"""Trainings of a small network by one process and by several, and what their runs hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import torch

from netbuild.syntax.dump import dump
from netbuild.training import checkpoint
from tests import processes

if TYPE_CHECKING:
    from pathlib import Path

#: Without dropout and batch norm, which see the samples of their own process only. 1,438 samples
#: train, so that the last batch of 50 has 38.
SECTIONS: dict[str, Any] = {
    "name": "digits",
    "input": [1, 8, 8],
    "layers": ["Flatten", {"Linear": 16}, "Tanh", {"Linear": 10}],
    "loss": "CrossEntropyLoss",
    "metrics": [
        "Accuracy",
        {"Accuracy": {"top_k": 5}, "name": "top_5"},
        "AUROC",
        {"F1Score": {"average": "macro"}},
    ],
    "optimizer": {"SGD": {"lr": 0.1, "momentum": 0.9}},
    "data": {"Digits": {}, "class_weights": "balanced"},
    "train": {"epochs": 2, "batch_size": 50, "device": "cpu"},
}


def write(folder: Path, **sections: Any) -> Path:
    """Write the config, with other sections; what is in `train` is laid over its own."""
    merged = SECTIONS | sections
    merged["train"] = SECTIONS["train"] | sections.get("train", {})
    path = folder / "digits.yaml"
    path.write_text(dump(merged), encoding="utf-8")
    return path


def start(folder: Path, *arguments: object, module: str = "netbuild") -> Any:
    """Start a command in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def trained(folder: Path, *arguments: object) -> Path:
    """Run a command to its end, and return the folder of the run that it has made.

    Its processes are forked: the launcher would import torch once for itself and for each of them.
    """
    words = [*map(str, arguments)]
    count = 1
    if "--processes" in words:
        at = words.index("--processes")
        count = int(words[at + 1])
        words = words[:at] + words[at + 2 :]
    processes.together(words, count, folder)
    return last_run(folder)


def last_run(folder: Path) -> Path:
    """Return the newest run in a folder."""
    return max((folder / "runs" / "digits").iterdir())


def weights(run: Path, which: str = "last") -> dict[str, torch.Tensor]:
    """Return the weights of a checkpoint, whole or in parts."""
    return checkpoint.Saved(run / "checkpoints" / which).weights()


def metrics(run: Path) -> list[dict[str, Any]]:
    """Return what was measured in each epoch."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def assert_same(run: Path, other: Path, atol: float = 1e-6) -> None:
    """Assert that two runs have come to the same weights and the same metrics."""
    assert all(torch.allclose(w, weights(other)[n], atol=atol) for n, w in weights(run).items())
    for one, two in zip(metrics(run), metrics(other), strict=True):
        measured = [name for name in one if name.startswith(("train_", "val_"))]
        assert len(measured) >= 4
        for name in measured:
            ours, theirs = (torch.tensor(epoch[name]) for epoch in (one, two))
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
