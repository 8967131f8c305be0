"""The folds of a training: one run for each, their table, and how they continue."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from safetensors.torch import load_file

from netbuild import Interrupted, TrainingError, training
from netbuild.config.load import load
from netbuild.runs import folds as folders
from netbuild.runs import records
from netbuild.training import folds as trainings
from netbuild.training.progress import Silent
from tests.training.data.test_splitting import loaded
from tests.training.runs import samples
from tests.training_configs import write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Netbuild

NORMAL = {"Random": {"samples": 60, "classes": 3}, "normalize": True, "test": 0.1}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a config."""
    return write(tmp_path_factory.mktemp("folds"), data=NORMAL)


@pytest.fixture(scope="module")
def whole(file: Path) -> Path:
    """Give the folder of three folds that have ended."""
    return trained(trainings.trainings(load(file), file.parent / "whole", 3))


def trained(every: Iterator[Any], stop: tuple[int, int] | None = None) -> Path:
    """Train folds, and return their folder; `stop` names the fold and the step to stop after."""
    for number, folds, trainer in every:
        place = folds.folder
        try:
            training.fit(trainer, Stopping(stop[1]) if stop and stop[0] == number else Silent())
        except Interrupted:
            break
    return Path(place)


class Stopping(Silent):
    """Sends a signal after some steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self, *_: object, **__: object) -> None:
        """Count down, and send."""
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGINT)


def results(folder: Path) -> dict[int, Any]:
    """Return the weights and the metrics of each fold, without times."""
    found = {}
    for number in range(1, 4):
        place = folders.read(folder).fold(number)
        weights = load_file(place / "checkpoints/last/model.safetensors")
        metrics = [
            {n: v for n, v in e.items() if "sec" not in n} for e in records.read_metrics(place)
        ]
        found[number] = ({name: w.tolist() for name, w in weights.items()}, metrics)
    return found


def test_the_folder_of_the_folds(whole: Path) -> None:
    """It holds a run for each fold, and the mean and the deviation of their best epochs."""
    told = json.loads((whole / "folds.json").read_text("utf-8"))
    best = [training.find(whole / f"fold-{n}").best for n in (1, 2, 3)]
    assert [one["val_loss"] for one in told["results"]] == [one["val_loss"] for one in best if one]
    losses = [one["val_loss"] for one in told["results"]]
    assert told["mean"]["val_loss"] == pytest.approx(statistics.mean(losses))
    assert told["deviation"]["val_loss"] == pytest.approx(statistics.stdev(losses))


def test_each_sample_validates_once(whole: Path) -> None:
    """The configs of the runs hold out every sample once, except for the test."""
    held = [samples(loaded(whole / f"fold-{n}" / "resolved.yaml")[1]) for n in (1, 2, 3)]
    assert [len(one) for one in held] == [18, 18, 18]
    assert len(held[0] | held[1] | held[2]) == 54


def test_a_fold_is_a_run(whole: Path) -> None:
    """A fold can be evaluated; the folder of all folds says that one has to be named."""
    found = training.evaluate(whole / "fold-2", "best")
    assert found["val_loss"] == folders.read(whole).results[2]["val_loss"]
    message = f"{whole} holds the runs of several folds: name one of them, such as {whole}/fold-1"
    for place in (whole, whole.parent):
        with pytest.raises(TrainingError) as caught:
            training.evaluate(place)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    "stop", [(2, 3), *(pytest.param(s, marks=pytest.mark.slow) for s in ((1, 1), (3, 5)))]
)
def test_folds_continue_exactly(
    file: Path, whole: Path, tmp_path: Path, stop: tuple[int, int]
) -> None:
    """Folds that were stopped in any fold end up with the same weights, bit for bit."""
    folder = trained(trainings.trainings(load(file), tmp_path, 3), stop)
    assert len(folders.read(folder).results) == stop[0] - 1
    assert records.read(folder).state == "stopped"
    assert trained(trainings.resumed(folder)) == folder
    assert records.read(folder).state == "finished"
    assert results(folder) == results(whole)
    assert folders.read(folder).results == folders.read(whole).results


def test_a_fold_without_a_checkpoint_begins_anew(file: Path, whole: Path, tmp_path: Path) -> None:
    """A fold that was killed before its first checkpoint trains from the start."""
    folder = trained(trainings.trainings(load(file), tmp_path, 3), (2, 1))
    for path in (folder / "fold-2/checkpoints").rglob("*"):
        if path.is_file():
            path.unlink()
    trained(trainings.resumed(folder))
    assert results(folder) == results(whole)


def test_a_result_that_was_not_written(whole: Path, tmp_path: Path) -> None:
    """A fold that has ended is not trained again if only its result is missing."""
    folder = tmp_path / whole.name
    shutil.copytree(whole, folder)
    every = folders.read(folder)
    every._replace(results={1: every.results[1]}).write()
    assert list(trainings.resumed(folder)) == []
    assert folders.read(folder).results == every.results


def test_the_commands(netbuild: Netbuild, whole: Path) -> None:
    """`train --folds` ends with a table, which `runs` shows above curves, and in one line."""
    shown = netbuild("runs", str(whole)).stdout
    folds = folders.read(whole)
    lines = netbuild("train", "--resume", str(whole)).stdout.splitlines()
    assert shown.splitlines()[: len(lines)] == lines
    assert lines[0] == f"tiny/{whole.name}: 3 of 3 folds have ended"
    assert lines[2].split() == ["fold", "epoch", "val", "loss", "accuracy"]
    mean, deviation = folds.mean["val_loss"], folds.deviation["val_loss"]
    assert lines[-1].split()[:4] == ["mean", f"{mean:.4f}", "±", f"{deviation:.4f}"]
    (told,) = json.loads(netbuild("runs", str(whole.parent), "--format", "json").stdout)
    assert (told["epochs"], told["of"], told["folds"]) == (3, 3, 3)
    assert told["best"] == folds.mean
    refused = netbuild("train", "--resume", str(whole), "--set", "train.epochs=9")
    assert "continue as they began" in refused.stderr + refused.stdout


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["--folds", "70"], "54 samples cannot make 70 folds"),
        (["--folds", "1"], "--folds"),
        (["--folds", "3", "--dry-run"], "--folds cannot be used with --resume, --dry-run"),
    ],
)
def test_refused(netbuild: Netbuild, file: Path, settings: list[str], said: str) -> None:
    """What cannot be divided into folds is refused before the training, and leaves no folder."""
    runs = file.parent / "none"
    done = netbuild("train", str(file), "--runs", str(runs), *settings)
    assert done.returncode in {1, 2}
    assert said in done.stdout + done.stderr
    assert not runs.exists()


def test_a_split_of_the_source_has_no_folds(tmp_path: Path) -> None:
    """Folds need a part of the samples in `validation`, not the name of a split."""
    data = {"Arrays": {"file": "there.npz"}, "validation": "dev"}
    message = "folds divide the samples, but validation is the split dev of the source"
    with pytest.raises(TrainingError, match=f"^{message}"):
        folders.of_fold(load(write(tmp_path, data=data)), 1, 3)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", "[" * 9999, '{"folds": 1, "results": []}'),
        *(f'{{"folds": 3, "results": {told}}}' for told in ('[{"fold": 4}]', "[1]", "7")),
        '{"folds": "3", "results": []}',
    ],
)
def test_a_damaged_folder(tmp_path: Path, text: str) -> None:
    """A damaged file of results is one sentence, and the list of runs shows it as damaged."""
    folder = tmp_path / "2026-01-31T12-00-00"
    folder.mkdir()
    (folder / "folds.json").write_text(text)
    with pytest.raises(TrainingError, match="does not hold the results of folds"):
        folders.read(folder)
    (record,) = records.listed(tmp_path)
    assert record.state == "damaged"


def test_a_number_that_is_missing(tmp_path: Path) -> None:
    """A metric without a value in one fold has no mean; JSON has null in its place."""
    folds = folders.Folds(tmp_path, 2, {})
    folds = folds.ended(1, {"epoch": 1, "val_loss": 0.5, "val_r2": math.nan, "lr": 0.1})
    folds = folds.ended(2, {"epoch": 2, "val_loss": 0.7, "val_r2": 0.3})
    told = json.loads((tmp_path / "folds.json").read_text())
    assert told["mean"] == {"val_loss": 0.6, "val_r2": None}
    assert folders.read(tmp_path).mean["val_loss"] == 0.6
