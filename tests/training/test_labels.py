"""Labels that do not count: the loss ignores them, or gives their class the weight 0."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from netbuild.components.datasets.dataset import Sample
from netbuild.components.target import Classes
from netbuild.components.tensor import Tensor
from netbuild.config.preparation import Preparation
from netbuild.training import evaluate
from netbuild.training.data.batches import Batches
from netbuild.training.data.loading import _class_weights
from netbuild.training.progress import Silent
from tests.training.by_hand import arrays, command, prepared, trained
from tests.training_configs import in_memory, write

IGNORING = {"CrossEntropyLoss": {"ignore_index": 0}}
_X = np.random.default_rng(0).standard_normal((64, 4))


def split(folder: Path, training: Any, validation: Any) -> dict[str, Any]:
    """Write samples with some labels, and return the section `data:` that reads them."""
    training, validation = np.asarray(training), np.asarray(validation)
    np.savez(
        folder / "split.npz",
        x_train=_X[: len(training)].astype("float32"),
        y_train=training,
        x_test=_X[: len(validation)].astype("float32"),
        y_test=validation,
    )
    source = {"file": str(folder / "split.npz"), "inputs": ["x_train"], "target": "y_train"}
    return {"Arrays": source | {"classes": 3}, "validation": "test"}


SOME = np.arange(48) % 3
NONE = np.zeros(48, int)

#: Sections, the labels of both splits, options, and what netbuild says.
REFUSED: dict[str, tuple[Any, Any, Any, list[str], str]] = {
    "no label trains": (
        *(IGNORING, NONE, SOME, []),
        "the training samples counts: each is 0, the class that CrossEntropyLoss ignores",
    ),
    "no label validates": (
        *(IGNORING, SOME, NONE[:9], []),
        "the validation samples counts: each is 0, the class that CrossEntropyLoss ignores",
    ),
    "none within a limit": (
        *(IGNORING, SOME, np.repeat([0, 1], 24), ["--set", "train.limit_batches=1"]),
        (
            "the 16 validation samples within limit_batches counts: each is 0, the class that "
            "CrossEntropyLoss ignores"
        ),
    ),
    "of NLLLoss": (
        *({"NLLLoss": {"ignore_index": 2}}, SOME, NONE + 2, []),
        "the validation samples counts: each is 2, the class that NLLLoss ignores",
    ),
    "a weight of 0": (
        *({"CrossEntropyLoss": {"weight": [0, 1, 1]}}, SOME, NONE, []),
        (
            "the validation samples counts: each has a class to which CrossEntropyLoss gives the "
            "weight 0"
        ),
    ),
    "class_weights of 0": (
        *("CrossEntropyLoss", NONE, SOME, ["--set", "data.class_weights=[0, 1, 1]"]),
        (
            "the training samples counts: each has a class to which CrossEntropyLoss gives the "
            "weight 0"
        ),
    ),
    "both": (
        *({"NLLLoss": {"weight": [1, 0, 1], "ignore_index": 0}}, SOME, SOME % 2, []),
        (
            "the validation samples counts: each has a class to which NLLLoss gives the weight 0, "
            "or is 0, which it ignores"
        ),
    ),
    "the second loss": (
        *([{"CrossEntropyLoss": {}}, {**IGNORING, "weight": 0.5}], SOME, NONE, []),
        "the validation samples counts: each is 0, the class that CrossEntropyLoss ignores",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_samples_without_a_label_that_counts_are_refused(tmp_path: Path, name: str) -> None:
    """One sentence says it before the first step, and no run is made."""
    loss, training, validation, options, said = REFUSED[name]
    file = write(tmp_path, loss=loss, data=split(tmp_path, training, validation))
    code, printed = command("train", file, "--runs", tmp_path / "runs", *options)
    assert code == 1
    assert " ".join(printed.split()).endswith(f"netbuild: no label of {said}")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("loss", [IGNORING, {"CrossEntropyLoss": {"weight": [0, 1, 1]}}])
def test_a_dry_run_whose_batch_does_not_count(tmp_path: Path, loss: Any) -> None:
    """The dry run tries one batch. It says that this batch has no loss, and succeeds."""
    data = split(tmp_path, SOME, np.repeat([0, 1], 16))
    file = write(
        tmp_path,
        loss=loss,
        data=data,
        metrics=[{"F1Score": {"average": "macro"}, "name": "macro_f1"}] if loss is IGNORING else [],
    )
    code, printed = command("train", file, "--dry-run")
    assert code == 0
    assert "val_loss –" in printed
    assert "train_loss –" not in printed
    assert printed.splitlines()[1:] == [
        (
            "no label of the validation counts: the loss ignores each of them, or gives its class "
            "the weight 0"
        )
    ]
    code, printed = command("train", file, "--runs", tmp_path / "runs")
    assert code == 0


#: One batch of two samples an epoch: with few labels that count, most epochs have none.
RARE = {"train": {"batch_size": 2, "limit_batches": 1, "epochs": 6, "device": "cpu"}}


@pytest.mark.parametrize("optimizer", [{"SGD": 0.5}, {"LBFGS": {"max_iter": 3}}])
def test_an_epoch_without_a_label_that_counts(tmp_path: Path, optimizer: Any) -> None:
    """It has no training loss, changes no weight, and the training goes on."""
    data = split(tmp_path, np.repeat([0, 1, 2], [40, 4, 4]), SOME)
    sections = {"data": data, "loss": IGNORING, "optimizer": optimizer, **RARE}
    trainer = prepared(tmp_path, **sections)
    weights = []
    while not trainer.finished:
        weights.append([p.detach().clone() for p in trainer.learner.module.parameters()])
        trainer.epoch(Silent())
    weights.append([*trainer.learner.module.parameters()])
    losses = [epoch["train_loss"] for epoch in trainer.run.metrics]
    accuracies = [epoch["train_accuracy"] for epoch in trainer.run.metrics]
    assert None in losses
    assert any(losses)
    for epoch, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True)):
        pairs = [*zip(weights[epoch], weights[epoch + 1], strict=True)]
        assert (loss is None) == (accuracy is None) == all(torch.equal(a, b) for a, b in pairs)
        assert all(bool(b.isfinite().all()) for _, b in pairs)


def test_an_epoch_without_a_loss_is_a_dash(tmp_path: Path) -> None:
    """The table, TensorBoard's events, the runs and a resumption show no number for it."""
    data = split(tmp_path, np.repeat([0, 1], [47, 1]), SOME)
    file = write(tmp_path, data=data, loss=IGNORING, **RARE)
    runs = tmp_path / "runs"
    code, printed = command("train", file, "--runs", runs, "--set", "train.tensorboard=true")
    assert code == 0
    rows = [line.split() for line in printed.splitlines() if line.lstrip().startswith("1/6")]
    assert [row[1:3] for row in rows] == [["–", "–"]]
    assert "nan" not in printed
    (run,) = (runs / "tiny").iterdir()
    lines = (run / "metrics.jsonl").read_text().splitlines()
    first = json.loads(lines[0], parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert first["train_loss"] is None
    assert first["val_loss"] > 0
    assert command("runs", run, "--format", "csv")[0] == 0
    more = ("--set", "train.epochs=7", "--allow-changes")
    assert command("train", "--resume", run, *more)[0] == 0


def test_labels_that_only_the_validation_ignores(tmp_path: Path) -> None:
    """The ignored labels of the validation are left out, as torch does."""
    data = split(tmp_path, SOME % 2, np.where(np.arange(40) % 3, 2, np.arange(40) % 2))
    loss = {"CrossEntropyLoss": {"weight": [0.5, 2.0, 1.0], "ignore_index": 2}}
    trainer = trained(tmp_path, "train.batch_size=2", data=data, loss=loss)
    held_out = in_memory(trainer.held_out)
    module = trainer.learner.module.eval()
    with torch.no_grad():
        y = module(*held_out.inputs)
    target, weight = held_out.targets[0], torch.tensor([0.5, 2.0, 1.0])
    given: Any = {"weight": weight.double(), "ignore_index": 2}
    expected = nn.functional.cross_entropy(y.double(), target, **given)
    assert trainer.run.metrics[-1]["val_loss"] == pytest.approx(float(expected), rel=1e-6)
    right = (y.argmax(1) == target)[target != 2]
    assert trainer.run.metrics[-1]["val_accuracy"] == float(right.double().mean())
    assert evaluate(trainer.run.folder, "last")["val_loss"] == pytest.approx(float(expected))


def test_evaluate_prints_no_nan(tmp_path: Path) -> None:
    """R² of one sample does not exist: it is a dash, and null in JSON."""
    data = arrays(tmp_path, _X, _X[:, :1]) | {"validation": 0.01}
    sections = {
        "layers": [{"Linear": 1}],
        "loss": "MSELoss",
        "metrics": ["MeanAbsoluteError", "R2Score"],
    }
    run = trained(tmp_path, data=data, **sections).run
    code, printed = command("evaluate", run.folder)
    assert (code, printed.splitlines()[-1].split()) == (0, ["val_r2", "–"])
    code, printed = command("evaluate", run.folder, "--format", "json")
    values = json.loads(printed, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert values["val_r2"] is None
    assert values == {name: v for name, v in run.best.items() if name in values}


def test_evaluate_refuses_weights_that_are_not_finite(tmp_path: Path) -> None:
    """A network whose outputs are NaN has no loss; the command says it, as training does."""
    from safetensors.torch import load_file, save_file

    trainer = trained(tmp_path)
    weights = load_file(trainer.run.checkpoint("best") / "model.safetensors")
    name = next(iter(weights))
    weights[name][0] = torch.nan
    save_file(weights, tmp_path / "nan.safetensors")
    file = tmp_path / "tiny.yaml"
    code, printed = command("evaluate", file, "--weights", tmp_path / "nan.safetensors")
    assert (code, printed) == (1, "netbuild: the loss is nan in the validation\n")


@pytest.mark.parametrize("loss", ["LinearCrossEntropyLoss", "AdaptiveLogSoftmaxWithLoss"])
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_scores_of_a_loss_in_half_precision(tmp_path: Path, loss: str) -> None:
    """A loss with weights of its own scores the classes in single precision."""
    fields = {"num_classes": 3} if loss.startswith("L") else {"n_classes": 3, "cutoffs": [1]}
    (epoch,) = trained(
        tmp_path, "train.precision=bf16", "train.epochs=1", loss={loss: fields}
    ).run.metrics
    assert 0 <= epoch["val_accuracy"] <= 1


def test_balanced_weights_of_ignored_labels() -> None:
    """Labels that are no class do not change the weights: n / (classes · count) of the others."""
    targets = torch.tensor([0, 0, 1, 2, 255, -100, 255])
    data, wanted = (
        Batches((torch.zeros(7, 4),), (targets,)),
        Sample((Tensor((4,)),), {"target": Classes(3)}),
    )
    weights = _class_weights(data, Preparation(class_weights="balanced"), wanted)
    assert weights is not None
    assert weights.tolist() == pytest.approx([4 / 6, 4 / 3, 4 / 3])
