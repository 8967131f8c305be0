"""Configs with mistakes: whatever is in a file, netbuild says what is wrong with it, and soon.

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
from netbuild.graph import inferred
from netbuild.reports import faults
from netbuild.reports import summary as render
from netbuild.reports.faults.report import Checked, Report
from netbuild.syntax.parser import from_bytes
from tests import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netbuild.diagnostics.diagnostic import Span
    from netbuild.graph.graph import Graph

PACKAGE = Path(faults.__file__).parent.parent.parent
FILES = sorted(
    path.relative_to(ROOT)
    for folder in ("configs", "tests/faults")
    for path in (ROOT / folder).rglob("*.yaml")
)
BATCH = 250
MOST_CHANGES = 6
#: Processor time, in seconds, that a file may take to be checked, and for all that is done with it.
LONGEST, GIVEN_UP = 1.0, 20.0
#: Rich takes long to lay out a longer table than this, and it is no other one.
MOST_ROWS = 60

#: What stands where another value should: other types, other sizes, expressions, whole items.
VALUES = [
    *("null", "~", "true", "false", "no", "''", '"a b"', "input", "a.b", "-", "?", "..."),
    *(
        "0",
        "-1",
        "1",
        "3.0",
        "0.5",
        "-0.0",
        "1e400",
        ".nan",
        ".inf",
        "1e-3",
        "010",
        "0x10",
        "1_000",
    ),
    *("2147483647", "2147483648", "99999999999999999999", "9" * 400, "65536", "100000000", "1_0"),
    *("[]", "{}", "[1]", "[1, 2]", "[[1], 2]", "{a: 1}", "{1: 2}", "[[[[[]]]]]", "[1, 1, 1, 1]"),
    *("$x", "$", "$$", "$(", "$()", "$(1)", "$(1/0)", "$(9**9**9)", "$(1e308*10)", "$index"),
    *("$in_channels", "$(in_shape)", "$(in_shape[9])", "$(in_features//0)", "$('a'*3)", "$(-1)"),
    *("$(1 if a else b)", "$(len(1))", "$(min())", "$(a.b)", "$([1])", "$(not 1)", "$(1<'a')"),
    *("&a 1", "*a", "&a [*a]", "!!int 3", "!a b", "<<: 1", "<<", "@a", "`", "|", ">", "%a", "# a"),
    *("ReLU", "Linear", "{Linear: 3}", "{Add, inputs: [input, input]}", "{Reuse: input}", "Zebra"),
    *("{layers: []}", "{layers: [ReLU], repeat: 0}", "{ReLU, repeat: 99999}", "{ReLU, when: no}"),
    *(
        "{Parameter: {shape: [1]}}",
        "{LSTM: 4}",
        "{Flatten: 0}",
        "{Reshape: [-1]}",
        "{ReLU: {}, Tanh}",
    ),
    *("\u2028", "\u00e9", "\U0001f600", "\\ud800", '"\\ud83d"', '"\\0"', '"\\n"', "a" * 200),
]
BYTES = st.binary(min_size=1, max_size=6) | st.sampled_from(
    [
        *(b"\t", b"\r", b"\n", b"\r\n", b"\0", b"\x7f", b"\xff", b"\xc2\x85", b"\xe2\x80\xa8"),
        *(b"\xef\xbb\xbf", b"\xed\xa0\x80", b": ", b":", b"- ", b"{", b"}", b"[", b"]", b"'", b'"'),
        *(b"#", b"&a ", b"*a", b"---\n", b"\n...\n", b"$(", b")", b"  ", b",", b"? ", b"!", b"|\n"),
    ]
)
_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
#: A value on a line: a small collection, an expression, a quoted text, or a word.
_VALUE = re.compile(
    r"""\{[^{}\n]*\}|\[[^][\n]*\]|\$\([^()\n]*\)|"[^"\n]*"|'[^'\n]*'|[^\s{}[\],:#"']+"""
)
_KEY = re.compile(r"""[\w$"'.*-]+:[ ]?""")
_TYPE = re.compile(r"\b[A-Z]\w+")


class Broken(AssertionError):  # noqa: N818  what is looked for
    """Something that must not be; `kind` is the same for all texts with the same cause."""

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
    """How long a text took to be checked, in seconds of the processor."""

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
    inferred._kept.clear()  # as a process has it that checks this text alone
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
    report = Report((Checked(name, graph.diagnostics),))
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


# ------------------------------------------------------------------------------ how texts change


def mutated(draw: Callable[[st.SearchStrategy[Any]], Any]) -> tuple[str, bytes]:
    """Draw a file and some changes to it; return its name and the text that comes out."""
    path = draw(st.sampled_from(FILES))
    data = (ROOT / path).read_bytes()
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        data = draw(st.sampled_from(CHANGES))(draw, data)
    return str(path), data


def _lines(data: bytes) -> list[str]:
    return _LINE.findall(data.decode("utf-8", "surrogateescape")) or [""]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _block(draw: Any, lines: list[str]) -> tuple[int, int]:
    """Draw a line, or a line and those that are indented deeper."""
    first = draw(st.integers(0, len(lines) - 1))
    end = first + 1
    if draw(st.booleans()):
        depth = _depth(lines[first])
        while end < len(lines) and _depth(lines[end]) > depth:
            end += 1
    return first, end


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _cut(draw: Any, data: bytes) -> bytes:
    lines = _lines(data)
    first, end = _block(draw, lines)
    del lines[first:end]
    return _bytes("".join(lines))


def _repeated(draw: Any, data: bytes) -> bytes:
    lines = _lines(data)
    first, end = _block(draw, lines)
    at = draw(st.sampled_from([first, end]))
    lines[at:at] = lines[first:end] * draw(st.sampled_from([1, 1, 2, 50]))
    return _bytes("".join(lines))


def _moved(draw: Any, data: bytes) -> bytes:
    lines = _lines(data)
    first, end = _block(draw, lines)
    block = lines[first:end]
    del lines[first:end]
    at = draw(st.integers(0, len(lines)))
    if draw(st.booleans()) and at < len(lines):  # as deep as what it comes before
        shift = _depth(lines[at]) - _depth(block[0])
        block = [_indented(line, shift) for line in block]
    return _bytes("".join([*lines[:at], *block, *lines[at:]]))


def _reindented(draw: Any, data: bytes) -> bytes:
    lines = _lines(data)
    first, end = _block(draw, lines)
    shift = draw(st.sampled_from([-4, -2, -1, 1, 2, 4]))
    lines[first:end] = [_indented(line, shift) for line in lines[first:end]]
    return _bytes("".join(lines))


def _indented(line: str, shift: int) -> str:
    return " " * shift + line if shift > 0 else line[min(-shift, _depth(line)) :]


def _truncated(draw: Any, data: bytes) -> bytes:
    return data[: draw(st.integers(0, len(data)))]


def _put_in(draw: Any, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    over = draw(st.sampled_from([0, 0, 1, 3]))
    return data[:at] + draw(BYTES) + data[at + over :]


def _part(draw: Any, pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = list(pattern.finditer(text))
    return draw(st.sampled_from(found)) if found else None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _replaced(draw: Any, data: bytes) -> bytes:
    text = _text(data)
    part = _part(draw, _VALUE, text)
    if part is None:
        return data
    value = draw(st.sampled_from(VALUES))
    return _bytes(text[: part.start()] + value + text[part.end() :])


def _swapped(draw: Any, data: bytes) -> bytes:
    text = _text(data)
    parts = [_part(draw, _VALUE, text), _part(draw, _VALUE, text)]
    if None in parts:
        return data
    one, other = sorted(parts, key=lambda part: part.start() if part else 0)
    assert one is not None
    assert other is not None
    if one.end() > other.start():
        return data
    between = text[one.end() : other.start()]
    return _bytes(text[: one.start()] + other[0] + between + one[0] + text[other.end() :])


def _copied(draw: Any, data: bytes) -> bytes:
    """Replace a value by one of any file."""
    other = _text((ROOT / draw(st.sampled_from(FILES))).read_bytes())
    text = _text(data)
    part, value = _part(draw, _VALUE, text), _part(draw, _VALUE, other)
    if part is None or value is None:
        return data
    return _bytes(text[: part.start()] + value[0] + text[part.end() :])


def _without_key(draw: Any, data: bytes) -> bytes:
    text = _text(data)
    part = _part(draw, _KEY, text)
    return data if part is None else _bytes(text[: part.start()] + text[part.end() :])


def _renamed(draw: Any, data: bytes) -> bytes:
    """Rename a type, such as a block, at one place or everywhere."""
    text = _text(data)
    part, other = _part(draw, _TYPE, text), _part(draw, _TYPE, text)
    if part is None or other is None:
        return data
    name = draw(st.sampled_from([other[0], part[0] + "2", part[0].lower(), part[0][:-1] or "A"]))
    if draw(st.booleans()):
        return _bytes(text.replace(part[0], name))
    return _bytes(text[: part.start()] + name + text[part.end() :])


CHANGES = (
    *(_cut, _repeated, _moved, _reindented, _truncated, _put_in, _without_key, _renamed),
    *(_replaced, _replaced, _swapped, _swapped, _copied, _copied),
)


# ------------------------------------------------------------------------------------- the runs


def smaller(found: Found) -> Found:
    """Return what is left of a text when no line, word or character more can be taken out."""
    pattern = r"[^\n]*\n|[^\n]+", r"\s+|\w+|[^\w\s]", r"(?s)."
    for parts in pattern:
        found = _smaller(found, re.compile(parts))
    return found


def _smaller(found: Found, pattern: re.Pattern[str]) -> Found:
    parts = pattern.findall(_text(found.text))
    size = len(parts) // 2
    while size:
        at = 0
        while at < len(parts):
            rest = parts[:at] + parts[at + size :]
            again = attempt(found.name, _bytes("".join(rest)))
            if isinstance(again, Found) and again.kind == found.kind:
                found, parts = again, rest
            else:
                at += size
        size //= 2
    return found


def attempt(name: str, data: bytes) -> Found | Timed:
    """Check a text; return what is broken, or else how long it took."""
    try:
        return Timed(check(name, data), name, data)
    except Broken as broken:
        return Found(broken.kind, str(broken), name, data)


def batch(cases: int, number: int) -> tuple[list[Found], Timed]:
    """Check a number of texts; return what is broken, each kind once, and the slowest text."""
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
    """Run the cases; return 1 if something is broken."""
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
