"""Processes that a server forks: netbuild and torch are imported there once, for all of them."""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import runpy
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
        work = forkserver().Process(target=_main, args=(arguments, folder, cwd, dict(environment)))
        work.start()
        work.join(PATIENCE)
        if work.is_alive():
            work.kill()
            work.join()
            raise subprocess.TimeoutExpired(arguments, PATIENCE)
        out, err = (Path(folder, name).read_bytes() for name in STREAMS[1:])
    return subprocess.CompletedProcess(arguments, work.exitcode, out, err)


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
    warnings.simplefilter("error")
    sys.argv = ["netbuild", *arguments]
    runpy.run_module("netbuild", run_name="__main__")
