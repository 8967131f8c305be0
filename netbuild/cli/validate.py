"""`netbuild validate`: every fault of every file, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuild.cli.terminal import FAULTS, Settings, console, fail, print_faults, read_source

if TYPE_CHECKING:
    from netbuild.diagnostic import Diagnostic

_SUFFIXES = {".yaml", ".yml"}


def validate(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Files, folders, or - for standard input."),
    ],
    format: Annotated[  # noqa: A002
        Literal["text", "concise", "json"], typer.Option(help="How faults are printed.")
    ] = "text",
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    set: Settings = None,  # noqa: A002
) -> None:
    """Check configs, and print every fault with its place.

    \b
    netbuild validate configs/
    netbuild validate net.yaml --set vars.width=32
    git show HEAD:net.yaml | netbuild validate -
    netbuild validate configs/ --format json
    """
    from netbuild.config import read
    from netbuild.render import faults
    from netbuild.tracer import infer

    files = [file for path in paths for file in _files(path)]
    found: list[Diagnostic] = []
    for file in files:
        found += infer(read(read_source(file), set or ())).diagnostics
    out = console()
    if format == "json":
        out.print(faults.as_json(found, len(files)))
    elif format == "concise":
        if found:
            out.print(faults.concise(found))
    else:
        if found:
            print_faults(found)
            out.print()
        out.print(faults.counts(found, len(files)))
    if any(strict or diagnostic.severity == "error" for diagnostic in found):
        raise typer.Exit(FAULTS)


def _files(path: str) -> list[str]:
    """Return the files that a path stands for: itself, or the configs of a folder and below."""
    if path == "-" or not Path(path).is_dir():
        return [path]
    files = sorted(str(file) for file in Path(path).rglob("*") if file.suffix in _SUFFIXES)
    if not files:
        fail(f"{path} holds no .yaml and no .yml file")
    return files
