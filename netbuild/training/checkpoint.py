"""Checkpoints that are complete or absent, whenever the process or the machine stops.

A checkpoint is a folder of two files: `model.safetensors`, the plain `state_dict()`, and
`state.pt`, all else that training needs to go on as if it had not stopped. Where no process has all
weights, a folder of parts stands in place of the first. It is written beside its place, synced, and
renamed. A folder cannot be renamed over another one, so for a moment the place
is empty; `recover` tells that moment from a checkpoint that was never there.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from netbuild.components.tensor import times
from netbuild.diagnostics.exceptions import RunNotFoundError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import nn

WEIGHTS, PARTS, STATE = "model.safetensors", "parts", "state.pt"


def save(place: Path, weights: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
    """Write a checkpoint; a kill at any instant leaves the one before, or this one, whole.

    Raises:
        OSError: the disk is full, or does not let it be written.
    """
    with _written(begin(place)) as new:
        save_file({n: t.contiguous() for n, t in weights.items()}, new / WEIGHTS)
    finish(place, state)


def begin(place: Path) -> Path:
    """Make the folder in which a checkpoint is written before it takes its place, and return it."""
    recover(place)
    new = beginning(place)
    new.mkdir(parents=True)
    return new


def beginning(place: Path) -> Path:
    """Return that folder, which other processes may write into as well."""
    return _beside(place)[0]


def finish(place: Path, state: dict[str, Any]) -> None:
    """Have a checkpoint take its place, with the state beside the weights that are there."""
    new, old = _beside(place)
    with _written(new):
        torch.save(state, new / STATE)
    for path in (*new.rglob("*"), new):
        _sync(path)
    if place.exists():
        place.rename(old)
    new.rename(place)
    _sync(place.parent)
    shutil.rmtree(old, ignore_errors=True)


def load(place: Path, module: nn.Module) -> dict[str, Any]:
    """Load a checkpoint's weights into a module, and return the rest of its state.

    Raises:
        RunNotFoundError: there is no checkpoint.
        TrainingError: it is damaged, or of another network.
    """
    found = Saved(place)
    weights = found.weights()
    check_names(place, weights, module.state_dict())
    module.load_state_dict(weights)
    return found.state()


class Saved:
    """A checkpoint that was written.

    Raises:
        RunNotFoundError: there is none.
    """

    def __init__(self, place: Path) -> None:
        found = _whole(place)
        if found is None:
            message = f"{place} does not exist: nothing was saved there"
            raise RunNotFoundError(message)
        self.place, self.folder = place, found

    @property
    def parts(self) -> Path | None:
        """Where its weights lie in parts, with what the optimizer keeps of them, if they do."""
        parts = self.folder / PARTS
        return parts if parts.is_dir() else None

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the plain `state_dict()` of the network.

        Raises:
            TrainingError: it is damaged.
        """
        with _damaged(self.place):
            if self.parts is None:
                return load_file(self.folder / WEIGHTS)
            from netbuild.training.parallel import sharding

            return sharding.weights(self.parts)

    def described(self) -> dict[str, torch.Tensor]:
        """Return tensors of their shapes, without values.

        Raises:
            TrainingError: it is damaged.
        """
        with _damaged(self.place):
            if self.parts is None:
                with safe_open(self.folder / WEIGHTS, "pt") as file:
                    shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
                return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
            from netbuild.training.parallel import sharding

            return sharding.described(self.parts)

    def state(self) -> dict[str, Any]:
        """Return all that is not in the weights' file, or in their parts.

        Raises:
            TrainingError: it is damaged.
        """
        with _damaged(self.place):
            state: dict[str, Any] = torch.load(
                self.folder / STATE, weights_only=True, map_location="cpu"
            )
            return state


@contextmanager
def _written(new: Path) -> Iterator[Path]:
    """Say as an OSError what others say in their own way where a file cannot be written."""
    try:
        yield new
    except (SafetensorError, RuntimeError) as error:
        raise OSError(errno.EIO, " ".join(str(error).split())[:200], str(new)) from error


@contextmanager
def _damaged(place: Path) -> Iterator[None]:
    """Say in one sentence that a file cannot be read: its reader may raise anything."""
    try:
        yield
    except Exception as error:
        message = f"the checkpoint {place} is damaged ({type(error).__name__})"
        raise TrainingError(message) from error


def recover(place: Path) -> None:
    """Finish a `save` that was stopped, and remove what others have left.

    Only the process that writes a run's checkpoints may call it.
    """
    found = _whole(place)
    new, old = _beside(place)
    if found is not None and found != place:
        found.rename(place)
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)


def _whole(place: Path) -> Path | None:
    """Return where the newest whole checkpoint lies.

    The old one is moved away only once the new one is complete: where the place is empty and the
    old one lies beside it, the new one is whole.
    """
    new, old = _beside(place)
    if place.is_dir():
        return place
    return new if old.is_dir() and new.is_dir() else None


def check_names(
    place: Path, weights: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]
) -> None:
    """Refuse the weights of another network, by the first that differs.

    Raises:
        TrainingError: one does.
    """
    for name in [*wanted, *weights]:
        there, here = (_shape(tensors.get(name)) for tensors in (weights, wanted))
        if there != here:
            message = f"the checkpoint {place} is of another network: {name} is {there}, not {here}"
            raise TrainingError(message)


def _shape(tensor: torch.Tensor | None) -> str:
    return "absent" if tensor is None else times(tuple(tensor.shape))


def _beside(place: Path) -> tuple[Path, Path]:
    return place.with_name(f".{place.name}.new"), place.with_name(f".{place.name}.old")


def _sync(path: Path) -> None:
    """Have the disk hold what was written."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open a folder
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
