"""What Windows does otherwise, as far as another system can stand in for it."""

import os
import shutil
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from netbuild.diagnostics.exceptions import TrainingError
from netbuild.runs import checkpoint_folder, held
from netbuild.runs.lock import FILE, Lock, is_locked

POSIX = pytest.mark.skipif(os.name == "nt", reason="stands in for Windows")


class Locks(ModuleType):
    """Windows' module of locks: a lock belongs to one handle, which another one cannot take."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.held: dict[int, int] = {}

    def locking(self, handle: int, mode: int, count: int) -> None:
        """Lock or unlock a file."""
        assert count == 1
        file = os.fstat(handle).st_ino
        if self.held.get(file, handle) != handle or (
            mode == self.LK_UNLCK and file not in self.held
        ):
            raise PermissionError(13, "Permission denied")
        if mode == self.LK_NBLCK:
            self.held[file] = handle
        else:
            del self.held[file]


@POSIX
def test_a_lock_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the folder is locked; it is made by the first lock, and stays behind it."""
    locks = Locks()
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", locks)
    assert not is_locked(tmp_path)
    assert not list(tmp_path.iterdir())
    lock = Lock(tmp_path)
    assert is_locked(tmp_path)
    with pytest.raises(TrainingError, match=r"is in use: another process trains this run$"):
        Lock(tmp_path)
    assert is_locked(tmp_path)
    lock.release()
    assert not is_locked(tmp_path)
    assert not locks.held
    Lock(tmp_path).release()
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


class Holding:
    """Refuses an operation on files a few times, as long as another program holds them open."""

    def __init__(self, times: int, do: Any) -> None:
        self.left, self.do = times, do

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Refuse, or do it."""
        self.left -= 1
        if self.left >= 0:
            raise PermissionError(13, "The process cannot access the file", str(arguments[0]))
        return self.do(*arguments, **options)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let open files be held; return the pauses that are made."""
    pauses: list[float] = []
    monkeypatch.setattr(held, "HOLDS", True)
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


@POSIX
@pytest.mark.parametrize("operation", ["rename", "replace"])
def test_a_file_that_is_held_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: list[float], operation: str
) -> None:
    """A file that another program holds open for a moment is renamed behind it."""
    (tmp_path / "a").touch()
    monkeypatch.setattr(Path, operation, _method(Holding(3, getattr(Path, operation))))
    getattr(held, operation)(tmp_path / "a", tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert windows == [0.01, 0.02, 0.05]


@POSIX
def test_a_file_that_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: list[float]
) -> None:
    """After five seconds the error of the system is raised."""
    monkeypatch.setattr(Path, "replace", _method(Holding(99, Path.replace)))
    with pytest.raises(PermissionError):
        held.replace(tmp_path / "a", tmp_path / "b")
    assert 4.5 < sum(windows) < 5.5


@POSIX
def test_other_systems_do_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere a refusal has another reason, and is raised at once."""
    monkeypatch.setattr(Path, "rename", _method(Holding(1, Path.rename)))
    with pytest.raises(PermissionError):
        held.rename(tmp_path / "a", tmp_path / "b")


@POSIX
def test_a_checkpoint_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: list[float]
) -> None:
    """A checkpoint is replaced although another command reads the former one for a moment."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    place, new = tmp_path / "last", checkpoint_folder.new_folder(tmp_path / "last")
    for folder, said in ((place, "old"), (new, "new")):
        folder.mkdir()
        (folder / "state.pt").write_text(said)
    monkeypatch.setattr(Path, "rename", _method(Holding(2, Path.rename)))
    remove = shutil.rmtree
    held_folder = Holding(1, remove)

    def removed(folder: Path, **_: Any) -> None:
        if folder.exists():
            try:
                held_folder(folder)
            except PermissionError:
                return

    monkeypatch.setattr(shutil, "rmtree", removed)
    checkpoint_folder.replace(place)
    assert [path.name for path in tmp_path.iterdir()] == ["last"]
    assert (place / "state.pt").read_text() == "new"
    assert len(windows) == 3


def _method(do: Holding) -> Any:
    return lambda path, *arguments: do(path, *arguments)  # noqa: PLW0108  a function is a method
