"""The memory that this process may fill."""

import os
from pathlib import Path

#: Where Linux tells the limit of a container, in its newer and its older way.
#: https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
#: The memory of a machine that does not tell it.
_UNKNOWN = 8 << 30


def memory() -> int:
    """Return the bytes that this process may fill.

    That is the memory of the machine, or a smaller limit of its container, or of `ulimit -v` or
    `ulimit -d`.
    """
    return min([_physical(), *_of_container(), *_of_process()])


def _physical() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN


def _of_container() -> list[int]:
    limits = (Path(place) for place in _LIMITS)
    written = [place.read_text(encoding="ascii").strip() for place in limits if place.is_file()]
    return [int(limit) for limit in written if limit.isdecimal()]  # "max": no limit


def _of_process() -> list[int]:
    try:
        import resource
    except ImportError:  # Windows
        return []
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return [limit for limit in limits if limit != resource.RLIM_INFINITY]
