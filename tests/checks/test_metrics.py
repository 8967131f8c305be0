"""The section `metrics`: its items, their names in the run, and its faults."""

from typing import Any

import pytest

from netbuild.checks.trace import infer
from netbuild.components.metrics.former import FORMER
from netbuild.config.load import read
from netbuild.config.metrics import measured_keys
from netbuild.syntax.parser import from_bytes
from tests.training_configs import text

#: Names of earlier releases of metrics of values.
OF_VALUES = ("mae", "rmse", "r2")


def faults(**sections: Any) -> list[tuple[str, str, str | None]]:
    """Return the codes, titles and help of a config's faults."""
    graph = infer(read(from_bytes("tiny.yaml", text(**sections).encode())))
    return [(f.code, f.title, f.help) for f in graph.diagnostics if f.severity == "error"]


def test_what_is_no_metric_is_told() -> None:
    """An unknown name, and what does not go with the loss, are faults of the file."""
    ((code, title, help_),) = faults(metrics=["acuracy"])
    assert (code, title) == ("NB103", "no metric is called acuracy")
    assert help_ == "did you mean Accuracy?"
    ((code, title, help_),) = faults(metrics=["MeanAbsoluteError"])
    assert (code, title) == ("NB409", "a metric that does not fit the loss")
    assert help_ == (
        "metrics for CrossEntropyLoss are Accuracy, F1Score, ConfusionMatrix, AUROC, JaccardIndex "
        "and others: netbuild metrics"
    )
    ((code, _, help_),) = faults(metrics=["Accuracy"], loss="MSELoss", data=None)
    assert code == "NB409"
    assert str(help_).startswith("metrics for MSELoss are MeanAbsoluteError, MeanSquaredError, R2")
    ((code, *_),) = faults(metrics=[3])
    assert code == "NB108"
    ((code, *_),) = faults(
        metrics=[{"Accuracy": 5}], layers=[{"Linear": 1}], loss="BCEWithLogitsLoss"
    )
    assert code == "NB106"  # the bare value is a threshold
    ((code, *_),) = faults(metrics=[{"Accuracy": {"top_k": 5}}], layers=[{"Linear": 5}])
    assert code == "NB409"


@pytest.mark.parametrize("name", FORMER)
def test_a_former_name_has_a_safe_fix(name: str) -> None:
    """The fix gives the same numbers under the same name in the run."""
    of_values = name in OF_VALUES
    sections: dict[str, Any] = {"layers": [{"Linear": 1 if of_values else 9}]}
    if of_values:
        sections["loss"] = "MSELoss"
    graph = infer(read(from_bytes("tiny.yaml", text(metrics=[name], **sections).encode())))
    (fault,) = [f for f in graph.diagnostics if f.severity == "error"]
    assert (fault.code, fault.help) == ("NB103", f"write {FORMER[name].item}")
    (fix,) = fault.fixes
    assert fix.safe
    assert fix.edits[0].text == FORMER[name].item
    new = text(metrics=None, **sections) + f"metrics: [{FORMER[name].item}]\n"
    graph = infer(read(from_bytes("tiny.yaml", new.encode())))
    assert graph.diagnostics == ()
    (term,) = graph.config.metrics
    assert (term.metric, term.key) == (FORMER[name].metric, name)


def test_a_former_name_of_yes_or_no_has_an_unsafe_fix() -> None:
    """The mean of F1 over yes and no has become F1 of yes."""
    sections = text(metrics=["macro_f1"], layers=[{"Linear": 1}], loss="BCEWithLogitsLoss")
    graph = infer(read(from_bytes("tiny.yaml", sections.encode())))
    (fault,) = graph.diagnostics
    assert [fix.safe for fix in fault.fixes] == [False]


def test_names_in_the_run() -> None:
    """A type gives its name; a written name replaces it; each is there once."""
    items = ["Accuracy", {"F1Score": {"average": "macro"}}, {"AUROC": {}, "name": "area"}]
    config = read(from_bytes("tiny.yaml", text(metrics=items).encode()))
    assert [term.key for term in config.metrics] == ["accuracy", "f1_score", "area"]
    assert measured_keys(config) == {
        "train_loss": False,
        "val_loss": False,
        "train_accuracy": True,
        "val_accuracy": True,
        "train_f1_score": True,
        "val_f1_score": True,
        "val_area": True,
    }
    for twice in (["Accuracy", "Accuracy"], ["Accuracy", {"AUROC": {}, "name": "accuracy"}]):
        assert [fault[:2] for fault in faults(metrics=twice)] == [
            ("NB416", "two metrics of the name accuracy")
        ]
    ((code, *_),) = faults(metrics=[{"Accuracy": {}, "name": "loss"}])
    assert code == "NB416"
    named_loss = {"CrossEntropyLoss": {}, "name": "accuracy"}
    assert [fault[0] for fault in faults(metrics=["Accuracy"], loss=named_loss)] == ["NB416"]


def test_the_loss_decides_what_torchmetrics_asks_for() -> None:
    """Each argument that the loss decides is a fault that says so."""
    ((code, title, help_),) = faults(metrics=[{"Accuracy": {"num_classes": 3}}])
    assert (code, title) == ("NB417", "Accuracy takes no num_classes")
    assert help_ == "leave num_classes out"
