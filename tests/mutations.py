"""Configs with mistakes: netbuild reports the faults of any file, and quickly.

`python -m tests.mutations --cases 20000 --seed N` takes the files of `configs/` and of
`tests/faults/` and makes up to six changes to one: lines cut, repeated, moved and indented
otherwise, keys dropped, values swapped or replaced by ones of other types, types renamed, bytes
put in. Of what comes out the faults have to lie within the text, every format has to print them,
and the summary what is known of the network; none of it may raise, nor take a second.

What breaks is counted once for each kind, and its text is made as small as it gets.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from lxml import etree
from rich.console import Console

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.graph import inference as inferred
from netbuild.reports import faults
from netbuild.reports import summary as render
from netbuild.reports.faults.report import CheckedFile, Report
from netbuild.syntax.parser import from_bytes
from tests import ROOT
from tests.mistakes import as_bytes, as_text, mutated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.diagnostics.diagnostic import Span
    from netbuild.graph.graph import Graph

PACKAGE = Path(faults.__file__).parent.parent.parent
BATCH = 250
#: Processor time, in seconds, that a file may take to be checked, and for all that is done with it.
LONGEST, GIVEN_UP = 1.0, 20.0
#: Rich takes long to lay out a longer table than this, and it is no other one.
MOST_ROWS = 60


class Broken(AssertionError):  # noqa: N818  what is looked for
    """A failure of netbuild; `kind` is the same for all texts with the same cause."""

    def __init__(self, kind: str, details: str = "") -> None:
        super().__init__(f"{kind}\n{details}".rstrip())
        self.kind = kind


class Found(NamedTuple):
    """What is broken, and a text that shows it, of the name of the file that it was made from."""

    kind: str
    details: str
    name: str
    text: bytes


class Timed(NamedTuple):
    """The processor time for checking a text, in seconds."""

    seconds: float
    name: str
    text: bytes


# ---------------------------------------------------------------------------- what has to hold


def check(name: str, data: bytes, longest: float | None = None) -> float:
    """Check a text, print all there is to print of it; return the seconds that the check took.

    `longest` is how many it may take, if not `LONGEST`.

    Raises:
        Broken: something raised, took too long, or lies where the text is not.
    """
    inferred._results.clear()  # as a process has it that checks this text alone
    with _bounded():
        start = time.process_time()
        graph = infer(read(from_bytes(name, data)))
        seconds = time.process_time() - start
        if seconds > (LONGEST if longest is None else longest):
            raise Broken("it takes too long", f"{seconds:.2f} s")
        _places(graph)
        _formats(name, graph)
        _summary(graph)
    return seconds


@contextmanager
def _bounded() -> Iterator[None]:
    """Give up after a while of processor time; say of what raises where it did."""

    def stop(_signal: int, _frame: Any) -> None:
        raise Broken("it does not end", "".join(traceback.format_stack(limit=8)[:-1]))

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, GIVEN_UP)
    try:
        yield
    except Broken:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
        inner = (ours or frames)[-1]
        kind = f"{type(error).__name__} in {Path(inner.filename).name}, {inner.name}"
        raise Broken(kind, "".join(traceback.format_exception(error)[-6:])) from error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _places(graph: Graph) -> None:
    for diagnostic in graph.diagnostics:
        edits = [edit.span for fix in diagnostic.fixes for edit in fix.edits]
        # What is missing at the end of a line is shown there, one character wide.
        for span, beyond in [(diagnostic.span, 1), *((edit, 0) for edit in edits)]:
            if not _lies_within(span, beyond):
                raise Broken(f"{diagnostic.code} lies outside of its text", f"{span[1:]}")


def _lies_within(span: Span, beyond: int) -> bool:
    lines = span.document.lines
    return (
        1 <= span.line <= span.end_line <= len(lines)
        and 1 <= span.column <= len(lines[span.line - 1]) + 1
        and 1 <= span.end_column <= len(lines[span.end_line - 1]) + 1 + beyond
        and (span.line, span.column) <= (span.end_line, span.end_column)
    )


def _formats(name: str, graph: Graph) -> None:
    report = Report((CheckedFile(name, graph.diagnostics),))
    for format_ in get_args(faults.Format):
        for width in (20, 100) if format_ == "text" else (100,):
            rendered = faults.render(format_, report, width)
            text = rendered if isinstance(rendered, str) else rendered.plain
            text.encode()
            if format_ in {"json", "sarif"}:
                json.loads(text)
            elif format_ == "junit":
                etree.fromstring(text.encode())


def _summary(graph: Graph) -> None:
    json.loads(render.as_json(graph)), render.memory(graph)
    for depth in (None, 1):
        render.markdown(graph, depth).encode(), render.as_csv(graph, depth).encode()
        if len(graph.rows) <= MOST_ROWS:
            for table in render.tables(graph, depth):
                Console(file=io.StringIO(), width=80).print(table.text())


# ------------------------------------------------------------------------------------- the runs


def smaller(found: Found) -> Found:
    """Return the smallest text with the same failure: nothing more can be removed."""
    pattern = r"[^\n]*\n|[^\n]+", r"\s+|\w+|[^\w\s]", r"(?s)."
    for parts in pattern:
        found = _smaller(found, re.compile(parts))
    return found


def _smaller(found: Found, pattern: re.Pattern[str]) -> Found:
    parts = pattern.findall(as_text(found.text))
    size = len(parts) // 2
    while size:
        at = 0
        while at < len(parts):
            rest = parts[:at] + parts[at + size :]
            again = attempt(found.name, as_bytes("".join(rest)))
            if isinstance(again, Found) and again.kind == found.kind:
                found, parts = again, rest
            else:
                at += size
        size //= 2
    return found


def attempt(name: str, data: bytes) -> Found | Timed:
    """Check a text. Return the failure, or else the time."""
    try:
        return Timed(check(name, data), name, data)
    except Broken as broken:
        return Found(broken.kind, str(broken), name, data)


def batch(cases: int, number: int) -> tuple[list[Found], Timed]:
    """Check a number of texts. Return each kind of failure once, and the slowest text."""
    found: dict[str, Found] = {}
    slowest = Timed(0.0, "", b"")

    @seed(number)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        nonlocal slowest
        result = attempt(*mutated(data.draw))
        if isinstance(result, Found):
            found.setdefault(result.kind, result)
        elif result.seconds > slowest.seconds:
            slowest = result

    os.chdir(ROOT)  # the files are named as from there
    run()
    return list(found.values()), slowest


def main(arguments: list[str] | None = None) -> int:
    """Run the cases. Return 1 if there is a failure."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutations", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=Path, help="a folder for the texts that are found")
    options = parser.parse_args(arguments)
    sizes = [min(BATCH, options.cases - done) for done in range(0, options.cases, BATCH)]
    numbers = [(options.seed << 32) + number for number in range(len(sizes))]
    found: dict[str, Found] = {}
    slowest = Timed(0.0, "", b"")
    with ProcessPoolExecutor(options.jobs) as pool:
        for done, (more, slow) in enumerate(pool.map(batch, sizes, numbers), start=1):
            slowest = max(slowest, slow)
            for one in more:
                found.setdefault(one.kind, one)
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{sum(sizes[:done]):,} texts, {len(found)} kinds broken ")
        shown = list(pool.map(smaller, found.values()))
    if options.keep:
        _keep(options.keep, shown, slowest)
    for one in shown:
        sys.stdout.write(f"\n{one.details}\nmade from {one.name}:\n{one.text!r}\n")
    sys.stdout.write(
        f"seed {options.seed}: {options.cases:,} texts, {len(found)} kinds broken; "
        f"the slowest took {slowest.seconds:.2f} s, made from {slowest.name}\n"
    )
    return 1 if found else 0


def _keep(folder: Path, found: list[Found], slowest: Timed) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "slowest.yaml").write_bytes(slowest.text)
    for number, one in enumerate(found):
        (folder / f"{number}.yaml").write_bytes(one.text)
        (folder / f"{number}.txt").write_text(f"{one.name}\n{one.details}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
