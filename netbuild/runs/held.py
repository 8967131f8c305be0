"""Writing, renaming and removing what another program may hold open for a moment.

Windows refuses to rename or remove a file, or a folder with such a file in it, while a program
holds it open: a search for viruses, an index, or a command that reads a checkpoint. Such programs
let go soon, so the operation is tried again. Other systems do not refuse this.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

#: Whether an open file cannot be renamed or removed.
HOLDS = os.name == "nt"
#: The pauses between the tries, in seconds: 5 seconds together.
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.4, 2.0)


def rename(path: Path, to: Path) -> None:
    """Rename a file or a folder to a name that is not taken."""
    _tried(lambda: path.rename(to))


def replace(path: Path, to: Path) -> None:
    """Give a file another name, in place of the file that has it."""
    _tried(lambda: path.replace(to))


def remove(folder: Path) -> None:
    """Remove a folder and all in it. What cannot be removed stays."""
    if not HOLDS:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for pause in (*_PAUSES, 0):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(pause)


def _tried(do: Callable[[], object]) -> None:
    for pause in _PAUSES if HOLDS else ():
        with suppress(PermissionError):
            do()
            return
        time.sleep(pause)
    do()


def write(path: Path, data: bytes) -> None:
    """Write a file completely, or leave it unchanged."""
    write_all({path: data})


def write_all(files: Mapping[Path, bytes]) -> None:
    """Write files that belong together: all of them are complete before one takes its name."""
    beside = {path: path.with_name(f".{path.name}.new") for path in files}
    try:
        for path, data in files.items():
            with beside[path].open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
    except OSError:
        for new in beside.values():
            with suppress(OSError):
                new.unlink(missing_ok=True)
        raise
    for path, new in beside.items():
        replace(new, path)
