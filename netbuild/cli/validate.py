"""`netbuild validate`: every fault of every file, without torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuild.cli.terminal import (
    FAULTS,
    UNUSABLE,
    Settings,
    console,
    fail,
    print_faults,
    try_source,
)

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
    sources = [source for file in files if (source := try_source(file)) is not None]
    for source in sources:
        found += infer(read(source, set or ())).diagnostics
    out = console()
    if format == "json":
        out.print(faults.as_json(found, len(sources)))
    elif format == "concise":
        if found:
            out.print(faults.concise(found))
    else:
        if found:
            print_faults(found)
            out.print()
        out.print(faults.counts(found, len(sources)))
    if any(strict or diagnostic.severity == "error" for diagnostic in found):
        raise typer.Exit(UNUSABLE if len(sources) < len(files) else FAULTS)
    if len(sources) < len(files):
        raise typer.Exit(UNUSABLE)


def _files(path: str) -> list[str]:
    """Return the files that a path stands for: itself, or the configs of a folder and below.

    Hidden folders are left out, and so are runs: their `config.yaml` may extend a file that lies
    elsewhere.
    """
    if path in {"", "-"} or not Path(path).is_dir():
        return [path]
    files: list[str] = []
    for folder, folders, names in os.walk(path):
        folders[:] = [] if _is_run(names) else sorted(f for f in folders if f[0] != ".")
        if not _is_run(names):
            files += [str(Path(folder, n)) for n in names if Path(n).suffix in _SUFFIXES]
    if not files:
        fail(f"{path} holds no .yaml and no .yml file that can be read")
    return sorted(files)


def _is_run(names: list[str]) -> bool:
    return {"config.yaml", "resolved.yaml", "environment.json"} <= {*names}
