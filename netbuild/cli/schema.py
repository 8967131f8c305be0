"""`netbuild schema`: the language for editors."""

from __future__ import annotations

import typer


def schema() -> None:
    """Print the JSON Schema of the language, by which editors complete, explain and check files.

    \b
    netbuild schema > netbuild.schema.json
    """
    from netbuild.reports.schema import language, written

    typer.echo(written(language()), nl=False)
