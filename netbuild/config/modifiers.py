"""What stands beside the type of an item, or beside the `layers:` of a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic_core import core_schema

from netbuild.components.component import Component
from netbuild.components.fields import Bool, OptionalCount, OptionalText, Wants
from netbuild.config.filling import fill_fields
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.syntax.item import Item, Stack
from netbuild.syntax.node import Entry, Map, Scalar
from netbuild.syntax.substitution import substitute_entries

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from netbuild.diagnostics.diagnostic import Found

#: A value that is read with its places, by `wiring` or by `initialisation`.
_Elsewhere = Annotated[Any, Wants("a value", core_schema.any_schema())]


class Modifiers(Component):
    """What may stand beside any member of a stack, a Reuse too."""

    name: OptionalText = None
    """What the layer is called in a list, in place of its number."""
    repeat: OptionalCount = None
    """How many times in a row it stands, each with own weights; `$index` counts from 0."""
    when: Bool = True
    """false leaves it out; its name then stands for what it would have read."""
    inputs: _Elsewhere = None
    """What it reads: a layer of its stack by name, a list of names, or names by inner names."""


class BlockModifiers(Modifiers):
    """What may stand beside the type of a block."""

    freeze: Bool = False
    """Whether its weights keep the values that they begin with."""


class LayerModifiers(BlockModifiers):
    """What may stand beside the type of a layer."""

    init: _Elsewhere = None
    """How its weights begin: an initializer, or initializers by the names of parameters."""


class StackModifiers(BlockModifiers):
    """What may stand beside `layers:`."""

    outputs: _Elsewhere = None
    """What the stack gives, where that is not its last result."""


#: What stands beside a part without modifiers.
NONE = BlockModifiers.model_construct()


def read_modifiers(
    part: Item | Stack, kind: type[Modifiers], names: Mapping[str, Any]
) -> Found[Modifiers | None]:
    """Validate what stands beside a part; None after a fault, or where a value is not known."""
    entries, faults = substitute_entries(part.modifiers, names)
    owner, span = ("layer", part.type.span) if isinstance(part, Item) else ("stack", part.span)
    modifiers, wrong = fill_fields(kind, entries, owner, span)
    return modifiers, (*faults, *wrong)


def with_misplaced_modifiers(
    item: Item, fields: Collection[str], kind: type[Modifiers]
) -> Found[Item]:
    """Report modifiers that stand inside their type, and go on as if they stood beside it."""
    if not isinstance(item.arguments, Map):
        return item, ()
    inside, known = item.arguments.entries, kind.model_fields
    misplaced = {name: e for name, e in inside.items() if name in known and name not in fields}
    if not misplaced:
        return item, ()
    type_, faults = item.type.text, []
    for name, (key, _) in misplaced.items():
        label = f"{name} says how {type_} is used, and stands beside it"
        help_ = f"write {{{type_}: …, {name}: …}}"
        title = "a modifier inside its item"
        faults.append(Diagnostic("NB107", title, key.span, label, help=help_))
    rest = {name: entry for name, entry in inside.items() if name not in misplaced}
    arguments = Map(rest, item.arguments.span)
    modifiers = {**item.modifiers, **misplaced}
    return item._replace(arguments=arguments, modifiers=modifiers), tuple(faults)


def with_misplaced_arguments(item: Item, fields: Collection[str], bare: str | None) -> Found[Item]:
    """Report arguments that stand beside their type, and go on as if they stood inside.

    `fields` are those of the type, and `bare` the one that a bare value fills.
    """
    misplaced = {name: e for name, e in item.modifiers.items() if name in fields}
    if not misplaced:
        return item, ()
    kind, faults = item.type.text, []
    for name, (key, _) in misplaced.items():
        label = f"{name} is an argument of {kind}, and stands beside it"
        help_ = f"indent it below {kind}, or write {kind}: {{{name}: …}}"
        title = "an argument beside its item"
        faults.append(Diagnostic("NB107", title, key.span, label, help=help_))
    inside: dict[str, Entry] = {}
    if isinstance(item.arguments, Map):
        inside = item.arguments.entries
    elif item.arguments is not None and bare is not None:
        inside = {bare: Entry(Scalar(bare, item.arguments.span, bare), item.arguments)}
    modifiers = {name: e for name, e in item.modifiers.items() if name not in misplaced}
    arguments = Map({**inside, **misplaced}, item.type.span)
    return item._replace(arguments=arguments, modifiers=modifiers), tuple(faults)
