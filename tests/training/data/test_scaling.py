"""`normalize` with names: losses see scaled targets, and all else is in the unit of the data."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from netbuild import training
from netbuild.training.loop import Trainer
from netbuild.training.prediction.predict import predict
from tests.training.by_hand import command, prepared, resumed, stopped, trained
from tests.training_configs import in_memory, outcome, write

#: Two inputs, one of them of categories, and two targets, one of them of classes.
SECTIONS: dict[str, Any] = {
    "input": None,
    "inputs": {"numbers": [2], "city": {"shape": [], "dtype": "int64"}},
    "layers": {
        "embed": {"Embedding": {"num_embeddings": 5, "embedding_dim": 3}, "inputs": "city"},
        "join": {"Concat": {"dim": 1}, "inputs": ["numbers", "embed"]},
        "body": [{"Linear": 6}, "Tanh"],
        "spend": {"Linear": 2, "inputs": "body"},
        "kind": {"Linear": 3, "inputs": "body"},
    },
    "outputs": ["spend", "kind"],
    "loss": [
        {"MSELoss": {}, "inputs": "spend", "target": "spend", "name": "far"},
        {"CrossEntropyLoss": {}, "inputs": "kind", "target": "kind", "weight": 0.1},
    ],
    "metrics": [
        {"R2Score": {}, "inputs": "spend"},
        {"MeanSquaredError": {}, "inputs": "spend"},
        {"MeanAbsoluteError": {}, "inputs": "spend"},
        {"CriticalSuccessIndex": {"threshold": 5000.0}, "inputs": "spend"},
        {"MinkowskiDistance": {"p": 3.0}, "inputs": "spend"},
        {"NormalizedRootMeanSquaredError": {}, "inputs": "spend", "name": "share"},
        {"Accuracy": {}, "inputs": "kind"},
    ],
    "optimizer": {"Adam": {"lr": 0.02}},
}
NORMALIZE = {"inputs": {"numbers": True}, "targets": {"spend": True}}


def data(folder: Path, normalize: Any = NORMALIZE) -> dict[str, Any]:
    """Write 60 samples whose target has two columns of other sizes, and return the section."""
    random = np.random.default_rng(0)
    x = random.normal([50, 0.2], [9, 0.05], (60, 2))
    city = random.integers(0, 5, 60)
    y = np.stack([x[:, 0] * 100 + city, 1e-3 * x[:, 1] + 7], 1)
    arrays = {"x": x.astype("float32"), "c": city, "y": y.astype("float32"), "k": city % 3}
    np.savez(folder / "a.npz", **arrays)
    named = {"inputs": {"numbers": "x", "city": "c"}, "target": {"spend": "y", "kind": "k"}}
    return {"Arrays": {"file": str(folder / "a.npz"), **named}, "normalize": normalize}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of the data and of the run."""
    return tmp_path_factory.mktemp("scaled")


@pytest.fixture(scope="module")
def trainer(folder: Path) -> Trainer:
    """Give a finished training with scaled inputs and targets."""
    return trained(folder, **SECTIONS, data=data(folder))


def numbers(trainer: Trainer, side: str, name: str) -> tuple[Any, Any]:
    """Return the mean and the deviation that the run has recorded."""
    normalize: Any = trainer.run.config().preparation.normalize
    mean, deviation = (np.asarray(part) for part in normalize[side][name])
    return mean, deviation


def told(trainer: Trainer, unit: Any = None) -> tuple[Any, Any, Any]:
    """Return the scaled output of the validation in doubles, that in own units, and its target."""
    held_out = in_memory(trainer.held_out)
    module = trainer.learner.module.eval()
    with torch.no_grad():
        scaled = module(*held_out.inputs)[0].double().numpy()
    mean, deviation = unit or numbers(trainer, "targets", "spend")
    return scaled, scaled * deviation + mean, held_out.targets[0].double().numpy()


def test_numbers_come_from_what_trains(folder: Path, trainer: Trainer) -> None:
    """They are those of the training samples, in nine digits; categories stay whole numbers."""
    whole = in_memory(prepared(folder, **SECTIONS, data=data(folder, False)).training)
    again = in_memory(trainer.training)
    for side, name, values in (
        ("inputs", "numbers", whole.inputs[0]),
        ("targets", "spend", whole.targets[0]),
    ):
        mean, deviation = numbers(trainer, side, name)
        np.testing.assert_allclose(mean, values.double().mean(0), rtol=2e-9)
        np.testing.assert_allclose(deviation, values.double().std(0, correction=0), rtol=1e-5)
    assert torch.equal(again.inputs[1], whole.inputs[1])
    assert torch.equal(again.targets[0], whole.targets[0])  # they keep their unit
    torch.testing.assert_close(again.inputs[0].mean(0), torch.zeros(2), atol=1e-5, rtol=0)


def test_the_loss_is_of_scaled_targets(trainer: Trainer) -> None:
    """`val_far` is the squared error in deviations."""
    scaled, _, target = told(trainer)
    mean, deviation = numbers(trainer, "targets", "spend")
    loss = np.square(scaled - (target - mean) / deviation).mean()
    assert trainer.run.metrics[-1]["val_far"] == pytest.approx(loss, rel=1e-4)


def test_metrics_are_in_the_unit_of_the_data(trainer: Trainer) -> None:
    """The sums equal formulas in doubles to 1e-12, and torchmetrics' metrics too."""
    _, y, target = told(trainer)
    errors = y - target
    spread = np.square(target - target.mean(0)).sum(0)
    above, really = y >= 5000, target >= 5000
    expected = {
        "r2_score": (1 - np.square(errors).sum(0) / spread).mean(),
        "mean_squared_error": np.square(errors).mean(),
        "mean_absolute_error": np.abs(errors).mean(),
        "minkowski_distance": (np.abs(errors) ** 3).sum() ** (1 / 3),
        "critical_success_index": (above & really).sum() / (above | really).sum(),
    }
    last = trainer.run.metrics[-1]
    for name, value in expected.items():
        assert last[f"val_spend_{name}"] == pytest.approx(value, rel=1e-12), name
    share = np.square(errors).mean() ** 0.5 / target.mean()
    assert last["val_share"] == pytest.approx(share, rel=1e-12)
    assert "train_spend_r2_score" in last


def test_evaluate_and_predict_speak_in_it_too(folder: Path, trainer: Trainer) -> None:
    """An evaluation repeats the last line, and a prediction is the output in the own unit."""
    again = training.evaluate(trainer.run.folder, "last")
    last = trainer.run.metrics[-1]
    assert again == {name: last[name] for name in again}
    stored = np.load(folder / "a.npz")
    np.savez(folder / "b.npz", numbers=stored["x"][:4], city=stored["c"][:4])
    found = predict(trainer.run.folder, folder / "b.npz", checkpoint="last")
    assert [one["outputs"].keys() for one in found] == [{"spend", "kind"}] * 4
    spend = np.stack([one["outputs"]["spend"] for one in found])
    mean, deviation = numbers(trainer, "inputs", "numbers")
    x = (torch.from_numpy(stored["x"][:4]) - torch.tensor(mean).float()) / torch.tensor(
        deviation
    ).float()
    with torch.no_grad():
        y = trainer.learner.module.eval()(x, torch.from_numpy(stored["c"][:4]))[0].double().numpy()
    mean, deviation = numbers(trainer, "targets", "spend")
    np.testing.assert_array_equal(spend, (y * deviation + mean).astype("float32"))


def test_a_resumed_training_has_the_same_numbers(folder: Path) -> None:
    """It equals the whole one, and `true` in the file stands for the numbers of the run."""
    section = data(folder)
    whole = trained(folder, **SECTIONS, data=section)
    first = stopped(prepared(folder, **SECTIONS, data=section), 2)
    assert outcome(resumed(first).run) == outcome(whole.run)
    file = write(folder, **SECTIONS | {"data": section})
    code, printed = command("train", file, "--resume", whole.run.folder)
    assert (code, printed.splitlines()[0]) == (0, "the run is already finished")


def test_the_training_says_which_unit_is_which(tmp_path: Path) -> None:
    """The second line says that losses and metrics differ in their units."""
    file = write(tmp_path, **SECTIONS | {"data": data(tmp_path), "train": {"epochs": 1}})
    code, printed = command("train", file, "--runs", tmp_path / "runs")
    assert code == 0
    said = "losses of spend are of normalized targets, metrics are in the unit of the data"
    assert printed.splitlines()[1] == said
    code, printed = command("explain", file)
    assert "spend with target spend: values of shape 2, normalized" in " ".join(printed.split())


def test_a_variance_has_the_square_of_the_unit(tmp_path: Path) -> None:
    """GaussianNLLLoss compares scaled values; predict gives the variance in the own unit."""
    x = np.random.default_rng(0).normal(0, 1, (40, 3)).astype("float32")
    np.savez(tmp_path / "a.npz", x=x, y=(1000 + 200 * x[:, :1]).astype("float32"))
    network: dict[str, Any] = {
        "input": [3],
        "layers": {
            "mean": {"Linear": 1},
            "var": {"layers": [{"Linear": 1}, "Softplus"], "inputs": "input"},
        },
        "outputs": ["mean", "var"],
        "loss": "GaussianNLLLoss",
    }
    section = {"Arrays": {"file": str(tmp_path / "a.npz")}, "normalize": {"targets": True}}
    trainer = trained(tmp_path, **network, data=section)
    held_out = in_memory(trainer.held_out)
    mean, deviation = numbers(trainer, "targets", "target")
    with torch.no_grad():
        y, variance = trainer.learner.module.eval()(*held_out.inputs)
    target = ((held_out.targets[0].double() - mean[0]) / deviation[0]).float()
    loss = functional.gaussian_nll_loss(y, target, variance)
    assert trainer.run.metrics[-1]["val_loss"] == pytest.approx(float(loss), rel=1e-4)
    np.save(tmp_path / "x.npy", held_out.inputs[0].numpy())
    found = predict(trainer.run.folder, tmp_path / "x.npy", checkpoint="last")
    told_ = np.stack([one["outputs"]["var"] for one in found])
    np.testing.assert_allclose(told_, variance.numpy() * deviation**2, rtol=1e-6)
    told_ = np.stack([one["outputs"]["mean"] for one in found])
    np.testing.assert_allclose(told_, y.numpy() * deviation + mean, rtol=1e-6)
