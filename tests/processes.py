"""Processes that a server forks: netbuild and torch are imported there once, for all of them."""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import runpy
import socket
import subprocess
import sys
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netbuild

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STREAMS = ("stdin", "stdout", "stderr")
#: Seconds that a command may take.
PATIENCE = 120


@cache
def forkserver() -> Any:
    """Return a server that forks processes with netbuild and torch already imported."""
    modules = [m.name for m in pkgutil.walk_packages(netbuild.__path__, "netbuild.")]
    modules.remove("netbuild.__main__")
    # The server forks before torch has started any thread.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", *modules, "torch._dynamo", "sklearn.datasets"])
    return context


def run(
    arguments: list[str], data: bytes | None, cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Run the command line in a forked process, as `python -W error -m netbuild` does in one."""
    with tempfile.TemporaryDirectory() as folder:
        for name in STREAMS:
            Path(folder, name).write_bytes((data or b"") if name == "stdin" else b"")
        given = (arguments, folder, cwd, {**environment, "PYTHONWARNINGS": "error"})
        (code,) = _ended([forkserver().Process(target=_main, args=given)], arguments)
        out, err = (Path(folder, name).read_bytes() for name in STREAMS[1:])
    return subprocess.CompletedProcess(arguments, code, out, err)


def together(arguments: list[str], count: int, cwd: Path) -> None:
    """Run the command line in forked processes, several as torch's launcher starts them."""
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        works = []
        for rank in range(count):
            own = Path(folder, str(rank))
            own.mkdir()
            for name in STREAMS:
                (own / name).touch()
            environment = os.environ | (_of_several(rank, count, port) if count > 1 else {})
            given = (arguments, str(own), cwd, environment)
            works.append(forkserver().Process(target=_main, args=given))
        codes = _ended(works, arguments)
        said = [Path(folder, str(rank), "stderr").read_text() for rank in range(count)]
        assert codes == [0] * count, "\n".join(said)


def _of_several(rank: int, count: int, port: int) -> dict[str, str]:
    """Return what torch's launcher tells a process."""
    ranks = dict.fromkeys(("RANK", "LOCAL_RANK"), str(rank))
    sizes = dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), str(count))
    return ranks | sizes | {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return int(free.getsockname()[1])


def _ended(works: list[Any], arguments: list[str]) -> list[int]:
    """Start processes, and return their exit codes when all have ended."""
    for work in works:
        work.start()
    for work in works:
        work.join(PATIENCE)
        if work.is_alive():
            for one in works:
                one.kill()
                one.join()
            raise subprocess.TimeoutExpired(arguments, PATIENCE)
    return [work.exitcode for work in works]


def wait_for_no_disk(replace: Callable[[Any, str, Any], None]) -> None:
    """Replace `os.fsync` by a look at the file, so that a wrong handle still raises."""
    replace(os, "fsync", lambda handle: os.fstat(handle) and None)


def _main(arguments: list[str], folder: str, cwd: Path, environment: dict[str, str]) -> None:
    for number, name in enumerate(STREAMS):
        mode = os.O_RDONLY if name == "stdin" else os.O_WRONLY
        os.dup2(os.open(Path(folder, name), mode), number)
        stream = open(number, "r" if name == "stdin" else "w", encoding="utf-8")  # noqa: PTH123, SIM115
        setattr(sys, name, stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    wait_for_no_disk(setattr)
    if environment.get("PYTHONWARNINGS") == "error":
        warnings.simplefilter("error")
    sys.argv = ["netbuild", *arguments]
    runpy.run_module("netbuild", run_name="__main__")
