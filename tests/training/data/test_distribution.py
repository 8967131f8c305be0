"""Samples far from the training are named, and samples of its own distribution never are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from sklearn import datasets

import netbuild as package
from netbuild import training
from netbuild.training.data.distribution import Watch, measured
from netbuild.training.data.input_statistics import read
from netbuild.training.prediction.predict import Predictor
from netbuild.training.prediction.trained import trained
from tests.training_configs import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Netbuild

SIZES = (1, 1, 2, 3, 5, 10, 40, 200)
G = np.random.default_rng(0)


def said(
    kept: Any, *inputs: torch.Tensor, columns: dict[str, tuple[str, ...]] | None = None
) -> str:
    """Return what is said of inputs that are called x, y and so on."""
    watch = Watch(kept, "xyz"[: len(inputs)], columns)
    watch.add(inputs)
    return "; ".join(watch.sentences())


def kept_of(*inputs: torch.Tensor) -> Any:
    """Return what a run keeps of inputs, as it is read from its file."""
    return json.loads(json.dumps(measured(inputs, "xyz"[: len(inputs)])))


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Return digits that train and others, from 0 to 1."""
    images = torch.from_numpy(datasets.load_digits().images / 16).float()[:, None]
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images[order[:1438]], images[order[1438:]]


def heavy(samples: int) -> torch.Tensor:
    """Return samples of all kinds of features: heavy tails, few values, constants."""
    columns = [
        *(G.standard_t(degrees, samples) for degrees in (1, 2, 3)),
        *(G.lognormal(0, width, samples) for width in (1, 2)),
        G.pareto(1, samples),
        (G.uniform(size=samples) < 2e-3) * 1.0,
        G.poisson(0.5, samples) * 1.0,
        np.full(samples, 1 / 3),
        (G.uniform(size=samples) < 0.05) * G.lognormal(0, 1, samples),
        G.normal(size=samples) + 20 * (G.uniform(size=samples) < 0.1),
        G.uniform(size=samples),
        G.beta(0.2, 0.2, samples),
        G.normal(1e6, 1, samples),
    ]
    return torch.from_numpy(np.stack(columns, 1)).float()


#: Draws of samples by name, and the number of samples that train.
SAME: dict[str, tuple[Any, int]] = {
    "heavy tails": (heavy, 1500),
    "few heavy tails": (heavy, 60),
    "pictures": (lambda n: torch.from_numpy(G.beta(0.3, 0.5, (n, 3, 8, 8))).float(), 500),
    "sounds": (lambda n: torch.from_numpy(G.standard_t(3, (n, 200))).float(), 500),
    "tokens": (lambda n: torch.from_numpy(G.zipf(1.5, (n, 16)) % 1000), 500),
    "categories": (lambda n: torch.from_numpy(G.zipf(2.0, n) % 50), 500),
    "single numbers": (lambda n: torch.from_numpy(G.normal(size=n)).float(), 200),
}


SLOW = {"few heavy tails", "pictures", "sounds", "categories", "single numbers"}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in SAME]
)
def test_the_same_distribution(name: str) -> None:
    """Over 200 draws of any size, nothing is ever said, whatever the distribution."""
    draw, samples = SAME[name]
    kept = kept_of(draw(samples))
    assert read(kept["x"]) is not None
    found = [said(kept, draw(SIZES[n % len(SIZES)])) for n in range(200)]
    assert found == [""] * 200


def test_digits_of_the_same_distribution() -> None:
    """Over 200 draws of held-out digits, also of a single class, nothing is ever said."""
    train, others = digits()
    kept = kept_of(train)
    for n in range(200):
        chosen = torch.from_numpy(G.permutation(len(others))[: SIZES[n % len(SIZES)]])
        assert said(kept, others[chosen]) == ""
    labels = torch.from_numpy(datasets.load_digits().target)
    images = torch.from_numpy(datasets.load_digits().images / 16).float()[:, None]
    assert [said(kept, images[labels == n]) for n in range(10)] == [""] * 10


def test_a_single_inverted_digit() -> None:
    """White paper for black is named in every picture alone."""
    train, others = digits()
    kept = kept_of(train)
    found = [said(kept, 1 - one[None]) for one in others[1::5]]
    assert all(one.endswith(": inverted, such as black for white?") for one in found)
    assert said(kept, 1 - others) == (
        "x has values from 0 to 1, and in training from 0 to 1 (mean 0.693, in training 0.305): "
        "inverted, such as black for white?"
    )


IRIS = torch.from_numpy(datasets.load_iris().data).float()[
    torch.randperm(150, generator=torch.Generator().manual_seed(0))
]
STANDARD = (IRIS - IRIS.mean(0)) / IRIS.std(0)
WARM = torch.linspace(-5, 30, 300)[:, None]
TOKENS = torch.arange(1, 101).repeat(30).reshape(300, 10)
UNKNOWN = torch.where(torch.arange(10) < 8, 0, TOKENS)
BLACK, OTHERS = digits()
BYTES, NO_BYTES = ("divide by 255?",) * 3, ("multiply by 255?",) * 3
RAW, STANDARDISED = (
    "not standardised, as in training?",
    "already standardised, and not so in training?",
)
HOT = "degrees Fahrenheit for Celsius?"
ABSENT = "100% of the numbers are not among those of the training, from 1 to 100"
ZEROS = "80% of the numbers are 0, which is often an unknown value; in training 10%"
#: What trains, what is given, and the ends of what is said of 1, 5 and 20 samples.
FAR: dict[str, tuple[torch.Tensor, torch.Tensor, tuple[str | None, ...]]] = {
    "bytes": (BLACK, OTHERS * 255, BYTES),
    "no bytes": (BLACK * 255, OTHERS, NO_BYTES),
    "from −1": (BLACK, OTHERS * 2 - 1, ("and in training from 0 to 1?",) * 3),
    "a thousand": (IRIS[:120], IRIS[120:] * 1000, ("divided by 1,000, they fit",) * 3),
    "raw": (STANDARD[:120], IRIS[120:], (None, RAW, RAW)),
    "standardised": (IRIS[:120], STANDARD[120:], (None, STANDARDISED, STANDARDISED)),
    "Fahrenheit": (WARM, WARM * 1.8 + 32, (None, HOT, HOT)),
    "tokens": (TOKENS, TOKENS + 100, (None, None, ABSENT)),
    "unknown": (torch.where(torch.arange(10) < 1, 0, TOKENS), UNKNOWN, (None, None, ZEROS)),
}


@pytest.mark.parametrize("name", FAR)
def test_another_distribution(name: str) -> None:
    """Other scales, units and codes are named with their likely cause."""
    train, given, ends = FAR[name]
    kept = kept_of(train)
    for size, end in zip((1, 5, 20), ends, strict=True):
        chosen = torch.linspace(0, len(given) - 1, size).long()
        found = said(kept, given[chosen])
        assert found.endswith(end) if end else found == ""


def test_names() -> None:
    """A feature has the name of its column, or its number; several inputs have their names."""
    kept = kept_of(IRIS, WARM.repeat(2, 1)[:150])
    far = IRIS.clone()
    far[:, 1:3] *= 1000
    names = ("length", "width", "long", "wide")
    assert said(kept, far, WARM[:150], columns={"x": names}) == (
        "x, width, has values from 2000 to 4400, and in training from 2 to 4.4; 1 more feature "
        "differs as much: another unit? divided by 1,000, they fit"
    )
    assert said(kept, far, WARM[:150]).startswith("x, feature 1 (from 0), has values")
    assert said(kept, IRIS, WARM[:150] + 500) == (
        "y has values from 495 to 512.4, and in training from -5 to 12.44"
    )


def test_few_samples_and_long_vectors() -> None:
    """Fewer than 16 samples tell nothing; the features of a long vector are watched together."""
    assert measured((IRIS[:15],), ["x"]) == {}
    wide = torch.from_numpy(G.normal(size=(100, 500))).float()
    kept = kept_of(wide)
    assert len(json.dumps(kept)) < 600
    assert said(kept, wide * 1000)
    assert len(json.dumps(kept_of(wide[:, :40]))) < 8000


@pytest.mark.parametrize(
    "damage",
    [
        lambda values: values.pop("low"),
        lambda values: values.update(low=[1, 2]),
        lambda values: values.update(mean=["a", "b", "c", "d"]),
        lambda values: values.update(kind="other"),
        lambda values: values.update(samples="many"),
        lambda values: values.update(least=[float("nan")] * 4),
        lambda values: values.update(high=[[1e400] * 3] * 4),
        lambda values: values.update(high=[[[]]]),
        lambda values: values.clear(),
    ],
)
def test_damaged_values(damage: Callable[[dict[str, Any]], object]) -> None:
    """Values that are no distribution, and those of another input, are not compared."""
    kept = kept_of(IRIS)
    damage(kept["x"])
    assert read(kept["x"]) is None
    assert said(kept, IRIS * 1000) == ""


@pytest.mark.parametrize("kept", [None, [], {}, {"x": None}, {"x": 3}, {"y": {}}])
def test_nothing_kept(kept: Any) -> None:
    """A run of an older release keeps nothing, and nothing is said."""
    assert said(kept, IRIS * 1000) == ""


def test_the_commands(netbuild: Netbuild, tmp_path: Path) -> None:
    """`predict` and `evaluate` warn once on standard error; output and exit code stay the same."""
    x, y = IRIS.numpy(), np.arange(150) % 3
    np.savez(tmp_path / "a.npz", x=x, y=y, x_far=x * 1000, y_far=y)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "far.npy", x * 1000)
    data = {"Arrays": str(tmp_path / "a.npz"), "normalize": True}
    run = package.train(write(tmp_path, data=data), runs=tmp_path / "runs").folder
    warning = "netbuild: warning: these samples lie far from those that have trained the network: "
    reach = "has values from 4300 to 7900, and in training from 4.4 to 7.9"
    for arguments, count in (
        (("predict", run, tmp_path / "x.npy"), 0),
        (("predict", run, tmp_path / "far.npy"), 1),
        (("evaluate", run), 0),
        (("evaluate", run, "--split", "far"), 1),
    ):
        done = netbuild(*arguments, "--format", "json")
        assert done.returncode == 0
        assert json.loads(done.stdout)
        assert done.stderr.count(f"{warning}input, feature 0 (from 0), {reach}") == count
        assert len(done.stderr.splitlines()) == count
    (run / "data.json").unlink()
    assert not netbuild("predict", run, tmp_path / "far.npy").stderr


def test_large_data_is_measured_in_part(tmp_path: Path) -> None:
    """The measured samples are drawn from all, and resuming keeps what was measured."""
    data = {"Random": {"samples": 6000, "classes": 3}}
    run = package.train(write(tmp_path, data=data, train={"epochs": 1}), runs=tmp_path / "runs")
    assert run.kept["inputs"]["input"]["samples"] == 4096
    assert training.resume(run.folder).run.kept == run.kept
    assert Predictor(trained(run.folder)).watch.wants == 4096
