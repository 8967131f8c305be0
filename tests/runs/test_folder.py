"""The folder of a run, its lock, its position, and the end of a training."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.config.load import load
from netbuild.diagnostics.exceptions import Interrupted, TrainingError
from netbuild.runs import layout
from netbuild.runs.checkpoint_folder import read_position
from netbuild.runs.lock import Lock, is_locked
from netbuild.runs.position import Limits, Position
from netbuild.runs.records import read
from netbuild.training.progress import Silent
from tests.training_configs import SECTIONS, STEPS, write

if TYPE_CHECKING:
    from pathlib import Path


class Stopping(Silent):
    """Progress that stops a training at a step, like Ctrl-C."""

    def __init__(self, at: int) -> None:
        self.at = at

    def step(self, position: Position, measures: Any) -> None:
        """Send the signal, if this is the step."""
        del measures
        if position.total == self.at:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("position", "finished"),
    [
        (Position(), False),
        (Position(epoch=4, total=12, spent=40.0), False),
        (Position(epoch=5), True),
        (Position(epoch=3, waited=2), True),
        (Position(epoch=3, waited=1), False),
        (Position(epoch=3, total=20), True),
        (Position(epoch=3, total=20, step=2), False),
        (Position(epoch=3, spent=60.0), True),
        (Position(epoch=3, spent=50.0, seconds=15.0, step=1), False),
    ],
)
def test_finished(position: Position, *, finished: bool) -> None:
    """A training ends at each of its limits, but never within an epoch."""
    limits = Limits(epochs=5, patience=2, max_steps=20, max_time=60.0)
    assert position.is_finished(limits) is finished
    assert Position(epoch=1, waited=9, total=99, spent=99.0).is_finished(Limits(2)) is False


def test_interrupted_at_the_last_step(tmp_path: Path) -> None:
    """A run stopped at its last step is not finished: its epoch still has to be validated."""
    last = STEPS + 1
    config = write(tmp_path, train=SECTIONS["train"] | {"epochs": 9, "max_steps": last})
    trainer = training.prepare(trainable(load(config)), tmp_path / "runs")
    with pytest.raises(Interrupted, match=r"^$"):
        training.fit(trainer, Stopping(last))
    folder = trainer.run.folder
    assert (read(folder).state, read(folder).epochs) == ("stopped", 1)
    resumed = training.resume(folder)
    assert not resumed.finished
    training.fit(resumed, Silent())
    assert (read(folder).state, read(folder).epochs) == ("finished", 2)
    assert resumed.finished


def test_the_position_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The position that is read without torch is the position of the trainer."""
    trained = training.train(write(tmp_path), runs=tmp_path / "runs")
    position, found = (
        training.resume(trained.folder).position,
        read_position(trained.checkpoint("last")),
    )
    assert found is not None
    names = ("epoch", "step", "total", "seconds", "spent", "waited")
    assert [getattr(found, n) for n in names] == [getattr(position, n) for n in names]


@pytest.mark.parametrize("missing", ["place", "state", "numbers"])
def test_no_position(tmp_path: Path, missing: str) -> None:
    """Without a checkpoint, or with a damaged one, there is no position."""
    place = tmp_path / "last"
    if missing != "place":
        place.mkdir()
    if missing == "numbers":
        (place / "state.pt").write_bytes(b"PK\x03\x04")
    assert read_position(place) is None


def test_the_files_are_those_of_the_layout(tmp_path: Path) -> None:
    """A run has the files of the layout. Those without common names identify a folder as a run."""
    run = training.train(write(tmp_path), runs=tmp_path / "runs")
    texts = {layout.CONFIG, layout.RESOLVED, layout.ENVIRONMENT, layout.DATA, layout.METRICS}
    names = {*texts, layout.CHECKPOINTS}
    assert {path.name for path in run.folder.iterdir()} == names
    for name in names:
        (tmp_path / name / "other").mkdir(parents=True)
        (tmp_path / name / "other" / name).touch()
        assert layout.is_run(tmp_path / name / "other") is (
            name not in {layout.CONFIG, layout.DATA}
        )
    assert layout.is_run(run.folder)
    assert not layout.is_run(tmp_path / "nowhere")


@pytest.mark.skipif(os.name == "nt", reason="Windows does not lock folders")
def test_a_lock_is_seen(tmp_path: Path) -> None:
    """A folder is locked until the release, and only one lock is possible."""
    assert not is_locked(tmp_path)
    lock = Lock(tmp_path)
    assert is_locked(tmp_path)
    with pytest.raises(TrainingError, match=r"is in use: another process trains this run$"):
        Lock(tmp_path)
    lock.release()
    assert not is_locked(tmp_path)
    assert not is_locked(tmp_path / "nowhere")
