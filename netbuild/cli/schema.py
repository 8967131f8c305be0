"""`netbuild schema`: prints the language for editors."""

from __future__ import annotations

import typer


def schema() -> None:
    """Print a JSON Schema of the language, for editors.

    With it an editor completes, explains and checks files.

    \b
    netbuild schema > netbuild.schema.json
    """
    from netbuild.reports.schema import language, written

    typer.echo(written(language()), nl=False)
