"""Several processes of one training on this machine, started by torch's own elastic launcher.

`torchrun -m netbuild train FILE` starts the same processes; on several machines it is the way.
"""

from __future__ import annotations

import logging
import os
import sys
import uuid
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from netbuild.cli.terminal import INTERRUPTED, rank

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Run the command line in several processes, and return the code with which they ended."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in list(logging.root.manager.loggerDict):
        if name.startswith("torch.distributed.elastic"):  # the processes say what is wrong
            logging.getLogger(name).setLevel(logging.CRITICAL)
    own = _without_processes(arguments)
    # Each process computes with its part of the cores.
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
        rank, failure = error.get_first_failure()
        code = failure.exitcode
        if code < 0:
            said = f"process {rank} was ended by signal {-code}; the last checkpoint is whole"
            sys.stderr.write(f"netbuild: {said}: netbuild train --resume goes on from it\n")
        return 1 if code < 0 else code
    except (SignalException, KeyboardInterrupt):
        return INTERRUPTED
    return 0


def _without_processes(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of the command without how many processes there are."""
    found, skip = [], False
    for argument in arguments:
        if skip or argument.startswith("--processes"):
            skip = argument == "--processes"
            continue
        found.append(argument)
    return found


@contextmanager
def only_the_first_prints() -> Iterator[None]:
    """Have what a process prints that is not the first of several go nowhere."""
    if rank() == 0:
        yield
        return
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield
