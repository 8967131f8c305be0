"""`netbuild layers`, `netbuild losses` and others: list what a file can name, or describe one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from netbuild.cli import completion
from netbuild.cli.terminal import console, fail

_HELP = "The name to describe, or a part of names.  [default: list all]"


def _name(what: str) -> Any:
    """Return the argument of a command; a shell proposes its names."""
    return typer.Argument(metavar="NAME", help=_HELP, autocompletion=completion.names(what))


def layers(name: Annotated[str | None, _name("layers")] = None) -> None:
    """List the layers, or describe one.

    \b
    netbuild layers
    netbuild layers Conv2d
    netbuild layers attention
    """
    _show("layers", "layer", name)


def losses(name: Annotated[str | None, _name("losses")] = None) -> None:
    """List the losses, or describe one.

    \b
    netbuild losses
    netbuild losses CrossEntropyLoss
    """
    _show("losses", "loss", name)


def metrics(name: Annotated[str | None, _name("metrics")] = None) -> None:
    """List the metrics, or describe one.

    \b
    netbuild metrics
    netbuild metrics F1Score
    """
    _show("metrics", "metric", name)


def optimizers(name: Annotated[str | None, _name("optimizers")] = None) -> None:
    """List the optimizers, or describe one.

    \b
    netbuild optimizers
    netbuild optimizers AdamW
    """
    _show("optimizers", "optimizer", name)


def schedulers(name: Annotated[str | None, _name("schedulers")] = None) -> None:
    """List the learning rate schedulers, or describe one.

    \b
    netbuild schedulers
    netbuild schedulers OneCycleLR
    """
    _show("schedulers", "scheduler", name)


def initializers(name: Annotated[str | None, _name("initializers")] = None) -> None:
    """List the initializers, or describe one.

    \b
    netbuild initializers
    netbuild initializers kaiming_normal_
    """
    _show("initializers", "initializer", name)


def augmentations(name: Annotated[str | None, _name("augmentations")] = None) -> None:
    """List the image augmentations, or describe one.

    \b
    netbuild augmentations
    netbuild augmentations RandomCrop
    """
    _show("augmentations", "augmentation", name)


def datasets(name: Annotated[str | None, _name("datasets")] = None) -> None:
    """List the data sources, or describe one.

    \b
    netbuild datasets
    netbuild datasets Csv
    """
    _show("datasets", "data source", name)


_RANKS = ("1d", "2d", "3d")


def _show(what: str, one: str, name: str | None) -> None:
    from netbuild.reports.catalogue import entries as catalogue
    from netbuild.reports.catalogue import page as render

    known = catalogue.catalogue(what)
    out = console()
    if name is None:
        out.print(render.listing(known, out.width))
        return
    found = catalogue.find(known, name)
    if len(found) > 1:
        out.print(render.matches(found, out.width))
        return
    for title, component in found.items():
        out.print(render.page(title, component, out.width))
        return
    fail(_unknown(what, one, name, tuple(known)))


def _unknown(what: str, one: str, name: str, known: tuple[str, ...]) -> str:
    from netbuild.diagnostics.wording import suggest
    from netbuild.syntax.other_names import type_for
    from netbuild.syntax.unknown_type import without_module

    if not name.strip():
        return f"a {one} has a name: netbuild {what} lists them"
    word = without_module(name)
    other = (type_for(word, one) or word).partition(":")[0]
    ranks = " or ".join(part for part in known if part[:-2] == other and part[-2:] in _RANKS)
    meant = other if other in known else ranks or suggest(word, known)
    hint = f": did you mean {meant}?" if meant else f": netbuild {what} lists them"
    return f"no {one} is called {name[:60]}{hint}"
