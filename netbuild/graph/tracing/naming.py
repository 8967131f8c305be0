"""The names of the members of a stack: their keys, their `name`, or their numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.syntax.item import shown
from netbuild.syntax.names import name_fault
from netbuild.syntax.node import Map, Scalar, is_unknown
from netbuild.syntax.substitution import is_computed, substitute

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


def without_number(child: Child, part: Item | Stack) -> tuple[Child, Item | Stack, Scalar | None]:
    """Return a repeated member without its name, and the name, if the name contains the index.

    Such a name is `layer$index`, as a `name` or as a key. The name is None for any other member.
    """
    if "repeat" not in part.modifiers:
        return child, part, None
    name = part.modifiers.get("name")
    if child.name is not None:
        if name is not None or not has_index(child.name):
            return child, part, None
        return child._replace(name=None), part, Scalar(child.name, child.span, child.name)
    if name is None or not isinstance(name.value, Scalar) or not has_index(name.value.value):
        return child, part, None
    rest = {key: entry for key, entry in part.modifiers.items() if key != "name"}
    return child, part._replace(modifiers=rest), name.value


def without_outputs(part: Item | Stack) -> Item | Stack:
    """Return a member without `outputs` that need an expression: its faults are known already."""
    outputs = part.modifiers.get("outputs")
    if outputs is None or not is_computed(outputs.value):
        return part
    rest = {key: entry for key, entry in part.modifiers.items() if key != "outputs"}
    return part._replace(modifiers=rest)


def has_index(name: Any) -> bool:
    """Whether a name contains the index of a repetition, such as `layer$index`."""
    return isinstance(name, str) and re.search(r"\$.*\bindex\b", name) is not None


def pattern(name: str) -> re.Pattern[str]:
    """Return the pattern of the names that a name with expressions can become."""
    literals = re.split(r"\$\w+|\$\(.*?\)", name)
    return re.compile(".*".join(map(re.escape, literals)))


def numbered(
    name: Scalar, names: Names, taken: AbstractSet[str], *, by_key: bool
) -> Found[str | None]:
    """Return the name of one repetition, which contains its index; None after a fault."""
    node, faults = substitute(name, names)
    if is_unknown(node):
        return None, faults
    text = str(node.value) if isinstance(node, Scalar) else shown(node)
    fault = name_fault(text, node.span, taken, by_key=by_key)
    return (None, (*faults, fault)) if fault else (text, faults)
