"""Every loss trains, with the weights that it learns itself."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

import netbuild
from netbuild import training
from netbuild.checks.torch_release import has
from netbuild.checks.trace import infer, trace, trainable
from netbuild.components.losses import LOSSES
from netbuild.config.load import load, read
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.parser import from_bytes
from netbuild.training.loop import Trainer
from netbuild.training.progress import Silent
from tests.components.losses.cases import REQUIRED, TORCHS, torchs
from tests.training_configs import outcome, text, write


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        *((name, REQUIRED.get(name, {})) for name in LOSSES),
        ("LinearCrossEntropyLoss", {"num_classes": 3, "out_features": [2, 4], "bias": True}),
        ("AdaptiveLogSoftmaxWithLoss", {"n_classes": 9, "cutoffs": [4], "head_bias": True}),
        ("AdaptiveLogSoftmaxWithLoss", {"n_classes": 9, "cutoffs": [1, 2]}),
        ("AdaptiveLogSoftmaxWithLoss", {"n_classes": 9, "cutoffs": [1, 2, 3], "div_value": 1.3}),
    ],
)
def test_the_weights_are_those_of_torch(kind: str, fields: dict[str, Any]) -> None:
    """The weights of a loss have torch's names and shapes, also where a cluster has no feature."""
    loss = LOSSES[kind].model_validate(fields)
    y = ((10,),) * len(loss.inputs)
    module = torchs(kind)(**loss.arguments(*y))
    assert loss.weights(*y) == {n: tuple(p.shape) for n, p in module.named_parameters()}


LOG = [{"Linear": 6}, "LogSoftmax"]

#: The layers that each loss of one output is trained with; the others take raw scores.
LAYERS: dict[str, list[Any]] = {
    "NLLLoss": LOG,
    "NLLLoss2d": LOG,
    "KLDivLoss": LOG,
    "BCELoss": [{"Linear": 6}, "Sigmoid"],
    "CTCLoss": [
        {"Linear": 12},
        {"Unflatten": {"dim": 1, "unflattened_size": [4, 3]}},
        {"LogSoftmax": {"dim": 2}},
    ],
}

SINGLE = [name for name in (*TORCHS, "Mean") if len(LOSSES[name].inputs) == 1]


def prepared(folder: Path, loss: Any, *settings_: str, **sections: Any) -> Trainer:
    """Return the training of a small network with a loss."""
    name = loss if isinstance(loss, str) else next(iter(loss))
    sections = {"layers": LAYERS.get(name, [{"Linear": 6}])} | sections
    file = write(folder, loss=loss, **sections)
    return training.prepare(trainable(load(file, settings_)), folder / "runs")


@pytest.mark.parametrize("name", SINGLE)
def test_every_loss_trains(tmp_path: Path, name: str) -> None:
    """Every loss trains: all weights change, its own too, and a checkpoint evaluates alike."""
    loss = {name: REQUIRED.get(name, {})}
    trainer = prepared(tmp_path, loss, "train.epochs=1")
    parts = (trainer.learner.module, trainer.learner.criterion.module)
    before = [p.detach().clone() for part in parts for p in part.parameters()]
    training.fit(trainer, Silent())
    after = [p for part in parts for p in part.parameters()]
    assert not any(p.numel() and torch.equal(p, q) for p, q in zip(before, after, strict=True))
    (epoch,) = trainer.run.metrics
    assert math.isfinite(epoch["train_loss"])
    assert training.evaluate(trainer.run.folder).items() <= epoch.items()
    assert ("val_accuracy" in epoch) == LOSSES[name].classifies


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", sorted({*SINGLE} - {"AdaptiveLogSoftmaxWithLoss"}))
def test_the_loss_does_not_depend_on_the_batches(tmp_path: Path, name: str, reduction: str) -> None:
    """The loss of an epoch is that of a sample, whatever the batch size is."""
    fields = {**REQUIRED.get(name, {}), "reduction": reduction}
    if "ignore_index" in LOSSES[name].model_fields:
        fields |= {"ignore_index": 1, "weight": [0.5, 1.0, 2.0, 0.1, 3.0, 1.0]}
        fields["weight"] = fields["weight"][: fields.get("num_classes", 6)]
    found = []
    for size in (5, 100):
        optimizer = {"SGD": {"lr": 0}}
        settings_ = (f"train.batch_size={size}", "train.epochs=1")
        trainer = prepared(tmp_path, {name: fields}, *settings_, optimizer=optimizer)
        training.fit(trainer, Silent())
        (epoch,) = trainer.run.metrics
        found.append([epoch["train_loss"], epoch["val_loss"]])
    assert found[0] == pytest.approx(found[1])


@pytest.mark.parametrize("name", sorted({*REQUIRED} & {*TORCHS}))
def test_a_loss_with_weights_of_its_own_resumes(tmp_path: Path, name: str) -> None:
    """The weights of a loss are in the state of a checkpoint, and not in the network's weights."""
    sections = {"layers": [{"Linear": 6}, {"Dropout": 0.2}]}
    (tmp_path / "whole").mkdir()
    whole = prepared(tmp_path / "whole", {name: REQUIRED[name]}, **sections)
    training.fit(whole, Silent())
    trainer = prepared(tmp_path, {name: REQUIRED[name]}, **sections)
    stopping = Silent()
    stopping.step = lambda *_, **__: trainer.stop()  # type: ignore[method-assign]
    with pytest.raises(training.Interrupted, match=r"^$"):
        training.fit(trainer, stopping)
    torch.manual_seed(1)
    resumed = training.resume(trainer.run.folder)
    training.fit(resumed, Silent())
    assert outcome(resumed.run) == outcome(whole.run)
    assert set(resumed.learner.module.state_dict()) == {"0.weight", "0.bias"}
    ours, theirs = (t.learner.criterion.module.state_dict() for t in (resumed, whole))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.skipif(not has("2.13"), reason="LinearCrossEntropyLoss needs torch 2.13")
def test_a_checkpoint_without_the_weights_of_its_loss_is_told(tmp_path: Path) -> None:
    """A state.pt that lacks what the loss has learned is told in a sentence."""
    trainer = prepared(tmp_path, {"LinearCrossEntropyLoss": 3})
    training.fit(trainer, Silent())
    place = trainer.run.checkpoint("best") / "state.pt"
    state = torch.load(place, weights_only=True)
    torch.save({name: value for name, value in state.items() if name != "loss"}, place)
    with pytest.raises(
        training.TrainingError, match=r"best does not hold the state of this training$"
    ):
        training.evaluate(trainer.run.folder)


def test_accuracy_leaves_out_what_does_not_count(tmp_path: Path) -> None:
    """Places of the ignored class are in no accuracy, and every other place counts alike."""
    layers = [
        {"Unflatten": {"dim": 1, "unflattened_size": [1, 2, 2]}},
        {"Conv2d": {"out_channels": 3, "kernel_size": 1}},
    ]
    trainer = prepared(tmp_path, {"CrossEntropyLoss": {"ignore_index": 1}}, layers=layers)
    x, (target,) = next(trainer.held_out.in_order(12))
    assert target.shape == (12, 2, 2)
    y = trainer.learner.module.eval()(*x)
    measures = trainer.learner.new_measures()
    measures.add([torch.tensor(1.0)], x, y, (target,))
    counted = target != 1
    hits = (y.argmax(1) == target) & counted
    assert measures.tensors()["told"] == counted.sum()
    assert measures.tensors()["correct"] == hits.sum()
    assert measures.means("val")["val_accuracy"] == float(hits.double().sum() / counted.sum())


@pytest.mark.parametrize(
    "loss",
    ["CrossEntropyLoss", {"AdaptiveLogSoftmaxWithLoss": REQUIRED["AdaptiveLogSoftmaxWithLoss"]}],
)
def test_sums_are_the_same_whenever_they_are_read(tmp_path: Path, loss: Any) -> None:
    """Batches that wait are counted as if each were counted at once, with the weights of its step.

    A loss that has weights of its own changes them in each step.
    """
    found = []
    for often in (True, False):
        (tmp_path / str(often)).mkdir()
        trainer = prepared(tmp_path / str(often), loss, metrics=["Accuracy"])
        learner = trainer.learner
        for number, batch in enumerate(trainer.training.shuffled(5, 0)):
            learner.step([batch], f"step {number}")
            if often:
                learner.measures.means("train")
        found.append(learner.measures.tensors())
    assert {name: float(value) for name, value in found[0].items()} == found[1]


def _faults(**sections: Any) -> list[str]:
    graph = infer(read(from_bytes("tiny.yaml", text(**sections).encode())))
    return [fault.label for fault in errors(graph.diagnostics)]


def test_the_config_is_checked_without_training() -> None:
    """A loss that does not fit the network is a fault of the file."""
    (said,) = _faults(loss="TripletMarginLoss")
    assert said == "it reads 3 outputs (anchor, positive, negative), and the network gives 1"
    assert _faults(loss="CrossEntropyLoss") == []


@pytest.mark.skipif(not has("2.13"), reason="LinearCrossEntropyLoss needs torch 2.13")
def test_a_network_is_plain_whatever_its_loss_learns() -> None:
    """What is built has none of the loss's weights."""
    config = read(from_bytes("tiny.yaml", text(loss={"LinearCrossEntropyLoss": 3}).encode()))
    names = set(netbuild.build(config).state_dict())
    assert names == set(netbuild.build(trace(config).config._replace(losses=())).state_dict())
