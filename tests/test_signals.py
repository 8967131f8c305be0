"""netbuild turns every ShapeError and DataError into a fault of the config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import netbuild
from netbuild import training
from netbuild.components.augmentations.geometric import RandomHorizontalFlip
from netbuild.components.datasets.synthetic import Random
from netbuild.components.layers.linear import Linear
from netbuild.components.losses.classes import CrossEntropyLoss
from netbuild.components.schedulers.decay import StepLR
from tests.training_configs import write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from netbuild.runs.folder import Run


class Broken:
    """Samples of which the numbers from `bad` on cannot be read, and perhaps no target."""

    def __init__(self, bad: int, *, labelled: bool = True) -> None:
        self.bad, self.labelled = bad, labelled

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> Any:
        if index >= self.bad:
            raise netbuild.DataError("a sample is torn", None, "mend it")
        return (np.zeros(4, "float32"),), (np.int64(index % 3),)

    def targets(self) -> Any:
        """Return the targets of all samples."""
        if not self.labelled:
            raise netbuild.DataError("a label is torn")
        return (np.arange(60) % 3,)


class BrokenStream:
    """Samples of which the first five can be read."""

    def samples(self, seed: int | None) -> Any:
        """Yield the samples in their order."""
        del seed
        yield from map(Broken(5).__getitem__, range(60))


def torn(*_: Any, **__: Any) -> Any:
    """Stand for a method of a data source whose files are damaged."""
    raise netbuild.DataError("a file is torn")


#: The methods of a source that may raise, and what stands in their place.
SOURCES: dict[str, tuple[str, Callable[..., Any]]] = {
    "sample": ("sample", torn),
    "load": ("load", torn),
    "open": ("open", torn),
    "a sample": ("open", lambda *_: Broken(0)),
    "a later sample": ("open", lambda *_: Broken(40)),
    "a target": ("open", lambda *_: Broken(60, labelled=False)),
    "check_split": ("check_split", torn),
    "a stream": ("open", lambda *_: BrokenStream()),
}
#: What the config says besides, so that the method is called.
BESIDES = {
    "open": ["data.in_memory=false"],
    "a sample": ["data.in_memory=false"],
    "a later sample": ["data.in_memory=false"],
    "a target": ["data.in_memory=false"],
    "check_split": ["data.validation=test"],
    "a stream": ["data.in_memory=false", "data.validation=test", "train.limit_batches=2"],
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Train on samples that can be read."""
    folder = tmp_path_factory.mktemp("trained")
    return netbuild.train(write(folder), set=["train.epochs=1"], runs=folder / "runs")


def source(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """Have a method of `data: Random` raise; return the settings with which it is called."""
    method, stand_in = SOURCES[name]
    monkeypatch.setattr(Random, method, lambda _, *x, **y: stand_in(*x, **y))
    if name == "a stream":
        monkeypatch.setattr(Random, "check_split", lambda *_: None)
    return BESIDES.get(name, [])


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("name", SOURCES)
def test_training_reports_what_a_source_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, workers: int
) -> None:
    """Wherever a source raises, `train` says so as one fault of the config, in one line."""
    settings = [*source(monkeypatch, name), f"train.workers={workers}"]
    with pytest.raises(netbuild.ConfigError, match=r"^\S+:\d+:\d+: NB501 .* torn$"):
        netbuild.train(write(tmp_path), set=settings, runs=tmp_path / "runs")


def test_the_help_of_an_error_survives_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a source advises is part of the fault, also where another process read the sample."""
    settings = [*source(monkeypatch, "a later sample"), "train.workers=1"]
    with pytest.raises(netbuild.ConfigError) as caught:
        netbuild.train(write(tmp_path), set=settings, runs=tmp_path / "runs")
    (fault,) = caught.value.diagnostics
    assert (fault.label, fault.help) == ("a sample is torn", "mend it")


@pytest.mark.parametrize("name", SOURCES)
def test_evaluation_reports_what_a_source_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Run, name: str
) -> None:
    """So does `evaluate`, with the weights of a file and with those of a run."""
    settings = source(monkeypatch, name)
    if settings or name in {"sample", "load"}:
        config = netbuild.load(write(tmp_path), settings)
        weights = trained.checkpoint("best") / "model.safetensors"
        with pytest.raises(netbuild.ConfigError, match=r"NB501 .* torn$"):
            training.evaluate_weights(config, weights)
    if name == "load":
        with pytest.raises(netbuild.ConfigError, match=r"NB501 .* torn$"):
            training.evaluate(trained.folder)


@pytest.mark.parametrize("method", ["sample", "count", "load", "open", "names"])
def test_building_and_predicting_need_no_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Run, method: str
) -> None:
    """`load`, `trace` and `build` raise faults alone; `predict` asks nothing of the source."""
    monkeypatch.setattr(Random, method, torn)
    config = netbuild.load(write(tmp_path))
    for function in (netbuild.trace, netbuild.build):
        called: Callable[[Any], Any] = function
        if method == "sample":
            with pytest.raises(netbuild.ConfigError, match=r"NB501 .* a file is torn$"):
                called(config)
        else:
            called(config)
    predicted = training.predict(trained.folder, np.zeros(4, "float32"))
    assert [prediction["class"] for prediction in predicted] in ([0], [1], [2])


def unfit(*_: Any, **__: Any) -> Any:
    """Stand for a rule of a component that its input breaks."""
    raise netbuild.ShapeError("NB202", "it does not fit")


def sections(extra: dict[str, Any]) -> dict[str, Any]:
    """Return the sections of a network of images."""
    data = {"Random": {"samples": 60}, "augment": ["RandomHorizontalFlip"]}
    layers: Sequence[Any] = ["Flatten", {"Linear": 3}]
    return {"input": [1, 4, 4], "layers": layers, "data": data, "scheduler": {"StepLR": 2}} | extra


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (Linear, "output_shape"),
        (Linear, "outputs"),
        (Linear, "expect_dtypes"),
        (Linear, "expect_origins"),
        (CrossEntropyLoss, "compare"),
        (CrossEntropyLoss, "check"),
        (StepLR, "check"),
        (RandomHorizontalFlip, "apply"),
        (RandomHorizontalFlip, "shape"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_rule_that_is_broken_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, component: type[Any], rule: str
) -> None:
    """Whichever rule of a component raises, every function says so as a fault of the config."""
    path = write(tmp_path, **sections({}))
    monkeypatch.setattr(component, rule, unfit)
    for function in (netbuild.load, netbuild.trace, netbuild.build, netbuild.train):
        called: Callable[[Any], Any] = function
        if function is netbuild.load and component is not StepLR:
            called(path)
            continue
        with pytest.raises(netbuild.ConfigError, match=r"^\S+tiny\.yaml:\d+:\d+: NB\d+ .* fit"):
            called(path if function in {netbuild.load, netbuild.train} else netbuild.load(path))
