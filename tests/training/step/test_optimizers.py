"""Several optimizers: which weights each of them steps, and steps as by hand."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from netbuild import training
from netbuild.checks.optimizers import weights
from netbuild.checks.trace import infer, trainable
from netbuild.config.load import load, read
from netbuild.config.optimizer import divided
from netbuild.config.resolution import resolved
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.parser import from_bytes
from netbuild.training.progress import Silent
from tests.training.by_hand import batches, prepared
from tests.training_configs import EPOCHS, outcome, text, write

LAYERS: dict[str, Any] = {
    "hidden": {"layers": [{"Linear": 8}, "LayerNorm", "Tanh"]},
    "head": {"Linear": 3},
}
MUON = {"Muon": {"lr": 0.02}}
ADAM = {"Adam": {"lr": 0.01}}
SGD = {"SGD": {"lr": 0.1}}

HIDDEN = {"hidden.0.weight", "hidden.0.bias", "hidden.1.weight", "hidden.1.bias"}
HEAD = {"head.weight", "head.bias"}
MATRICES = {"hidden.0.weight", "head.weight"}

#: A list of optimizers, and the names of the weights of each.
DIVIDED: dict[str, tuple[list[Any], list[set[str]]]] = {
    "what the first is made for": ([MUON, ADAM], [MATRICES, (HIDDEN | HEAD) - MATRICES]),
    "a path": ([SGD | {"match": "head"}, ADAM], [HEAD, HIDDEN]),
    "a pattern of paths": ([SGD | {"match": "hidden.*"}, ADAM], [HIDDEN, HEAD]),
    "several patterns": (
        [SGD | {"match": ["*.bias", "hidden.1"]}, ADAM],
        [{"hidden.0.bias", "hidden.1.weight", "hidden.1.bias", "head.bias"}, MATRICES],
    ),
    "a type": ([SGD | {"type": "LayerNorm"}, ADAM], [{"hidden.1.weight", "hidden.1.bias"}, None]),
    "both": ([MUON | {"match": "hidden.*", "type": ["Linear"]}, ADAM], [{"hidden.0.weight"}, None]),
    "the first that matches": (
        [SGD | {"match": "hidden.1"}, SGD | {"match": "hidden.*"}, ADAM],
        [
            {"hidden.1.weight", "hidden.1.bias"},
            {"hidden.0.weight", "hidden.0.bias"},
            HEAD,
        ],
    ),
}


@pytest.mark.parametrize("name", DIVIDED)
def test_weights_of_each(name: str) -> None:
    """Each weight belongs to the first optimizer that names it and suits it."""
    optimizer, wanted = DIVIDED[name]
    source = text(layers=LAYERS, optimizer=optimizer)
    graph = infer(read(from_bytes("a.yaml", source.encode())))
    assert not errors(graph.diagnostics)
    parts, rest = divided(weights(graph.config, graph.rows, graph.outputs), graph.config.optimizers)
    found = [{weight.name for weight in own} for own in parts]
    assert rest == []
    assert found == [own if own is not None else (HIDDEN | HEAD) - found[0] for own in wanted]


def test_sparse_gradients_go_to_whom_they_suit() -> None:
    """A sparse weight passes Adam, which takes no sparse gradients, and dense ones SparseAdam."""
    source = text(
        input={"shape": [4], "dtype": "int64"},
        layers=[
            {"Embedding": {"num_embeddings": 3, "embedding_dim": 2, "sparse": True}},
            "Flatten",
            {"Linear": 3},
        ],
        optimizer=["Adam", "SparseAdam"],
        data={"Random": {"below": 3}},
    )
    graph = infer(read(from_bytes("a.yaml", source.encode())))
    assert not errors(graph.diagnostics)
    parts, _ = divided(weights(graph.config, graph.rows, graph.outputs), graph.config.optimizers)
    assert [[weight.name for weight in own] for own in parts] == [
        ["2.weight", "2.bias"],
        ["0.weight"],
    ]


TWO = [
    MUON | {"scheduler": {"ExponentialLR": {"gamma": 0.5}}},
    ADAM
    | {
        "groups": [{"match": "head", "lr": 0.1}],
        "scheduler": {"StepLR": {"step_size": 2, "gamma": 0.1}, "step": "batch"},
    },
]


def test_steps_are_those_by_hand(tmp_path: Path) -> None:
    """Two optimizers with two schedules and groups take the steps of a loop in plain torch."""
    trainer = prepared(tmp_path, layers=LAYERS, optimizer=TWO)
    module = copy.deepcopy(trainer.learner.module)
    by_name = dict(module.named_parameters())
    muon = torch.optim.Muon([by_name[name] for name in sorted(MATRICES, reverse=True)], lr=0.02)
    norms = [by_name[n] for n in ("hidden.0.bias", "hidden.1.weight", "hidden.1.bias")]
    adam = torch.optim.Adam(
        [{"params": norms}, {"params": [by_name["head.bias"]], "lr": 0.1}], lr=0.01, fused=True
    )
    each_epoch = torch.optim.lr_scheduler.ExponentialLR(muon, 0.5)
    each_step = torch.optim.lr_scheduler.StepLR(adam, 2, 0.1)
    steps = list(batches(trainer))
    for number, ((x,), (target,)) in enumerate(steps, start=1):
        module.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(module(x), target))
        muon.step()
        adam.step()
        each_step.step()
        if number % (len(steps) // EPOCHS) == 0:
            each_epoch.step()
    training.fit(trainer, Silent())
    for name, parameter in trainer.learner.module.named_parameters():
        assert torch.equal(parameter, by_name[name])


def test_a_stopped_training_goes_on(tmp_path: Path) -> None:
    """The states of all optimizers and schedules are in the checkpoint, bit for bit."""
    sections: dict[str, Any] = {"layers": LAYERS, "optimizer": TWO}
    whole = training.train(write(tmp_path, **sections, train={"epochs": 4}), runs=tmp_path / "a")
    first = training.train(write(tmp_path, **sections, train={"epochs": 2}), runs=tmp_path / "b")
    trainer = training.resume(first.folder, first.config(["train.epochs=4"]))
    training.fit(trainer, Silent())
    assert outcome(trainer.run) == outcome(whole)


#: Changes of a list of optimizers, and whether what they keep for each weight begins anew.
CHANGES: dict[str, tuple[list[str], bool]] = {
    "a rate": (["optimizer.1.Adam.lr=0.5"], False),
    "one optimizer": (["optimizer=Adam"], True),
    "a pattern": (["optimizer.0.match=head"], True),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_list(tmp_path: Path, name: str) -> None:
    """A run goes on with other options; other weights of an optimizer begin anew."""
    changes, anew = CHANGES[name]
    optimizer = [SGD | {"match": "hidden.*"}, ADAM]
    file = write(tmp_path, layers=LAYERS, optimizer=optimizer, train={"epochs": 2})
    run = training.train(file, runs=tmp_path / "runs")
    trainer = training.resume(run.folder, run.config(["train.epochs=3", *changes]))
    states = [one.state_dict()["state"] for one in trainer.learner.optimizers]
    assert any(states) != anew
    if name == "a rate":
        assert trainer.learner.optimizers[1].param_groups[0]["lr"] == 0.5
    training.fit(trainer, Silent())


def test_gradients_are_clipped_together(tmp_path: Path) -> None:
    """The norm of a step is that of all weights, whichever optimizer has them."""
    settings = {"epochs": 1, "clip_grad_norm": 1e-3, "batch_size": 150}
    optimizer = [SGD | {"match": "hidden.*"}, SGD]
    file = write(tmp_path, layers=LAYERS, optimizer=optimizer, train=settings)
    trainer = training.prepare(trainable(load(file)), tmp_path / "runs")
    before = {n: p.detach().clone() for n, p in trainer.learner.module.named_parameters()}
    trainer.learner.step([next(batches(trainer))], "here")
    moved = [p - before[n] for n, p in trainer.learner.module.named_parameters()]
    assert torch.cat([m.flatten() for m in moved]).norm().item() == pytest.approx(1e-4, rel=1e-3)


def test_the_list_is_written_out() -> None:
    """The resolved config has the whole list, and reads as the same config."""
    config = read(from_bytes("a.yaml", text(layers=LAYERS, optimizer=TWO).encode()))
    again = read(from_bytes("resolved.yaml", resolved(config).encode()))
    assert len(again.optimizers) == 2
    assert again.schedules == config.schedules
    assert resolved(again) == resolved(config)
