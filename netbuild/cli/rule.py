"""`netbuild rule`: what a code means, how to repair it, and where it is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuild.cli import completion
from netbuild.cli.terminal import console, fail, say

if TYPE_CHECKING:
    from netbuild.diagnostics.rules import Page


def rule(
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="CODE",
            help="A code, as in NB204, or a group, as in NB2.",
            autocompletion=completion.codes,
        ),
    ] = None,
    format: Annotated[  # noqa: A002
        Literal["text", "json", "markdown"], typer.Option(help="How the page is printed.")
    ] = "text",
) -> None:
    """Explain a code, or list all codes.

    The page of a code says why the finding is bad. It shows a file that has the fault, and the same
    file without it, and names the functions that check it. The beginning of a code, such as NB3,
    lists that group.

    \b
    netbuild rule
    netbuild rule NB204
    netbuild rule NB2 --format json
    netbuild rule --format markdown > docs/rules.md
    """
    from netbuild.diagnostics import rules

    found = rules.codes(code or "")
    if not found:
        fail(f"no code is called {(code or '')[:60]}: {rules.hint(code or '')}")
    if format == "text" and len(found) > 1:
        _list(found)
    else:
        _show([rules.page(code) for code in found], format)


def _list(codes: tuple[str, ...]) -> None:
    from netbuild.reports import rules as render

    out = console()
    out.print(render.listing(codes, out.width))


def _show(pages: list[Page], format_: str) -> None:
    from netbuild.reports import rules as render

    if format_ == "json":
        say(render.as_json(pages))
    elif format_ == "markdown":
        say(render.markdown(pages), nl=False)
    else:
        out = console()
        out.soft_wrap = False
        out.print(render.text(pages[0], out.width))
