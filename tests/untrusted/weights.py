"""Mutants of files of weights and of checkpoints: each is read, or refused with one sentence.

`python -m tests.untrusted.weights --cases 30000 --seed N` reads mutants as `validate` and `train`
do: first without torch and, if the file is not refused, with it. The memory of a process is limited,
and a case may take some seconds of the processor. A traceback, more than a second or more than
500 MB is a failure, which is shown with its number: `--from NUMBER --cases 1` repeats it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
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
from tests.untrusted.mutants import mutant

if TYPE_CHECKING:
    from types import FrameType

    from netbuild.graph.graph import Graph

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
    """What became of a case."""

    number: int
    kind: str  # of the file
    change: str
    result: str  # read, refused by torch, refused, or failed
    seconds: float
    grown: int  # bytes, by which the process needs more than in all cases before
    fault: str = ""


def outcome(folder: Path, graph: Graph, seed: int, number: int) -> Outcome:
    """Read a mutant, and return what became of it."""
    kind, change, data = mutant(seed, number)
    place = folder / "last" / STATE if kind == "state.pt" else folder / "weights"
    place.write_bytes(data)
    before, started, fault = _peak(), time.process_time(), ""
    signal.setitimer(signal.ITIMER_VIRTUAL, STOP)
    try:
        result = _state(place.parent) if kind == "state.pt" else _weights(place, graph)
    except BaseException:  # noqa: BLE001  each is a failure
        result, fault = "failed", traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    spent = time.process_time() - started
    return Outcome(number, kind, change, result, spent, _peak() - before, fault)


def _weights(place: Path, graph: Graph) -> str:
    """Read a file of weights as `validate` does and, unless it is refused, as `train` does."""
    refused = any(fault.code == "NB502" for fault in check(graph))
    try:
        tensors = read_tensors(place)
    except WeightsError as error:
        assert_sentence(error)
        return "refused" if refused else "refused by torch"
    assert not refused, "train reads what validate refuses"
    assert all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())
    return "read"


def _state(place: Path) -> str:
    """Read a checkpoint as `runs` does and, unless it is refused, as `train --resume` does."""
    position = read_position(place)
    try:
        Saved(place).state()
    except TrainingError as error:
        assert_sentence(error)
        return "refused by torch" if position else "refused"
    return "read"


def assert_sentence(error: Exception) -> None:
    """Check that an error can be printed on a line or two."""
    assert str(error).isprintable()
    assert len(str(error)) < 1000


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _stopped(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"stopped after {STOP} seconds")


def batch(seed: int, numbers: range) -> list[Outcome]:
    """Read some mutants in this process, with little memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + LIMIT
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    signal.signal(signal.SIGVTALRM, _stopped)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "last").mkdir()
        (folder / "net.yaml").write_text(CONFIG, encoding="utf-8")
        config = load(folder / "net.yaml")
        graph = infer(config._replace(pretrained=None))._replace(config=config)
        return [outcome(folder, graph, seed, number) for number in numbers]


def run(seed: int, numbers: range, jobs: int) -> list[Outcome]:
    """Read mutants in several processes, which end after a batch."""
    batches = [numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)]
    found: list[Outcome] = []
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=5) as pool:
        for outcomes in pool.imap(partial(batch, seed), batches):
            found += outcomes
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{len(found):,} cases ")
    return found


def failures(outcomes: list[Outcome]) -> dict[str, list[Outcome]]:
    """Return the failed outcomes by what is wrong with them."""
    return {
        "tracebacks": [one for one in outcomes if one.fault],
        f"over {SECONDS:g} s": [one for one in outcomes if one.seconds > SECONDS],
        f"over {BYTES >> 20} MB": [one for one in outcomes if one.grown > BYTES],
    }


def main(arguments: list[str] | None = None) -> int:
    """Read the mutants; return 1 if one fails."""
    described = __doc__.splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m tests.untrusted.weights", description=described)
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    numbers = range(options.first, options.first + options.cases)
    outcomes = run(options.seed, numbers, options.jobs)
    counted = Counter((one.kind, one.result) for one in outcomes)
    out = sys.stdout
    for (kind, result), count in sorted(counted.items()):
        out.write(f"{kind:12}  {result:16}  {count:7,}\n")
    failed = failures(outcomes)
    for what, ones in failed.items():
        for one in ones[:3]:
            out.write(f"{what}: case {one.number}, {one.kind}, {one.change}\n{one.fault}\n")
    slowest = max(one.seconds for one in outcomes)
    largest = max(one.grown for one in outcomes) >> 20
    said = ", ".join(f"{what} {len(ones)}" for what, ones in failed.items())
    out.write(f"seed {options.seed}: {len(outcomes):,} cases, {said}; ")
    out.write(f"at most {slowest:.2f} s and {largest} MB\n")
    return 1 if any(failed.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
