"""Losses with targets of their own: targets of the data, outputs, inputs, numbers, and none."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from netbuild import training
from netbuild.training.progress import Silent
from tests.training.by_hand import SGD, apart, batches, prepared, resumed, same, stopped, trained
from tests.training_configs import in_memory, outcome

if TYPE_CHECKING:
    from pathlib import Path

#: A trunk with heads: classes, values, a picture of the input, a teacher and a price.
LAYERS: dict[str, Any] = {
    "body": {"Linear": 8},
    "act": "Tanh",
    "kind": {"Linear": 3},
    "price": {"Linear": 2, "inputs": "act"},
    "back": {"Linear": 4, "inputs": "act"},
    "teacher": {"Linear": 3, "inputs": "input", "freeze": True},
    "still": {"Detach": None, "inputs": "back"},
    "square": {"Formula": "x ** 2", "inputs": "price"},
}
LOSSES: list[dict[str, Any]] = [
    {"CrossEntropyLoss": None, "inputs": "kind", "target": "kind"},
    {"MSELoss": None, "inputs": "price", "target": "cost", "weight": 0.5, "name": "price_error"},
    {"MSELoss": None, "inputs": "back", "target": "input", "name": "rebuild"},
    {"MSELoss": None, "inputs": "kind", "target": "teacher", "weight": 0.25},
    {"MSELoss": None, "inputs": "kind", "target": "learned", "weight": 0.125},
    {"BCEWithLogitsLoss": None, "inputs": "price", "target": 1, "name": "fool"},
    {"Mean": None, "inputs": "square", "weight": -0.01, "name": "large"},
    {"Mean": {"reduction": "sum"}, "inputs": "square", "weight": 0.001},
]


def sections(folder: Path) -> dict[str, Any]:
    """Return the sections of the network, and write its data."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((60, 4)).astype("float32")
    cost = generator.standard_normal((60, 2)).astype("float32")
    np.savez(folder / "two.npz", x=x, kinds=np.arange(60) % 3, cost=cost)
    outputs = {name: name for name in LAYERS if name not in {"body", "act"}}
    targets = {"kind": "kinds", "cost": "cost"}
    return {
        "layers": {**LAYERS, "learned": {"Linear": 3, "inputs": "act"}},
        "outputs": {**outputs, "learned": "learned"},
        "loss": LOSSES,
        "metrics": ["Accuracy"],
        "optimizer": SGD,
        "data": {"Arrays": {"file": str(folder / "two.npz"), "target": targets}},
    }


def by_torch(x: torch.Tensor, y: Any, targets: Any) -> list[torch.Tensor]:
    """Return the values of all losses, as torch computes them."""
    kind, price, back, teacher, _, square, learned = y
    kinds, cost = targets
    return [
        cross_entropy(kind, kinds),
        mse_loss(price, cost),
        mse_loss(back, x),
        mse_loss(kind, teacher),
        mse_loss(kind, learned),
        binary_cross_entropy_with_logits(price, torch.ones_like(price)),
        square.mean(),
        square.sum(),
    ]


WEIGHTS = [loss.get("weight", 1) for loss in LOSSES]


@pytest.mark.filterwarnings("ignore:frozen")
def test_a_loop_by_hand_gives_the_same(tmp_path: Path) -> None:
    """Each loss compares with its own target; gradients reach a target that is an output."""
    trainer = prepared(tmp_path, **sections(tmp_path))
    module: nn.Module = copy.deepcopy(trainer.learner.module)
    learning = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=0.5)
    for (x,), targets in batches(trainer):
        optimizer.zero_grad()
        values = by_torch(x, module(x), targets)
        weighed = [v if w == 1 else v * w for v, w in zip(values, WEIGHTS, strict=True)]
        torch.autograd.backward(torch.stack(weighed).sum())
        optimizer.step()
    training.fit(trainer, Silent())
    assert same(trainer.learner.module, module)
    assert not torch.equal(module.learned.weight, prepared(tmp_path).learner.module[0].weight[:3])
    held_out = in_memory(trainer.held_out)
    (x,) = held_out.inputs
    with torch.no_grad():
        values = by_torch(x, module.eval()(x), held_out.targets)
    last = trainer.run.metrics[-1]
    values[-1] /= len(x)  # a sum is counted per sample
    total = sum(float(v) * w for v, w in zip(values, WEIGHTS, strict=True))
    assert last["val_loss"] == pytest.approx(total, rel=1e-5)
    named = {f"val_{loss['name']}": n for n, loss in enumerate(LOSSES) if "name" in loss}
    assert named.keys() == {"val_price_error", "val_rebuild", "val_fool", "val_large"}
    for name, number in named.items():
        assert last[name] == pytest.approx(float(values[number]), rel=1e-5)
        assert last[name.replace("val", "train")] > 0


@pytest.mark.parametrize(("size", "times"), [(16, 3), (7, 4)])
def test_accumulated_batches_are_one(tmp_path: Path, size: int, times: int) -> None:
    """Several small batches make the step of a large one, whatever losses compare with."""
    given = sections(tmp_path)
    given["loss"] = LOSSES[:-1]  # a sum grows with the batch
    small = trained(tmp_path, f"train.batch_size={size}", f"train.accumulate={times}", **given)
    large = trained(tmp_path, f"train.batch_size={size * times}", **given)
    assert apart(small, large) < 1e-6
    for ours, theirs in zip(small.run.metrics, large.run.metrics, strict=True):
        for key in ("train_loss", "val_loss", "train_fool", "train_large", "val_rebuild"):
            assert ours[key] == pytest.approx(theirs[key], abs=1e-6)


def test_it_goes_on(tmp_path: Path) -> None:
    """A run that is stopped at any step ends with the same weights and the same measures."""
    given = sections(tmp_path)
    whole = trained(tmp_path, **given)
    for step in (1, 4, 5):
        assert outcome(resumed(stopped(prepared(tmp_path, **given), step)).run) == outcome(
            whole.run
        )


@pytest.mark.parametrize("ignored", [0, 2])
def test_an_input_of_classes(tmp_path: Path, ignored: int) -> None:
    """Tokens that a network tells again are classes, and padding among them does not count."""
    tokens = np.random.default_rng(0).integers(0, 3, (60, 5))
    np.savez(tmp_path / "tokens.npz", x=tokens, y=tokens[:, 0])
    given: dict[str, Any] = {
        "input": {"shape": [5], "dtype": "int64"},
        "layers": [
            {"Embedding": {"num_embeddings": 3, "embedding_dim": 8}},
            "Tanh",
            {"Linear": 3},
            {"Transpose": {"dim0": 1, "dim1": 2}},
        ],
        "loss": {"CrossEntropyLoss": {"ignore_index": ignored}, "target": "input"},
        "data": {"Arrays": {"file": str(tmp_path / "tokens.npz")}},
    }
    small = trained(tmp_path, "train.batch_size=6", "train.accumulate=8", **given)
    large = trained(tmp_path, "train.batch_size=48", **given)
    assert apart(small, large) < 1e-6
    x = in_memory(large.held_out).inputs[0]
    with torch.no_grad():
        loss = cross_entropy(large.learner.module(x), x, ignore_index=ignored)
    assert large.run.metrics[-1]["val_loss"] == pytest.approx(loss.item(), rel=1e-6)
    assert "val_accuracy" in json.dumps(large.run.metrics[-1])


def test_augmented_pictures_are_rebuilt(tmp_path: Path) -> None:
    """A target that is an input is the input that the network has read, after augmentations."""
    layers = ["Flatten", {"Linear": 16}, "Tanh", {"Linear": 64}]
    layers += [{"Unflatten": {"dim": 1, "unflattened_size": [1, 8, 8]}}]
    given: dict[str, Any] = {
        "input": [1, 8, 8],
        "layers": layers,
        "loss": {"MSELoss": None, "target": "input"},
        "data": {"Digits": None, "augment": [{"RandomInvert": {"p": 1.0}}]},
    }
    trainer = prepared(tmp_path, "train.limit_batches=2", **given)
    (x,), targets = next(trainer.training.shuffled(16, 0))
    y = trainer.learner.module(x)
    (loss,) = trainer.learner.criterion.losses((x,), y, targets)
    assert loss.item() == pytest.approx(mse_loss(y, x).item())
    assert x.mean() > 0.5  # inverted
