"""The files of weights beside stacks and blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netbuild.config.pretrained import Given
    from netbuild.diagnostics.diagnostic import Found
    from netbuild.syntax.expression import Names
    from netbuild.syntax.item import Item, Stack


def read(part: Item | Stack, names: Names) -> Found[tuple[Given, ...]]:
    """Read the files of weights beside a stack or a block."""
    if "pretrained" not in part.modifiers:
        return (), ()
    from netbuild.config.pretrained import read_beside

    return read_beside(part.modifiers["pretrained"].value, names)


def without(part: Item | Stack) -> Item | Stack:
    """Return a part without its files. If it is repeated, the files fill all copies together."""
    modifiers = {name: entry for name, entry in part.modifiers.items() if name != "pretrained"}
    return part._replace(modifiers=modifiers)
