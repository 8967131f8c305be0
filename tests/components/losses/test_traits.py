"""What losses say of themselves for lints: each is asked, and torch bears it out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from netbuild.components.losses import LOSSES
from netbuild.components.losses.loss import Loss
from tests.components.losses.cases import TORCHS, torchs


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_declares_what_it_takes(kind: str) -> None:
    """Each loss says what it takes."""
    own = [c for c in LOSSES[kind].__mro__ if issubclass(c, Loss) and c is not Loss]
    assert any("takes" in vars(c) for c in own)


def test_scores_instead() -> None:
    """The loss that takes scores gives the same as the other one behind what it applies."""
    torch.manual_seed(0)
    y = torch.randn(8, 5)
    target: dict[str, Any] = {"softmax": torch.arange(8) % 5, "sigmoid": torch.rand(8, 5)}
    applied = {"softmax": y.log_softmax(1), "sigmoid": y.sigmoid()}
    for loss in LOSSES.values():
        if loss.of_scores is not None:
            other = LOSSES[loss.of_scores]
            assert other.of_applied == loss.torch_name()
            assert (other.takes, other.applies is None) == ("scores", False)
            one, two = (torchs(kind.__name__)() for kind in (loss, other))
            by = other.applies
            assert by is not None
            torch.testing.assert_close(one(applied[by], target[by]), two(y, target[by]))


@pytest.mark.parametrize("kind", [kind for kind in TORCHS if LOSSES[kind].applies])
def test_applies(kind: str) -> None:
    """A loss that applies a softmax sees differences only; with a sigmoid none is beyond 0 or 1."""
    torch.manual_seed(0)
    y = torch.randn(8, 5)
    loss = getattr(nn, LOSSES[kind].torch_name())()
    if LOSSES[kind].applies == "softmax":
        target = torch.arange(8) % 5
        torch.testing.assert_close(loss(y, target), loss(y + 7, target))
    else:
        target = (torch.rand(8, 5) > 0.5).float()
        torch.testing.assert_close(loss(y, target), nn.BCELoss()(y.sigmoid(), target))


def test_fields_of_classes() -> None:
    """The field that says how many classes there are is one of the loss, which reads features."""
    found = {kind: loss.classes_field for kind, loss in LOSSES.items() if loss.classes_field}
    assert found == {
        "LinearCrossEntropyLoss": "num_classes",
        "AdaptiveLogSoftmaxWithLoss": "n_classes",
    }
    assert all(LOSSES[kind].takes == "features" for kind in found)
    assert all(field in LOSSES[kind].model_fields for kind, field in found.items())
