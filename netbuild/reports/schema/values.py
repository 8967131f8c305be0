"""What a field takes, as JSON Schema says it: read from the schema that pydantic validates with.

A value may be an expression wherever it stands, so every schema takes a text that holds a `$`. The
keywords of JSON Schema are each for one type of values only: `minimum` says nothing about a text.
So numbers, lists and expressions stand in one flat schema, of which an editor can say in one
sentence what it wants.
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
#: How messages about values begin.
WANTS = "wants "

#: What JSON Schema calls what pydantic has.
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
    """Return the schema of what may be written as the value of a field that wants this.

    It is an alternative even where it is the only one. Of a field that shows its type an editor
    inserts the default with every layer, and of one that may be a list a dash.
    """
    plain, named = _parted(wants.schema, wants.phrase)
    if any(not alternative for alternative in plain):
        return {}
    return {"anyOf": [*([{"enum": named}] if named else []), _flat(plain, wants.phrase)]}


def bare_alternatives(wants: Wants) -> list[Schema]:
    """Return the alternatives of a value that stands for a whole item, words as their pattern."""
    plain, named = _parted(wants.schema, wants.phrase)
    if any(alternative["type"] == "string" for alternative in plain):
        return plain
    return [*plain, text(words(named)) if named else text()]


def default(info: FieldInfo) -> Schema:
    """Return the default of a field, where it has one of its own that JSON can hold."""
    if info.is_required() or any(isinstance(mark, FromInput) for mark in info.metadata):
        return {}
    try:
        return {"default": json.loads(json.dumps(info.default, allow_nan=False))}
    except ValueError:  # infinity
        return {}


def _flat(plain: list[Schema], phrase: str) -> Schema:
    """Return alternatives and an expression as one schema, with what it says of anything else."""
    if not any(alternative["type"] == "string" for alternative in plain):
        plain = [*plain, text()]
    return merged(plain) | {"errorMessage": f"{WANTS}{phrase}"}


def _parted(schema: CoreSchema, phrase: str) -> tuple[list[Schema], list[Any]]:
    """Return what a schema takes: the alternatives by type, and the words."""
    alternatives = _alternatives(schema, phrase)
    named = [word for part in alternatives for word in part.get("enum", ())]
    return [part for part in alternatives if "enum" not in part], named


def _alternatives(schema: Any, phrase: str) -> list[Schema]:
    """Return what a core schema takes, each of one type; empty is anything."""
    match schema["type"]:
        case "nullable":
            return [*_alternatives(schema["schema"], phrase), {"type": "null"}]
        case "union":
            return [part for one in schema["choices"] for part in _alternatives(one, phrase)]
        case "literal":
            return [{"enum": schema["expected"]}]
        case "tuple":
            return [{"type": "array", **_items(schema, phrase)}]
        case "str" if "pattern" in schema:
            return [text(schema["pattern"])]
        case "any":
            return [{}]
        case _ if "schema" in schema:  # an error or a validator around it
            return _alternatives(schema["schema"], phrase)
        case kind:
            return [{"type": _TYPES[kind], **_bounds(schema)}]


def _bounds(schema: Any) -> Schema:
    """Return the bounds of a number that are any: 31 bits go without saying."""
    found = {name: schema.get(bound) for bound, name in _BOUNDS.items()}
    return {
        name: value
        for name, value in found.items()
        if value is not None and isfinite(value) and abs(value) != LARGEST
    }


def _items(schema: Any, phrase: str) -> Schema:
    """Return the keywords of a list, whose items are of one kind or each of its own."""
    kinds = [_flat(_alternatives(item, phrase), phrase) for item in schema["items_schema"]]
    if schema.get("variadic_item_index") is not None:
        least = schema.get("min_length")
        return {"items": kinds[0], **({"minItems": least} if least else {})}
    size = {"minItems": len(kinds), "maxItems": len(kinds)}
    if all(kind == kinds[0] for kind in kinds):
        return {"items": kinds[0], **size}
    return {"prefixItems": kinds, **size}
