"""A checkpoint is complete or absent, and a damaged one gives a sentence."""

import itertools
import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from netbuild import training
from netbuild.training import Run, TrainingError, checkpoint
from tests.training_configs import STATE, WEIGHTS, Killed, Moment, ending, files, write

COMPLETE = {f"last/{WEIGHTS}", f"last/{STATE}"}


def module(value: float) -> nn.Module:
    """Return a module. All its weights have the same value."""
    made = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    for tensor in made.state_dict().values():
        tensor.fill_(value)
    return made


def save(place: Path, value: int) -> None:
    """Save a checkpoint. All its weights and its state hold the same value."""
    state = {"value": value, "noise": torch.full((50,), value)}
    checkpoint.save(place, module(value).state_dict(), state)


def saved(place: Path) -> int:
    """Load a checkpoint, and return its value."""
    into = module(-1)
    state = checkpoint.load(place, into)
    values = {int(v) for tensor in into.state_dict().values() for v in tensor.flatten()}
    assert values | {int(v) for v in state["noise"]} == {state["value"]}
    value: int = state["value"]
    return value


def save_and_die(place: Path, value: int, at: Moment) -> None:
    """Save a checkpoint in a process that ends at a moment."""
    with ending(at), pytest.raises(Killed, match=r"^$"):
        save(place, value)


def moments(folder: Path, *, over: bool) -> list[Moment]:
    """Return all moments of saving a checkpoint, with or without an older checkpoint."""
    place = folder / "counted" / "last"
    if over:
        save(place, 0)
    with ending(None) as counted:
        save(place, 1)
    return counted


def test_load_gives_what_was_saved(tmp_path: Path) -> None:
    """A checkpoint restores weights, buffers and state, also if it replaced another one."""
    place = tmp_path / "checkpoints" / "last"
    for value in (1, 2, 3):
        save(place, value)
        assert saved(place) == value
        assert files(tmp_path / "checkpoints") == COMPLETE


def test_tensors_one_after_the_other(tmp_path: Path) -> None:
    """They make the file that safetensors makes of all of them together, byte for byte."""
    tensors = {
        "z": torch.rand(3, 5),
        "a": torch.rand(4, 2).T,
        "seen": torch.tensor(7),
        "on": torch.tensor([True, False, True]),
        "none": torch.empty(0, 3),
        "half": torch.rand(3).to(torch.bfloat16),
    }
    checkpoint.save(tmp_path / "whole", tensors, {})
    in_order = (tensors[name] for name in checkpoint.order(tensors))
    checkpoint.save_each(tmp_path / "each", tensors, in_order, {})
    whole, each = ((tmp_path / place / WEIGHTS).read_bytes() for place in ("whole", "each"))
    assert each == whole
    found = dict(checkpoint.Saved(tmp_path / "each").each())
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def test_a_kill_leaves_one_of_both(tmp_path: Path) -> None:
    """After a kill at any moment of a save, the old or the new checkpoint is complete."""
    found = []
    for number, at in enumerate(moments(tmp_path, over=True)):
        place = tmp_path / str(number) / "last"
        save(place, 1)
        save_and_die(place, 2, at)
        found.append(saved(place))
    assert found == sorted(found), "once the new one is there it stays"
    assert set(found) == {1, 2}


def test_a_kill_of_the_first_leaves_it_or_none(tmp_path: Path) -> None:
    """After a kill at any moment of the first save, the checkpoint is complete or absent."""
    found = []
    for number, at in enumerate(moments(tmp_path, over=False)):
        place = tmp_path / str(number) / "last"
        save_and_die(place, 1, at)
        if place.exists():
            assert saved(place) == 1
        else:
            with pytest.raises(
                TrainingError, match=r"last does not exist: no checkpoint was saved"
            ):
                saved(place)
        found.append(place.exists())
    assert found == sorted(found)
    assert set(found) == {False, True}


@pytest.mark.slow
def test_two_kills_leave_one_of_all(tmp_path: Path) -> None:
    """After two killed saves, a checkpoint is complete too."""
    every = moments(tmp_path, over=True)
    lost = []
    for number, pair in enumerate(itertools.product(every, every)):
        place = tmp_path / str(number) / "last"
        save(place, 1)
        save_and_die(place, 2, pair[0])
        with ending(pair[1]), suppress(Killed):
            save(place, 3)
        try:
            saved(place)
        except TrainingError:
            lost.append(pair)
    assert lost == []


def test_a_save_behind_a_kill_leaves_nothing_else(tmp_path: Path) -> None:
    """The next save removes all files that a kill left."""
    for number, at in enumerate(moments(tmp_path, over=True)):
        folder = tmp_path / str(number)
        save(folder / "last", 1)
        save_and_die(folder / "last", 2, at)
        save(folder / "last", 3)
        assert saved(folder / "last") == 3
        assert files(folder) == COMPLETE
        assert [p.name for p in folder.iterdir()] == ["last"]


def test_recover_survives_a_kill(tmp_path: Path) -> None:
    """After a kill at any moment of `recover`, the new checkpoint is still complete."""
    between = Moment("rename", 1)
    for number, at in enumerate(
        [Moment("rename"), Moment("rmtree"), Moment("rmtree", halfway=True)]
    ):
        place = tmp_path / str(number) / "last"
        save(place, 1)
        save_and_die(place, 2, between)
        assert not place.exists()
        with ending(at), pytest.raises(Killed, match=r"^$"):
            checkpoint.recover(place)
        assert saved(place) == 2


def test_recover_leaves_the_rest_alone(tmp_path: Path) -> None:
    """`recover` changes nothing if no save was stopped between its renames."""
    place = tmp_path / "last"
    checkpoint.recover(place)
    assert files(tmp_path) == set()
    save(place, 1)
    checkpoint.recover(place)
    assert files(tmp_path) == COMPLETE
    assert saved(place) == 1


class Unknown:
    """A class that `weights_only` does not load."""


def halve(path: Path) -> None:
    """Cut a file in the middle."""
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    """Change the first eight bytes of a file: its kind, or the size of its header."""
    data = path.read_bytes()
    path.write_bytes(bytes(255 - byte for byte in data[:8]) + data[8:])


def to_folder(path: Path) -> None:
    """Put a folder in the place of a file."""
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(1000)),
    "text": lambda path: path.write_bytes(b"hello, I am no checkpoint\n" * 9),
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 4),
    "half": halve,
    "flipped": flip,
    "folder": to_folder,
    "pickle": lambda path: path.write_bytes(pickle.dumps({"value": 1}, protocol=2)),
    "cut pickle": lambda path: path.write_bytes(pickle.dumps({"value": 1}, protocol=2)[:-4]),
    "unknown class": lambda path: torch.save(Unknown(), path),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", [WEIGHTS, STATE])
def test_damage_is_told(tmp_path: Path, file: str, damage: str) -> None:
    """A file of a checkpoint that cannot be read gives one line, for any damage."""
    place = tmp_path / "last"
    save(place, 1)
    DAMAGES[damage](place / file)
    with pytest.raises(TrainingError, match=r"^the checkpoint .*last is damaged: .+$") as info:
        checkpoint.load(place, module(0))
    assert str(info.value).isprintable()


def test_another_networks_weights_are_told(tmp_path: Path) -> None:
    """Weights of another network give one line."""
    place = tmp_path / "last"
    save(place, 1)
    said = r"last belongs to another network: 0.weight is 2×3, not 2×5$"
    with pytest.raises(TrainingError, match=said) as info:
        checkpoint.load(place, nn.Sequential(nn.Linear(5, 2)))
    assert str(info.value).isprintable()


@pytest.mark.parametrize("there", ["nothing", "file", "empty folder"])
def test_no_checkpoint_is_told(tmp_path: Path, there: str) -> None:
    """A place without a checkpoint gives one sentence."""
    place = tmp_path / "last"
    if there == "file":
        place.write_bytes(b"")
    if there == "empty folder":
        place.mkdir()
    with pytest.raises(TrainingError, match=r"does not exist|is damaged"):
        checkpoint.load(place, module(0))


#: What stands in state.pt, readable, that is not the state of a training.
STATES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no mapping": lambda _: [1, 2],
    "no position": lambda state: {k: v for k, v in state.items() if k != "position"},
    "no optimizer": lambda state: {k: v for k, v in state.items() if k != "optimizer"},
    "no randomness": lambda state: {k: v for k, v in state.items() if k != "randomness"},
    "no measures": lambda state: {k: v for k, v in state.items() if k != "measures"},
    "position of another kind": lambda state: state | {"position": {"steps": 3}},
    "position with more": lambda state: state | {"position": state["position"] | {"more": 1}},
    "optimizer of another kind": lambda state: state | {"optimizer": {"state": {}}},
    "optimizer of another network": lambda state: (
        state | {"optimizer": torch.optim.SGD([torch.zeros(1)]).state_dict()}
    ),
    "randomness of another kind": lambda state: state | {"randomness": torch.zeros(3)},
    "randomness of no process": lambda state: state | {"randomness": []},
    "a generator of another kind": lambda state: (
        state | {"randomness": [state["randomness"][0] | {"rng": torch.zeros(3)}]}
    ),
    "a generator too few": lambda state: (
        state | {"randomness": [{k: v for k, v in state["randomness"][0].items() if k != "rng"}]}
    ),
}


@pytest.mark.parametrize("change", STATES)
def test_another_state_is_told(tmp_path: Path, change: str) -> None:
    """A readable state.pt of something else gives one line."""
    trained = training.train(write(tmp_path), set=["train.epochs=1"], runs=tmp_path / "runs")
    path = trained.checkpoint("last") / STATE
    torch.save(STATES[change](torch.load(path, weights_only=True)), path)
    with pytest.raises(TrainingError, match=r"^.+$") as info:
        training.resume(trained.folder)
    assert str(info.value).isprintable()


def test_one_process_has_a_run(tmp_path: Path) -> None:
    """A second training of the same run is refused until the first one ends."""
    run = Run(tmp_path)
    held = run.lock()
    with pytest.raises(TrainingError, match=r"is in use: another process trains this run$"):
        run.lock()
    held.release()
    run.lock().release()
    assert not list(tmp_path.iterdir())
