"""The loss of an epoch is torch's loss of all labels that count, however the samples are cut."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from tests.training.step.hard import (
    CUTS,
    Hard,
    classifying,
    criterion_of,
    drawn,
    ignoring,
    labels,
    measured,
)

_WEIGHT = [0.5, 0.0, 3.0, 0.0, 1e-3, 7.0]
LOSSES: dict[str, tuple[str, dict[str, Any]]] = {
    "mean": ("CrossEntropyLoss", {}),
    "ignoring": ("CrossEntropyLoss", {"ignore_index": 2}),
    "weighted": ("CrossEntropyLoss", {"weight": _WEIGHT}),
    "both": ("CrossEntropyLoss", {"weight": _WEIGHT, "ignore_index": 5}),
    "smoothed": ("CrossEntropyLoss", {"ignore_index": 5, "label_smoothing": 0.3}),
    "of logarithms": ("NLLLoss", {"weight": _WEIGHT, "ignore_index": 0}),
    "margins": ("MultiMarginLoss", {"weight": _WEIGHT}),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("size", "processes"), CUTS)
def test_the_mean_loss_is_that_of_all_samples(name: str, size: int, processes: int) -> None:
    """It is torch's mean over all labels that count, also over batches of which none counts."""
    kind, fields = LOSSES[name]
    y, target = drawn(43, 6).log_softmax(1), labels(6, 43)
    hard = Hard(y, target, {"layers": [{"Linear": 6}, "LogSoftmax"], "loss": {kind: fields}})
    given = fields | ({"weight": torch.tensor(_WEIGHT).double()} if "weight" in fields else {})
    expected = getattr(nn, kind)(**given)(y.double(), target)
    found = measured(hard, [], size, processes).means("val")["val_loss"]
    assert found == pytest.approx(float(expected), rel=1e-6)


def test_a_sum_is_told_for_each_sample() -> None:
    """A summed loss is divided by all samples, whether or not a whole batch is ignored."""
    y, target = drawn(40, 6), ignoring(labels(6, 40), -100, 0.8)
    hard = Hard(y, target, classifying(6, reduction="sum"))
    expected = float(nn.functional.cross_entropy(y.double(), target, reduction="sum")) / 40
    for size, processes in CUTS:
        found = measured(hard, [], size, processes).means("val")["val_loss"]
        assert found == pytest.approx(expected, rel=1e-6)


def test_losses_that_ignore_other_labels() -> None:
    """A batch that one loss ignores counts for the other loss."""
    y, target = drawn(40, 6), labels(2, 40)
    loss = [{"CrossEntropyLoss": {"ignore_index": 0}}, {"CrossEntropyLoss": {"ignore_index": 1}}]
    hard = Hard(y, target, {"layers": [{"Linear": 6}], "loss": loss})
    of = nn.functional.cross_entropy
    expected = sum(float(of(y.double(), target, ignore_index=n)) for n in (0, 1))
    for size, processes in CUTS:
        found = measured(hard, [], size, processes).means("val")["val_loss"]
        assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("infinite", [False, True])
def test_a_batch_without_a_label_has_gradients_of_0(*, infinite: bool) -> None:
    """The loss is 0, and the gradients are 0, also where a score is −∞."""
    criterion = criterion_of(classifying(6, weight=_WEIGHT), [])
    y = drawn(4, 6)
    if infinite:
        y[:, 0] = -math.inf
    y.requires_grad_()
    for target in (torch.full((4,), -100), torch.tensor([1, 3, 1, -100])):
        loss = criterion.total(criterion.losses((), y, (target,)), y)
        loss.backward()
        assert float(loss.detach()) == 0
        assert y.grad is not None
        assert not y.grad.any()
