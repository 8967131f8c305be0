"""The split of the samples, and the batches of each epoch."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netbuild import training
from netbuild.checks.trace import trace, trainable
from netbuild.components.datasets.dataset import Sample
from netbuild.components.target import Classes
from netbuild.config.load import load, read
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.syntax.parser import from_bytes
from netbuild.training.data import loading
from netbuild.training.data.batches import Batch, Batches
from netbuild.training.parallel.distributed import World
from netbuild.training.progress import Silent
from tests.examples import examples
from tests.training.runs import CPU, samples
from tests.training_configs import (
    in_memory,
    text,
    write,
)


def loaded(file: Path, *settings_: str) -> tuple[Batches, Batches]:
    """Return both splits of a config's data."""
    found = loading.load(trace(load(file, settings_)), World(CPU))
    return in_memory(found.training), in_memory(found.held_out)


@examples(60)
@given(
    count=st.integers(2, 200),
    classes=st.integers(1, 3),
    validation=st.floats(0.05, 0.95),
    seed=st.integers(0, 2**31 - 1),
)
def test_the_split_is_a_partition(count: int, classes: int, validation: float, seed: int) -> None:
    """The splits are disjoint, contain all samples, and have the right sizes."""
    held_out = round(count * validation)
    data = {"Random": {"samples": count, "classes": classes}, "validation": validation}
    source = from_bytes("split.yaml", text(data=data, train={"seed": seed}).encode())
    if not 0 < held_out < count:
        with pytest.raises(ConfigError, match=r"\d+ samples? with validation .* leave none to"):
            trace(read(source))
        return
    graph = trace(read(source))
    training_, validation_ = map(in_memory, loading.load(graph, World(CPU))[:2])
    assert (len(training_), len(validation_)) == (count - held_out, held_out)
    (inputs,), (targets,) = _random(count, classes)
    all_ = Batches((torch.from_numpy(inputs),), (torch.from_numpy(targets),))
    assert samples(training_) | samples(validation_) == samples(all_)
    assert len(samples(training_)) + len(samples(validation_)) == count


def _random(count: int, classes: int) -> Any:
    config = read(from_bytes("all.yaml", text(data={"Random": {"samples": count}}).encode()))
    assert config.data is not None
    assert config.input is not None
    return config.data.load(Sample((config.input,), {"target": Classes(classes)}))


#: Data with classes: ten real ones, and a few made up.
STRATIFIED: dict[str, dict[str, Any]] = {
    "digits": {"data": "Digits", "input": [1, 8, 8], "layers": ["Flatten", {"Linear": 10}]},
    "random": {"data": {"Random": {"samples": 100}}},
    "half": {"data": {"Random": {"samples": 100}, "validation": 0.5}},
}


@pytest.mark.parametrize("name", STRATIFIED)
@pytest.mark.parametrize("seed", [0, 7])
def test_the_split_is_stratified(tmp_path: Path, name: str, seed: int) -> None:
    """Validation gets the same share of each class, to within one sample."""
    splits = loaded(write(tmp_path, **STRATIFIED[name]), f"train.seed={seed}")
    counts = [split.targets[0].bincount(minlength=10).double() for split in splits]
    share = len(splits[1]) / (len(splits[0]) + len(splits[1]))
    assert ((counts[0] + counts[1]) * share - counts[1]).abs().max() < 1


def test_the_split_depends_on_the_seed(tmp_path: Path) -> None:
    """The same seed gives the same split, and another seed gives another split."""
    file = write(tmp_path)
    first, again, other = (loaded(file, f"train.seed={seed}")[1] for seed in (0, 0, 1))
    assert torch.equal(first.inputs[0], again.inputs[0])
    assert samples(first) != samples(other)


numbered = st.integers(1, 60).map(lambda n: Batches((torch.arange(n) * 1.0,), (torch.arange(n),)))


@given(split=numbered, size=st.integers(1, 70), seed=st.integers(0, 2**62), skip=st.integers(0, 70))
def test_an_epoch_sees_every_sample_once(split: Batches, size: int, seed: int, skip: int) -> None:
    """Shuffled batches contain every sample once, with its target; `skip` leaves the rest."""
    every = [targets.tolist() for _, (targets,) in split.shuffled(size, seed)]
    assert sorted(chain(*every)) == list(range(len(split)))
    assert [len(batch) for batch in every[:-1]] == [size] * (len(every) - 1)
    assert 0 < len(every[-1]) <= size
    tail = list(split.shuffled(size, seed, skip=skip))
    assert [targets.tolist() for _, (targets,) in tail] == every[skip:]
    assert all(inputs.tolist() == targets.tolist() for (inputs,), (targets,) in tail)


@given(split=numbered, size=st.integers(1, 70))
def test_validation_sees_every_sample_in_order(split: Batches, size: int) -> None:
    """Batches in order contain every sample once."""
    seen = chain(*(targets.tolist() for _, (targets,) in split.in_order(size)))
    assert list(seen) == list(range(len(split)))


class Recorded(Batches):
    """Batches that record their calls."""

    seen: list[list[float]]

    def shuffled(
        self, size: int, seed: int, skip: int = 0, most: int | None = None
    ) -> Iterator[Batch]:
        """Yield the batches, and record the first input of each sample."""
        self.seen.append([])
        for x, targets in super().shuffled(size, seed, skip, most):
            self.seen[-1] += x[0][:, 0].tolist()
            yield x, targets


def test_every_epoch_has_its_own_order(tmp_path: Path) -> None:
    """Every epoch of a training uses all samples, each epoch in another order."""
    config = load(write(tmp_path), ["train.epochs=4"])
    trainer = training.prepare(trainable(config), tmp_path / "runs")
    Recorded.seen = []
    split = in_memory(trainer.training)
    recorded = trainer.training = Recorded(split.inputs, split.targets)
    training.fit(trainer, Silent())
    everything = sorted(recorded.inputs[0][:, 0].tolist())
    assert [sorted(epoch) for epoch in Recorded.seen] == [everything] * 4
    assert len({tuple(epoch) for epoch in Recorded.seen}) == 4
