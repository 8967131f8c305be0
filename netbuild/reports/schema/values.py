"""The JSON Schema of the values of a field, built from pydantic's schema of the field.

Any value may be an expression, so every schema takes a text with a `$`. Each keyword of JSON Schema
applies to one type of values: `minimum` does not apply to a text. So numbers, lists and expressions
fit into one flat schema, and an editor needs only one sentence for its message.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

from netbuild.components.component import LARGEST, FromInput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pydantic.fields import FieldInfo
    from pydantic_core.core_schema import CoreSchema

    from netbuild.components.fields import Wants

Schema: TypeAlias = dict[str, Any]

_EXPRESSION = r"\$"
#: The start of messages about values.
WANTS = "wants "

#: The keywords of pydantic and of JSON Schema for bounds.
_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}
_BOUNDS = {
    "min_length": "minLength",
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}


def text(*patterns: str) -> Schema:
    """Return the schema of a text that matches one of the patterns, or holds an expression."""
    return {"type": "string", "pattern": "|".join([*patterns, _EXPRESSION])}


def words(known: Collection[str]) -> str:
    """Return the pattern of a text that is one of a few."""
    return f"^({'|'.join(map(re.escape, known))})$"


def merged(alternatives: Iterable[Schema]) -> Schema:
    """Return alternatives as one schema: a list of types, and the keywords of each."""
    types: list[str] = []
    keywords: dict[str, list[Schema]] = {}
    alternatives = list(alternatives)
    if any(alternative["type"] == "number" for alternative in alternatives):
        alternatives = [part for part in alternatives if part["type"] != "integer"]
    for alternative in alternatives:
        rest = dict(alternative)
        kind = rest.pop("type")
        types += [] if kind in types else [kind]
        keywords.setdefault(kind, []).append(rest)
    found: Schema = {"type": types if len(types) > 1 else types[0]}
    for rests in keywords.values():
        found |= rests[0] if len(rests) == 1 else {"anyOf": rests}
    return found


def value_schema(wants: Wants) -> Schema:
    """Return the schema of the value of a field.

    It is always inside `anyOf`, even a single alternative. An editor sees no type of the field
    then. If it saw the type, it would insert the default into every new layer, or a dash for a
    list.
    """
    plain, named = _parted(wants.schema, wants.phrase)
    if any(not alternative for alternative in plain):
        return {}
    return {"anyOf": [*([{"enum": named}] if named else []), _flat(plain, wants.phrase)]}


def bare_alternatives(wants: Wants) -> list[Schema]:
    """Return the alternatives of a value instead of a whole item. Words become a pattern."""
    plain, named = _parted(wants.schema, wants.phrase)
    if any(alternative["type"] == "string" for alternative in plain):
        return plain
    return [*plain, text(words(named)) if named else text()]


def default(info: FieldInfo) -> Schema:
    """Return the default of a field, if it has one that JSON can hold."""
    if info.is_required() or any(isinstance(mark, FromInput) for mark in info.metadata):
        return {}
    try:
        return {"default": json.loads(json.dumps(info.default, allow_nan=False))}
    except ValueError:  # infinity
        return {}


def _flat(plain: list[Schema], phrase: str) -> Schema:
    """Return alternatives and an expression as one schema, with its message."""
    if not any(alternative["type"] == "string" for alternative in plain):
        plain = [*plain, text()]
    return merged(plain) | {"errorMessage": f"{WANTS}{phrase}"}


def _parted(schema: CoreSchema, phrase: str) -> tuple[list[Schema], list[Any]]:
    """Return the alternatives of a schema by type, and its words."""
    alternatives = _alternatives(schema, phrase)
    named = [word for part in alternatives for word in part.get("enum", ())]
    return [part for part in alternatives if "enum" not in part], named


def _alternatives(schema: Any, phrase: str) -> list[Schema]:
    """Return the alternatives of a core schema, each of one type. {} takes any value."""
    match schema["type"]:
        case "nullable":
            return [*_alternatives(schema["schema"], phrase), {"type": "null"}]
        case "union":
            return [part for one in schema["choices"] for part in _alternatives(one, phrase)]
        case "literal":
            return [{"enum": schema["expected"]}]
        case "tuple" | "dict":
            return [_collection(schema, phrase)]
        case "str" if "pattern" in schema:
            return [text(schema["pattern"])]
        case "any":
            return [{}]
        case _ if "schema" in schema:  # an error or a validator around it
            return _alternatives(schema["schema"], phrase)
        case kind:
            return [{"type": _TYPES[kind], **_bounds(schema)}]


def _collection(schema: Any, phrase: str) -> Schema:
    """Return the schema of a list, or of a mapping from texts."""
    if schema["type"] == "tuple":
        return {"type": "array", **_items(schema, phrase)}
    plain, named = _parted(schema["values_schema"], phrase)
    values = _flat(plain, phrase)
    if named:
        values = {"anyOf": [{"enum": named}, values]}
    return {"type": "object", "additionalProperties": values}


def _bounds(schema: Any) -> Schema:
    """Return the bounds of a number, except for the bounds of 31 bits."""
    found = {name: schema.get(bound) for bound, name in _BOUNDS.items()}
    return {
        name: value
        for name, value in found.items()
        if value is not None and isfinite(value) and abs(value) != LARGEST
    }


def _items(schema: Any, phrase: str) -> Schema:
    """Return the keywords of a list. Its items have one schema, or each has its own."""
    kinds = [_flat(_alternatives(item, phrase), phrase) for item in schema["items_schema"]]
    if schema.get("variadic_item_index") is not None:
        least = schema.get("min_length")
        return {"items": kinds[0], **({"minItems": least} if least else {})}
    size = {"minItems": len(kinds), "maxItems": len(kinds)}
    if all(kind == kinds[0] for kind in kinds):
        return {"items": kinds[0], **size}
    return {"prefixItems": kinds, **size}
