"""What a run's network says of its validation samples, compared with its own evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from netbuild import training
from netbuild.training.review.reviewing import review
from tests.training_configs import write

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.reports.run_page.review import Review
    from netbuild.runs.folder import Run

DATA = {"Random": {"samples": 40}, "validation": 0.25}
TRAIN = {"epochs": 1, "batch_size": 8, "device": "cpu"}


def reviewed(folder: Path, **sections: Any) -> tuple[Run, Review]:
    """Train a small network, and review its validation samples."""
    given: dict[str, Any] = {"data": DATA, "train": TRAIN, "metrics": None} | sections
    run = training.train(write(folder, **given), runs=folder / "runs")
    return run, review(run)


def test_classes(tmp_path: Path) -> None:
    """The confusion counts each sample once, and the surest mistakes come first."""
    run, made = reviewed(tmp_path, metrics=["Accuracy", "ConfusionMatrix"])
    assert run.best is not None
    assert made.samples == 10
    assert [list(row) for row in made.confusion] == run.best["val_confusion_matrix"]
    assert len(made.examples) == round(10 * (1 - run.best["val_accuracy"]))
    assert all(one.true != one.said for one in made.examples)
    assert all(one.text.count(",") == 3 for one in made.examples)  # the four inputs


def test_masks(tmp_path: Path) -> None:
    """Of a class at each pixel, the input, the true and the predicted mask are shown."""
    layers = [{"Conv2d": {"out_channels": 3, "kernel_size": 3, "padding": 1}}]
    _, made = reviewed(tmp_path, input=[1, 6, 5], layers=layers)
    assert sum(map(sum, made.confusion)) == 10 * 30
    names = [[name for name, _ in one.pictures] for one in made.examples]
    assert names == [["input", "true", "predicted"]] * 6
    sizes = {(p.width, p.height, p.channels) for one in made.examples for _, p in one.pictures}
    assert sizes == {(5, 6, 1), (5, 6, 3)}
    assert len(made.colours) == 3
    shares = [float(one.text.partition("%")[0]) for one in made.examples]
    assert all(0 <= share < 100 for share in shares)


def test_signs(tmp_path: Path) -> None:
    """The first of two classes is −1: its samples are counted as those of the other one."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", x=rng.normal(size=(40, 4)).astype("f4"), y=[0, 1] * 20)
    data = {"Arrays": {"file": str(tmp_path / "x.npz"), "classes": 2}, "validation": 0.25}
    _, made = reviewed(tmp_path, layers=[{"Linear": 1}], loss="SoftMarginLoss", data=data)
    assert sum(map(sum, made.confusion)) == made.samples == 10
    assert sum(made.confusion[0]) > 0
    wrong = made.confusion[0][1] + made.confusion[1][0]
    assert len(made.examples) == wrong


def test_ignored_pixels(tmp_path: Path) -> None:
    """A pixel that the loss ignores is neither right nor wrong."""
    y = np.zeros((40, 6, 5), "i8")
    y[:, :3] = 9
    np.savez(tmp_path / "x.npz", x=np.zeros((40, 1, 6, 5), "f4"), y=y)
    data = {"Arrays": {"file": str(tmp_path / "x.npz"), "classes": 3}, "validation": 0.25}
    layers = [{"Conv2d": {"out_channels": 3, "kernel_size": 1, "bias": False}}]
    loss = {"CrossEntropyLoss": {"ignore_index": 9}}
    _, made = reviewed(tmp_path, input=[1, 6, 5], layers=layers, loss=loss, data=data)
    assert sum(map(sum, made.confusion)) == 10 * 15
    assert made.examples[0].text == "100.0% of the pixels are right"


def test_values(tmp_path: Path) -> None:
    """Of numbers, true and predicted ones are pairs; their error is the measured one."""
    run, made = reviewed(tmp_path, layers=[{"Linear": 2}], loss="L1Loss")
    assert run.best is not None
    assert [len(scatter.pairs) for scatter in made.scatters] == [10, 10]
    errors = [abs(true - said) for scatter in made.scatters for true, said in scatter.pairs]
    assert sum(errors) / len(errors) == pytest.approx(run.best["val_loss"], rel=1e-5)


def test_pictures(tmp_path: Path) -> None:
    """Of a picture that is made again, the input, the true and the predicted one are shown."""
    layers = [{"Conv2d": {"out_channels": 1, "kernel_size": 3, "padding": 1}}]
    _, made = reviewed(
        tmp_path,
        input=[1, 6, 6],
        layers=[*layers, "Sigmoid", *layers],
        loss={"MSELoss": {}, "target": "input"},
    )
    assert not made.confusion
    assert [name for name, _ in made.examples[0].pictures] == ["input", "true", "predicted"]
    errors = [float(one.text.removeprefix("mean error ")) for one in made.examples]
    assert errors == sorted(errors, reverse=True)


def test_sequences(tmp_path: Path) -> None:
    """Of a class at each place, the true and the predicted ones stand side by side."""
    layers = [{"Linear": 5}, {"Transpose": {"dim0": 1, "dim1": 2}}]
    _, made = reviewed(tmp_path, input=[7, 4], layers=layers)
    assert [len(one.places) for one in made.sequences] == [7] * 4
    assert sum(map(sum, made.confusion)) == 70


def test_what_stands_in_the_way(tmp_path: Path) -> None:
    """A checkpoint that is missing is a note, and no exception."""
    run, _ = reviewed(tmp_path)
    state = run.checkpoint("best") / "state.pt"
    state.write_bytes(b"nothing")
    made = review(run)
    assert made.note.startswith("The samples are not shown: ")
    assert not made.examples
