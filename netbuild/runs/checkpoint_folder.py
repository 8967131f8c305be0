"""The folder of a checkpoint: its files, replacing it safely, and reading its position.

A new checkpoint is written next to the old one, synced, and renamed. A folder cannot be renamed
over another folder, so the old checkpoint first gets another name:

    1. last/ is complete, and .last.new/ is being written
    2. last/ is renamed to .last.old/
    3. .last.new/ is renamed to last/
    4. .last.old/ is removed

A process may be killed at any moment. Between 2 and 3 there is no `last/`, and `.last.new/` is the
complete checkpoint. At all other moments `last/` is the complete checkpoint, if there is one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.exceptions import WeightsError
from netbuild.runs import held
from netbuild.runs.position import Position

if TYPE_CHECKING:
    from pathlib import Path

#: The weights, as a plain `state_dict()`.
WEIGHTS = "model.safetensors"
#: If no process has all weights: a folder with the part of each process, instead of WEIGHTS.
PARTS = "parts"
#: The rest of the state with which a training continues.
STATE = "state.pt"


def whole(place: Path) -> Path | None:
    """Return the folder of the newest complete checkpoint of a place; None if there is none."""
    if place.is_dir():
        return place
    new = new_folder(place)
    return new if _old_folder(place).is_dir() and new.is_dir() else None


def new_folder(place: Path) -> Path:
    """Return the folder in which the next checkpoint of a place is written."""
    return place.with_name(f".{place.name}.new")


def _old_folder(place: Path) -> Path:
    return place.with_name(f".{place.name}.old")


def recover(place: Path) -> None:
    """Finish an interrupted replacement, and remove the files that it left.

    Only the process that writes a run's checkpoints may call this.
    """
    found = whole(place)
    if found is not None and found != place:
        held.rename(found, place)
    for left in (new_folder(place), _old_folder(place)):
        held.remove(left)


def replace(place: Path) -> None:
    """Replace the checkpoint of a place with the new folder, which has to be complete."""
    new, old = new_folder(place), _old_folder(place)
    for path in (*new.rglob("*"), new):
        _sync(path)
    if place.exists():
        held.rename(place, old)
    held.rename(new, place)
    _sync(place.parent)
    held.remove(old)


def _sync(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open a folder
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_state(path: Path) -> dict[str, Any]:
    """Return the state of a training from its file, without torch: tensors are only described.

    Raises:
        WeightsError: the file is damaged, or holds something else.
        OSError: the file cannot be read.
    """
    from netbuild.runs.archive import read_saved
    from netbuild.runs.plain import check_plain

    with path.open("rb") as file:
        state = read_saved(file)
    if not isinstance(state, dict):
        raise WeightsError("it does not hold the state of a training")
    check_plain(state)
    return state


def read_position(place: Path) -> Position | None:
    """Return the position of a checkpoint, without torch; None if the checkpoint is damaged."""
    folder = whole(place)
    if folder is None:
        return None
    try:
        return Position.read(read_state(folder / STATE).get("position"))
    except (OSError, ValueError):  # WeightsError is a ValueError
        return None
