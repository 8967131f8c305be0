"""Mixing augmentations: images and targets are mixed by the same shares, as by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from netbuild.builder.module import build
from netbuild.checks.trace import infer
from netbuild.components.augmentations import AUGMENTATIONS
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes
from netbuild.training.data.augmentation import augmenter
from netbuild.training.data.batches import Batches
from netbuild.training.data.moving import Marked
from netbuild.training.step.criterion import Criterion
from netbuild.training.step.metrics import Measures
from tests.components.augmentations.cases import network

CPU = torch.device("cpu")
LABELS = torch.tensor([0, 1, 2, 2, 1, 0])


def mixed(name: str, *targets: torch.Tensor, marked: list[Marked], **fields: Any) -> Any:
    """Return images, each with the values of its number, and targets, after a mixing."""
    transform = augmenter([AUGMENTATIONS[name](**fields)], CPU, marked)
    assert transform is not None
    x = torch.arange(6.0).reshape(6, 1, 1, 1).expand(6, 3, 8, 8).contiguous()
    torch.manual_seed(0)
    (x,), ys = transform(((x,), targets))
    return x, ys


CLASSES = [Marked(None, -100, 3)]


def test_blended_shares_by_hand() -> None:
    """The image is (1 − λ) · i + λ · j, and so the shares are 1 − λ of the class of i, λ of j's."""
    x, (y,) = mixed("RandomMixUpV2", LABELS, marked=CLASSES, lambda_val=(0.2, 0.4))
    assert torch.allclose(y.sum(1), torch.ones(6))
    found = 0
    for i in range(6):
        value = float(x[i, 0, 0, 0])
        assert torch.equal(x[i], torch.full((3, 8, 8), value))
        for j in range(6):
            share = (value - i) / (j - i) if j != i else 0
            if 0.2 <= share <= 0.4:
                by_hand = (1 - share) * one_hot(LABELS[i], 3) + share * one_hot(LABELS[j], 3)
                found += torch.allclose(y[i], by_hand, atol=1e-5)
                break
    assert found >= 5


@pytest.mark.parametrize("rectangles", [1, 3])
def test_pasted_shares_by_hand(rectangles: int) -> None:
    """The share of a class is the share of the pixels of its images, also of several."""
    mask = LABELS.reshape(6, 1, 1).expand(6, 8, 8).contiguous()
    values = torch.arange(12.0).reshape(6, 2)
    marked = [*CLASSES, Marked("mask", -100, 3), Marked(None), Marked("picture")]
    picture = torch.arange(6.0).reshape(6, 1, 1).expand(6, 8, 8).contiguous()
    x, (y, pasted, numbers, painted) = mixed(
        "RandomCutMixV2", LABELS, mask, values, picture, marked=marked, num_mix=rectangles
    )
    assert len(x.unique()) == 6
    assert any(len(one.unique()) > 1 for one in x)
    origin = x[:, 0].long()
    assert torch.equal(pasted, LABELS[origin])
    assert torch.equal(painted, x[:, 0])
    assert torch.allclose(y, one_hot(LABELS[origin], 3).float().mean((1, 2)))
    assert torch.allclose(numbers, values[origin].mean((1, 2)))


@pytest.mark.parametrize("name", ["RandomMixUpV2", "RandomCutMixV2"])
def test_a_batch_that_is_not_mixed(name: str) -> None:
    """With p 0 the images stay, and each class has the share 1; an ignored label has no share."""
    x, (y,) = mixed(name, LABELS, marked=CLASSES, p=0.0)
    assert torch.equal(y, one_hot(LABELS, 3).float())
    assert torch.equal(x[:, 0, 0, 0], torch.arange(6.0))
    ignored = torch.where(LABELS == 1, -100, LABELS)
    assert mixed(name, ignored, marked=CLASSES, p=0.0)[1][0].sum(1).tolist() == [1, 0, 1, 1, 0, 1]
    none = torch.zeros(0, dtype=torch.long)  # a process without samples
    assert mixed(name, none, marked=CLASSES)[1][0].shape == (0, 3)


def graph_of(loss: Any, augment: Any = ("RandomMixUpV2",), **sections: Any) -> Any:
    """Return the traced network of three classes."""
    layers = ["Flatten", {"Linear": 3}]
    text = network(list(augment), [3, 8, 8], layers=layers, loss=loss, **sections)
    return infer(read(from_bytes("a.yaml", text.encode())))


def test_loss_and_accuracy_by_hand() -> None:
    """The loss weighs by the shares; the accuracy counts the class with the largest share."""
    graph = graph_of({"CrossEntropyLoss": {"label_smoothing": 0.1, "weight": [1, 2, 3]}})
    assert not graph.diagnostics
    x, (y,) = mixed("RandomMixUpV2", LABELS, marked=CLASSES, lambda_val=(0.1, 0.4))
    scores = build(graph.config)(x)
    criterion = Criterion(graph, CPU)
    (loss,) = criterion.losses((x,), scores, (y,))
    weight = torch.tensor([1.0, 2, 3])
    by_hand = (-(0.9 * y + 0.1 / 3) * weight * scores.log_softmax(1)).sum(1).mean()
    assert torch.allclose(loss, by_hand)
    assert torch.allclose(loss, cross_entropy(scores, y, weight, label_smoothing=0.1))
    measures = Measures(criterion, graph.config.metrics, CPU)
    measures.add([loss], (x,), scores, (y,))
    right = (scores.argmax(1) == y.argmax(1)).float().mean()
    assert measures.means("train")["train_accuracy"] == pytest.approx(float(right))
    assert measures.loss == pytest.approx(loss.item())


def test_ignored_labels_do_not_count() -> None:
    """A sample that is mixed of ignored ones has the loss 0, and no part in the accuracy."""
    graph = graph_of("CrossEntropyLoss")
    labels = torch.tensor([0, -100, 2, -100, 1, 0])
    x, (y,) = mixed("RandomMixUpV2", labels, marked=CLASSES, p=0.0)
    scores = 5 - 10 * y  # each is wrong, and the ignored ones tell class 0
    scores[labels == -100, 0] = 9
    criterion = Criterion(graph, CPU)
    criterion.look(Batches((), (labels,)))
    measures = Measures(criterion, graph.config.metrics, CPU)
    measures.add(criterion.losses((x,), scores, (y,)), (x,), scores, (y,))
    assert measures.means("train")["train_accuracy"] == 0
    assert cross_entropy(scores, y, reduction="none")[1] == 0


IMAGE = [{"Conv2d": {"out_channels": 3, "kernel_size": 1}}]


@pytest.mark.parametrize(
    ("loss", "augment", "layers", "label"),
    [
        ("CrossEntropyLoss", "RandomMixUpV2", None, None),
        ({"LinearCrossEntropyLoss": {"num_classes": 3}}, "RandomCutMixV2", ["Flatten"], None),
        ("MSELoss", "RandomMixUpV2", None, None),
        ("BCEWithLogitsLoss", "RandomCutMixV2", None, None),
        ("L1Loss", "RandomMixUpV2", IMAGE, None),
        ("CrossEntropyLoss", "RandomCutMixV2", IMAGE, None),
        (
            "MultiMarginLoss",
            "RandomMixUpV2",
            None,
            "it compares with a class, and shares are values of shape 3",
        ),
        (
            {"CrossEntropyLoss": {"ignore_index": 1}},
            "RandomMixUpV2",
            None,
            "ignore_index names a class, and shares are values of shape 3",
        ),
        (
            "CrossEntropyLoss",
            "RandomMixUpV2",
            IMAGE,
            "a blend of two images has no single class at a place",
        ),
        (
            "SoftMarginLoss",
            "RandomMixUpV2",
            None,
            "it mixes one class or values of each sample",
        ),
    ],
)
def test_which_losses_take_mixed_targets(
    loss: Any, augment: str, layers: Any, label: str | None
) -> None:
    """Losses of values and of shares take mixed targets; others are a fault that says why."""
    text = network([augment], [3, 8, 8], layers=layers or ["Flatten", {"Linear": 3}], loss=loss)
    found = infer(read(from_bytes("a.yaml", text.encode()))).diagnostics
    assert [(d.code, d.label) for d in found] == ([("NB509", label)] if label else [])
