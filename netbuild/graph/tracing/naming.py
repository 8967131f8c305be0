"""The names of the members of a stack: their keys, their `name`, or their numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.syntax.names import name_fault
from netbuild.syntax.node import Map, Node, Scalar
from netbuild.syntax.substitution import substitute

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from netbuild.config.modifiers import Modifiers
    from netbuild.diagnostics.diagnostic import Found
    from netbuild.syntax.expression import Names
    from netbuild.syntax.item import Child, Item, Stack


def called(child: Child) -> str | None:
    """Return the name of a member before it is read: its key or its `name`; None without them."""
    name = child.node.get("name") if isinstance(child.node, Map) else None
    return child.name or (name.text if isinstance(name, Scalar) else None)


def name_of(
    child: Child, modifiers: Modifiers, part: Item | Stack, taken: AbstractSet[str]
) -> Found[str | None]:
    """Return the name of a member; None if its number is the name.

    `taken` are the names of the other members.
    """
    name, span = child.name, child.span
    if modifiers.name is not None:
        span = part.modifiers["name"].value.span
        if name is not None:
            label = f"this layer already has the name {name}, its key"
            return name, (Diagnostic("NB109", "a layer with two names", span, label),)
        name = modifiers.name
    if name is None:
        return None, ()
    fault = name_fault(name, span, taken, by_key=child.name is not None)
    return name, (fault,) if fault else ()


def without_number(part: Item | Stack) -> tuple[Item | Stack, Node | None]:
    """Return a repeated part without its `name`, and the name, if the name contains the index.

    Such a name is `layer$index`. The name is None for any other part.
    """
    name = part.modifiers.get("name")
    text = name.value.value if name and isinstance(name.value, Scalar) else None
    if name is None or not isinstance(text, str) or "repeat" not in part.modifiers:
        return part, None
    if not re.search(r"\$.*\bindex\b", text):
        return part, None
    rest = {key: entry for key, entry in part.modifiers.items() if key != "name"}
    return part._replace(modifiers=rest), name.value


def numbered(name: Node, names: Names, taken: AbstractSet[str]) -> Found[str | None]:
    """Return the name of one repetition, which contains its index; None after a fault."""
    node, faults = substitute(name, names)
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return None, faults
    fault = name_fault(node.value, node.span, taken, by_key=False)
    return (None, (*faults, fault)) if fault else (node.value, faults)
