"""Parameter groups: the options of each weight, and faults of groups."""

from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from netbuild import training
from netbuild.checks.optimizers import weights
from netbuild.checks.parameter_groups import Described, described
from netbuild.checks.trace import infer, trainable
from netbuild.cli import app
from netbuild.config.load import load, read
from netbuild.config.resolution import resolved
from netbuild.graph.graph import Graph
from netbuild.syntax.parser import from_bytes
from netbuild.training.loop import Trainer
from netbuild.training.progress import Silent
from tests.training_configs import outcome, text, write

LAYERS: dict[str, Any] = {
    "features": {
        "layers": {"first": {"Linear": 8}, "norm": "BatchNorm1d", "second": {"Linear": 6}}
    },
    "act": "Tanh",
    "head": {"Linear": 3},
}
GROUPS = [
    {"match": "*.bias", "lr": 0},
    {"match": "features.*", "lr": 0.05, "momentum": 0.9},
    {"match": "head", "weight_decay": 0.5},
]


def sections(groups: Any, optimizer: Any = None, **more: Any) -> dict[str, Any]:
    """Return sections with an optimizer and groups."""
    optimizer = {"SGD": {"lr": 0.1}} if optimizer is None else optimizer
    return {"layers": LAYERS, "optimizer": {**optimizer, "groups": groups}, **more}


def prepared(folder: Path, groups: Any, *settings_: str, **more: Any) -> Trainer:
    """Return the training of a network with groups."""
    file = write(folder, **sections(groups, **more))
    return training.prepare(trainable(load(file, settings_)), folder / "runs")


def options(trainer: Trainer, name: str) -> dict[str, Any]:
    """Return, for each weight, an option of its group in torch's optimizer."""
    parameters = {p: n for n, p in trainer.learner.module.named_parameters()}
    groups = trainer.learner.optimizers[0].param_groups
    return {parameters[p]: group[name] for group in groups for p in group["params"]}


def test_each_weight_has_the_options_of_its_group(tmp_path: Path) -> None:
    """A weight belongs to the first group that matches; other options are the optimizer's."""
    trainer = prepared(tmp_path, GROUPS)
    assert options(trainer, "lr") == {
        "features.first.weight": 0.05,
        "features.first.bias": 0,
        "features.norm.weight": 0.05,
        "features.norm.bias": 0,
        "features.second.weight": 0.05,
        "features.second.bias": 0,
        "head.weight": 0.1,
        "head.bias": 0,
    }
    momentum, decay = (options(trainer, name) for name in ("momentum", "weight_decay"))
    assert (momentum["features.first.weight"], momentum["features.first.bias"]) == (0.9, 0)
    assert (momentum["head.weight"], decay["head.weight"], decay["head.bias"]) == (0, 0.5, 0)


def test_a_step_is_that_of_the_rates(tmp_path: Path) -> None:
    """In a step of gradient descent, every weight uses the rate of its group."""
    groups = [{"match": "head.*", "lr": 0.5}, {"match": "features.first", "lr": 0}]
    trainer = prepared(tmp_path, groups, "train.max_steps=1")
    before = {n: p.detach().clone() for n, p in trainer.learner.module.named_parameters()}
    training.fit(trainer, Silent())
    for name, parameter in trainer.learner.module.named_parameters():
        rate = 0.5 if name.startswith("head") else 0.1
        rate = 0 if name.startswith("features.first") else rate
        assert parameter.grad is not None
        assert torch.equal(parameter.detach(), torch.add(before[name], parameter.grad, alpha=-rate))
        assert torch.equal(parameter.detach(), before[name]) == (rate == 0)


def test_the_weights_of_a_loss_are_in_a_group(tmp_path: Path) -> None:
    """A group matches learned weights of a loss by the name of the loss."""
    loss = {"LinearCrossEntropyLoss": {"num_classes": 3}}
    groups = [{"match": "LinearCrossEntropyLoss.*", "lr": 0}]
    trainer = prepared(tmp_path, groups, loss=loss)
    before = [p.detach().clone() for p in trainer.learner.criterion.module.parameters()]
    training.fit(trainer, Silent())
    after = trainer.learner.criterion.module.parameters()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert before


def test_the_weights_of_several_losses_are_in_a_group(tmp_path: Path) -> None:
    """A group also matches learned weights of a loss in a list."""
    loss = [{"LinearCrossEntropyLoss": {"num_classes": 3}}, {"CrossEntropyLoss": {}, "weight": 0.5}]
    groups = [{"match": "LinearCrossEntropyLoss.*", "lr": 0}]
    trainer = prepared(tmp_path, groups, loss=loss)
    before = [p.detach().clone() for p in trainer.learner.criterion.module.parameters()]
    training.fit(trainer, Silent())
    after = trainer.learner.criterion.module.parameters()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert before


def test_all_weights_in_groups(tmp_path: Path) -> None:
    """A training works if all weights are in groups."""
    trainer = prepared(tmp_path, [{"match": "*", "lr": 0.01}])
    assert len(trainer.learner.optimizers[0].param_groups) == 1
    training.fit(trainer, Silent())
    assert [epoch["lr"] for epoch in trainer.run.metrics] == [0.01, 0.01]


def test_a_scheduler_changes_every_group(tmp_path: Path) -> None:
    """A scheduler scales the rate of each group."""
    groups = [{"match": "head", "lr": 0.5}]
    trainer = prepared(tmp_path, groups, scheduler={"StepLR": {"step_size": 1, "gamma": 0.5}})
    training.fit(trainer, Silent())
    assert options(trainer, "lr")["head.weight"] == pytest.approx(0.125)
    assert options(trainer, "lr")["features.first.weight"] == pytest.approx(0.025)


@pytest.mark.parametrize("within", [False, True])
def test_a_scheduler_that_sets_every_rate(*, within: bool) -> None:
    """OneCycleLR and CyclicLR refuse a group with a rate, because they would replace it."""
    optimizer = {"SGD": {"lr": 0.1, "momentum": 0.9}}
    for cycle in ({"OneCycleLR": 0.1}, {"CyclicLR": {"base_lr": 0.01, "max_lr": 0.1}}):
        scheduler: Any = cycle
        if within:
            parts = [{"ConstantLR": {"total_iters": 1}}, cycle]
            scheduler = {"SequentialLR": {"schedulers": parts, "milestones": [1]}}
        rate = sections([{"match": "head", "lr": 0.5}], optimizer, scheduler=scheduler)
        decay = sections([{"match": "head", "weight_decay": 0.5}], optimizer, scheduler=scheduler)
        ((code, label),) = faults(**rate)
        assert code == "NB403"
        assert label == "it sets one rate for all weights, and a group has its own lr"
        assert not faults(**decay)


def test_groups_resume(tmp_path: Path) -> None:
    """A stopped training with groups ends with the same weights, bit for bit."""
    whole = prepared(tmp_path, GROUPS)
    training.fit(whole, Silent())
    first = prepared(tmp_path, GROUPS)
    stopping = Silent()
    stopping.step = lambda *_, **__: first.stop()  # type: ignore[method-assign]
    with pytest.raises(training.Interrupted, match=r"^$"):
        training.fit(first, stopping)
    again = training.resume(first.run.folder)
    training.fit(again, Silent())
    assert outcome(again.run) == outcome(whole.run)
    assert options(again, "lr") == options(whole, "lr")


def test_groups_are_resolved() -> None:
    """The resolved config has the same groups."""
    config = read(from_bytes("a.yaml", text(**sections(GROUPS)).encode()))
    again = read(from_bytes("resolved.yaml", resolved(config).encode()))
    (one,), (other,) = config.optimizers, again.optimizers
    assert [g[:2] for g in other.groups] == [g[:2] for g in one.groups]
    assert resolved(again) == resolved(config)


DESCRIBED = [
    Described("*.bias", 4, 8 + 8 + 6 + 3, "lr 0.0"),
    Described("features.*", 3, 32 + 8 + 48, "lr 0.05, momentum 0.9"),
    Described("head", 1, 18, "weight_decay 0.5"),
]


def described_of(graph: Graph) -> list[Described]:
    """Return the groups of the only optimizer."""
    own = weights(graph.config, graph.rows, graph.outputs)
    return described(graph.config.optimizers[0], list(own))


def test_groups_are_described() -> None:
    """The table has a row for each group, and a row for the other weights."""
    config = read(from_bytes("a.yaml", text(**sections(GROUPS)).encode()))
    graph = trainable(config)
    assert described_of(graph) == DESCRIBED
    assert sum(group.params for group in DESCRIBED) == graph.trainable
    config = read(from_bytes("a.yaml", text(**sections(GROUPS[1:2])).encode()))
    *_, rest = described_of(trainable(config))
    assert rest == Described("all others", 2, 21, "")


@pytest.mark.parametrize("dry", [False, True])
def test_groups_are_printed_before_training(tmp_path: Path, *, dry: bool) -> None:
    """The command prints the table before the first epoch."""
    file = write(tmp_path, **sections(GROUPS))
    more = ["--dry-run"] if dry else []
    result = CliRunner().invoke(app, ["train", str(file), "--runs", str(tmp_path / "r"), *more])
    head, *rows = (line.split() for line in result.stdout.splitlines()[:4])
    assert head == ["group", "weights", "params", "options"]
    assert rows == [
        ["*.bias", "4", "25", "lr", "0.0"],
        ["features.*", "3", "88", "lr", "0.05,", "momentum", "0.9"],
        ["head", "1", "18", "weight_decay", "0.5"],
    ]


def test_frozen_weights_are_in_no_group() -> None:
    """A group does not match weights that do not learn."""
    layers = LAYERS | {"head": {"Linear": 3, "freeze": True}}
    (fault,) = faults(**{**sections([{"match": "head.*", "lr": 0.1}]), "layers": layers})
    assert fault == ("NB408", "all weights that it matches are frozen")


def faults(**more: Any) -> list[tuple[str, str]]:
    """Return the codes and labels of a config's faults."""
    graph = infer(read(from_bytes("tiny.yaml", text(**more).encode())))
    return [(f.code, f.label) for f in graph.diagnostics if f.code in {*_CODES}]


_CODES = ("NB103", "NB104", "NB105", "NB106", "NB109", "NB403", "NB406", "NB408")
#: Groups, the optimizer beside which they stand, and the code and a part of what is said.
FAULTS: dict[str, tuple[Any, Any, str, str]] = {
    "matches nothing": (
        [{"match": "tail.*", "lr": 0.1}],
        None,
        "NB408",
        "no trainable weight is called tail.*",
    ),
    "too late": (
        [{"match": "head.*", "lr": 0.1}, {"match": "head.bias", "lr": 0.2}],
        None,
        "NB408",
        "earlier groups have all the weights that it matches",
    ),
    "LBFGS": (
        [{"match": "head.*", "lr": 0.1}],
        {"LBFGS": {"lr": 0.1}},
        "NB406",
        "LBFGS changes all weights together, with the same options",
    ),
    "no list": ({"match": "head.*", "lr": 0.1}, None, "NB106", "groups wants a list, not"),
    "no pattern": ([{"lr": 0.1}], None, "NB106", "this group needs match, a pattern of names"),
    "no option": ([{"match": "head.*"}], None, "NB106", "this group needs an option, such as lr"),
    "no group": (
        ["head.*"],
        None,
        "NB106",
        "a group is a mapping with match and options, not",
    ),
    "no name": ([{"match": 3, "lr": 0.1}], None, "NB106", "match wants a pattern of names, not"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_group_is_told(name: str) -> None:
    """A group without weights or without options is a fault."""
    groups, optimizer, code, said = FAULTS[name]
    ((found, label),) = faults(**sections(groups, optimizer))
    assert found == code
    assert label.startswith(said)


def test_an_option_that_the_optimizer_lacks_is_told() -> None:
    """An option of a group that is unknown or out of range is a fault."""
    assert faults(**sections([{"match": "head.*", "betas": [0.9, 0.99]}]))
    assert faults(**sections([{"match": "head.*", "lr": -1}]))
    assert faults(**sections([{"match": "head.*", "lr": 0.1}])) == []


def test_what_a_group_needs_may_stand_with_the_optimizer() -> None:
    """Options of a group are checked together with the options of the optimizer."""
    nesterov = [{"match": "head.*", "nesterov": True}]
    assert faults(**sections(nesterov, {"SGD": {"lr": 0.1, "momentum": 0.9}})) == []
    assert faults(**sections(nesterov, {"SGD": {"lr": 0.1}}))
