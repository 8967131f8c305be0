"""Configs of strangers: each is checked in a process of its own, soon and in little memory.

`python -m tests.untrusted.configs --cases 20000 --seed N` spoils the files of `configs/` and of
the tests, as `tests/untrusted/spoiled.py` describes, and runs `netbuild validate` on each. A case
fails if the command ends in a traceback or in another exit code than 0, 1 and 2, if it takes more
than a second of processor time or does not end, if it takes more than 500 MB, or if it prints a
control character or a secret. `--from NUMBER --cases 1` repeats a case.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from netbuild import cli
from tests import ROOT
from tests.untrusted import spoiled

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds of processor time, and MB of memory, that a case may take. Time by the clock would count
#: what else runs on a shared machine.
SECONDS, MEGABYTES = 1.0, 500
#: Seconds after which a case is ended.
PATIENCE = 20
BATCH = 250

#: What no output may have, besides line feeds and tabs.
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_SECRETS = ("hunter2", "root:x:")
_FORMATS = ("text", "text", "concise", "json", "sarif", "github", "junit")


class Case(NamedTuple):
    """A case: what is wrong with it, if anything, what it took, and the text itself."""

    number: int
    wrong: str
    seconds: float
    megabytes: float
    data: bytes
    output: str


class Total(NamedTuple):
    """The failures of many cases, and the largest figures."""

    failures: tuple[Case, ...] = ()
    codes: tuple[tuple[str, int], ...] = ()
    seconds: float = 0.0
    megabytes: float = 0.0

    def __add__(self, other: Total) -> Total:  # type: ignore[override]
        return Total(
            self.failures + other.failures,
            tuple((Counter(dict(self.codes)) + Counter(dict(other.codes))).items()),
            max(self.seconds, other.seconds),
            max(self.megabytes, other.megabytes),
        )


def run(data: bytes, format_: str = "text", number: int = 0) -> tuple[Case, int]:
    """Validate a text in a forked process, in the current folder; return its exit code too.

    A negative code is the number of the signal that ended the process.
    """
    Path("case.yaml").write_bytes(data)
    child = os.fork()
    if child == 0:
        _validate(format_)
    _, status, used = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    output = Path("output").read_text(encoding="utf-8", errors="replace")
    seconds, megabytes = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    wrong = _wrong(code, seconds, megabytes, output)
    return Case(number, wrong, seconds, megabytes, data, output), code


def _validate(format_: str) -> None:
    """Run the command in this process, and end it."""
    code = 99
    try:
        output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for old, new in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(old, new)
        sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
        sys.stderr = os.fdopen(os.dup(2), "w", encoding="utf-8")
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE)
        resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30))
        sys.argv = ["netbuild", "validate", "case.yaml", "--format", format_]
        cli.run()
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:  # noqa: BLE001  a traceback is what is looked for
        import traceback

        os.write(2, traceback.format_exc().encode("utf-8", "replace"))
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def _wrong(code: int, seconds: float, megabytes: float, output: str) -> str:
    """Return what is wrong with a case, or an empty text."""
    if "Traceback (most recent call last)" in output or code not in {0, 1, 2, -signal.SIGALRM}:
        return "traceback"
    if code == -signal.SIGALRM:
        return "endless"
    if seconds > SECONDS:
        return "slow"
    if megabytes > MEGABYTES:
        return "large"
    if _RAW.search(output):
        return "control character"
    return "secret" if any(secret in output for secret in _SECRETS) else ""


def batch(seed: int, numbers: range) -> Total:
    """Run some cases in a folder of their own."""
    total = Total()
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            spoiled.lay_out(Path())
            for case, code in _cases(seed, numbers):
                failed = (case,) if case.wrong else ()
                total += Total(failed, ((str(code), 1),), case.seconds, case.megabytes)
        finally:
            os.chdir(before)
    return total


def _cases(seed: int, numbers: range) -> Iterator[tuple[Case, int]]:
    _import_all()
    for number in numbers:
        draw = Random(f"{seed}-{number}")  # noqa: S311  not for secrets
        data = spoiled.config(draw)
        case, code = run(data, draw.choice(_FORMATS), number)
        if case.wrong == "slow":  # once more: the machine may have been busy
            case, code = run(data, "text", number)
        yield case, code


def _import_all() -> None:
    """Validate each config in this process, so that a case does not count its imports."""
    for format_ in sorted({*_FORMATS}):
        files = [str(path) for path in (ROOT / "configs").glob("*.yaml")]
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            cli.app(["validate", *files, "--format", format_], standalone_mode=False)
    gc.freeze()  # the processes share what is there
    gc.disable()  # as the command does


def main(arguments: list[str] | None = None) -> int:
    """Run the cases. Return 1 if one fails."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.untrusted.configs", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that a case may take")
    parser.add_argument("--keep", type=Path, help="a folder for the texts that fail")
    options = parser.parse_args(arguments)
    end = options.first + options.cases
    starts = range(options.first, end, BATCH)
    parts = [range(start, min(start + BATCH, end)) for start in starts]
    begun, total = time.time(), Total()
    with ProcessPoolExecutor(options.jobs) as pool:
        for number, part in enumerate(pool.map(batch, [options.seed] * len(parts), parts), 1):
            total += part
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{number * BATCH:,} cases, {len(total.failures)} failures ")
    failures = [c for c in total.failures if c.wrong != "slow" or c.seconds > options.seconds]
    kinds = Counter(case.wrong for case in failures)
    for case in failures[:20]:
        sys.stdout.write(f"\n{case.number}: {case.wrong}, {case.seconds:.2f} s\n")
        sys.stdout.write(f"{case.data[:300]!r}\n{case.output[-1500:]}\n")
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        for case in failures:
            (options.keep / f"{case.number}.yaml").write_bytes(case.data)
    counts = ", ".join(f"{kinds[kind]} {kind}" for kind in sorted(kinds)) or "no failures"
    codes = ", ".join(f"{code}: {count:,}" for code, count in sorted(total.codes))
    sys.stdout.write(
        f"seed {options.seed}: {options.cases:,} cases, {counts}; exit codes {codes}; at most "
        f"{total.seconds:.2f} s and {total.megabytes:.0f} MB; {time.time() - begun:.0f} s in all\n"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
