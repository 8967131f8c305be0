"""What a shell proposes after Tab: names of components, codes, runs and paths of layers.

`netbuild --install-completion` sets it up. A proposal never fails: without one, the shell proposes
files.
"""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def names(what: str) -> Callable[[str], list[str]]:
    """Return a function that proposes the names of `layers`, `losses` and so on."""

    def propose(incomplete: str) -> list[str]:
        from netbuild.reports.catalogue.entries import catalogue

        return _starting(incomplete, catalogue(what))

    return propose


def worked(incomplete: str) -> list[str]:
    """Propose the worked networks of `netbuild new --from`."""
    from netbuild.config.worked import listed

    return _starting(incomplete, [one.name for one in listed()])


def codes(incomplete: str) -> list[str]:
    """Propose the codes of rules, and their groups such as NB2; the last one after a comma."""
    from netbuild.diagnostics.codes import CODES

    before, comma, last = incomplete.rpartition(",")
    groups = dict.fromkeys(code[:3] for code in CODES)
    return [f"{before}{comma}{code}" for code in _starting(last, [*groups, *CODES])]


def runs(incomplete: str) -> list[str]:
    """Propose the folders of networks in runs/, and the runs of a network."""
    from netbuild.runs.layout import RESOLVED, RUNS

    found: list[Path] = []
    with suppress(OSError):
        networks = sorted({file.parent.parent for file in RUNS.glob(f"*/*/{RESOLVED}")})
        for network in networks:
            found.append(network)
            if incomplete.startswith(network.as_posix()):
                found += sorted(file.parent for file in network.glob(f"*/{RESOLVED}"))
    return _starting(incomplete, [path.as_posix() for path in found])


def layers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Propose the layers and stacks of the file that the command line names."""
    from netbuild.checks.trace import infer
    from netbuild.cli.terminal import config_of
    from netbuild.config.load import read
    from netbuild.graph.paths import paths
    from netbuild.syntax.parser import from_file

    file = ctx.params.get("file")
    if not isinstance(file, str) or file == "-":
        return []
    with (
        redirect_stdout(StringIO()),
        redirect_stderr(StringIO()),
        suppress(OSError, ValueError, typer.Exit),
    ):
        return _starting(incomplete, paths(infer(read(from_file(Path(config_of(file)))))))
    return []


def _starting(incomplete: str, words: Iterable[str]) -> list[str]:
    folded = incomplete.casefold()
    return [word for word in words if word.casefold().startswith(folded)]
