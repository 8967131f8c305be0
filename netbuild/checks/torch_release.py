"""Check that the installed torch has all components and fields of a file.

A component declares the release that brought it (`since`), and those of its fields
(`fields_since`). Where torch is not installed, a file may use everything.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netbuild.components.component import Component
    from netbuild.config.config import Config
    from netbuild.diagnostics.diagnostic import Span
    from netbuild.graph.row import Row


class Used(NamedTuple):
    """A component that a file uses, or one of its fields, with its place and the path of a layer.

    Some release of torch brought it.
    """

    component: Component
    field: str | None
    span: Span
    layer: str | None = None


@cache
def installed() -> str | None:
    """Return the version of the installed torch, such as 2.13.0; None without torch.

    Torch itself is not imported.
    """
    from importlib import metadata  # it is slow to import

    try:
        return metadata.version("torch").partition("+")[0]
    except metadata.PackageNotFoundError:
        return None


def has(since: str) -> bool:
    """Whether the installed torch is of this release or of a later one; without torch, it is not.

    A preview of a release, such as 2.14.0a0, counts as the release.
    """
    return (version := installed()) is not None and _release(version) >= _release(since)


def _release(version: str) -> tuple[int, int]:
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def check(config: Config, rows: Iterable[Row]) -> list[Diagnostic]:
    """Return a fault for each component and each field that the installed torch does not have."""
    used = [*_used(config, rows)]
    if not used or installed() is None:
        return []
    return [_fault(one) for one in used if not has(_since(one))]


def _used(config: Config, rows: Iterable[Row]) -> Iterator[Used]:
    """Yield the components and fields of a file that came with some release of torch."""
    for row in rows:
        if row.reuses is None:
            for name in _set(row.layer):
                yield Used(row.layer, name, place(row.item, name), row.path)
    for term in config.losses:
        for name in _set(term.loss):
            yield Used(term.loss, name, place(term.item, name))
    for one in config.optimizers:
        for name in _set(one.optimizer):
            yield Used(one.optimizer, name, place(one.item, name))
        for group in one.groups:
            options = one.optimizer.model_copy(update=group.options)
            for name in {*_set(options)} & {*group.options}:
                yield Used(options, name, group.span)


def _set(component: Component) -> Iterator[str | None]:
    """Yield each newer field that does not have its default, and None for a newer component."""
    if component.since:
        yield None
    for name in component.fields_since:
        if getattr(component, name) != type(component).model_fields[name].default:
            yield name


def _since(used: Used) -> str:
    kind = type(used.component)
    since = kind.fields_since[used.field] if used.field else kind.since
    assert since is not None
    return since


def _fault(used: Used) -> Diagnostic:
    since, kind = _since(used), type(used.component).__name__
    what, instead = kind, "use another type"
    if used.field:
        what, instead = f"{used.field} of {kind}", f"leave out {used.field}"
    return Diagnostic(
        "NB412",
        f"{what} needs torch {since}",
        used.span,
        f"torch {installed()} is installed",
        help=f"install torch {since} or a later release, or {instead}",
        layer=used.layer,
    )
