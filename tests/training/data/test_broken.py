"""A run leaves out broken pictures, lists them, and leaves out the same ones when it continues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from netbuild import load, train
from netbuild.checks.trace import trainable
from netbuild.training import evaluation, session
from netbuild.training.progress import Silent
from tests.components.datasets.tables import picture
from tests.components.datasets.test_masks import write as write_mask
from tests.training.runs import command, go_on
from tests.training_configs import Killed, Moment, ending, outcome, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a config of 12 pictures with masks, of which two are broken."""
    for number in range(12):
        picture(tmp_path / f"images/{number:02}.png")
        write_mask(tmp_path / f"masks/{number:02}.png", np.eye(5, 4, dtype="uint8"))
    for number in (4, 7):
        (tmp_path / f"images/{number:02}.png").write_bytes(b"")
    fields = {"folder": "images", "masks": "masks", "classes": 2, "skip_broken": True}
    data = {"ImageFolder": fields, "in_memory": False}
    layers = [{"Conv2d": {"out_channels": 2, "kernel_size": 3, "padding": 1}}, "BatchNorm2d"]
    options = {"epochs": 2, "batch_size": 4, "workers": 0, "device": "cpu"}
    return write(tmp_path, input=[3, 5, 4], layers=layers, data=data, train=options)


def test_a_run_that_continues_leaves_out_the_same_pictures(config: Path, tmp_path: Path) -> None:
    """A picture that was repaired meanwhile does not change the order of the samples."""
    whole = train(config, runs=tmp_path / "runs")
    assert whole.left_out == 2
    trainer = session.prepare(trainable(load(config)), tmp_path / "runs")
    with pytest.raises(Killed), ending(Moment("step", 3)):
        session.fit(trainer, Silent())
    trainer.events.close()
    if trainer.lock:
        trainer.lock.release()
    picture(tmp_path / "images/04.png")
    again = go_on(trainer.run.folder)
    assert outcome(again) == outcome(whole)
    best = min(epoch["val_loss"] for epoch in again.metrics)
    assert evaluation.evaluate(again.folder)["val_loss"] == pytest.approx(best)


def test_broken_pictures_are_told_and_listed(config: Path, tmp_path: Path) -> None:
    """One line says how many there are, and broken.txt names each with its reason."""
    told = command("train", config, "--runs", tmp_path / "runs")
    (folder,) = (tmp_path / "runs/tiny").iterdir()
    said = f"2 broken pictures are left out; {folder / 'broken.txt'} says why"
    assert said in told.out.splitlines()
    images = tmp_path / "images"
    assert (folder / "broken.txt").read_text(encoding="utf-8") == (
        f"{images}/04.png cannot be read: it is not a picture\n"
        f"{images}/07.png cannot be read: it is not a picture\n"
    )
