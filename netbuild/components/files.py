"""Files that somebody else may have put there: only regular files are opened, within bounds.

A path in a config may name anything: a named pipe that never ends, a device whose reading has an
effect, a file of /proc without a size, a circle of links. Everything that netbuild reads is opened
here. What is no regular file is refused before it is opened. Every refusal is an `OSError` with a
reason in its `strerror`.
"""

import errno
import io
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

_NAMES = (
    (stat.S_ISFIFO, "it is a named pipe, not a file"),
    (stat.S_ISSOCK, "it is a socket, not a file"),
    (stat.S_ISCHR, "it is a device, not a file"),
    (stat.S_ISBLK, "it is a device, not a file"),
)
#: The most files below folders, besides those that are looked for, and one for each of these.
MOST_OTHERS = 20_000
#: The bytes that are read at once from a file of unknown size.
_AT_ONCE = 1 << 20
#: Without waiting, should a pipe take the place of the file in between. Windows has none of these.
_FLAGS = os.O_RDONLY | sum(getattr(os, f"O_{n}", 0) for n in ("NONBLOCK", "CLOEXEC", "BINARY"))


def opened(path: str | Path) -> BinaryIO:
    """Open a regular file to read its bytes.

    Raises:
        OSError: the file cannot be read, or it is something else.
    """
    _expect_file(_status(path), path)
    handle = os.open(path, _FLAGS)
    try:
        _expect_file(os.fstat(handle), path)
        return os.fdopen(handle, "rb")
    except OSError:
        os.close(handle)
        raise


def opened_text(path: str | Path, *, newline: str | None = None) -> io.TextIOWrapper:
    """Open a regular file of UTF-8 text, which may begin with a byte order mark.

    Raises:
        OSError: as `opened`.
    """
    return io.TextIOWrapper(opened(path), encoding="utf-8-sig", newline=newline)


def read(path: str | Path, most: int) -> bytes:
    """Return the bytes of a regular file that has at most this many.

    Raises:
        OSError: as `opened`, or the file is larger.
    """
    parts, size = [], 0
    with opened(path) as file:
        # Python takes the memory for all bytes that a call may read, so it reads some at a time.
        while size <= most and (part := file.read(min(_AT_ONCE, most + 1 - size))):
            parts.append(part)
            size += len(part)
    if size > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return b"".join(parts)


def kind(path: str | Path) -> Literal["file", "folder"] | None:
    """Return what is at a path; None if nothing is there.

    Raises:
        OSError: the path cannot be followed, or leads to something else.
    """
    try:
        status = _status(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    _expect_file(status, path)
    return "file"


def identity(path: str | Path) -> tuple[int, int] | None:
    """Return what two paths of one file have in common; None if no file can be reached."""
    try:
        status = _status(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def real(path: str | Path) -> str:
    """Return the absolute path without links, or the path itself if that cannot be found out."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):  # the working folder is gone, or the path has a NUL character
        return str(path)


def below(folder: str | Path, suffixes: Collection[str]) -> list[Path]:
    """Return the files in a folder and its subfolders whose names end so, in order.

    Raises:
        OSError: as `each_below`.
    """
    return next(each_below([folder], suffixes))


def each_below(folders: Iterable[str | Path], suffixes: Collection[str]) -> Iterator[list[Path]]:
    """Yield for each folder the files in it and its subfolders whose names end so, in order.

    A path such as `/` would lead through the whole disk. So the search ends where most files are
    others.

    Raises:
        OSError: one of them is not a regular file, a folder cannot be read, or there are too many
            other files.
    """
    left = MOST_OTHERS
    for folder in folders:
        found = []
        for entry in _entries(folder):
            wanted = os.path.splitext(entry.name)[1].lower() in suffixes  # noqa: PTH122
            left += 1 if wanted else -1
            if left < 0:
                raise OSError(
                    errno.EFBIG, f"it holds more than {MOST_OTHERS:,} other files", folder
                )
            if wanted and _is_found(entry):
                found.append(Path(entry.path))
        yield sorted(found)


def expect_only_files(folder: str | Path) -> None:
    """Check that a folder and its subfolders hold nothing but files.

    Raises:
        OSError: one of them is not a regular file, or a folder cannot be read.
    """
    for entry in _entries(folder):
        _is_found(entry)


def _entries(folder: str | Path) -> "Iterator[os.DirEntry[str]]":
    """Yield all that lies below a folder. Links to folders are not followed."""
    left = [str(folder)]
    while left:
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                else:
                    yield entry


def _is_found(entry: "os.DirEntry[str]") -> bool:
    """Whether a file counts. A link to nothing does: its reader reports it.

    Raises:
        OSError: it is not a regular file.
    """
    return entry.is_file(follow_symlinks=False) or kind(entry.path) != "folder"


def _status(path: str | Path) -> os.stat_result:
    try:
        return os.stat(path)  # noqa: PTH116  the function for both types
    except ValueError as error:
        said = "a path cannot have this character"
        raise OSError(errno.EINVAL, said, str(path)) from error


def _expect_file(status: os.stat_result, path: str | Path) -> None:
    """Refuse what is not a regular file, and a file of the system that does not tell its size.

    Raises:
        OSError: it says what it is.
    """
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        said = next((name for matches, name in _NAMES if matches(mode)), "it is not a file")
        raise OSError(errno.EINVAL, said, str(path))
    if not status.st_size and hasattr(os, "statvfs") and not os.statvfs(path).f_blocks:
        # Files of /proc have no size, and may have no end. Their file system has no blocks.
        raise OSError(errno.EINVAL, "it is a file of the system without a size", str(path))
