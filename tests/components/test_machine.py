"""The memory that a process may fill: the machine's, or a smaller limit."""

import resource
from pathlib import Path

import pytest

from netbuild.components import machine

GIB = 1 << 30
LINES = {
    "newer": ("0::/a.slice/b.scope", "", "memory.max"),
    "older": ("3:cpu:/other\n4:cpuset,memory:/a.slice/b.scope", "memory", "memory.limit_in_bytes"),
}


@pytest.mark.parametrize("way", LINES)
def test_limits_of_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """The limit of a group, and of any group around it, is what counts, if it is smaller."""
    line, folder, name = LINES[way]
    groups = tmp_path / "cgroup"
    groups.write_text(line, encoding="ascii")
    monkeypatch.setattr(machine, "_GROUPS", groups)
    monkeypatch.setattr(machine, "_LIMITS", tmp_path)
    monkeypatch.setattr(machine, "_physical", lambda: 8 * GIB)
    monkeypatch.setattr(machine, "_of_process", list)
    assert machine.memory() == 8 * GIB
    inner = tmp_path / folder / "a.slice" / "b.scope"
    inner.mkdir(parents=True)
    for place, limit, expected in (
        (inner, "max", 8 * GIB),
        (inner, f"{2 * GIB}\n", 2 * GIB),
        (inner.parent, f"{GIB}\n", GIB),
        (tmp_path / folder, f"{64 * GIB}\n", GIB),
    ):
        (place / name).write_text(limit, encoding="ascii")
        assert machine.memory() == expected


def test_limits_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ulimit -v` and `ulimit -d` count; no limit does not."""
    limits = {resource.RLIMIT_AS: resource.RLIM_INFINITY, resource.RLIMIT_DATA: 5 * GIB}
    monkeypatch.setattr(machine, "_physical", lambda: 8 * GIB)
    monkeypatch.setattr(machine, "_of_container", list)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits[kind], 0))
    assert machine.memory() == 5 * GIB
    limits[resource.RLIMIT_DATA] = resource.RLIM_INFINITY
    assert machine.memory() == 8 * GIB
    limits[resource.RLIMIT_AS] = GIB
    assert machine.memory() == GIB
