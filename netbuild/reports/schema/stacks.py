"""Stacks and their members as JSON Schema sees them.

A mapping with a Capitalised key is an item, one with `layers` a stack with modifiers, and any other
a stack whose layers have names. The types stand beside that distinction, not within it: an editor
proposes them before there is a key to tell what the mapping is going to be.

A stack comes in three kinds, for a schema cannot see what a file defines. Where a file has no
`blocks`, a type that is no layer is misspelt; where it has, it may be one of them; and where it
`extends` another, it may have blocks, and what is written may be laid over more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.component import field_notes
from netbuild.components.initializers import INITIALIZERS
from netbuild.components.layers import LAYERS
from netbuild.config.modifiers import LayerModifiers, Modifiers, StackModifiers
from netbuild.reports.schema.items import alone, choice, field, named, partial, reference, types
from netbuild.reports.schema.values import words
from netbuild.syntax.item import REUSE

if TYPE_CHECKING:
    from netbuild.reports.schema.values import Schema

_CAPITALISED = "^[A-Z]"
_LOWER_CASE = "^[^A-Z]"


class Kind(NamedTuple):
    """How much of a stack can be known: whether all types are, and whether it is complete."""

    name: str
    closed: bool = False
    complete: bool = False


CLOSED = Kind("stack", closed=True, complete=True)
WITH_BLOCKS = Kind("stack-with-blocks", complete=True)
OVERLAY = Kind("stack-over-another")

KINDS = (CLOSED, WITH_BLOCKS, OVERLAY)

_LAYERS = "The layers of the stack: a list, or a mapping from their names."
_REUSE = "Calls a layer or a stack above it in the same stack again, with the same weights."


def stacks(kind: Kind) -> dict[str, Schema]:
    """Return the definitions of a kind of stack, of its members, and of a block made of such."""
    return {kind.name: _stack(kind), _member(kind): _members(kind)}


def shared() -> dict[str, Schema]:
    """Return the definitions that all kinds of stacks refer to."""
    return {
        "types": {"properties": _types(complete=True)},
        partial("types"): {"properties": _types(complete=False)},
        "names": {"anyOf": named(LAYERS)},
        "initializer": choice(INITIALIZERS) | {"maxProperties": 1},
    }


def block(kind: Kind) -> Schema:
    """Return the schema of a block: a stack with parameters."""
    params = {
        "description": "The names of what is to be given, each with a value where it may be left"
        " out.",
        "type": ["object", "array", "null"],
        "items": {"type": "string"},
        "additionalProperties": variable(),
    }
    return {
        "type": "object",
        "properties": {
            "params": params,
            "layers": reference(kind.name),
            "outputs": _modifier("outputs", StackModifiers),
        },
        "additionalProperties": False,
        **({"required": ["layers"]} if kind.complete else {}),
    }


def variable() -> Schema:
    """Return the schema of a value that may be an item, which is checked where it is one."""
    return reference(partial("types"))


def wires() -> Schema:
    """Return the schema of what names results: one, several, or by their names inside."""
    name = {"type": ["string", "number"]}
    return {
        "type": ["string", "number", "array", "object"],
        "items": name,
        "additionalProperties": name,
        "minItems": 1,
        "minProperties": 1,
    }


def _member(kind: Kind) -> str:
    return kind.name.replace("stack", "layer", 1)


def _types(*, complete: bool) -> Schema:
    reuse = {"type": ["string", "integer"], "description": _REUSE}
    return {**types(LAYERS, complete=complete), REUSE: reuse}


def _stack(kind: Kind) -> Schema:
    """Return the schema of what stands in `layers:`, which is no item."""
    return {
        "type": ["array", "object"],
        "description": _LAYERS,
        "items": reference(_member(kind)),
        "patternProperties": {_CAPITALISED: True},
        "additionalProperties": reference(_member(kind)),
        "propertyNames": {
            "pattern": _LOWER_CASE,
            "patternErrorMessage": "a name is not Capitalised, and a list of layers has dashes",
        },
        "minItems": 1,
        "minProperties": 1,
    }


def _members(kind: Kind) -> Schema:
    """Return the schema of a member of a stack: an item, or a stack within it.

    Its `items` stand in the branch that every list takes: editors follow those of a schema itself
    down to their defaults, and a member's are members.
    """
    patterns = [] if kind.closed else [_CAPITALISED]
    return {
        "type": ["object", "array", "string"],
        **alone(LAYERS, *patterns),
        "allOf": [reference("types" if kind.complete else partial("types")), reference("names")],
        "minItems": 1,
        "minProperties": 1,
        "if": {"propertyNames": {"pattern": _LOWER_CASE}},
        "then": _inner_stack(kind),
        "else": _beside(kind),
    }


def _inner_stack(kind: Kind) -> Schema:
    """Return the schema of a mapping without a type: `{layers: …, modifiers}`, or layers by name.

    Over another file it may also be modifiers alone, for an item that is there.
    """
    modifiers = _modifiers(StackModifiers)
    by_name = {"additionalProperties": reference(_member(kind))}
    if not kind.complete:
        by_name["properties"] = dict.fromkeys(_modifiers(StackModifiers, LayerModifiers), True)
    return {
        "items": reference(_member(kind)),
        "if": {"required": ["layers"]},
        "then": {
            "properties": {"layers": reference(kind.name), **modifiers},
            "additionalProperties": False,
        },
        "else": by_name,
    }


def _beside(kind: Kind) -> Schema:
    """Return the schema of what stands beside a type."""
    known = words([*LAYERS, REUSE]) if kind.closed else _CAPITALISED
    return {
        "properties": _modifiers(LayerModifiers),
        "patternProperties": {known: True},
        "additionalProperties": False,
    }


def _modifiers(*kinds: type[Modifiers]) -> Schema:
    return {name: _modifier(name, kind) for kind in kinds for name in kind.model_fields}


def _modifier(name: str, kind: type[Modifiers]) -> Schema:
    """Return the schema of a modifier, two of which are read with their places elsewhere."""
    if name in {"inputs", "outputs"}:
        found = wires()
    elif name == "init":
        found = _init()
    else:
        return field(kind, name)
    return found | {"description": field_notes(kind)[name]}


def _init() -> Schema:
    """Return the schema of what stands beside a layer: the names of initializers end in `_`."""
    beside = {"patternProperties": {"[^_]$": reference("initializer")}}
    return choice(INITIALIZERS) | beside
