"""The command line: each command parses its options, calls one function and prints the result.

Exit codes: 0 for no faults, 1 for faults, 2 for a command or a file that cannot be read, 130 for an
interruption.
"""

import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from io import BufferedWriter, FileIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from netbuild.cli.terminal import INTERRUPTED, UNUSABLE, say
from netbuild.diagnostics.exceptions import OutputError
from netbuild.diagnostics.wording import reason

#: The commands in the order of the help, each with its module. The module has a function of the
#: same name.
COMMANDS = {
    "validate": "validate",
    "summary": "summary",
    "explain": "explain",
    "diff": "diff",
    "weights": "weights",
    "train": "train",
    "evaluate": "evaluate",
    "predict": "predict",
    "export": "export",
    "import": "import_",
    "runs": "runs",
    "new": "new",
    **dict.fromkeys(
        (
            *("layers", "losses", "metrics", "optimizers", "schedulers", "initializers"),
            *("datasets", "augmentations"),
        ),
        "catalogue",
    ),
    "schema": "schema",
    "rule": "rule",
}
_SETTINGS: dict[str, Any] = {
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class Commands(Mapping[str, Any]):
    """The commands by name. Each is imported when it is used, so a start imports only one."""

    def __getitem__(self, name: str) -> Any:
        module = import_module(f"netbuild.cli.{COMMANDS[name]}")
        alone = typer.Typer(**_SETTINGS, add_completion=False)
        alone.command(name)(getattr(module, "import_" if name == "import" else name))
        return typer.main.get_command(alone)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Group(TyperGroup):
    """The program, with commands that are imported when they are used."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = Commands()  # type: ignore[assignment]  # nothing is added


app = typer.Typer(name="netbuild", cls=Group, no_args_is_help=True, **_SETTINGS)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"netbuild {version('netbuild')}")
        raise typer.Exit


@app.callback()
def netbuild(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Neural networks as YAML files: checked without torch, built as plain torch."""


def run() -> None:
    """Run the command in `sys.argv`, and leave by SystemExit with its exit code."""
    for name in ("SIGINT", "SIGBREAK"):  # SIGBREAK is Ctrl-Break, on Windows alone
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupted)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `netbuild summary … | head` ends quietly
    for name in ("stdout", "stderr"):
        setattr(sys, name, _stream(getattr(sys, name)))
    try:
        try:
            code = _run()
        finally:
            sys.stdout.flush()
    except OutputError as error:  # the disk is full
        sys.stderr.write(f"netbuild: the output cannot be written: {reason(error)}\n")
        os._exit(UNUSABLE)  # a second try to flush would fail as well
    except OSError as error:
        what = f"{error.filename} cannot be used" if error.filename else "the system refuses"
        say(f"netbuild: {what}: {reason(error)}", err=True)
        code = UNUSABLE
    sys.exit(code)


def _run() -> int:
    """Run the command, and return its exit code."""
    try:
        return app(standalone_mode=False) or 0
    except Exception as error:  # of click, which typer has under another name in later releases
        if not hasattr(error, "show"):
            raise
        said = StringIO()
        error.show(file=said)
        say(_in_plain_words(said.getvalue()), err=True, nl=False)
        return int(getattr(error, "exit_code", UNUSABLE))


def _in_plain_words(said: str) -> str:
    """Return a message of typer about a wrong value with the option and its choices."""
    found = re.search(r"Error: Invalid value for '([^']+)'[^:]*: (?:Value error, )?(.*)", said)
    if found is None:
        return said
    option, rest = found.groups()
    choices = re.fullmatch(r"'?(.*?)'? is not one of (.*?)\.?", rest)
    if choices:
        rest = f"is one of {choices[2]}, not {choices[1]}".replace("'", "")
        return said.replace(found[0], f"netbuild: {option} {rest}")
    return said.replace(found[0], f"netbuild: {option}: {rest}")


class _Output(FileIO):
    """The file below a stream. Its failures tell that they are of the output."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream.fileno(), "wb", closefd=False)
        self.stream = stream  # which would close the file at its own end

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from None


def _stream(stream: Any) -> Any:
    """Return a stream as this program prints to it."""
    if stream is None:  # closed before the process started
        return Path(os.devnull).open("w", encoding="utf-8")
    stream.reconfigure(errors="replace")  # a terminal without × prints ?
    if stream.isatty():  # Windows does not write to a terminal as to a file
        return stream
    raw = BufferedWriter(_Output(stream))
    lines = stream.line_buffering or stream.write_through  # PYTHONUNBUFFERED
    return TextIOWrapper(raw, stream.encoding, "replace", line_buffering=lines)


def _interrupted(*_: Any) -> None:
    sys.exit(INTERRUPTED)
