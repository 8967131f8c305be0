"""`train: {tensorboard: true}`: TensorBoard shows each point of a run once."""

import importlib.util
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto import event_pb2
from typer.testing import CliRunner

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.cli import app
from netbuild.config.load import load
from netbuild.runs.position import Position
from netbuild.training import Interrupted, Run, Silent, TrainingError
from tests.training_configs import FILES, SECTIONS, Killed, Moment, ending, files, outcome, write

#: 12 steps of 4 samples an epoch, so that the loss of every tenth is that of steps 10 and 20.
TRAIN: dict[str, Any] = SECTIONS["train"] | {"batch_size": 4, "tensorboard": True}
STEPS, LAST = 12, 24

Points = dict[str, list[tuple[int, float]]]


class Stopping(Silent):
    """Progress that stops a training at a step, like Ctrl-C."""

    def __init__(self, at: int) -> None:
        self.at = at

    def step(self, position: Any, measures: Any) -> None:
        """Send the signal, if this is the step."""
        del measures
        if position.total == self.at:
            signal.raise_signal(signal.SIGINT)


def shown(folder: Path) -> Points:
    """Return the curves that TensorBoard shows of a folder."""
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    return {
        tag: [(event.step, event.value) for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }


def written(folder: Path) -> Counter[tuple[str, int]]:
    """Return how often each point is in the files."""
    found: Counter[tuple[str, int]] = Counter()
    for path in folder.glob("events.*"):
        for record in RawEventFileLoader(str(path)).Load():
            event = event_pb2.Event.FromString(record)
            found.update((value.tag, event.step) for value in event.summary.value)
    return found


def events(folder: Path) -> list[Path]:
    """Return the event files of a run."""
    return sorted(folder.glob("events.out.tfevents.*"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the run of a training that was not interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    return training.train(write(folder, train=TRAIN), runs=folder / "runs")


def same(folder: Path, whole: Run) -> bool:
    """Whether a run shows the same points as an uninterrupted run, each written once."""
    found, wanted = shown(folder), shown(whole.folder)
    clocked = {"samples_per_second"}
    return (
        {t: v for t, v in found.items() if t not in clocked}
        == {t: v for t, v in wanted.items() if t not in clocked}
        and written(folder) == written(whole.folder)
        and set(written(folder).values()) == {1}
    )


def test_what_is_shown(whole: Run) -> None:
    """The metrics of an epoch are at its last step; the loss is written at every tenth step."""
    found = shown(whole.folder)
    for tag, name in {
        "loss/train": "train_loss",
        "loss/val": "val_loss",
        "accuracy/train": "train_accuracy",
        "accuracy/val": "val_accuracy",
        "lr": "lr",
        "samples_per_second": "samples_per_second",
    }.items():
        assert [step for step, _ in found[tag]] == [STEPS, LAST]
        wanted = [epoch[name] for epoch in whole.metrics]
        assert [value for _, value in found[tag]] == pytest.approx(wanted)
    assert [step for step, _ in found["loss/step"]] == [10, 20]
    assert len(found) == 7
    assert len(events(whole.folder)) == 1


def test_only_where_it_is_wanted(tmp_path: Path) -> None:
    """By default nothing is written, and tensorboard is not needed. The training is the same."""
    without = training.train(write(tmp_path, train=TRAIN | {"tensorboard": False}), runs=tmp_path)
    assert files(without.folder) == FILES
    run = training.train(write(tmp_path, train=TRAIN), runs=tmp_path)
    assert outcome(run) == outcome(without)


@pytest.mark.parametrize("step", [1, 9, 10, 11, 12, 13, 20, 23, 24])
def test_stopped_and_resumed(tmp_path: Path, whole: Run, step: int) -> None:
    """A run that is stopped after any step and resumed shows the same, each point once."""
    trainer = training.prepare(trainable(load(write(tmp_path, train=TRAIN))), tmp_path / "runs")
    with pytest.raises(Interrupted, match=r"^$"):
        training.fit(trainer, Stopping(step))
    training.fit(training.resume(trainer.run.folder), Silent())
    assert same(trainer.run.folder, whole)


MOMENTS = [
    Moment("save_file", 1),  # the first checkpoint behind an epoch, whose events are written
    Moment("save_file", 2),
    Moment("rename", 4),
    Moment("save_file", 3),
    Moment("save_file", 3, halfway=True),
]


@pytest.mark.parametrize("at", MOMENTS, ids=str)
def test_killed_and_resumed(tmp_path: Path, whole: Run, at: Moment) -> None:
    """After a kill between an epoch's events and its checkpoint, the events appear once."""
    trainer = training.prepare(trainable(load(write(tmp_path, train=TRAIN))), tmp_path / "runs")
    with pytest.raises(Killed, match=r"^$"), ending(at):
        training.fit(trainer, Silent())
    training.fit(training.resume(trainer.run.folder), Silent())
    assert same(trainer.run.folder, whole)


def test_stopped_at_the_end_of_an_epoch_and_killed(tmp_path: Path, whole: Run) -> None:
    """The events of an epoch that was not saved are written again, even at the same step."""
    trainer = training.prepare(trainable(load(write(tmp_path, train=TRAIN))), tmp_path / "runs")
    with pytest.raises(Interrupted, match=r"^$"):
        training.fit(trainer, Stopping(STEPS))
    with pytest.raises(Killed, match=r"^$"), ending(Moment("save_file", 0)):
        training.fit(training.resume(trainer.run.folder), Silent())
    assert ("loss/val", STEPS) in written(trainer.run.folder)
    training.fit(training.resume(trainer.run.folder), Silent())
    assert same(trainer.run.folder, whole)


def test_half_written(tmp_path: Path, whole: Run) -> None:
    """An incomplete record of a full disk is cut off, at any length."""
    trainer = training.prepare(trainable(load(write(tmp_path, train=TRAIN))), tmp_path / "runs")
    with pytest.raises(Interrupted, match=r"^$"):
        training.fit(trainer, Stopping(13))
    (path,) = events(trainer.run.folder)
    data = path.read_bytes()
    for torn in (b"\x20", b"\x20\0\0\0\0\0\0\0\1\2\3\4half"):
        path.write_bytes(data + torn)
        trainer.events.resume(Position(epoch=1, step=1, total=13))
        assert path.read_bytes() == data
    path.write_bytes(data + torn)
    training.fit(training.resume(trainer.run.folder), Silent())
    assert same(trainer.run.folder, whole)


def test_shown_live(tmp_path: Path, whole: Run) -> None:
    """A TensorBoard that has read the removed events forgets them."""
    trainer = training.prepare(trainable(load(write(tmp_path, train=TRAIN))), tmp_path / "runs")
    folder = trainer.run.folder
    with pytest.raises(Killed, match=r"^$"), ending(Moment("save_file", 3)):
        training.fit(trainer, Silent())
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    assert [event.step for event in accumulator.Scalars("loss/val")] == [STEPS, LAST]
    training.fit(training.resume(folder), Silent())
    accumulator.Reload()
    assert [event.step for event in accumulator.Scalars("loss/val")] == [STEPS, LAST]
    assert [event.step for event in accumulator.Scalars("loss/step")] == [10, 20]
    assert same(folder, whole)


def test_evaluation_writes_none(whole: Run, tmp_path: Path) -> None:
    """Evaluation and prediction do not change the events of a run."""
    copy = tmp_path / "run"
    shutil.copytree(whole.folder, copy)
    before = files(copy)
    training.evaluate(copy)
    assert files(copy) == before


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tensorboard, a training does not start, and the message says what to install."""
    found = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name == "tensorboard" else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    said = 'train.tensorboard needs tensorboard: pip install "netbuild[tensorboard]"'
    file = write(tmp_path, train=TRAIN)
    done = CliRunner().invoke(app, ["train", str(file), "--runs", str(tmp_path / "runs")])
    assert (done.exit_code, done.stderr) == (1, f"netbuild: {said}\n")
    assert not (tmp_path / "runs").exists()
    run = training.train(load(file, set=["train.tensorboard=false"]), runs=tmp_path / "runs")
    with pytest.raises(TrainingError, match=r"^train\.tensorboard needs tensorboard: "):
        training.resume(run.folder, load(file))
