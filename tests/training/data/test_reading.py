"""Samples that stay in their files give the same training as samples in memory."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from netbuild.checks.trace import trainable
from netbuild.components import machine
from netbuild.components.datasets import array_samples
from netbuild.components.datasets.array_files import read_arrays
from netbuild.components.datasets.dataset import DataError
from netbuild.config.load import read
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.syntax.parser import from_bytes
from netbuild.training.data import loading, reading
from netbuild.training.data.batches import Batches, ReadBatches
from netbuild.training.data.loading import Data
from netbuild.training.parallel.distributed import World
from tests.training.by_hand import command, prepared, resumed, stopped, trained
from tests.training.runs import CPU
from tests.training_configs import outcome, text, write

Arrays = dict[str, np.ndarray[Any, Any]]
GENERATOR = np.random.default_rng(0)
SAMPLES = 60
LAYERS = ["Flatten", {"Linear": 8}, "Tanh", {"Dropout": 0.4}, {"Linear": 3}]


def arrays(dtype: str = "float32") -> Arrays:
    """Return samples of 1×4×4 with three classes."""
    y = GENERATOR.integers(0, 3, SAMPLES)
    x = GENERATOR.integers(0, 256, (SAMPLES, 4, 4))
    return {"x": (x if dtype[-2:] == "u1" else x / 100).astype(dtype), "y": y}


def saved(folder: Path, kind: str, given: Arrays) -> Path:
    """Write arrays into a folder, in a format."""
    path = folder / f"data.{kind}"
    if kind == "npz":
        np.savez(path, **given)  # type: ignore[arg-type]  # the stub knows no arrays by name
    elif kind == "safetensors":
        save_file(given, path)
    else:
        path.mkdir()
        for name, values in given.items():
            np.save(path / name, values)
    return path


def sections(path: Path, *, in_memory: bool | None, **more: Any) -> dict[str, Any]:
    """Return the sections of a config that reads a file of arrays."""
    data = {"Arrays": {"file": str(path)}, "in_memory": in_memory} | more
    return {"input": [1, 4, 4], "layers": LAYERS, "data": data}


def data(path: Path, *, in_memory: bool, **more: Any) -> Data:
    """Return the data of such a config."""
    written = text(**sections(path, in_memory=in_memory, **more))
    return loading.load(trainable(read(from_bytes("tiny.yaml", written.encode()))), World(CPU))


def batches_of(found: Data) -> list[torch.Tensor]:
    """Return all tensors of some batches of both splits: shuffled, from the middle, in order."""
    both = (found.training, found.held_out)
    assert not any(hasattr(split, "stream") for split in both)
    every = [
        batch
        for split in both
        for batch in (*split.shuffled(7, 3), *split.shuffled(7, 4, 2, 4), *split.in_order(9))
    ]
    return [tensor for batch in every for part in batch for tensor in part]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    """Whether tensors are equal, bit for bit."""
    pairs = zip(one, other, strict=True)
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("kind", ["npy", "npz", "safetensors"])
@pytest.mark.parametrize("dtype", ["float32", "u1", "float64", ">f4", "i2"])
def test_batches_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, dtype: str
) -> None:
    """Arrays that stay in their file give the batches of arrays in memory, bit for bit."""
    if kind == "safetensors" and dtype[0] == ">":
        pytest.skip("safetensors has one byte order")
    monkeypatch.setattr(reading, "_AT_ONCE", 1000)
    path = saved(tmp_path, kind, arrays(dtype))
    more: dict[str, Any] = {"normalize": True, "class_weights": "balanced", "resize": [4, 4]}
    held, kept = (data(path, in_memory=where, **more) for where in (True, False))
    assert isinstance(held.training, Batches)
    assert isinstance(kept.training, ReadBatches)
    assert same(batches_of(held), batches_of(kept))
    assert held.preparation.normalize == kept.preparation.normalize
    assert held.class_weights is not None
    assert kept.class_weights is not None
    assert torch.equal(held.class_weights, kept.class_weights)


def test_images_are_resized_alike(tmp_path: Path) -> None:
    """Arrays of images that stay in their file are resized batch by batch."""
    given = arrays() | {"x": GENERATOR.random((SAMPLES, 1, 9, 7), "float32")}
    path = saved(tmp_path, "npy", given)
    held, kept = (data(path, in_memory=where, resize=[4, 4]) for where in (True, False))
    assert same(batches_of(held), batches_of(kept))


def test_few_samples_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of a training takes more than a few samples of a file at a time."""
    taken: dict[str, int] = {}
    take = array_samples.ReadArray.take

    def counted(self: Any, indices: Any) -> Any:
        name = self.stored.path.stem
        taken[name] = max(taken.get(name, 0), len(indices))
        return take(self, indices)

    monkeypatch.setattr(array_samples.ReadArray, "take", counted)
    monkeypatch.setattr(reading, "_AT_ONCE", 160)
    monkeypatch.setattr(loading, "_MOST_READ", 12)
    path = saved(tmp_path, "npy", arrays())
    config = sections(path, in_memory=False, normalize=True, class_weights="balanced")
    trained(tmp_path, "train.batch_size=12", **config)
    assert taken == {"x": 12, "y": 20}  # batches, and 160 bytes of labels


def test_few_numbers_are_held(tmp_path: Path) -> None:
    """Arrays with few bytes beside the others are held in memory, also if they are compressed."""
    given = arrays() | {"x": GENERATOR.random((SAMPLES, 1, 9, 9))}
    found = data(saved(tmp_path, "npy", given), in_memory=False, resize=[4, 4]).held_out
    assert isinstance(found, ReadBatches)
    kinds = [type(array).__name__ for array in found.samples.samples.arrays]  # type: ignore[attr-defined]  # a part of arrays
    assert kinds == ["ReadArray", "HeldArray"]


@pytest.mark.parametrize("read_at", ["preadv", "in turn", "in parts"])
def test_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_at: str) -> None:
    """Neighbours, samples in any order and the same sample twice are what the array holds."""
    if read_at != "preadv":
        half = lambda file, buffers, start: array_samples._in_turn(file, [buffers[0][:100]], start)  # noqa: E731
        monkeypatch.setattr(
            array_samples, "_read_at", half if read_at == "in parts" else array_samples._in_turn
        )
    monkeypatch.setattr(array_samples, "_AT_ONCE", 1000)
    for shape in ((), (1,), (5, 3), (300,)):
        folder = tmp_path / f"{shape}"
        folder.mkdir()
        values = GENERATOR.random((40, *shape))
        np.save(folder / "x.npy", values)
        stored = read_arrays(folder)["x"]
        place = array_samples.place_of(stored)
        assert place is not None
        array = array_samples.ReadArray(stored, place)
        for chosen in ([], [7], range(3, 9), range(40), [3, 5, 4, 3], [39, 0, 1, 39]):
            indices = np.array([*chosen], int)
            assert np.array_equal(array.take(indices), values[indices])


def test_training_is_the_same(tmp_path: Path) -> None:
    """A training that reads arrays ends with the weights of one in memory, also if stopped."""
    path = saved(tmp_path, "npz", arrays())
    held, kept = (sections(path, in_memory=where, normalize=True) for where in (True, False))
    whole = trained(tmp_path, "train.batch_size=12", **held)
    read_ = trained(tmp_path, "train.batch_size=12", **kept)
    assert isinstance(read_.training, ReadBatches)
    assert outcome(read_.run) == outcome(whole.run)
    for step in (1, 6):
        again = resumed(stopped(prepared(tmp_path, "train.batch_size=12", **kept), step))
        assert outcome(again.run) == outcome(whole.run)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_workers_read_the_same(tmp_path: Path) -> None:
    """Worker processes read the same batches as the process that trains."""
    config = sections(saved(tmp_path, "npy", arrays()), in_memory=False)
    one, two = (trained(tmp_path, f"train.workers={n}", **config) for n in (0, 2))
    assert outcome(one.run) == outcome(two.run)


def test_a_copy_opens_the_file_again(tmp_path: Path) -> None:
    """A worker process that gets samples as bytes opens their files itself."""
    found = data(saved(tmp_path, "npy", arrays()), in_memory=False).training
    assert isinstance(found, ReadBatches)
    again = pickle.loads(pickle.dumps(found.samples))  # noqa: S301  its own bytes
    chosen = np.array([5, 0, 5])
    assert same(*([*reading.read(x, chosen, quick=True)[0]] for x in (found.samples, again)))


@pytest.mark.parametrize("order", ["compressed", "fortran"])
def test_arrays_that_are_read_as_a_whole(tmp_path: Path, order: str) -> None:
    """Compressed arrays, and arrays in Fortran's order, are held in memory."""
    given, path = arrays(), tmp_path / "data.npz"
    if order == "compressed":
        np.savez_compressed(path, **given)  # type: ignore[arg-type]  # as above
    else:
        np.savez(path, x=np.asfortranarray(given["x"]), y=given["y"])
    assert isinstance(data(path, in_memory=False).training, Batches)
    file = write(tmp_path, **sections(path, in_memory=False))
    said = command("train", file, "--runs", tmp_path / "runs", "--set", "train.epochs=1")[1]
    line = "samples are in memory, although in_memory is false: Arrays gives them as a whole"
    assert line in said.splitlines()


WRONG: dict[str, tuple[str, int, Any]] = {
    "a value that is not a number": ("x", 41, np.nan),
    "a value that float32 does not hold": ("x", 41, 1e300),
    "a class that the network does not know": ("y", 17, 3),
    "a negative class": ("y", 17, -1),
}


@pytest.mark.parametrize("name", WRONG)
def test_faults_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """All values are checked before the training, with the message of samples in memory."""
    monkeypatch.setattr(reading, "_AT_ONCE", 1000)
    given = arrays("float64")
    array, index, value = WRONG[name]
    given[array][index] = value
    path = saved(tmp_path, "npy", given)
    messages = []
    for where in (True, False):
        with pytest.raises(ConfigError) as error:
            data(path, in_memory=where)
        messages.append([fault.message for fault in error.value.diagnostics])
    assert messages[0] == messages[1] != []


def test_a_file_that_becomes_shorter(tmp_path: Path) -> None:
    """A file that loses its end during a training is a fault, and does not kill the process."""
    path = saved(tmp_path, "npy", arrays())
    found = data(path, in_memory=False).training
    os.truncate(path / "x.npy", 2000)
    with pytest.raises(DataError, match=r"x.npy is damaged: it ends after 1,872 of 3,840 bytes$"):
        list(found.shuffled(8, 0))


def test_the_memory_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples that need more than a third of the memory stay in their files, and a line says so."""
    path = write(tmp_path, **sections(saved(tmp_path, "npy", arrays()), in_memory=None))
    options = ("train", path, "--runs", tmp_path / "runs", "--set", "train.epochs=1")
    assert "samples are read from disk" not in command(*options)[1]
    monkeypatch.setattr(machine, "_of_container", lambda: [10_000])
    monkeypatch.setattr(array_samples.ReadArray, "_ask_for", asked := Asked())
    line = "samples are read from disk: 4.3 kB are more than a third of 10.0 kB of memory"
    assert line in command(*options)[1].splitlines()
    assert not asked.count  # 3,840 and 480 bytes fit into the half of 10,000


class Asked:
    """Counts the requests to read ahead."""

    count = 0

    def __call__(self, *_: Any) -> None:
        """Count a request."""
        self.count += 1


def test_larger_files_are_read_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system's cache cannot hold a file, all samples of a batch are asked for at once."""
    path = saved(tmp_path, "npy", arrays())
    held = batches_of(data(path, in_memory=True))
    monkeypatch.setattr(machine, "_of_container", lambda: [1000])
    asked = []
    ask_for = array_samples.ReadArray._ask_for
    monkeypatch.setattr(
        array_samples.ReadArray,
        "_ask_for",
        lambda self, indices: (asked.append(len(indices)), ask_for(self, indices)),
    )
    assert same(held, batches_of(data(path, in_memory=False)))
    assert 7 in asked
