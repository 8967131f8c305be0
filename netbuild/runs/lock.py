"""The lock on the folder of a run. The process that trains the run holds the lock.

The lock is on the folder itself and needs no file. Windows cannot lock a folder: there it is on the
file `.lock` inside. It ends when the process ends, even by a kill.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.exceptions import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

#: The file that is locked on Windows.
FILE = ".lock"


class Lock:
    """The lock of this process on a folder.

    Raises:
        TrainingError: another process has locked the folder.
    """

    def __init__(self, folder: Path) -> None:
        handle = _opened(folder, write=True)
        self._close = weakref.finalize(self, _close, handle)
        if _is_held(handle, exclusive=True):
            self.release()
            message = f"{folder} is in use: another process trains this run"
            raise TrainingError(message)

    def release(self) -> None:
        """Let other processes lock the folder."""
        self._close()


def is_locked(folder: Path) -> bool:
    """Whether a process holds the lock on a folder."""
    try:
        handle = _opened(folder, write=False)
    except OSError:
        return False
    try:
        return _is_held(handle, exclusive=False)
    except OSError:  # a file system without locks
        return False
    finally:
        _close(handle)


def _opened(folder: Path, *, write: bool) -> int:
    """Open what is locked: the folder, or on Windows a file in it, which a lock makes."""
    if _windows() is None:
        return os.open(folder, os.O_RDONLY)
    return os.open(folder / FILE, os.O_RDWR | (os.O_CREAT if write else 0))


def _is_held(handle: int, *, exclusive: bool) -> bool:
    """Try to lock; whether another process holds the lock.

    Raises:
        OSError: the file system has no locks.
    """
    msvcrt = _windows()
    if msvcrt is None:
        import fcntl

        try:
            fcntl.flock(handle, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
    try:  # the first byte, which may lie behind the end of the file
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except PermissionError:
        return True
    return False


def _close(handle: int) -> None:
    """Close what is locked. Windows takes its time with a lock that is still there."""
    msvcrt = _windows()
    if msvcrt is not None:
        with suppress(OSError):  # another process holds the lock
            msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
    os.close(handle)


def _windows() -> Any:
    """Return Windows' module of locks, or None on other systems."""
    try:
        import fcntl  # noqa: F401
    except ModuleNotFoundError:
        import msvcrt

        return msvcrt
    return None
