"""The memory that this process may fill."""

import os
from pathlib import Path, PurePosixPath

#: Where Linux tells the groups of this process, and the limits of groups.
#: https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
_GROUPS, _LIMITS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
#: The memory of a machine that does not tell it.
_UNKNOWN = 8 << 30


def memory() -> int:
    """Return the bytes that this process may fill.

    That is the memory of the machine, or a smaller limit of its container, of `ulimit -v` or of
    `ulimit -d`.
    """
    return min([_physical(), *_of_container(), *_of_process()])


def _physical() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN


def _of_container() -> list[int]:
    """Return the limits of the groups of this process, and of the groups around them."""
    lines = _GROUPS.read_text(encoding="utf-8").splitlines() if _GROUPS.is_file() else []
    files = []
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if not kinds:  # the newer way of Linux
            files += _upward(_LIMITS, path, "memory.max")
        elif "memory" in kinds.split(","):
            files += _upward(_LIMITS / "memory", path, "memory.limit_in_bytes")
    written = [file.read_text(encoding="ascii").strip() for file in files if file.is_file()]
    return [int(limit) for limit in written if limit.isdecimal()]  # "max": no limit


def _upward(root: Path, path: str, name: str) -> list[Path]:
    """Return the files of a group and of all groups around it."""
    group = PurePosixPath(path.lstrip("/"))
    return [root / folder / name for folder in (group, *group.parents)]


def _of_process() -> list[int]:
    try:
        import resource
    except ImportError:  # Windows
        return []
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return [limit for limit in limits if limit != resource.RLIM_INFINITY]
