"""`netbuild validate --watch`: the files checked again whenever one of them is saved."""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from netbuild.config.load import MAX_BASES
from netbuild.syntax.node import Map, Scalar
from netbuild.syntax.parser import from_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: How often the files are looked at, in seconds: less than a person notices, and next to no work.
PAUSE = 0.3
#: How long a file has to stay the same to be a finished one.
SETTLED = 0.05

_CLEAR = "\x1b[H\x1b[2J\x1b[3J"

#: What changes about a file when it is saved or replaced: its time, its size, and which it is.
Stamp: TypeAlias = tuple[int, int, int]


def watch(run: Callable[[], object], files: Callable[[], Iterable[Path]]) -> NoReturn:
    """Call `run` now, and whenever one of the files changes, appears or goes; ends with Ctrl-C."""
    gc.enable()  # a single check makes no garbage, but this one may go on all day
    while True:
        # Before they are read, so that what is saved meanwhile is a change.
        known = {reached for path in files() for reached in involved(path)}
        seen = stamps(known)
        terminal = sys.stdout.isatty()
        sys.stdout.write(_CLEAR if terminal else "")
        sys.stdout.flush()  # or it would wipe away what goes to standard error
        run()
        sys.stdout.write("\nwatching; Ctrl-C ends\n" if terminal else "")
        sys.stdout.flush()
        while stamps({*known, *files()}) == seen:
            time.sleep(PAUSE)
        while (now := stamps({*known, *files()})) != seen:  # it may be half written as yet
            seen = now
            time.sleep(SETTLED)


def stamps(paths: Iterable[Path]) -> dict[Path, Stamp | None]:
    """Return the state of files; None of one that is not there."""
    return {path: _stamp(path) for path in paths}


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a path with a NUL character
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def involved(path: Path) -> Iterator[Path]:
    """Yield a file and those that it extends, also one that is not there yet."""
    for _ in range(MAX_BASES + 1):
        yield path
        try:
            root = from_file(path).root
        except (OSError, ValueError):
            return
        base = root.get("extends") if isinstance(root, Map) else None
        if not isinstance(base, Scalar) or not isinstance(base.value, str):
            return
        path = path.parent / base.value
