"""Optimizers with losses of their own: their steps, and a run that is stopped and resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from netbuild import training
from netbuild.builder import module as builder
from netbuild.builder.partial import partial
from netbuild.checks.trace import infer, trainable
from netbuild.config.load import load, read
from netbuild.config.resolution import resolved
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.parser import from_bytes
from netbuild.training import Interrupted
from netbuild.training.progress import Silent
from netbuild.training.step.players import Players
from tests.components.schedulers.test_training import Stopping
from tests.training_configs import outcome, text, write

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.training.loop import Trainer


def stack(*layers: Any, inputs: str) -> dict[str, Any]:
    """Return a stack with a hidden layer, a batch norm and one last layer."""
    hidden = [{"Linear": {"out_features": 8, "bias": False}}, "BatchNorm1d", "ReLU"]
    return {"layers": [*hidden, *layers], "inputs": inputs}


#: A generator that learns to please a critic.
GAN: dict[str, Any] = {
    "layers": {
        "noise": {"RandnLike": None, "inputs": "input"},
        # A bias before the norm of the critic has no gradient but rounding.
        "generator": stack({"Linear": {"out_features": 4, "bias": False}}, inputs="noise"),
        "critic": stack({"Linear": 1}, inputs="input"),
        "judged": {"Reuse": "critic", "inputs": "generator"},
    },
    "outputs": {"real_score": "critic", "fake_score": "judged", "made": "generator"},
    "loss": [
        {"BCEWithLogitsLoss": None, "inputs": "real_score", "target": 1, "name": "real"},
        {"BCEWithLogitsLoss": None, "inputs": "fake_score", "target": 0, "name": "fake"},
        {"BCEWithLogitsLoss": None, "inputs": "fake_score", "target": 1, "name": "fool"},
    ],
    "optimizer": [
        {"Adam": {"lr": 2e-3}, "match": "critic.*", "losses": ["real", "fake"]},
        {"Adam": {"lr": 1e-3}, "match": "generator.*", "losses": "fool"},
    ],
}
TRAIN = {"epochs": 3, "batch_size": 16, "device": "cpu", "monitor": None}


def prepared(folder: Path, train: dict[str, Any] | None = None, **sections: Any) -> Trainer:
    """Return a training of the two players."""
    file = write(folder, **GAN | sections, train=TRAIN | (train or {}))
    return training.prepare(trainable(load(file)), folder / "runs")


def with_(number: int, **modifiers: Any) -> list[dict[str, Any]]:
    """Return the optimizers, one of them with other modifiers."""
    changed = GAN["optimizer"][number] | modifiers
    return [changed if n == number else one for n, one in enumerate(GAN["optimizer"])]


def steps(trainer: Trainer, count: int) -> list[torch.Tensor]:
    """Take steps, and return the inputs of each."""
    found: list[torch.Tensor] = []
    builder.train(trainer.learner.module, trainer.graph)
    torch.manual_seed(7)
    while len(found) < count:
        for batch in trainer.training.shuffled(16, len(found)):
            trainer.learner.step([batch], "here")
            found.append(batch[0][0])
    return found


def by_hand(
    made: nn.Module, xs: list[torch.Tensor], *, every: int = 1, clip: float | None = None
) -> None:
    """Train the two players as a loop in plain torch does."""
    made.train()
    torch.manual_seed(7)
    critic, generator = made.critic, made.generator
    first = torch.optim.Adam(critic.parameters(), lr=2e-3, fused=True)
    second = torch.optim.Adam(generator.parameters(), lr=1e-3, fused=True)
    for number, x in enumerate(xs, start=1):
        fake = generator(torch.randn_like(x))
        real_score, fake_score = critic(x), critic(fake.detach())
        first.zero_grad()
        loss = bce(real_score, torch.ones_like(real_score))
        (loss + bce(fake_score, torch.zeros_like(fake_score))).backward()
        if clip:
            nn.utils.clip_grad_norm_(critic.parameters(), clip)
        first.step()
        if number % every:
            continue
        score = critic(generator(torch.randn_like(x)))
        second.zero_grad()
        bce(score, torch.ones_like(score)).backward()
        if clip:
            nn.utils.clip_grad_norm_(generator.parameters(), clip)
        second.step()


@pytest.mark.parametrize(
    ("every", "clip"), [pytest.param(1, None, id="plain"), (3, None), (1, 0.05)]
)
def test_against_a_loop_by_hand(tmp_path: Path, every: int, clip: float | None) -> None:
    """After 50 steps, the weights and the statistics of the norms are those of a loop by hand."""
    optimizers = with_(1, every=every)
    trainer = prepared(tmp_path, {"clip_grad_norm": clip}, optimizer=optimizers)
    hand = builder.build(load(tmp_path / "tiny.yaml"))
    hand.load_state_dict(trainer.learner.module.state_dict())
    xs = steps(trainer, 50)
    by_hand(hand, xs, every=every, clip=clip)
    for name, tensor in trainer.learner.module.state_dict().items():
        torch.testing.assert_close(tensor, hand.state_dict()[name], rtol=0, atol=1e-6)


def test_a_step_without_a_move(tmp_path: Path) -> None:
    """The only optimizer takes every second step: the first step changes and measures nothing."""
    file = write(tmp_path, optimizer=[{"SGD": {"lr": 0.1}, "every": 2}], train={"epochs": 2})
    trainer = training.prepare(trainable(load(file)), tmp_path / "runs")
    weights = [p.detach().clone() for p in trainer.learner.module.parameters()]
    for batch in [*trainer.training.shuffled(16, 0)][:2]:
        trainer.learner.step([batch], "here")
        same = [*map(torch.equal, trainer.learner.module.parameters(), weights)]
        assert all(same) == (trainer.learner.players.taken == 1)


def test_accumulated(tmp_path: Path) -> None:
    """Two batches of a step have the gradients of one, without norms and noise."""
    layers = {
        "generator": {"layers": [{"Linear": 4}], "inputs": "input"},
        "critic": {"layers": [{"Linear": 1}], "inputs": "input"},
        "judged": {"Reuse": "critic", "inputs": "generator"},
    }
    found = []
    for sizes in ({"batch_size": 24}, {"batch_size": 12, "accumulate": 2}):
        folder = tmp_path / str(sizes["batch_size"])
        folder.mkdir()
        trainer = prepared(folder, TRAIN | sizes, layers=layers)
        training.fit(trainer, Silent())
        found.append(trainer.learner.module.state_dict())
    for name, tensor in found[0].items():
        torch.testing.assert_close(tensor, found[1][name], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "train",
    [
        {"ema": 0.9},
        {"precision": "fp16", "accumulate": 2},
    ],
)
def test_resumed(tmp_path: Path, train: dict[str, Any]) -> None:
    """Stopped between any two steps, two players with two schedules end with the same bits."""
    optimizers = with_(1, every=2, scheduler={"CosineAnnealingLR": None, "step": "batch"})
    optimizers[0] = optimizers[0] | {"scheduler": {"StepLR": 1, "warmup": 2}}
    sections = GAN | {"optimizer": optimizers, "train": TRAIN | train}
    file = write(tmp_path, **sections)
    whole = training.train(file, runs=tmp_path / "whole")
    trainer = training.prepare(trainable(load(file)), tmp_path / "stopped")
    for behind in (1, 2):
        with pytest.raises(Interrupted, match=r"^$"):
            training.fit(trainer, Stopping(behind))
        trainer = training.resume(trainer.run.folder)
    training.fit(trainer, Silent())
    assert outcome(trainer.run) == outcome(whole)
    assert all(epoch["best"] for epoch in whole.metrics)


def test_average_counts_own_steps(tmp_path: Path) -> None:
    """The average of a weight counts the steps of its optimizer."""
    trainer = prepared(tmp_path, {"ema": 0.999}, optimizer=with_(1, every=4))
    steps(trainer, 8)
    averaged = trainer.learner.averaged
    assert averaged is not None
    assert averaged.steps == [9, 2]
    assert [one.scheduling.taken for one in trainer.learner.stepping] == [9, 2]


def test_shared_backward(tmp_path: Path) -> None:
    """Optimizers with the same losses are one player."""
    first, second = GAN["optimizer"]
    bias = first | {"match": "critic.*.bias"}
    trainer = prepared(tmp_path, optimizer=[bias, first, second])
    assert isinstance(trainer.learner.players, Players)
    assert [one.optimizers for one in trainer.learner.players.all] == [[0, 1], [2]]


@pytest.mark.parametrize("recomputed", [False, True])
def test_a_part_of_a_network(*, recomputed: bool) -> None:
    """A part computes the outputs of the whole, and calls no module that they do not need.

    So it is in a stack whose activations are computed again.
    """
    layers = {
        "two": {
            "layers": {"a": {"Linear": 3}, "b": {"Linear": 2, "inputs": "input"}},
            "outputs": ["a", "b"],
            "inputs": "input",
            **({"checkpoint": True} if recomputed else {}),
        },
        "first": {"Linear": 3, "inputs": "two.a"},
        "norm": {"BatchNorm1d": None, "inputs": "two.b"},
    }
    source = text(layers=layers, outputs={"x": "first", "y": "norm"}, loss=None, data=None)
    graph = infer(read(from_bytes("tiny.yaml", source.encode())))
    assert not errors(graph.diagnostics)
    whole = builder.module(graph)
    called: list[str] = []
    for name, module in whole.named_modules():
        if not list(module.children()):
            module.register_forward_hook(lambda *_, name=name: called.append(name))
    x = torch.randn(5, 4)
    y, other = partial(whole, {0})(x)
    assert other is None
    assert called == ["two.a", "first"]
    torch.testing.assert_close(y, whole(x)[0], rtol=0, atol=0)


def test_resolved() -> None:
    """A resolved config has the losses of each optimizer, and reads back to the same."""
    source = text(**GAN | {"optimizer": with_(1, every=2), "train": TRAIN})
    first = read(from_bytes("tiny.yaml", source.encode()))
    again = read(from_bytes("again.yaml", resolved(first).encode()))
    assert [(one.losses, one.every) for one in again.optimizers] == [
        (("real", "fake"), 1),
        (("fool",), 2),
    ]


FAULTY = [
    ({"optimizer": with_(1, losses="fol")}, ["NB419: unknown loss"]),
    ({"optimizer": with_(0, losses="real")}, ["NB419: no optimizer minimises fake"]),
    (
        {"optimizer": GAN["optimizer"][:1]},
        [
            "NB419: no optimizer minimises fool",
            "NB406: generator.0.weight and 3 more belong to no optimizer",
        ],
    ),
    (
        {"optimizer": [with_(0, losses=["fake", "fool"])[0], with_(1, losses="real")[1]]},
        ["NB419: real depends on none of its weights"],
    ),
    ({"optimizer": with_(1, every=0)}, ["NB106: every wants a whole number of at least 1, not 0"]),
    (
        {"train": {"epochs": 3}},
        ["NB418: the sum of the losses of several optimizers orders no epochs"],
    ),
    (
        {"train": TRAIN | {"patience": 2}},
        ["NB418: patience counts the epochs without a better value"],
    ),
    ({"train": TRAIN | {"monitor": "val_fol"}}, ["NB418: the training does not measure it"]),
    ({"train": TRAIN | {"monitor": "val_fool"}}, []),
]


@pytest.mark.parametrize(("sections", "expected"), FAULTY)
def test_faults(sections: dict[str, Any], expected: list[str]) -> None:
    """What two players cannot do is a fault at its place."""
    source = text(**GAN | {"train": TRAIN} | sections)
    graph = infer(read(from_bytes("tiny.yaml", source.encode())))
    assert [f"{fault.code}: {fault.label}" for fault in errors(graph.diagnostics)] == expected
