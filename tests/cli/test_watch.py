"""`--watch`: files are checked again when one of them changes."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from queue import SimpleQueue
from threading import Thread
from typing import IO, TYPE_CHECKING

import pytest

from netbuild.cli import watch
from netbuild.cli.watch import involved, stamps
from tests import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Netbuild

GOOD = "input: [4]\nlayers: [ReLU]\n"
BAD = "input: [4]\nlayers: [Linaer: 2]\n"


class Watching:
    """A watching process and its output."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "netbuild", "validate", "--watch", *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        )

        self.lines: SimpleQueue[str] = SimpleQueue()
        self.errors: SimpleQueue[str] = SimpleQueue()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        Thread(target=listen, args=(self.process.stdout, self.lines), daemon=True).start()
        self.complaints = Thread(target=listen, args=(self.process.stderr, self.errors))
        self.complaints.start()

    def says(self) -> str:
        """Return the next line. Fail if no line comes in time."""
        return self.lines.get(timeout=20)

    def complains(self) -> str:
        """Return the next line of standard error."""
        return self.errors.get(timeout=20)

    def ends(self) -> tuple[int, str]:
        """Press Ctrl-C. Return the exit code and the rest of standard error."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=20)
        self.complaints.join(timeout=20)
        return code, "".join(f"{self.errors.get()}\n" for _ in range(self.errors.qsize()))


def listen(stream: IO[str], lines: SimpleQueue[str]) -> None:
    """Collect the output line by line until the process ends."""
    for line in stream:
        lines.put(line.rstrip())


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Callable[..., Watching]]:
    """Start watching processes in a folder, and end them."""
    started: list[Watching] = []

    def start(*arguments: str) -> Watching:
        started.append(Watching(tmp_path, *arguments))
        return started[-1]

    yield start
    for process in started:
        with process.process:  # which closes its pipes
            process.process.kill()


def test_watch(watching: Callable[..., Watching], tmp_path: Path) -> None:
    """Each saved, new or removed file is checked at once; Ctrl-C ends the process quietly."""
    net = tmp_path / "net.yaml"
    net.write_text(GOOD, encoding="utf-8")
    process = watching(".", "--select", "NB1")
    assert process.says() == "1 file checked: no faults"
    net.write_text(BAD, encoding="utf-8")
    assert process.says() == "error[NB103]: no layer is called Linaer"
    while not process.says().startswith("1 file checked: 1 error"):
        pass
    net.write_text(GOOD, encoding="utf-8")
    assert process.says() == "1 file checked: no faults"
    (tmp_path / "new.yml").write_text(GOOD, encoding="utf-8")
    assert process.says() == "2 files checked: no faults"
    net.unlink()
    assert process.says() == "1 file checked: no faults"
    assert process.ends() == (130, "")


def test_a_base(watching: Callable[..., Watching], tmp_path: Path) -> None:
    """A base file is watched too, even before it exists."""
    (tmp_path / "net.yaml").write_text("extends: base.yaml\n", encoding="utf-8")
    process = watching("net.yaml", "--format", "concise")
    assert "base.yaml: No such file or directory" in process.says()
    (tmp_path / "base.yaml").write_text(BAD, encoding="utf-8")
    assert process.says() == "base.yaml:2:10: error[NB103] no layer is called Linaer: unknown type"
    assert process.ends() == (130, "")


def test_a_deleted_file(watching: Callable[..., Watching], tmp_path: Path) -> None:
    """A removed file is reported as unreadable, not as free of faults."""
    net = tmp_path / "net.yaml"
    net.write_text(GOOD, encoding="utf-8")
    process = watching("net.yaml")
    assert process.says() == "1 file checked: no faults"
    net.unlink()
    assert process.complains() == "netbuild: net.yaml cannot be read: No such file or directory"
    net.write_text(BAD, encoding="utf-8")
    assert process.says() == "error[NB103]: no layer is called Linaer"
    assert process.ends() == (130, "")


def test_the_screen_is_cleared_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The screen is cleared before a check writes to standard error."""
    screen = io.BytesIO()
    terminal = io.TextIOWrapper(screen)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", terminal)
    seen = []

    def run() -> None:
        seen.append(screen.getvalue().decode())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch.watch(run, list)
    assert seen == [watch._CLEAR]


def test_standard_input(netbuild: Netbuild) -> None:
    """Standard input cannot be watched, and the command ends at once."""
    done = netbuild("validate", "-", "--watch", text=GOOD)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "netbuild: standard input cannot be watched\n"


def test_involved(tmp_path: Path) -> None:
    """All base files of a file are involved, and a circle of bases ends."""
    for name, base in (("a", "b"), ("b", "c"), ("c", "d")):
        (tmp_path / name).write_text(f"extends: {base}\n", encoding="utf-8")
    paths = [*involved(tmp_path / "a")]
    assert [path.name for path in paths] == ["a", "b", "c", "d"]
    (tmp_path / "d").write_text("extends: a\nblocks: {E: {file: e}}\n", encoding="utf-8")
    assert {path.name for path in involved(tmp_path / "a")} == {"a", "b", "c", "d", "e"}


def test_stamps(tmp_path: Path) -> None:
    """A saved or replaced file has a new stamp, and a missing file has none."""
    path = tmp_path / "a"
    assert stamps([path]) == {path: None}
    path.write_text("a", encoding="utf-8")
    before = stamps([path])
    assert before == stamps([path])
    os.utime(path, ns=(1, 1))
    assert stamps([path]) != before


def test_a_save_during_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is saved while it is being checked is checked again, without a pause."""
    path = tmp_path / "net.yaml"
    path.write_text("0", encoding="utf-8")
    runs = 0

    def run() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            raise KeyboardInterrupt
        path.write_text("1" * runs * 7, encoding="utf-8")

    monkeypatch.setattr(watch, "PAUSE", 60)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        watch.watch(run, lambda: [path])
    assert time.monotonic() - began < 10
