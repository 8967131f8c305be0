"""The fault of a part of a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from netbuild.components.tensor import PartError

if TYPE_CHECKING:
    from netbuild.components.layers.elementwise.program import Part


def fault(
    message: str,
    part: Part,
    *,
    instead: str | None = None,
    known: tuple[str, ...] = (),
    help: str | None = None,  # noqa: A002  as messages call it
    title: str = "a formula that cannot be read",
) -> NoReturn:
    """Raise the fault of a part of a formula."""
    raise PartError(
        "NB217",
        message,
        at="formula",
        part=part,
        title=title,
        instead=instead,
        known=known,
        help=help,
    )
