"""What the members of a stack are called: by their keys, by `name`, or by their numbers."""

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
    """Return the name that a member is going to have, before anything else is known of it."""
    name = child.node.get("name") if isinstance(child.node, Map) else None
    return child.name or (name.text if isinstance(name, Scalar) else None)


def name_of(
    child: Child, modifiers: Modifiers, part: Item | Stack, taken: AbstractSet[str]
) -> Found[str | None]:
    """Return the name of a member among those `taken`; None where a number names it."""
    name, span = child.name, child.span
    if modifiers.name is not None:
        span = part.modifiers["name"].value.span
        if name is not None:
            label = f"it is called {name} already, by its key"
            return name, (Diagnostic("NB109", "a layer with two names", span, label),)
        name = modifiers.name
    if name is None:
        return None, ()
    fault = name_fault(name, span, taken, by_key=child.name is not None)
    return name, (fault,) if fault else ()


def without_number(part: Item | Stack) -> tuple[Item | Stack, Node | None]:
    """Return a repeated part without a name that holds its index, `layer$index`, and that name."""
    name = part.modifiers.get("name")
    text = name.value.value if name and isinstance(name.value, Scalar) else None
    if name is None or not isinstance(text, str) or "repeat" not in part.modifiers:
        return part, None
    if not re.search(r"\$.*\bindex\b", text):
        return part, None
    rest = {key: entry for key, entry in part.modifiers.items() if key != "name"}
    return part._replace(modifiers=rest), name.value


def numbered(name: Node, names: Names, taken: AbstractSet[str]) -> Found[str | None]:
    """Return the name of one of several, which holds its index; None after a fault."""
    written, faults = substitute(name, names)
    if not isinstance(written, Scalar) or not isinstance(written.value, str):
        return None, faults
    fault = name_fault(written.value, written.span, taken, by_key=False)
    return (None, (*faults, fault)) if fault else (written.value, faults)
