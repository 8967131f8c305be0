"""The JSON Schema of items: a component with its arguments, and a choice of components."""

from __future__ import annotations

from inspect import getdoc
from typing import TYPE_CHECKING, Any

from netbuild.components.component import Component, Nested, bare_field
from netbuild.components.fields import Wants
from netbuild.components.layers import LAYERS
from netbuild.reports.catalogue import entries as catalogue
from netbuild.reports.schema.values import (
    WANTS,
    bare_alternatives,
    default,
    merged,
    text,
    value_schema,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

    from netbuild.reports.schema.values import Schema


def reference(name: str) -> Schema:
    """Return a reference to a definition."""
    return {"$ref": f"#/$defs/{name}"}


def partial(name: str) -> str:
    """Return the name of the definition in which required fields may be in a base file."""
    return f"partial-{name}"


def defined(name: str, component: type[Component]) -> str:
    """Return the name of a component's definition: its own, unless a layer has this name too."""
    kind = component.__module__.split(".")[2]
    return name if kind == "layers" or name not in LAYERS else f"{kind}-{name}"


def definitions(known: Mapping[str, type[Component]]) -> dict[str, Schema]:
    """Return the definitions of components: the arguments of each, by its name.

    A file with `extends` does not have to repeat the fields of its base. So a component with
    required fields has a second definition without required fields. It refers to the same fields.
    """
    found = {}
    for known_as, component in known.items():
        name = defined(known_as, component)
        found[name] = arguments(component) | {"description": described(component)}
        if "required" in found[name]:
            loose = {key: value for key, value in found[name].items() if key != "required"}
            fields = {
                field: reference(f"{name}/properties/{field}") for field in loose["properties"]
            }
            found[partial(name)] = loose | {"properties": fields}
    return found


def arguments(component: type[Component]) -> Schema:
    """Return the schema of a component's arguments: its fields, a bare value, or nothing."""
    fields = {name: field(component, name) for name in component.model_fields}
    required = [name for name, info in component.model_fields.items() if info.is_required()]
    alternatives: list[Schema] = [
        {
            "type": "object",
            "properties": fields,
            "additionalProperties": False,
            **({"required": required} if required else {}),
        }
    ]
    alternatives += [] if required else [{"type": "null"}]
    return merged([*alternatives, *_bare(component)])


def field(component: type[Component], name: str) -> Schema:
    """Return the schema of a field of a component."""
    info = component.model_fields[name]
    mark = _mark(info)
    if isinstance(mark, Nested):
        value = _nested(mark, required=info.is_required())
    else:
        value = value_schema(mark)
    (shown,) = (field for field in catalogue.fields(component) if field.name == name)
    return value | default(info) | {"description": _sentence(shown)}


def choice(
    known: Mapping[str, type[Component]], beside: Schema | None = None, *, complete: bool = True
) -> Schema:
    """Return the schema of an item: one of these components, with its modifiers."""
    return {
        "type": ["object", "string"],
        "properties": {**types(known, complete=complete), **(beside or {})},
        "additionalProperties": False,
        "minProperties": 1,
        **alone(known),
        "anyOf": named(known),
    }


def types(known: Mapping[str, type[Component]], *, complete: bool) -> Schema:
    """Return the properties of items: each type with a reference to its arguments."""
    found = {}
    for name, component in known.items():
        whole = defined(name, component)
        found[name] = reference(whole if complete or not _required(component) else partial(whole))
    return found


def alone(known: Mapping[str, type[Component]], *patterns: str) -> Schema:
    """Return the keywords of an item that is only a type: a component without required fields."""
    names = [name for name, component in known.items() if not _required(component)]
    found = text(words(names), *patterns)
    del found["type"]
    return found | {"patternErrorMessage": "no type with this name can be used without arguments"}


def named(known: Mapping[str, type[Component]]) -> list[Schema]:
    """Return the types that need no arguments, each with its description, and any other value.

    The pattern refuses other values, so that no message lists all types.
    """
    return [
        *(
            {"const": name, "description": described(component)}
            for name, component in known.items()
            if not _required(component)
        ),
        {},
    ]


def described(component: type[Component]) -> str:
    """Return the description of a component: its page without the fields."""
    text = getdoc(component) or ""
    *_, example = text.split("\n\n")
    torchs = catalogue.page(component)
    parts = [catalogue.description(component), example, *([torchs] if torchs else [])]
    return "\n\n".join(parts)


def _required(component: type[Component]) -> bool:
    return any(info.is_required() for info in component.model_fields.values())


def _bare(component: type[Component]) -> list[Schema]:
    """Return the alternatives of a bare value: the alternatives of the field that it fills."""
    name = bare_field(component)
    mark = _mark(component.model_fields[name]) if name else None
    if not isinstance(mark, Wants):
        return [text() | {"patternErrorMessage": "does not take a text"}]
    *others, last = bare_alternatives(mark)
    return [*others, last | {"patternErrorMessage": f"{name} {WANTS}{mark.phrase}"}]


def _mark(info: FieldInfo) -> Wants | Nested:
    (mark,) = (mark for mark in info.metadata if isinstance(mark, (Wants, Nested)))
    return mark


def _sentence(field: catalogue.Field) -> str:
    """Return the meaning of a field, its values and its default."""
    rest = "Required." if field.default is None else f"Default: {field.default}"
    rest += f"\n\nSince torch {field.since}." if field.since else ""
    return f"{field.meaning}\n\n{field.wanted[:1].upper()}{field.wanted[1:]}. {rest}"


def _nested(mark: Nested, *, required: bool) -> Schema:
    if mark.many:
        types = ["array", "string", *([] if required else ["null"])]
        one: Any = reference(mark.what)
        return {"type": types, "items": one, "minItems": 1, "pattern": r"\$"}
    return choice(mark.known) | {"type": ["object", "string", "null"]}
