"""Several processes of one training on this machine, started by torch's own elastic launcher.

`torchrun -m netbuild train FILE` starts the same processes. It also works on several machines.
"""

from __future__ import annotations

import logging
import os
import sys
import uuid
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from netbuild.cli.terminal import INTERRUPTED, rank

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Run the command line in several processes, and return their exit code."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in list(logging.root.manager.loggerDict):
        if name.startswith("torch.distributed.elastic"):  # the processes print their own messages
            logging.getLogger(name).setLevel(logging.CRITICAL)
    own = _without_processes(arguments)
    # Each process gets an equal part of the cores.
    cores = max(1, (os.cpu_count() or 1) // processes)
    os.environ.setdefault("OMP_NUM_THREADS", str(cores))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        run_id=uuid.uuid4().hex,
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "netbuild", *own)
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        # A killed process prints nothing. The others end because it is gone.
        killed = next((rank for rank, code in codes.items() if code < 0), None)
        if killed is None:
            return int(error.get_first_failure()[1].exitcode)
        said = f"signal {-codes[killed]} ended process {killed}"
        more = "the last checkpoint is complete: netbuild train --resume continues from it"
        sys.stderr.write(f"netbuild: {said}; {more}\n")
        return 1
    except (SignalException, KeyboardInterrupt):
        return INTERRUPTED
    return 0


def _without_processes(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of the command without `--processes`."""
    found, skip = [], False
    for argument in arguments:
        if skip or argument.startswith("--processes"):
            skip = argument == "--processes"
            continue
        found.append(argument)
    return found


@contextmanager
def one_of_several() -> Iterator[None]:
    """Let only the first of several processes print, and end this process without cleaning up.

    During an ordinary exit, a thread of torch that waits for other processes may abort this one.
    """
    if "RANK" not in os.environ:
        yield
        return
    code = 0
    try:
        with _printing(first=rank() == 0):
            yield
    except typer.Exit as ended:
        code = ended.exit_code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@contextmanager
def _printing(*, first: bool) -> Iterator[None]:
    """Discard the output of every process but the first."""
    if first:
        yield
        return
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield
