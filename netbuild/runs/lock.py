"""The lock on the folder of a run, which the process that trains it holds.

The lock is on the folder itself and needs no file. It ends with the process, however that ends.
Windows has no such locks: there nothing is locked, and no run counts as locked.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

from netbuild.diagnostics.exceptions import TrainingError

if TYPE_CHECKING:
    from pathlib import Path


class Lock:
    """A folder that this process alone trains in.

    Raises:
        TrainingError: another process has locked the folder.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import fcntl
        except ModuleNotFoundError:  # Windows
            return
        handle = os.open(folder, os.O_RDONLY)
        self._close = weakref.finalize(self, os.close, handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            message = f"{folder} is being trained by another process"
            raise TrainingError(message) from None

    def release(self) -> None:
        """Let other processes lock the folder."""
        if hasattr(self, "_close"):
            self._close()


def is_locked(folder: Path) -> bool:
    """Whether a process holds the lock on a folder."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        return False
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(handle)
    return False
