"""The lock on the folder of a run. The process that trains the run holds the lock.

The lock is on the folder itself and needs no file. It ends when the process ends, even by a kill.
Windows has no such locks. There no run is ever locked.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

from netbuild.diagnostics.exceptions import TrainingError

if TYPE_CHECKING:
    from pathlib import Path


class Lock:
    """The lock of this process on a folder.

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
            message = f"{folder} is in use: another process trains this run"
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
