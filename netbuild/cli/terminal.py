"""Helpers of all commands: the option --set, printing, reading a file, and exit codes."""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

import typer

from netbuild.diagnostics.escapes import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, RenderableType

    from netbuild.components.tensor import Shape
    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.syntax.parser import Source

FAULTS, UNUSABLE, INTERRUPTED = 1, 2, 130

#: The width of text that is printed into a file or a pipe.
PIPE_WIDTH = 100

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change one value, as in optimizer.Adam.lr=0.01. Repeatable.",
    ),
]


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print a text, its control characters as escapes: names and texts come from other people."""
    typer.echo(visible(text), err=err, nl=nl)


def difference_text(difference: float) -> str:
    """Return the largest difference of a comparison as a text."""
    return f"{difference:.1e}" if difference else "0"


def warn_of_input(sentence: str) -> None:
    """Say on standard error what is strange about samples."""
    say(f"netbuild: warning: {sentence}", err=True)


def console(*, stderr: bool = False, file: io.TextIOBase | None = None) -> Console:
    """Return a console that prints text without wrapping or decorating it.

    Control characters of the text are shown as escapes, as in `say`. `file` replaces standard
    output.
    """
    from rich.console import Console
    from rich.segment import Segment

    class Visible(Console):
        def render(self, *what: Any) -> Iterator[Segment]:
            for text, style, control in super().render(*what):
                yield Segment(text if control else visible(text), style, control)

    stream = file or (sys.stderr if stderr else sys.stdout)
    for name in ("COLUMNS", "LINES"):  # of other values, Rich would print nothing, or raise
        if not re.fullmatch("[1-9][0-9]{0,3}", os.environ.get(name, "")):
            os.environ.pop(name, None)
    made = Visible(
        file=cast("Any", file),
        stderr=stderr,
        highlight=False,
        soft_wrap=True,
        emoji=False,
        markup=False,
    )
    if not stream.isatty():
        made.width = int(os.environ.get("COLUMNS", PIPE_WIDTH))
    return made


def print_whole(out: Console, made: RenderableType) -> None:
    """Print a table in its full width. The terminal may wrap lines, but no name is cut.

    rich fills each line with blanks. They are left out.
    """
    from rich.segment import Segment, Segments

    options = out.options.update(max_width=10_000)
    natural = out.measure(made, options=options)
    wide = options.update(width=max(out.width, natural.maximum))
    lines: list[Segment] = []
    for line in out.render_lines(made, wide, pad=False):
        while line and not line[-1].text.strip():
            line.pop()
        if line:
            text, style, control = line.pop()
            line.append(Segment(text.rstrip(), style, control))
        lines += [*line, Segment.line()]
    out.print(Segments(lines), end="")


def print_faults(diagnostics: Sequence[Diagnostic], *, stderr: bool = False) -> None:
    """Print diagnostics with their excerpts."""
    from netbuild.reports import faults

    out = console(stderr=stderr)
    out.print(faults.text(diagnostics, out.width))


def read_source(path: str) -> Source:
    """Parse a file, or standard input for `-`. If it cannot be read, print a message and exit."""
    source = try_source(path)
    if source is None:
        raise typer.Exit(UNUSABLE)
    return source


def config_of(path: str) -> str:
    """Return the config of a run, for the folder of the run or of its network; else the path."""
    try:
        if path == "-" or not Path(path).is_dir():
            return path
    except (OSError, ValueError):  # `read_source` says what is wrong
        return path
    from netbuild.diagnostics.exceptions import RunNotFoundError
    from netbuild.runs import layout
    from netbuild.runs.folder import find

    try:
        return str(find(Path(path)).folder / layout.RESOLVED)
    except RunNotFoundError as error:
        fail(str(error))


def try_source(path: str) -> Source | None:
    """Parse a file, or standard input for `-`. Return None, with a message, if that fails."""
    from netbuild.diagnostics.wording import reason
    from netbuild.syntax import parser as source

    try:
        if path == "-":
            stream = sys.stdin.buffer if sys.stdin else io.BytesIO()
            return source.from_bytes("<stdin>", stream.read(source.MAX_BYTES + 1))
        return source.from_file(Path(path))
    except OSError as error:
        said = f"netbuild: {path or repr(path)} cannot be read: {reason(error)}"
        say(said, err=True)
        return None


def shapes_of(weights: Path) -> dict[str, Shape]:
    """Return the tensors of a file of weights by name. If it cannot be read, exit."""
    from netbuild.diagnostics.exceptions import WeightsError
    from netbuild.diagnostics.wording import reason
    from netbuild.runs.weights import read_shapes

    try:
        return read_shapes(weights)
    except (OSError, WeightsError) as error:
        fail(f"{weights} cannot be read: {reason(error)}")


def rank() -> int:
    """Return the number of this process among several, from torch's launcher; 0 if it is alone.

    A training refuses what is not a number. Other commands are not concerned.
    """
    number = os.environ.get("RANK", "0")
    return int(number) if number.isdecimal() and len(number) < 10 else 0


def fail(message: str, code: int = UNUSABLE) -> NoReturn:
    """Print a sentence to standard error, with the number of the process, and exit."""
    who = f"netbuild, process {rank()}" if rank() else "netbuild"
    say(f"{who}: {message}", err=True)
    raise typer.Exit(code)


@contextmanager
def needs_torch(command: str) -> Iterator[None]:
    """If a package of an extra is missing, print how to install it, and exit."""
    try:
        yield
    except ModuleNotFoundError as error:
        _needs(command, error)


#: The modules of extras other than `train`.
_EXTRAS = {
    **dict.fromkeys(("datasets", "kornia", "PIL"), "data"),
    **dict.fromkeys(("onnx", "onnxruntime", "onnxscript"), "export"),
}


def _needs(what: str, error: ModuleNotFoundError) -> NoReturn:
    """Print how to install the extra that a module belongs to, and exit."""
    module = (error.name or "").partition(".")[0]
    fail(f'{what} needs {module}: pip install "netbuild[{_EXTRAS.get(module, "train")}]"')


@contextmanager
def reported_faults() -> Iterator[None]:
    """If a config has faults, print them and exit."""
    from netbuild.diagnostics.exceptions import ConfigError

    try:
        yield
    except ConfigError as error:
        print_faults(error.diagnostics)
        raise typer.Exit(FAULTS) from None


@contextmanager
def reported_failures(place: Path) -> Iterator[None]:
    """If a training cannot start or continue, print one sentence and exit. This needs torch."""
    from netbuild.diagnostics.exceptions import OutputError, RunNotFoundError, TrainingError

    try:
        yield
    except RunNotFoundError as error:
        fail(str(error))
    except TrainingError as error:
        fail(str(error), FAULTS)
    except ModuleNotFoundError as error:  # only some configs need the module
        _needs("the config", error)
    except OutputError:
        raise
    except OSError as error:
        fail(f"{error.filename or place} cannot be read or written: {error.strerror or error}")
