"""`netbuild validate --watch`: checks files whenever one of them is saved."""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from netbuild.config.bases import MAX_BASES
from netbuild.config.block_files import MAX_FILES
from netbuild.syntax.node import Map, Scalar
from netbuild.syntax.parser import from_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from netbuild.syntax.node import Node

#: Seconds between two looks at the files: short for a person, and little work.
PAUSE = 0.3
#: Seconds without a change after which a file counts as complete.
SETTLED = 0.05

_CLEAR = "\x1b[H\x1b[2J\x1b[3J"

#: The time, the size and the inode of a file: one of them changes when the file is saved.
Stamp: TypeAlias = tuple[int, int, int]


def watch(run: Callable[[], object], files: Callable[[], Iterable[Path]]) -> NoReturn:
    """Call `run` now, and whenever a file changes, appears or disappears, until Ctrl-C."""
    gc.enable()  # a single check makes no garbage, but watching may last all day
    while True:
        # Look before reading, so that a file saved in between counts as changed.
        known = {reached for path in files() for reached in involved(path)}
        seen = stamps(known)
        terminal = sys.stdout.isatty()
        sys.stdout.write(_CLEAR if terminal else "")
        sys.stdout.flush()  # a later flush would clear the messages on standard error
        run()
        sys.stdout.write("\nwatching; press Ctrl-C to stop\n" if terminal else "")
        sys.stdout.flush()
        while stamps({*known, *files()}) == seen:
            time.sleep(PAUSE)
        while (now := stamps({*known, *files()})) != seen:  # a file may be half written
            seen = now
            time.sleep(SETTLED)


def stamps(paths: Iterable[Path]) -> dict[Path, Stamp | None]:
    """Return the state of each file; None for a missing one."""
    return {path: _stamp(path) for path in paths}


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a path with a NUL character
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def involved(path: Path) -> Iterator[Path]:
    """Yield a file, its bases and the files of its blocks. A missing one is yielded too."""
    pending, seen = [(path, 0)], set[Path]()
    for reached, depth in pending:
        if reached in seen or depth > MAX_BASES or len(seen) > MAX_FILES:
            continue
        seen.add(reached)
        yield reached
        try:
            root = from_file(reached).root
        except (OSError, ValueError):
            continue
        pending += [(reached.parent / name, depth + 1) for name in _named(root)]


def _named(root: Node | None) -> Iterator[str]:
    """Yield the paths that a file names: its base, and the files of its blocks."""
    if not isinstance(root, Map):
        return
    blocks = root.get("blocks")
    bodies = [entry.value for entry in blocks.entries.values()] if isinstance(blocks, Map) else []
    files = [body.get("file") for body in bodies if isinstance(body, Map)]
    for node in (root.get("extends"), *files):
        if isinstance(node, Scalar) and isinstance(node.value, str):
            yield node.value
