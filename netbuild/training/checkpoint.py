"""Checkpoints that are complete or absent, whenever the process or the machine stops.

A checkpoint is a folder of two files: `model.safetensors`, the plain `state_dict()`, and
`state.pt`, all else that training needs to go on as if it had not stopped. It is written beside its
place, synced, and renamed. A folder cannot be renamed over another one, so for a moment the place
is empty; `recover` tells that moment from a checkpoint that was never there.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from netbuild.training.failure import RunNotFoundError, TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

WEIGHTS, STATE = "model.safetensors", "state.pt"


def save(place: Path, module: nn.Module, state: dict[str, Any]) -> None:
    """Write a checkpoint; a kill at any instant leaves the one before, or this one, whole."""
    new, old = _beside(place)
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    weights = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    save_file(weights, new / WEIGHTS)
    torch.save(state, new / STATE)
    for path in (new / WEIGHTS, new / STATE, new):
        _sync(path)
    if place.exists():
        shutil.rmtree(old, ignore_errors=True)
        place.rename(old)
    new.rename(place)
    _sync(place.parent)
    shutil.rmtree(old, ignore_errors=True)


def load(place: Path, module: nn.Module) -> dict[str, Any]:
    """Load a checkpoint's weights into a module, and return the rest of its state.

    Raises:
        TrainingError: there is no checkpoint, it is damaged, or it is of another network.
    """
    recover(place)
    if not place.is_dir():
        message = f"{place} does not exist: nothing was saved there"
        raise RunNotFoundError(message)
    try:
        module.load_state_dict(load_file(place / WEIGHTS))
        state: dict[str, Any] = torch.load(place / STATE, weights_only=True, map_location="cpu")
    except (OSError, SafetensorError, RuntimeError, EOFError) as error:
        first = str(error).partition("\n")[0]
        message = f"the checkpoint {place} cannot be read: {first}"
        raise TrainingError(message) from None
    return state


def recover(place: Path) -> None:
    """Finish a `save` that was stopped between its two renames.

    The old checkpoint is moved away only once the new one is complete: where the place is empty and
    the old one lies beside it, the new one is whole.
    """
    new, old = _beside(place)
    if not place.exists() and old.exists() and new.exists():
        new.rename(place)
        shutil.rmtree(old, ignore_errors=True)


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
