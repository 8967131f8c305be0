"""The metrics of runs of earlier releases have the values of scikit-learn and of torchmetrics.

The references see all outputs at once, in double precision. netbuild sees them in batches, the last
one smaller, in one process or in several.
"""

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn
from torch import Tensor, nn

from netbuild.diagnostics.exceptions import TrainingError
from tests.training.step.hard import (
    CUTS,
    OF_CLASSES,
    OF_VALUES,
    Hard,
    classifying,
    criterion_of,
    drawn,
    ignoring,
    labels,
    measured,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TOLERANCE = 1e-11


def assert_equal(found: Any, expected: Any, name: str) -> None:
    """Assert that two values are the same, or that both are undefined."""
    if isinstance(expected, list):
        assert found == expected, name
    elif math.isnan(expected):
        assert math.isnan(found), name
    else:
        assert found == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE), name


# Classes.

_PLACES = {
    "input": [2, 3],
    "layers": [{"Conv1d": {"out_channels": 7, "kernel_size": 1}}],
    "loss": {"CrossEntropyLoss": {"ignore_index": 3}},
}
_HALVES = {"half": torch.float16, "brain": torch.bfloat16}

CLASSES: dict[str, Hard] = {
    "plain": Hard(drawn(101, 7), labels(7, 101), classifying(7)),
    "absent": Hard(
        drawn(53, 9).index_fill(1, torch.tensor([0, 8]), -9), labels(6, 53), classifying(9)
    ),
    "all right": Hard(
        nn.functional.one_hot(labels(4, 30, start=2), 7).float(),
        labels(4, 30, start=2),
        classifying(7),
    ),
    "an ignored class": Hard(drawn(64, 7), labels(7, 64), classifying(7, ignore_index=0)),
    "another number is ignored": Hard(
        drawn(60, 6), ignoring(labels(6, 60), 255, 0.5), classifying(6, ignore_index=255)
    ),
    "most are ignored": Hard(drawn(90, 6), ignoring(labels(6, 90), -100, 0.97), classifying(6)),
    "all are ignored": Hard(drawn(20, 6), torch.full((20,), -100), classifying(6)),
    "one sample": Hard(drawn(1, 6), labels(6, 1), classifying(6)),
    "one class": Hard(
        drawn(40, 6).index_fill(1, torch.tensor(4), 9), torch.full((40,), 4), classifying(6)
    ),
    "one class, one other told": Hard(
        drawn(40, 6).index_fill(1, torch.tensor(3), 9), torch.full((40,), 4), classifying(6)
    ),
    "places": Hard(drawn(23, 7, 3), labels(7, 23, 3), _PLACES),
    "large scores": Hard(drawn(60, 8) + 1e6, labels(8, 60), classifying(8)),
    "weights of 0": Hard(drawn(60, 6), labels(6, 60), classifying(6, weight=[0, 0, 1, 0, 2, 0])),
    "equal scores": Hard(torch.zeros(40, 8), labels(8, 40), classifying(8)),
    **{
        f"{name} precision": Hard(
            (drawn(300, 9) / 3).round(decimals=1).to(dtype), y, classifying(9)
        )
        for (name, dtype), y in zip(_HALVES.items(), (labels(9, 300),) * 2, strict=True)
    },
    "its weights": Hard(
        drawn(50, 6),
        labels(6, 50),
        {"layers": [{"Linear": 6}], "loss": {"MultiMarginLoss": {"weight": [0, 1, 2, 3, 4, 5]}}},
    ),
}


def by_sklearn_of_classes(scores: Tensor, classes: Tensor) -> dict[str, Any]:
    """Return scikit-learn's values, given the scores, (n, classes), of what counts."""
    count = scores.shape[1]
    told, true = scores.argmax(1).numpy(), classes.numpy()
    numbers = np.arange(count)
    if not len(true):
        return dict.fromkeys(("accuracy", "top_5_accuracy", "macro_f1"), math.nan)
    return {
        "accuracy": sklearn.accuracy_score(true, told),
        "top_5_accuracy": sklearn.top_k_accuracy_score(true, scores.numpy(), k=5, labels=numbers),
        "macro_f1": sklearn.f1_score(true, told, average="macro", zero_division=0),
        "confusion_matrix": sklearn.confusion_matrix(true, told, labels=numbers).tolist(),
    }


def by_torchmetrics_of_classes(y: Tensor, target: Tensor, ignored: int | None) -> dict[str, Any]:
    """Return torchmetrics' values of all samples. It leaves out the ignored labels itself.

    Among equal scores it takes any five, so `top_5_accuracy` is compared with scikit-learn only.
    """
    from torchmetrics import classification as of

    more: Any = {"num_classes": y.shape[1], "ignore_index": ignored}
    by: dict[str, Callable[..., Tensor]] = {
        "accuracy": of.MulticlassAccuracy(average="micro", **more).set_dtype(torch.float64),
        "macro_f1": of.MulticlassF1Score(average="macro", **more).set_dtype(torch.float64),
        "confusion_matrix": of.MulticlassConfusionMatrix(**more),
    }
    return {name: metric(y, target).tolist() for name, metric in by.items()}


@pytest.mark.parametrize("case", CLASSES)
def test_metrics_of_classes(case: str) -> None:
    """However the samples are cut, the metrics are the references'."""
    hard = CLASSES[case]
    metrics = [*OF_CLASSES]
    ignored = criterion_of(hard.sections, metrics).first.ignored
    y, target = hard.y.double(), hard.target
    scores, classes = y.movedim(1, -1).flatten(0, y.ndim - 2), target.flatten()
    counted = classes != ignored
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn and torchmetrics warn of the hard data
        references = [by_sklearn_of_classes(scores[counted], classes[counted])]
        if counted.any():
            references.append(by_torchmetrics_of_classes(y, target, ignored))
    for size, processes in CUTS:
        found = measured(hard, metrics, size, processes).means("val")
        for expected in references:
            for metric, value in expected.items():
                name = f"{metric}, {size}, {processes}"
                if expected is references[0] or not isinstance(value, float):
                    assert_equal(found[f"val_{metric}"], value, name)
                else:  # torchmetrics divides in single precision
                    assert found[f"val_{metric}"] == pytest.approx(value, rel=1e-6), name


def test_an_absent_class_does_not_count() -> None:
    """By hand: class 0 is right once in 2 samples, class 1 twice; the others are absent."""
    y = nn.functional.one_hot(torch.tensor([0, 1, 1, 1]), 6).float()
    hard = Hard(y, torch.tensor([0, 0, 1, 1]), classifying(6))
    found = measured(hard, ["macro_f1"], 3).means("val")
    assert found["val_macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2, rel=1e-15)


# Two classes at each place.

_LOGITS = {"layers": [{"Linear": 3}], "loss": "BCEWithLogitsLoss"}
_LIKELY = {"layers": [{"Linear": 3}, "Sigmoid"], "loss": "BCELoss"}
BINARY: dict[str, Hard] = {
    "logits": Hard(drawn(50, 3), (drawn(50, 3, seed=4) > 0).float(), _LOGITS),
    "only no": Hard(drawn(50, 3), torch.zeros(50, 3), _LOGITS),
    "only right": Hard(-drawn(50, 3).abs() - 1, torch.zeros(50, 3), _LOGITS),
    "probabilities": Hard(drawn(50, 3).sigmoid(), (drawn(50, 3, seed=4) > 0).float(), _LIKELY),
    "near one half": Hard(0.5 + drawn(50, 3) * 1e-7, (drawn(50, 3, seed=4) > 0).float(), _LIKELY),
    **{
        f"{name} {of}": Hard(y.to(dtype), (drawn(50, 3, seed=4) > 0).float(), sections)
        for name, dtype in _HALVES.items()
        for of, y, sections in (
            ("logits", drawn(50, 3), _LOGITS),
            ("probabilities", drawn(50, 3).sigmoid(), _LIKELY),
        )
    },
}


@pytest.mark.parametrize("name", BINARY)
def test_metrics_of_two_classes(name: str) -> None:
    """Each place is a sample of two classes; its value is a probability in double precision."""
    from torchmetrics.functional import regression

    hard = BINARY[name]
    metrics = [m for m in (*OF_CLASSES, *OF_VALUES) if m != "top_5_accuracy"]
    y, likely = hard.y.double(), hard.sections is _LIKELY
    told, true = (y > (0.5 if likely else 0)).flatten().numpy(), (hard.target > 0.5).flatten()
    values, target = y if likely else y.sigmoid(), hard.target.double()
    matrix = sklearn.confusion_matrix(true, told, labels=[False, True]).tolist()
    expected = {
        "accuracy": sklearn.accuracy_score(true, told),
        "macro_f1": sklearn.f1_score(true, told, average="macro", zero_division=0),
        "confusion_matrix": matrix,
        "mae": float(regression.mean_absolute_error(values, target)),
        "rmse": float(regression.mean_squared_error(values, target, squared=False)),
        "r2": sklearn.r2_score(target, values),
    }
    for size, processes in CUTS:
        found = measured(hard, metrics, size, processes).means("val")
        for metric, value in expected.items():
            assert_equal(found[f"val_{metric}"], value, f"{metric}, {size}, {processes}")


# Values.


def _values(*shape: int, **loss: Any) -> dict[str, Any]:
    if len(shape) == 2:
        layer: Any = {"Conv1d": {"out_channels": shape[0], "kernel_size": 1}}
        return {"input": [2, shape[1]], "layers": [layer], "loss": {"MSELoss": loss}}
    return {"layers": [{"Linear": shape[0]}], "loss": {"MSELoss": loss}}


def _near(target: Tensor, error: float) -> Tensor:
    return target + drawn(*target.shape, seed=7) * error


_PRESSURE = 101325 + 5 * drawn(120, 1)
_APART = drawn(120, 3) * torch.tensor([1e-3, 1.0, 1e3]) + torch.tensor([0.0, -1e5, 1e6])
VALUES: dict[str, Hard] = {
    "plain": Hard(drawn(101, 1), drawn(101, 1, seed=4), _values(1)),
    "a large mean": Hard(_near(_PRESSURE, 5), _PRESSURE, _values(1)),
    "a large mean, all told alike": Hard(torch.full((120, 1), 101325.0), _PRESSURE, _values(1)),
    "a mean of 1e15": Hard(_near(_PRESSURE + 1e15, 0), _PRESSURE + 1e15, _values(1)),
    "rising": Hard(
        _near(torch.linspace(-1e6, 1e6, 90)[:, None], 9),
        torch.linspace(-1e6, 1e6, 90)[:, None],
        _values(1),
    ),
    "channels apart": Hard(_APART + drawn(120, 3, seed=5), _APART, _values(3)),
    "a constant channel": Hard(
        drawn(30, 2), drawn(30, 2, seed=4).index_fill(1, torch.tensor(1), 0.25), _values(2)
    ),
    "places": Hard(drawn(20, 2, 3), drawn(20, 2, 3, seed=4) + 1e4, _values(2, 3)),
    "equal targets": Hard(drawn(20, 1), torch.full((20, 1), 0.5), _values(1)),
    "equal targets, told": Hard(torch.full((20, 1), 0.5), torch.full((20, 1), 0.5), _values(1)),
    "tiny": Hard(drawn(50, 1) * 1e-6, drawn(50, 1, seed=4) * 1e-6, _values(1)),
    "one sample": Hard(drawn(1, 2), drawn(1, 2, seed=4), _values(2)),
    "two samples": Hard(drawn(2, 1), drawn(2, 1, seed=4), _values(1)),
    "summed": Hard(drawn(31, 2), drawn(31, 2, seed=4), _values(2, reduction="sum")),
    "half precision": Hard(drawn(300, 1).half() + 1000, drawn(300, 1, seed=4) + 1000, _values(1)),
    "brain precision": Hard(
        (drawn(300, 1) + 1000).bfloat16(), drawn(300, 1, seed=4) + 1000, _values(1)
    ),
}


def by_sklearn_of_values(y: Tensor, target: Tensor) -> dict[str, float]:
    """Return scikit-learn's values. Channels are its outputs."""
    told, true = (t.movedim(1, -1).flatten(0, -2).double().numpy() for t in (y, target))
    return {
        "mae": sklearn.mean_absolute_error(true, told),
        "rmse": sklearn.root_mean_squared_error(true.ravel(), told.ravel()),
        "r2": sklearn.r2_score(true, told),
    }


def by_torchmetrics_of_values(y: Tensor, target: Tensor) -> dict[str, float]:
    """Return torchmetrics' values in double precision."""
    from torchmetrics.functional import regression as of

    told, true = (t.movedim(1, -1).flatten(0, -2).double() for t in (y, target))
    return {
        "mae": float(of.mean_absolute_error(told, true)),
        "rmse": float(of.mean_squared_error(told, true, squared=False)),
        "r2": float(of.r2_score(told, true)) if len(true) > 1 else math.nan,
    }


#: Where torchmetrics' R² is another one: it calls a spread below 1e-4 constant, and adds up the
#: squares of the targets themselves, which loses the digits of a spread around a large mean.
NO_R2 = {
    *("tiny", "channels apart", "places", "half precision", "brain precision"),
    *("a large mean", "a large mean, all told alike", "a mean of 1e15"),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.filterwarnings("ignore:R.2 score is not well-defined")
def test_metrics_of_values(name: str) -> None:
    """However the samples are cut, the metrics are the references'."""
    hard, metrics = VALUES[name], [*OF_VALUES]
    references = [by_sklearn_of_values(hard.y, hard.target)]
    references.append(by_torchmetrics_of_values(hard.y, hard.target))
    if name in NO_R2:
        del references[1]["r2"]
    for size, processes in CUTS:
        found = measured(hard, metrics, size, processes).means("val")
        for expected in references:
            for metric, value in expected.items():
                assert_equal(found[f"val_{metric}"], value, f"{metric}, {size}, {processes}")


def test_r2_of_pressures() -> None:
    """Targets near 101,325 with a deviation of 5: half of the spread is explained."""
    target = torch.tensor([[101320.0], [101330.0], [101320.0], [101330.0]])
    y = torch.tensor([[101320.0], [101330.0], [101325.0], [101320.0 + 5]])
    found = measured(Hard(y, target, _values(1)), ["r2"], 2).means("val")
    assert found["val_r2"] == 0.5


def test_equal_targets_have_no_spread() -> None:
    """The mean of equal numbers that are no binary fractions is exact: R² is 0, and not −∞."""
    target = torch.full((21, 1), 0.1)
    for size, processes in CUTS:
        found = measured(Hard(target + 1, target, _values(1)), ["r2"], size, processes)
        assert found.means("val")["val_r2"] == 0


def test_values_that_are_not_finite() -> None:
    """NaN among the outputs is NaN in each metric, and no mean loss."""
    y = drawn(20, 1)
    y[13] = math.nan
    for target in (drawn(20, 1, seed=4), torch.zeros(20, 1)):
        measures = measured(Hard(y, target, _values(1)), [*OF_VALUES], 6)
        assert all(math.isnan(value) for value in measures.means("val").values())
        with pytest.raises(TrainingError, match=r"^the loss is nan in the validation$"):
            measures.expect_loss("the validation")
