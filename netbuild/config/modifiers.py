"""Modifiers: the keys next to the type of an item, or next to the `layers:` of a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic_core import core_schema

from netbuild.components.component import Component
from netbuild.components.fields import Bool, OptionalCount, OptionalText, Wants
from netbuild.config.filling import fill_fields
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.syntax.item import REUSE, Item, Stack
from netbuild.syntax.node import Entry, Map, Scalar
from netbuild.syntax.overlay import with_step
from netbuild.syntax.substitution import substitute_entries

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from netbuild.diagnostics.diagnostic import Found

#: A value that `syntax.wires` or `config.init` reads later, with its spans.
_Elsewhere = Annotated[Any, Wants("a value", core_schema.any_schema())]


class Modifiers(Component):
    """The modifiers of each member of a stack, also of a Reuse."""

    name: OptionalText = None
    """Name of the layer in a list; without it, the number is the name."""
    repeat: OptionalCount = None
    """How often the layer is repeated in a row, with separate weights; `$index` counts from 0."""
    when: Bool = True
    """false leaves the layer out; its name then stands for its input."""
    inputs: _Elsewhere = None
    """What the layer reads: a name of a layer in its stack, a list of names, or names by input."""


class _Freezing(Modifiers):
    """The modifiers of what can be frozen."""

    freeze: Bool = False
    """Whether the weights keep their first values."""


class BlockModifiers(_Freezing):
    """The modifiers of a block."""

    checkpoint: Bool = False
    """Whether the backward pass computes the activations again, to keep less of them."""
    pretrained: _Elsewhere = None
    """A file with the first weights inside, or a list of files; names are seen from the stack."""


class LayerModifiers(_Freezing):
    """The modifiers of a layer."""

    init: _Elsewhere = None
    """First values of the weights: an initializer, or initializers by the names of parameters."""
    tie: _Elsewhere = None
    """Parameters that are parameters of other layers: `{weight: embed.weight}`."""
    parametrize: _Elsewhere = None
    """Parameters that are computed from other tensors: `spectral_norm` of `weight`, or by name."""


class StackModifiers(BlockModifiers):
    """The modifiers of a stack, next to `layers:`."""

    outputs: _Elsewhere = None
    """Results of the stack; the default is the result of its last layer."""


#: The modifiers of an item or a stack that has none.
NONE = BlockModifiers.model_construct()


def read_modifiers(
    part: Item | Stack, kind: type[Modifiers], names: Mapping[str, Any]
) -> Found[Modifiers | None]:
    """Validate the modifiers of an item or a stack; None after a fault, or if one is unknown."""
    entries, faults = substitute_entries(part.modifiers, names)
    owner, span = ("layer", part.type.span) if isinstance(part, Item) else ("stack", part.span)
    if isinstance(part, Item) and part.type.text == REUSE:
        owner = REUSE
    modifiers, wrong = fill_fields(kind, entries, owner, span, names)
    return modifiers, (*faults, *wrong)


def with_misplaced_modifiers(
    item: Item, fields: Collection[str], kind: type[Modifiers]
) -> Found[Item]:
    """Report modifiers among the arguments of an item, and move them next to its type."""
    if not isinstance(item.arguments, Map):
        return item, ()
    inside, allowed = item.arguments.entries, kind.model_fields
    misplaced = {name: e for name, e in inside.items() if name in allowed and name not in fields}
    if not misplaced:
        return item, ()
    type_, faults = item.type.text, []
    for name, (key, _) in misplaced.items():
        label = f"{name} is a modifier, and belongs next to {type_}"
        help_ = f"write {{{type_}: …, {name}: …}}"
        title = "a modifier inside its item"
        faults.append(Diagnostic("NB107", title, key.span, label, help=help_))
    rest = {name: entry for name, entry in inside.items() if name not in misplaced}
    arguments = Map(rest, item.arguments.span)
    modifiers = {**item.modifiers, **misplaced}
    return item._replace(arguments=arguments, modifiers=modifiers), tuple(faults)


def with_misplaced_arguments(item: Item, fields: Collection[str], bare: str | None) -> Found[Item]:
    """Report arguments of an item next to its type, and move them to its other arguments.

    `fields` are the fields of the type, and `bare` is the field that a bare value fills.
    """
    misplaced = {name: e for name, e in item.modifiers.items() if name in fields}
    if not misplaced:
        return item, ()
    kind, faults = item.type.text, []
    for name, (key, _) in misplaced.items():
        label = f"{name} is an argument of {kind}, and belongs inside it"
        setting = with_step(key.span, kind)
        help_ = f"indent {name} below {kind}, or write {kind}: {{{name}: …}}"
        help_ = f"write {setting}" if setting else help_
        title = "an argument next to its item"
        faults.append(Diagnostic("NB107", title, key.span, label, help=help_))
    inside: dict[str, Entry] = {}
    if isinstance(item.arguments, Map):
        inside = item.arguments.entries
    elif item.arguments is not None and bare is not None:
        inside = {bare: Entry(Scalar(bare, item.arguments.span, bare), item.arguments)}
    modifiers = {name: e for name, e in item.modifiers.items() if name not in misplaced}
    arguments = Map({**inside, **misplaced}, item.type.span)
    return item._replace(arguments=arguments, modifiers=modifiers), tuple(faults)
