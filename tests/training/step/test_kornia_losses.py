"""Losses of kornia in training."""

from pathlib import Path
from typing import Any

import pytest
import torch

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.config.load import load
from netbuild.training import session
from netbuild.training.loop import Trainer
from netbuild.training.parallel.distributed import World
from netbuild.training.progress import Silent
from tests.training_configs import write

_CONV = {"Conv2d": {"out_channels": 1, "kernel_size": 3, "padding": 1}}
_SCORES = {"Conv2d": {"out_channels": 3, "kernel_size": 3, "padding": 1}}


def prepared(folder: Path, *layers: Any, loss: Any, **train: Any) -> Trainer:
    """Return the training of a small network on images of 6×6."""
    folder.mkdir(exist_ok=True)
    train = {"epochs": 1, "batch_size": 20, "device": "cpu"} | train
    file = write(folder, input=[1, 6, 6], layers=list(layers), loss=loss, train=train)
    return training.prepare(trainable(load(file)), folder / "runs")


#: Losses, with the layers before them.
TRAINED: list[tuple[Any, tuple[Any, ...]]] = [
    ({"DiceLoss": {"average": "macro"}}, (_SCORES,)),
    ({"TverskyLoss": {"alpha": 0.3, "beta": 0.7}}, (_SCORES,)),
    ({"FocalLoss": {"alpha": 0.25}}, (_SCORES,)),
    ("LovaszSoftmaxLoss", (_SCORES,)),
    ("HausdorffERLoss", (_SCORES, {"Softmax": 1})),
    ({"BinaryFocalLossWithLogits": {"alpha": None}}, (_CONV,)),
    ("LovaszHingeLoss", (_CONV,)),
    ({"SSIMLoss": 3}, (_CONV,)),
    ({"MS_SSIMLoss": {"sigmas": [0.5, 1.0]}}, (_CONV,)),
    ("WelschLoss", (_CONV,)),
]


@pytest.mark.parametrize(("loss", "layers"), TRAINED, ids=str)
def test_the_loss_does_not_depend_on_the_batches(
    tmp_path: Path, loss: Any, layers: tuple[Any, ...]
) -> None:
    """The loss of an epoch is a mean over samples, and weights change."""
    found = []
    for size in (10, 60):
        trainer = prepared(tmp_path / str(size), *layers, loss=loss, batch_size=size)
        before = [p.detach().clone() for p in trainer.learner.module.parameters()]
        training.fit(trainer, Silent())
        after = trainer.learner.module.parameters()
        assert not any(torch.equal(p, q) for p, q in zip(before, after, strict=True))
        again = prepared(tmp_path / str(size), *layers, loss=loss, batch_size=size)
        found.append(again.learner.validate(again.training.in_order(size)).means("val"))
    assert found[0] == pytest.approx(found[1], rel=1e-5)


PSNR = {"PSNRLoss": 1.0, "target": "input"}


def test_a_smaller_last_batch_is_left_out(tmp_path: Path) -> None:
    """A loss over the whole batch trains on batches of one size; the only one may be smaller."""
    trainer = prepared(tmp_path, _CONV, loss=PSNR)
    assert len(trainer.training.targets[0]) == 48
    assert trainer.steps == 2
    sizes = [len(x) for together in trainer._groups() for (x,), _ in together]
    assert sizes == [20, 20]
    small = prepared(tmp_path / "small", _CONV, loss=PSNR, batch_size=100)
    assert small.steps == len(list(small._groups())) == 1


def test_several_processes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes share out a batch, and a loss over the whole batch is no mean of theirs."""
    world = World(torch.device("cpu"))
    world.size = 2
    monkeypatch.setattr(session, "join", lambda _: world)
    monkeypatch.setattr(session, "_network", lambda *_: None)
    message = r"^PSNRLoss is a loss over the whole batch, which 2 processes share out: train in one"
    with pytest.raises(training.TrainingError, match=message):
        prepared(tmp_path, _CONV, loss=PSNR)
