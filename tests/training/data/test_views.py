"""`views`: each input of the network is an augmented view of the same image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from netbuild import training
from netbuild.checks.trace import infer
from netbuild.config.load import load, read
from netbuild.syntax.dump import dump
from netbuild.syntax.parser import from_bytes
from netbuild.training.data import loading
from netbuild.training.parallel.distributed import World

if TYPE_CHECKING:
    from pathlib import Path

NOISE: list[Any] = [{"RandomGaussianNoise": {"std": 0.1, "p": 1}}]


def sections(views: Any = 2, augment: Any = NOISE, **given: Any) -> dict[str, Any]:
    """Return the sections of a network of two inputs, with views of one image."""
    source = given.pop("source", {"Random": {"samples": 20}})
    return {
        "name": "twins",
        "inputs": {"left": [1, 4, 4], "right": [1, 4, 4]},
        "layers": [{"Concat": 1, "inputs": ["left", "right"]}, "Flatten", {"Linear": 3}],
        "loss": "CrossEntropyLoss",
        "optimizer": "Adam",
        "data": {**source, "views": views, "augment": augment, "normalize": [[0.5], [0.5]]},
        "train": {"epochs": 1, "device": "cpu", "batch_size": 4},
    } | given


def faults(**given: Any) -> list[tuple[str, str]]:
    """Return code and label of the faults of a network with views."""
    text = dump(sections(**given)).encode()
    return [(d.code, d.label) for d in infer(read(from_bytes("a.yaml", text))).diagnostics]


@pytest.mark.parametrize("in_memory", [True, False])
def test_two_views_of_each_image(tmp_path: Path, in_memory: bool) -> None:  # noqa: FBT001
    """Both views are augmented on their own; validation gets the image itself, in own memory."""
    x = np.arange(20, dtype="float32").reshape(20, 1, 1, 1).repeat(4, 2).repeat(4, 3)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(20) % 3)
    data = {"Arrays": {"file": "a.npz", "classes": 3}, "in_memory": in_memory}
    (tmp_path / "a.yaml").write_text(dump(sections(source=data)))
    graph = infer(load(tmp_path / "a.yaml"))
    assert not graph.diagnostics
    found = loading.load(graph, World(torch.device("cpu")))
    ((left, right), (y,)) = next(iter(found.training.shuffled(8, seed=0)))
    assert left.shape == right.shape == (8, 1, 4, 4)
    own = (left.mean((1, 2, 3)) + right.mean((1, 2, 3))) / 4 + 0.5  # normalised by half
    assert torch.equal(own.round().long() % 3, y)
    assert not torch.equal(left, right)
    ((left, right), _) = next(iter(found.held_out.in_order(4)))
    assert torch.equal(left, right)
    assert left.data_ptr() != right.data_ptr()
    numbers = left[:, 0, 0, 0] / 2 + 0.5
    assert torch.equal(numbers, numbers.round())


def test_faults() -> None:
    """Views need augmentations, and as many inputs; one target cannot follow several views."""
    assert faults() == []
    (found,) = faults(views=3)
    assert found == ("NB501", "it gives 3 inputs, but the network reads left, right")
    (found,) = faults(augment=None)
    assert found == ("NB501", "without augment, all views of an image are the same")
    (found,) = faults(augment=["RandomMixUpV2"])
    assert found == ("NB509", "one target cannot be mixed with several views of an image")
    layers = [
        {"Concat": 1, "inputs": ["left", "right"]},
        {"Conv2d": {"out_channels": 3, "kernel_size": 1}},
    ]
    (found,) = faults(layers=layers, augment=["RandomVerticalFlip", *NOISE])
    assert found == ("NB504", "one target cannot move with several views of an image")
    assert faults(views=1)[0][0] == "NB106"
    unlike = {"left": [1, 4, 4], "right": [1, 5, 5]}
    flat = [{"Flatten": None, "inputs": "left"}, {"Linear": 3}]
    label = "its samples are 1×4×4, but the network's input is 1×5×5"
    assert ("NB501", label) in faults(inputs=unlike, layers=flat)


def test_predict_reads_one_image(tmp_path: Path) -> None:
    """A prediction gives each input of the network the same image."""
    (tmp_path / "a.yaml").write_text(dump(sections()))
    run = training.train(tmp_path / "a.yaml", runs=tmp_path / "runs")
    x = np.random.default_rng(0).random((2, 1, 4, 4), dtype="float32")
    found = list(training.predict(run.folder, x))
    assert [p["index"] for p in found] == [0, 1]
