"""Checkpoints that are complete or absent, whenever the process or the machine stops.

A checkpoint is a folder of two files: `model.safetensors`, the plain `state_dict()`, and
`state.pt`, all else that training needs to go on as if it had not stopped. It is written beside its
place, synced, and renamed. A folder cannot be renamed over another one, so for a moment the place
is empty; `recover` tells that moment from a checkpoint that was never there.
"""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from netbuild.layers.layer import times
from netbuild.training.failure import RunNotFoundError, TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

WEIGHTS, STATE = "model.safetensors", "state.pt"


def save(place: Path, weights: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
    """Write a checkpoint; a kill at any instant leaves the one before, or this one, whole.

    Raises:
        OSError: the disk is full, or does not let it be written.
    """
    recover(place)
    new, old = _beside(place)
    new.mkdir(parents=True)
    try:
        save_file({n: t.contiguous() for n, t in weights.items()}, new / WEIGHTS)
        torch.save(state, new / STATE)
    except (SafetensorError, RuntimeError) as error:  # neither says it as an OSError
        raise OSError(errno.EIO, " ".join(str(error).split())[:200], str(new)) from error
    for path in (new / WEIGHTS, new / STATE, new):
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
    weights, state = read(place)
    check_names(place, weights, module.state_dict())
    module.load_state_dict(weights)
    return state


def read(place: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return a checkpoint's weights, and the rest of its state.

    Raises:
        RunNotFoundError: there is no checkpoint.
        TrainingError: it is damaged.
    """
    found = _whole(place)
    if found is None:
        message = f"{place} does not exist: nothing was saved there"
        raise RunNotFoundError(message)
    try:
        weights = load_file(found / WEIGHTS)
        state: dict[str, Any] = torch.load(found / STATE, weights_only=True, map_location="cpu")
    except Exception as error:  # a damaged file makes its reader raise anything
        message = f"the checkpoint {place} is damaged ({type(error).__name__})"
        raise TrainingError(message) from error
    return weights, state


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
