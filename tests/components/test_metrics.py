"""Metrics: what is measured beside the loss is what scikit-learn computes of all samples."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics
from typer.testing import CliRunner

from netbuild import training
from netbuild.checks.trace import infer, trainable
from netbuild.cli import app
from netbuild.components.losses import LOSSES
from netbuild.components.metrics import METRICS
from netbuild.config.load import load, read
from netbuild.syntax.parser import from_bytes
from netbuild.training.loop import Trainer
from netbuild.training.progress import Silent
from tests.training.measures.cases import ARGUMENTS
from tests.training_configs import in_memory, text, write

#: Metrics, by the name that they have here.
OF_CLASSES: dict[str, Any] = {
    "accuracy": "Accuracy",
    "top_5_accuracy": {"Accuracy": {"top_k": 5}},
    "macro_f1": {"F1Score": {"average": "macro"}},
    "confusion_matrix": "ConfusionMatrix",
}
OF_VALUES: dict[str, Any] = {
    "mae": "MeanAbsoluteError",
    "rmse": {"MeanSquaredError": {"squared": False}},
    "r2": "R2Score",
}


def named(*names: str) -> list[Any]:
    """Return the items of metrics, each with its name."""
    items = {n: {i: {}} if isinstance(i, str) else i for n, i in (OF_CLASSES | OF_VALUES).items()}
    return [items[name] | {"name": name} for name in names]


CLASSES = 7
#: Networks whose outputs are compared in different shapes; some classes are there, others not.
SECTIONS: dict[str, dict[str, Any]] = {
    "a class": {"layers": [{"Linear": CLASSES}]},
    "absent classes": {
        "layers": [{"Linear": CLASSES}],
        "data": {"Random": {"samples": 60, "classes": 3}},
    },
    "an ignored class": {
        "layers": [{"Linear": CLASSES}],
        "loss": {"CrossEntropyLoss": {"ignore_index": 2}},
    },
    "weighted": {
        "layers": [{"Linear": CLASSES}],
        "loss": {"CrossEntropyLoss": {"weight": [float(n + 1) for n in range(CLASSES)]}},
    },
    "places": {
        "input": [1, 3, 5],
        "layers": [{"Conv2d": {"out_channels": CLASSES, "kernel_size": 1}}],
        "loss": {"CrossEntropyLoss": {"ignore_index": 1}},
    },
    "its own weights": {
        "layers": [{"Linear": 4}],
        "loss": {"LinearCrossEntropyLoss": {"num_classes": CLASSES}},
    },
    "margins": {"layers": [{"Linear": CLASSES}], "loss": "MultiMarginLoss"},
    "few": {"layers": [{"Linear": 6}]},
}


def trained(folder: Path, metrics: Any, *settings_: str, **sections: Any) -> Trainer:
    """Return the training of a small network with metrics, finished."""
    sections = {"metrics": metrics, "optimizer": {"SGD": {"lr": 0.1}}} | sections
    file = write(folder, **sections)
    settings_ = ("train.batch_size=5", "train.epochs=1", *settings_)
    trainer = training.prepare(trainable(load(file, settings_)), folder / "runs")
    training.fit(trainer, Silent())
    return trainer


def compared(trainer: Trainer) -> tuple[Any, Any]:
    """Return the scores of all places that were validated and count, and their classes."""
    (x,), (target,) = in_memory(trainer.held_out).inputs, in_memory(trainer.held_out).targets
    criterion = trainer.learner.criterion
    with torch.no_grad():
        y = trainer.learner.module.eval()(x)
        if hasattr(criterion.module, "linear"):
            y = criterion.module.linear(y)
    scores = y.movedim(1, -1).reshape(-1, y.shape[1])
    classes = target.reshape(-1)
    counted = classes != criterion.first.ignored
    return scores[counted].double().numpy(), classes[counted].numpy()


@pytest.mark.parametrize("name", SECTIONS)
def test_metrics_of_classes(tmp_path: Path, name: str) -> None:
    """All of them are scikit-learn's, over several batches, classes that are ignored left out."""
    trainer = trained(tmp_path, named(*OF_CLASSES), **SECTIONS[name])
    scores, classes = compared(trainer)
    count = scores.shape[1]
    labels, told = np.arange(count), scores.argmax(1)
    (epoch,) = trainer.run.metrics
    assert epoch["val_accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(classes, told))
    matrix = sklearn_metrics.confusion_matrix(classes, told, labels=labels)
    assert epoch["val_confusion_matrix"] == matrix.tolist()
    expected = sklearn_metrics.f1_score(classes, told, average="macro", zero_division=0)
    assert epoch["val_macro_f1"] == pytest.approx(expected)
    expected = sklearn_metrics.top_k_accuracy_score(classes, scores, k=5, labels=labels)
    assert epoch["val_top_5_accuracy"] == pytest.approx(expected)
    assert sum(map(sum, epoch["val_confusion_matrix"])) == len(classes)


BINARY: dict[str, tuple[dict[str, Any], float, float]] = {
    "a probability": ({"layers": [{"Linear": 1}, "Sigmoid"], "loss": "BCELoss"}, 0.5, 0.5),
    "a logit": ({"layers": [{"Linear": 1}], "loss": "BCEWithLogitsLoss"}, 0, 0.5),
    "labels": ({"layers": [{"Linear": 4}], "loss": "MultiLabelSoftMarginLoss"}, 0, 0.5),
    "signs": ({"layers": [{"Linear": 3}], "loss": "SoftMarginLoss"}, 0, 0),
}
NO_VALUES = {"signs"}


@pytest.mark.parametrize("name", BINARY)
def test_metrics_of_yes_and_no(tmp_path: Path, name: str) -> None:
    """Each value of an output is a yes or no; of values there are metrics as well."""
    sections, threshold, middle = BINARY[name]
    of_values = [] if name in NO_VALUES else ["mae"]
    trainer = trained(tmp_path, named("accuracy", "macro_f1", *of_values), **sections)
    held_out = in_memory(trainer.held_out)
    with torch.no_grad():
        y = trainer.learner.module.eval()(held_out.inputs[0]).double().numpy()
    target = held_out.targets[0].double().numpy()
    classes, told = (target > middle).ravel(), (y > threshold).ravel()
    assert set(classes) == {False, True}
    (epoch,) = trainer.run.metrics
    assert epoch["val_accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(classes, told))
    truth, answers = target > middle, y > threshold
    if y.shape[1] == 1:
        expected = sklearn_metrics.f1_score(classes, told)
    else:
        expected = sklearn_metrics.f1_score(truth, answers, average="macro", zero_division=0)
    assert epoch["val_macro_f1"] == pytest.approx(expected)
    if of_values:
        likely = y if threshold else 1 / (1 + np.exp(-y))
        assert epoch["val_mae"] == pytest.approx(np.abs(likely - target).mean(), rel=1e-5)


VALUES: dict[str, dict[str, Any]] = {
    "one": {"layers": [{"Linear": 1}], "loss": "MSELoss"},
    "several": {"layers": [{"Linear": 3}], "loss": "L1Loss"},
    "places": {
        "input": [1, 3, 5],
        "layers": [{"Conv2d": {"out_channels": 2, "kernel_size": 1}}],
        "loss": {"MSELoss": {"reduction": "sum"}},
        "optimizer": {"SGD": {"lr": 1e-4}},
    },
    "diabetes": {
        "input": [10],
        "layers": [{"Linear": 1}],
        "data": "Diabetes",
        "loss": "MSELoss",
        "optimizer": "Adam",
    },
}


@pytest.mark.parametrize("name", VALUES)
def test_metrics_of_values(tmp_path: Path, name: str) -> None:
    """The mean errors and R² are scikit-learn's, of all batches; R² is the mean over channels."""
    trainer = trained(tmp_path, named(*OF_VALUES), **VALUES[name])
    (x,), (target,) = in_memory(trainer.held_out).inputs, in_memory(trainer.held_out).targets
    with torch.no_grad():
        y = trainer.learner.module.eval()(x)
    ours, theirs = (t.double().movedim(1, -1).flatten(0, -2).numpy() for t in (y, target))
    (epoch,) = trainer.run.metrics
    mae = sklearn_metrics.mean_absolute_error(theirs, ours)
    rmse = sklearn_metrics.root_mean_squared_error(theirs.ravel(), ours.ravel())
    assert epoch["val_mae"] == pytest.approx(mae, rel=1e-5)
    assert epoch["val_rmse"] == pytest.approx(rmse, rel=1e-5)
    assert epoch["val_r2"] == pytest.approx(sklearn_metrics.r2_score(theirs, ours), rel=1e-5)


def test_metrics_of_what_trains(tmp_path: Path) -> None:
    """Those of an epoch are of each batch with the weights before its step."""
    trainer = trained(
        tmp_path, named(*OF_CLASSES), optimizer={"SGD": {"lr": 0}}, layers=[{"Linear": CLASSES}]
    )
    (x,), (target,) = in_memory(trainer.training).inputs, in_memory(trainer.training).targets
    with torch.no_grad():
        told = trainer.learner.module(x).argmax(1)
    (epoch,) = trainer.run.metrics
    labels = np.arange(CLASSES)
    matrix = sklearn_metrics.confusion_matrix(target, told, labels=labels)
    assert epoch["train_confusion_matrix"] == matrix.tolist()
    assert epoch["train_accuracy"] == sklearn_metrics.accuracy_score(target, told)


def test_metrics_do_not_depend_on_batches(tmp_path: Path) -> None:
    """The batch size changes none of them, and accumulated batches count all."""
    still = {"SGD": {"lr": 0}}
    sections = SECTIONS["places"] | {"optimizer": still}
    found = []
    for more in (("train.batch_size=1",), ("train.batch_size=60",), ("train.accumulate=4",)):
        (epoch,) = trained(tmp_path, named(*OF_CLASSES), *more, **sections).run.metrics
        found.append(
            {k: v for k, v in epoch.items() if k.removeprefix("val_") in OF_CLASSES}
            | {k: v for k, v in epoch.items() if k.removeprefix("train_") in OF_CLASSES}
        )
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 2 * len(OF_CLASSES)


def test_metrics_resume(tmp_path: Path) -> None:
    """What an epoch has added up before it was stopped counts when it goes on."""
    whole = trained(tmp_path, named(*OF_CLASSES), **SECTIONS["a class"])
    file = write(
        tmp_path, metrics=named(*OF_CLASSES), optimizer={"SGD": 0.1}, **SECTIONS["a class"]
    )
    settings_ = ["train.batch_size=5", "train.epochs=1"]
    first = training.prepare(trainable(load(file, settings_)), tmp_path / "runs")
    stopping = Silent()
    stopping.step = lambda *_, **__: first.stop()  # type: ignore[method-assign]
    with pytest.raises(training.Interrupted, match=r"^$"):
        training.fit(first, stopping)
    again = training.resume(first.run.folder)
    training.fit(again, Silent())
    times = {"seconds", "samples_per_second"}
    ours, theirs = (
        {k: v for k, v in t.run.metrics[0].items() if k not in times} for t in (again, whole)
    )
    assert ours == theirs


def test_the_metrics_are_those_that_are_written(tmp_path: Path) -> None:
    """Without the section classes have their accuracy measured; with it just what it says."""
    (epoch,) = trained(tmp_path, None).run.metrics
    assert {k for k in epoch if k.startswith("val_")} == {"val_loss", "val_accuracy"}
    (epoch,) = trained(tmp_path, []).run.metrics
    assert {k for k in epoch if k.startswith("val_")} == {"val_loss"}
    (epoch,) = trained(tmp_path, {"F1Score": {"average": "macro"}}).run.metrics
    assert {k for k in epoch if k.startswith("val_")} == {"val_loss", "val_f1_score"}


def test_r2_of_a_target_that_is_the_same_everywhere(tmp_path: Path) -> None:
    """There is nothing to explain: what is written is JSON all the same."""
    np.savez(tmp_path / "a.npz", x=np.ones((60, 4), "float32"), y=np.full((60, 1), 3.0))
    data = {"Arrays": {"file": str(tmp_path / "a.npz")}}
    done = trained(tmp_path, named("r2"), data=data, layers=[{"Linear": 1}], loss="MSELoss").run
    line = (done.folder / "metrics.jsonl").read_text(encoding="utf-8")
    epoch = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert epoch["val_r2"] is None or math.isfinite(epoch["val_r2"])


def test_evaluate_prints_a_confusion_matrix(tmp_path: Path) -> None:
    """Numbers in lines, and the matrix below them, row by row; as JSON all is in one object."""
    trainer = trained(tmp_path, named("accuracy", "confusion_matrix"))
    folder = str(trainer.run.folder)
    (epoch,) = trainer.run.metrics
    lines = CliRunner().invoke(app, ["evaluate", folder]).stdout.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["val_loss", "val_accuracy"]
    rows = [[int(cell) for cell in line.split()[1:]] for line in lines[-3:]]
    assert rows == epoch["val_confusion_matrix"]
    printed = CliRunner().invoke(app, ["evaluate", folder, "--format=json"]).stdout
    assert json.loads(printed) == {k: v for k, v in epoch.items() if k.startswith("val_")}


def faults(**sections: Any) -> list[tuple[str, str, str | None]]:
    """Return the codes, titles and help of a config's faults."""
    graph = infer(read(from_bytes("tiny.yaml", text(**sections).encode())))
    return [(f.code, f.title, f.help) for f in graph.diagnostics if f.severity == "error"]


_LOG: list[Any] = [{"Linear": 6}, "LogSoftmax"]
#: The layers that each loss of one output is trained with; the others take raw scores.
LAYERS: dict[str, list[Any]] = {
    "NLLLoss": _LOG,
    "NLLLoss2d": _LOG,
    "KLDivLoss": _LOG,
    "BCELoss": [{"Linear": 6}, "Sigmoid"],
    "CTCLoss": [
        {"Linear": 12},
        {"Unflatten": {"dim": 1, "unflattened_size": [4, 3]}},
        {"LogSoftmax": {"dim": 2}},
    ],
}
FIELDS = {
    "LinearCrossEntropyLoss": {"num_classes": 3},
    "AdaptiveLogSoftmaxWithLoss": {"n_classes": 9, "cutoffs": [2, 5]},
}


def _quick_or_slow(loss: str) -> Any:
    """Return a loss; most are left out of the quick run."""
    quick = loss in {"LinearCrossEntropyLoss", "BCEWithLogitsLoss", "MSELoss", "CTCLoss"}
    return loss if quick else pytest.param(loss, marks=pytest.mark.slow)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(
    # kornia's losses read pictures; tests/components/losses/test_kornia_losses.py trains with them.
    "loss",
    [_quick_or_slow(n) for n, k in LOSSES.items() if len(k.inputs) == 1 and k.home == "torch.nn"],
)
def test_what_is_taken_is_measured(tmp_path: Path, loss: str) -> None:
    """With every loss, a metric is a fault of the file, or is measured."""
    layers = LAYERS.get(loss, [{"Linear": 6}])
    sections = {"layers": layers, "loss": {loss: FIELDS.get(loss, {})}}
    items = [
        {name: ARGUMENTS.get(name, [{}])[0], "name": f"m{n}"} for n, name in enumerate(METRICS)
    ]
    graph = infer(read(from_bytes("tiny.yaml", text(metrics=items, **sections).encode())))
    refused = [f.span for f in graph.diagnostics if f.code == "NB409"]
    terms = [t for t in graph.config.metrics if t.item and t.item.type.span not in refused]
    (epoch,) = trained(
        tmp_path, [i for i in items if i["name"] in {t.key for t in terms}], **sections
    ).run.metrics
    for term in terms:
        assert f"val_{term.key}" in epoch
        assert (f"train_{term.key}" in epoch) == term.metric.adds_up


@pytest.mark.parametrize("metrics", [["Accuracy"], [{"F1Score": {"average": "macro"}}]])
def test_targets_that_are_probabilities(tmp_path: Path, metrics: list[Any]) -> None:
    """Where the target is a probability of each class, a metric is a fault, or is measured."""
    data = {"Random": {"samples": 60, "target": [3]}}
    if not faults(metrics=metrics, data=data):
        trained(tmp_path, metrics, data=data)
    trained(tmp_path, None, data=data)
