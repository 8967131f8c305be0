"""Mutants of files of weights and of checkpoints: each is read, or refused with one sentence.

`python -m tests.untrusted.weights --cases 30000 --seed N` reads mutants as `validate` and `train`
do: first without torch and, if the file is not refused, with it. The memory of a process and the
time of a case are limited. A traceback, more than a second of the processor or more than 500 MB is
a failure, which is shown with its number: `--from NUMBER --cases 1` repeats it.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch

from netbuild.checks.pretrained import check
from netbuild.checks.trace import infer
from netbuild.config.load import load
from netbuild.diagnostics.exceptions import TrainingError, WeightsError
from netbuild.runs.checkpoint_folder import STATE, read_position
from netbuild.runs.weights import read_tensors
from netbuild.training.checkpoint import Saved
from tests.processes import forkserver
from tests.untrusted.mutants import mutant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

BATCH = 100
#: Seconds of the processor after which a case is stopped.
STOP = 5
#: What a case may take: seconds of the processor, and bytes above those of the process.
SECONDS, BYTES = 1.0, 500 << 20
#: The bytes that a process may have above those that it begins with.
LIMIT = 2 << 30
CONFIG = """\
input: [1, 5, 3]
layers: [Conv2d: {out_channels: 2, kernel_size: 3}, BatchNorm2d]
pretrained: weights
"""


class Outcome(NamedTuple):
    """What became of a file."""

    result: str  # read, refused by torch, refused, or failed
    said: str  # why it is refused, or a traceback
    seconds: float
    grown: int  # bytes, by which the process needs more than for all files before


class Case(NamedTuple):
    """A mutant, and what became of it."""

    number: int
    kind: str  # of the file
    change: str
    outcome: Outcome


class Place:
    """A folder with a config that names a file of weights, and with a checkpoint."""

    def __init__(self, folder: Path) -> None:
        self.file, self.checkpoint = folder / "weights", folder / "last"
        self.checkpoint.mkdir()
        (folder / "net.yaml").write_text(CONFIG, encoding="utf-8")
        config = load(folder / "net.yaml")
        self.graph = infer(config.starting_from())._replace(config=config)

    def weights(self, data: bytes) -> tuple[str, str]:
        """Read a file of weights as `validate` does and, unless it is refused, as `train` does."""
        self.file.write_bytes(data)
        faults = [fault for fault in check(self.graph) if fault.code == "NB502"]
        try:
            read_tensors(self.file)
        except WeightsError as error:
            assert_sentence(error)
            return "refused" if faults else "refused by torch", str(error)
        assert not faults, "train reads what validate refuses"
        return "read", ""

    def state(self, data: bytes) -> tuple[str, str]:
        """Read a checkpoint as `runs` does and, unless it is refused, as `train --resume` does."""
        (self.checkpoint / STATE).write_bytes(data)
        position = read_position(self.checkpoint)
        try:
            Saved(self.checkpoint).state()
        except TrainingError as error:
            assert_sentence(error)
            return "refused by torch" if position else "refused", str(error)
        return "read", ""


def measured(read: Callable[[bytes], tuple[str, str]], data: bytes) -> Outcome:
    """Read a file, and measure what that takes."""
    before, started = _peak(), time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, STOP)
    try:
        result, said = read(data)
    except BaseException:  # noqa: BLE001  each is a failure
        result, said = "failed", traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return Outcome(result, said, time.process_time() - started, _peak() - before)


def assert_sentence(error: Exception) -> None:
    """Check that an error can be printed on a line or two."""
    assert str(error).isprintable()
    assert len(str(error)) < 1000


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _stopped(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"stopped after {STOP} seconds")


@contextmanager
def bounded() -> Iterator[Place]:
    """Limit the memory of this process from now on, and make a place for files."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + LIMIT, most))
    signal.signal(signal.SIGVTALRM, _stopped)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        yield Place(Path(folder))


def batch(seed: int, numbers: range) -> list[Case]:
    """Read some mutants in this process."""
    with bounded() as place:
        cases = []
        for number in numbers:
            kind, change, data = mutant(seed, number)
            read = place.state if kind == "state.pt" else place.weights
            cases.append(Case(number, kind, change, measured(read, data)))
    return cases


def run(seed: int, numbers: range, jobs: int) -> list[Case]:
    """Read mutants in several processes, which end after some batches."""
    batches = [numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)]
    found: list[Case] = []
    with forkserver().Pool(jobs, maxtasksperchild=20) as pool:
        for cases in pool.imap(partial(batch, seed), batches):
            found += cases
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{len(found):,} cases ")
    return found


def failures(cases: list[Case]) -> dict[str, list[Case]]:
    """Return the failed cases by what is wrong with them."""
    return {
        "tracebacks": [case for case in cases if case.outcome.result == "failed"],
        f"over {SECONDS:g} s": [case for case in cases if case.outcome.seconds > SECONDS],
        f"over {BYTES >> 20} MB": [case for case in cases if case.outcome.grown > BYTES],
    }


def main(arguments: list[str] | None = None) -> int:
    """Read the mutants; return 1 if one fails."""
    described = __doc__.splitlines()[0]
    parser = argparse.ArgumentParser(
        prog="python -m tests.untrusted.weights", description=described
    )
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args(arguments)
    numbers = range(options.first, options.first + options.cases)
    cases = run(options.seed, numbers, options.jobs)
    out, failed = sys.stdout, failures(cases)
    counted = Counter((case.kind, case.outcome.result) for case in cases)
    for (kind, result), count in sorted(counted.items()):
        out.write(f"{kind:12}  {result:16}  {count:7,}\n")
    for what, ones in failed.items():
        for case in ones[:3]:
            out.write(f"{what}: case {case.number}, {case.kind}, {case.change}\n")
            out.write(f"{case.outcome.said[-2000:]}\n")
    slowest = max(case.outcome.seconds for case in cases)
    largest = max(case.outcome.grown for case in cases) >> 20
    said = ", ".join(f"{what} {len(ones)}" for what, ones in failed.items())
    out.write(f"at most {slowest:.2f} s and {largest} MB\n")
    out.write(f"seed {options.seed}: {len(cases):,} cases, {said}\n")
    return 1 if any(failed.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
