"""The command line: each command parses its options, calls one function and prints what it gives.

Exit codes: 0 clean, 1 faults found, 2 the command could not be understood or a file could not be
read, 130 interrupted.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from netbuild.cli import (
    catalogue,
    diff,
    evaluate,
    explain,
    new,
    rule,
    schema,
    summary,
    train,
    validate,
    weights,
)
from netbuild.cli.terminal import INTERRUPTED, UNUSABLE

app = typer.Typer(
    name="netbuild",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(validate.validate)
app.command()(summary.summary)
app.command()(explain.explain)
app.command()(diff.diff)
app.command()(weights.weights)
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(new.new)
app.command()(catalogue.layers)
app.command()(catalogue.losses)
app.command()(catalogue.optimizers)
app.command()(catalogue.schedulers)
app.command()(catalogue.initializers)
app.command()(schema.schema)
app.command()(rule.rule)


def _print_version(wanted: bool) -> None:
    if wanted:
        from netbuild import __version__

        typer.echo(f"netbuild {__version__}")
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
    """Run the command that `sys.argv` holds; leaves by SystemExit with its exit code."""
    signal.signal(signal.SIGINT, _interrupted)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `netbuild summary … | head` ends quietly
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started the process
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  for good
        else:
            stream.reconfigure(errors="replace")  # a terminal that has no × gets a question mark
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except OSError as error:  # a full disk behind the output
        sys.stderr.write(f"netbuild: the output cannot be written: {error.strerror or error}\n")
        os._exit(UNUSABLE)  # a second try to flush would fail as well


def _interrupted(*_: Any) -> None:
    sys.exit(INTERRUPTED)
