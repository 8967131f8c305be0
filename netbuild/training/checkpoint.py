"""Checkpoints that are complete or absent, whenever the process or the machine stops.

A checkpoint is a folder of two files: the weights as a plain `state_dict()`, and the rest of the
state with which a training continues as if it had not stopped. If no process has all weights, a
folder with the part of each process replaces the first file. `netbuild.runs.checkpoint_folder`
names the files, and keeps one complete checkpoint at all times.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from netbuild.components.tensor import times
from netbuild.diagnostics.exceptions import RunNotFoundError, TrainingError
from netbuild.runs.checkpoint_folder import (
    PARTS,
    STATE,
    WEIGHTS,
    new_folder,
    recover,
    replace,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import nn


def save(place: Path, weights: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
    """Write a checkpoint. After a kill at any moment, either this or the former one is complete.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    new = begin(place)
    with _writing(new):
        save_file({n: t.contiguous() for n, t in weights.items()}, new / WEIGHTS)
    finish(place, state)


def begin(place: Path) -> Path:
    """Make the folder in which a new checkpoint is written, and return it."""
    recover(place)
    new = new_folder(place)
    new.mkdir(parents=True)
    return new


def parts_of_new(place: Path) -> Path:
    """Return the folder into which each process writes its part of a new checkpoint."""
    return new_folder(place) / PARTS


def finish(place: Path, state: dict[str, Any]) -> None:
    """Write the state next to the weights, and move the new checkpoint to its place.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    new = new_folder(place)
    with _writing(new):
        torch.save(state, new / STATE)
    replace(place)


def load(place: Path, module: nn.Module) -> dict[str, Any]:
    """Load a checkpoint's weights into a module, and return the rest of its state.

    Raises:
        RunNotFoundError: there is no checkpoint.
        TrainingError: the checkpoint is damaged, or belongs to another network.
    """
    found = Saved(place)
    weights = found.weights()
    check_names(place, weights, module.state_dict())
    module.load_state_dict(weights)
    return found.state()


class Saved:
    """A checkpoint on the disk.

    Raises:
        RunNotFoundError: there is no checkpoint.
    """

    def __init__(self, place: Path) -> None:
        found = whole(place)
        if found is None:
            message = f"{place} does not exist: no checkpoint was saved there"
            raise RunNotFoundError(message)
        self.place, self.folder = place, found

    @property
    def parts(self) -> Path | None:
        """The folder with the parts of the weights and of the optimizer's state, or None."""
        parts = self.folder / PARTS
        return parts if parts.is_dir() else None

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the plain `state_dict()` of the network.

        Raises:
            TrainingError: the checkpoint is damaged.
        """
        with _reading(self.place):
            if self.parts is None:
                return load_file(self.folder / WEIGHTS)
            from netbuild.training.parallel import shards

            return shards.weights(self.parts)

    def described(self) -> dict[str, torch.Tensor]:
        """Return the shapes of the weights: the `state_dict()` on the meta device.

        Raises:
            TrainingError: the checkpoint is damaged.
        """
        with _reading(self.place):
            if self.parts is None:
                with safe_open(self.folder / WEIGHTS, "pt") as file:
                    shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
                return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
            from netbuild.training.parallel import shards

            return shards.described(self.parts)

    def state(self) -> dict[str, Any]:
        """Return the state of the training, without the weights.

        Raises:
            TrainingError: the checkpoint is damaged.
        """
        with _reading(self.place):
            state: dict[str, Any] = torch.load(
                self.folder / STATE, weights_only=True, map_location="cpu"
            )
            return state


@contextmanager
def _writing(new: Path) -> Iterator[None]:
    """Turn the exceptions of a failed write into an `OSError`."""
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        raise OSError(errno.EIO, " ".join(str(error).split())[:200], str(new)) from error


@contextmanager
def _reading(place: Path) -> Iterator[None]:
    """Turn every exception into a `TrainingError`: a damaged file may raise any exception."""
    try:
        yield
    except Exception as error:
        message = f"the checkpoint {place} is damaged ({type(error).__name__})"
        raise TrainingError(message) from error


def check_names(
    place: Path, weights: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]
) -> None:
    """Check that weights have the names and shapes of a network.

    Raises:
        TrainingError: the message names the first tensor that is absent or has another shape.
    """
    for name in [*wanted, *weights]:
        there, here = (_shape(tensors.get(name)) for tensors in (weights, wanted))
        if there != here:
            message = (
                f"the checkpoint {place} belongs to another network: {name} is {there}, not {here}"
            )
            raise TrainingError(message)


def _shape(tensor: torch.Tensor | None) -> str:
    return "absent" if tensor is None else times(tuple(tensor.shape))
