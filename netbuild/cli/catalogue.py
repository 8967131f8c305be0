"""`netbuild layers`, `netbuild losses` and others: list what a file can name, or describe one."""

from __future__ import annotations

from typing import Annotated

import typer

from netbuild.cli.terminal import console, fail, print_wrapped

_Name = Annotated[
    str | None, typer.Argument(metavar="NAME", help="The name to describe.  [default: list all]")
]


def layers(name: _Name = None) -> None:
    """List the layers, or describe one.

    \b
    netbuild layers
    netbuild layers Conv2d
    """
    _show("layers", "layer", name)


def losses(name: _Name = None) -> None:
    """List the losses, or describe one.

    \b
    netbuild losses
    netbuild losses CrossEntropyLoss
    """
    _show("losses", "loss", name)


def optimizers(name: _Name = None) -> None:
    """List the optimizers, or describe one.

    \b
    netbuild optimizers
    netbuild optimizers AdamW
    """
    _show("optimizers", "optimizer", name)


def schedulers(name: _Name = None) -> None:
    """List the learning rate schedulers, or describe one.

    \b
    netbuild schedulers
    netbuild schedulers OneCycleLR
    """
    _show("schedulers", "scheduler", name)


def initializers(name: _Name = None) -> None:
    """List the initializers, or describe one.

    \b
    netbuild initializers
    netbuild initializers kaiming_normal_
    """
    _show("initializers", "initializer", name)


def augmentations(name: _Name = None) -> None:
    """List the image augmentations, or describe one.

    \b
    netbuild augmentations
    netbuild augmentations RandomCrop
    """
    _show("augmentations", "augmentation", name)


def datasets(name: _Name = None) -> None:
    """List the data sources, or describe one.

    \b
    netbuild datasets
    netbuild datasets Csv
    """
    _show("datasets", "data source", name)


def _show(what: str, one: str, name: str | None) -> None:
    from netbuild.diagnostics.wording import suggest
    from netbuild.reports.catalogue import entries as catalogue
    from netbuild.reports.catalogue import page as render

    known = catalogue.catalogue(what)
    out = console()
    if name is None:
        print_wrapped(out, render.listing(known))
    elif name in known:
        print_wrapped(out, render.page(name, known[name]))
    else:
        meant = suggest(name, tuple(known))
        hint = f": did you mean {meant}?" if meant else f": netbuild {what} lists them"
        fail(f"no {one} is called {name[:60]}{hint}")
