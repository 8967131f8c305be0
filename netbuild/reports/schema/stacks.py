"""The JSON Schema of stacks and their members.

A mapping with a Capitalised key is an item. A mapping with `layers` is a stack with modifiers. Any
other mapping is a stack with named layers. So is a mapping of several keys without a modifier, in
which the value of each Capitalised key is an item: these keys are names. The types are outside this
distinction: an editor then proposes them before the mapping has a key.

There are three kinds of stacks, because a schema cannot see the definitions of a file. In a file
without `blocks`, a type that is not a layer is misspelt. In a file with `blocks`, it may be a
block. In a file with `extends`, it may be a block of the base, and a stack may be incomplete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.component import field_notes
from netbuild.components.initializers import INITIALIZERS
from netbuild.components.layers import LAYERS
from netbuild.components.parametrizations import PARAMETRIZATIONS
from netbuild.config.modifiers import BlockModifiers, LayerModifiers, Modifiers, StackModifiers
from netbuild.reports.schema.items import alone, choice, field, named, partial, reference, types
from netbuild.reports.schema.pretrained import files
from netbuild.reports.schema.values import words
from netbuild.syntax.item import REUSE
from netbuild.syntax.names import MODIFIERS

if TYPE_CHECKING:
    from netbuild.reports.schema.values import Schema

_CAPITALISED = "^[A-Z]"
_LOWER_CASE = "^[^A-Z]"


class Kind(NamedTuple):
    """A kind of stack. `closed`: all types are known. `complete`: no base has other parts."""

    name: str
    closed: bool = False
    complete: bool = False


CLOSED = Kind("stack", closed=True, complete=True)
WITH_BLOCKS = Kind("stack-with-blocks", complete=True)
OVERLAY = Kind("stack-over-another")

KINDS = (CLOSED, WITH_BLOCKS, OVERLAY)

_LAYERS = "The layers of the stack: a list, or a mapping from their names."
_FILE = "A file whose layers are the block. Its vars are the parameters of the block."
_REUSE = "Calls a layer or a stack above it in the same stack again, with the same weights."


def stacks(kind: Kind) -> dict[str, Schema]:
    """Return the definitions of a kind of stack and of its members."""
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
    """Return the schema of a block: a stack with parameters, or the file of its layers."""
    params = {
        "description": "The names of the parameters. A parameter with a default value may be"
        " omitted.",
        "type": ["object", "array", "null"],
        "items": {"type": "string"},
        "additionalProperties": variable(),
    }
    alternatives: Schema = {"if": {"required": ["file"]}, "then": {"maxProperties": 1}}
    if kind.complete:
        alternatives["else"] = {"required": ["layers"]}
    return {
        "type": "object",
        "properties": {
            "file": {"type": ["string", "object"], "description": _FILE},
            "params": params,
            "layers": reference(kind.name),
            "outputs": _modifier("outputs", StackModifiers),
        },
        "additionalProperties": False,
        **alternatives,
    }


def variable() -> Schema:
    """Return the schema of a value that may be an item. An item is checked."""
    return reference(partial("types"))


def wires() -> Schema:
    """Return the schema of references to results: one name, a list, or a mapping of names."""
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
    """Return the schema of the value of `layers:`. It is a stack, not an item."""
    return {
        "type": ["array", "object"],
        "description": _LAYERS,
        "items": reference(_member(kind)),
        "minItems": 1,
        "minProperties": 1,
        "if": _capitalised_names(kind),
        "then": {"additionalProperties": reference(_member(kind))},
        "else": {
            "patternProperties": {_CAPITALISED: True},
            "additionalProperties": reference(_member(kind)),
            "propertyNames": {
                "pattern": _LOWER_CASE,
                "patternErrorMessage": "a name is not Capitalised, and a list of layers has dashes",
            },
        },
    }


def _capitalised_names(kind: Kind) -> Schema:
    """Return the schema of a mapping whose Capitalised keys are names, and no types."""
    is_stack = {"propertyNames": {"pattern": _LOWER_CASE}}
    return {
        "type": "object",
        "not": is_stack,
        "propertyNames": {"not": {"enum": list(MODIFIERS)}},
        "patternProperties": {
            _CAPITALISED: {"type": "object", "not": is_stack},
            _LOWER_CASE: {"type": ["object", "array", "string"]},
        },
        **({"minProperties": 2} if kind.complete else {}),
    }


def _members(kind: Kind) -> Schema:
    """Return the schema of a member of a stack: an item, or a stack within it.

    `items` are in the branch for lists. An editor would follow `items` outside a branch down to all
    defaults, and without end, because members contain members.
    """
    patterns = [] if kind.closed else [_CAPITALISED]
    return {
        "type": ["object", "array", "string"],
        **alone(LAYERS, *patterns),
        "allOf": [reference("names")],
        "minItems": 1,
        "minProperties": 1,
        "if": _capitalised_names(kind),
        "then": {"additionalProperties": reference(_member(kind))},
        "else": {
            "allOf": [reference("types" if kind.complete else partial("types"))],
            "if": {"propertyNames": {"pattern": _LOWER_CASE}},
            "then": _inner_stack(kind),
            "else": _beside(kind),
        },
    }


def _inner_stack(kind: Kind) -> Schema:
    """Return the schema of a mapping without a type: `{layers: …, modifiers}`, or layers by name.

    In a file with `extends` it may also contain only modifiers, for an item of the base.
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
    """Return the schema of the modifiers next to a type."""
    known = words([*LAYERS, REUSE]) if kind.closed else _CAPITALISED
    kinds = (LayerModifiers,) if kind.closed else (LayerModifiers, BlockModifiers)
    return {
        "properties": _modifiers(*kinds),
        "patternProperties": {known: True},
        "additionalProperties": False,
    }


def _modifiers(*kinds: type[Modifiers]) -> Schema:
    return {name: _modifier(name, kind) for kind in kinds for name in kind.model_fields}


def _modifier(name: str, kind: type[Modifiers]) -> Schema:
    """Return the schema of a modifier. Some modifiers have a schema of their own."""
    if name in {"inputs", "outputs"}:
        found = wires()
    elif name == "init":
        found = _init()
    elif name == "tie":
        found = {"type": ["object", "null"], "additionalProperties": {"type": ["string", "number"]}}
    elif name == "parametrize":
        one = choice(PARAMETRIZATIONS) | {"maxProperties": 1}
        beside = {"additionalProperties": one, "type": ["object", "string", "null"]}
        found = choice(PARAMETRIZATIONS) | beside
    elif name == "pretrained":
        found = files()
        found["type"] = [*found["type"], "null"]
    else:
        return field(kind, name)
    return found | {"description": field_notes(kind)[name]}


def _init() -> Schema:
    """Return the schema of `init` next to a layer. Names of initializers end in `_`."""
    beside = {"patternProperties": {"[^_]$": reference("initializer")}}
    return choice(INITIALIZERS) | beside
