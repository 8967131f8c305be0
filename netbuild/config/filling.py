"""Fill a component from an item: validate its arguments, with a fault for each wrong value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from netbuild.components.component import LARGEST, C, Nested, bare_field, field_notes
from netbuild.config.nearest import example, nearest_numbers
from netbuild.diagnostics.diagnostic import (
    MAX_FAULTS,
    Diagnostic,
    Edit,
    Fix,
    Note,
    collect,
    with_fixes,
)
from netbuild.diagnostics.wording import article, brief, did_you_mean, suggest
from netbuild.syntax.item import Item, read_item, shown, unknown_type
from netbuild.syntax.node import (
    UNKNOWN,
    Entry,
    List,
    Map,
    Node,
    Scalar,
    holds_unknown,
    is_null,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from netbuild.diagnostics.diagnostic import Faults, Found, Span


def find(item: Item, known: Mapping[str, type[C]], what: str) -> Found[type[C] | None]:
    """Return the component with the name of an item's type; None with a fault if it is unknown."""
    component = known.get(item.type.text)
    return component, () if component else (unknown_type(item.type, what, known),)


def read_component(node: Node, what: str, known: Mapping[str, type[C]]) -> Found[C | None]:
    """Read an item that takes no modifiers; None after a fault."""
    item = read_item(node, what, known)
    if isinstance(item, Diagnostic):
        return None, (item,)
    component, faults = find(item, known, what)
    if component is None:
        return None, faults
    filled, wrong = fill(component, item)
    return filled, (*check_modifiers(item, component, what), *wrong)


def check_modifiers(
    item: Item, component: type[BaseModel], what: str, *, allowed: Collection[str] = ()
) -> Faults:
    """Return a fault for each modifier of an item that is not allowed."""
    faults = []
    for name, (key, _) in item.modifiers.items():
        if name in allowed:
            continue
        noun = f"{article(what)} {what}"
        help_ = (
            f"the modifiers of {noun} are {', '.join(allowed)}"
            if allowed
            else f"{noun} has no modifiers"
        )
        if name in component.model_fields:
            help_ = f"{name} is a field: write {item.type.text}: {{{name}: …}}"
        title = f"{noun} has no modifier {brief(name)}"
        faults.append(Diagnostic("NB104", title, key.span, "unknown modifier", help=help_))
    return tuple(faults)


def fill(component: type[C], item: Item) -> Found[C | None]:
    """Validate an item's arguments as the component's fields; None after a fault."""
    name, arguments = item.type.text, item.arguments
    if arguments is None:
        return fill_fields(component, {}, name, item.type.span)
    if isinstance(arguments, Map):
        return fill_fields(component, arguments.entries, name, item.type.span)
    if holds_unknown(arguments):
        return None, ()
    field = bare_field(component)
    if field is None:
        fields = list(component.model_fields)
        label = f"{fields[0]} comes from the input" if fields else f"{name} has no fields"
        help_ = f"write {name}, or {name}: {{{fields[1]}: …}}" if fields else f"write {name}"
        title = f"{name} takes no bare value"
        return None, (Diagnostic("NB104", title, arguments.span, label, help=help_),)
    key = Scalar(field, arguments.span, field)
    return fill_fields(component, {field: Entry(key, arguments)}, name, item.type.span)


def fill_fields(
    component: type[C], entries: Mapping[str, Entry], owner: str, at: Span
) -> Found[C | None]:
    """Validate entries as the fields of a component; `owner` is its name in messages.

    The result is None after a fault. It is also None if a value is UNKNOWN; that value already has
    a fault.
    """
    nodes = {name: e.value for name, e in entries.items() if name in component.model_fields}
    unknown_keys = [e.key for name, e in entries.items() if name not in nodes][:MAX_FAULTS]
    faults = [_unknown_field(component, owner, key, nodes) for key in unknown_keys]
    # A misspelt field does not get a second fault as a missing field.
    misspelt = {suggest(key.text, tuple(component.model_fields)) for key in unknown_keys}
    unknown_fields = {name for name, value in nodes.items() if holds_unknown(value)}
    values: dict[str, Any] = {}
    for name, node in nodes.items():
        mark = _nested(component, name)
        values[name], wrong = _items(mark, node) if mark else (plain(node), ())
        faults += wrong
        if mark and values[name] is UNKNOWN:
            unknown_fields.add(name)
    try:
        filled = component.model_validate(values)
    except ValidationError as error:
        faults += (
            _fault(details, component, nodes, owner, at)
            for details in error.errors(include_url=False)
            if details["loc"][0] not in unknown_fields
            and not (details["type"] == "missing" and details["loc"][0] in misspelt)
        )
        return None, tuple(faults)
    return None if unknown_fields or unknown_keys else filled, tuple(faults)


def _nested(component: type[BaseModel], field: str) -> Nested | None:
    """Return the annotation of a field that holds items; None for any other field."""
    marks = component.model_fields[field].metadata
    return next((mark for mark in marks if isinstance(mark, Nested)), None)


def _items(mark: Nested, node: Node) -> Found[Any]:
    """Return the component of a field's item, or a list of components; UNKNOWN after a fault."""
    if is_null(node):
        return None, ()
    if not mark.many:
        return _item(mark, node)
    if not isinstance(node, List):
        label = f"this field wants a list with at least one {mark.what}, not {shown(node)}"
        return UNKNOWN, (Diagnostic("NB106", "a value that is not a list", node.span, label),)
    if not node.items:
        label = f"this field wants at least one {mark.what}"
        return UNKNOWN, (Diagnostic("NB106", "an empty list", node.span, label),)
    items, faults = collect(_item(mark, child) for child in node.items)
    return UNKNOWN if any(item is UNKNOWN for item in items) else items, faults


def _item(mark: Nested, node: Node) -> Found[Any]:
    if holds_unknown(node):
        return UNKNOWN, ()
    filled, faults = read_component(node, mark.what, mark.known)
    return UNKNOWN if filled is None else filled, faults


def _unknown_field(
    component: type[BaseModel], owner: str, key: Scalar, present: Collection[str]
) -> Diagnostic:
    fields = list(component.model_fields)
    absent = [field for field in fields if field not in present]
    help_, fixes = did_you_mean(key.text, absent, key.span)
    if help_ is None:
        help_ = f"the fields are {', '.join(fields)}" if fields else f"{owner} has no fields"
    title = f"{owner} has no field {key.text[:40]}"
    return Diagnostic("NB104", title, key.span, "unknown field", help=help_, fixes=fixes)


def _fault(
    details: Any, component: type[BaseModel], nodes: Mapping[str, Node], owner: str, at: Span
) -> Diagnostic:
    """Turn an error of pydantic into a fault, at the value or at the owner of a missing field."""
    field = str(details["loc"][0])
    if details["type"] == "missing":
        title = f"{owner} needs {field}"
        help_ = _how_to_write(component, owner, field, nodes)
        notes = (Note(field, field_notes(component)[field]),)
        return Diagnostic("NB105", title, at, f"{field} is missing", notes, help=help_)
    node = nodes.get(field)
    if node is None:  # a default that does not fit the value of another field
        label = f"{field} wants {details['msg']}, so its default does not fit"
        return Diagnostic("NB106", f"a value that {owner} does not take", at, label)
    phrase = details["msg"]
    if (
        isinstance(node, Scalar)
        and type(node.value) is int
        and node.value > LARGEST
        and "number" in phrase
    ):
        phrase = f"a number of at most {LARGEST}"
    label = f"{field} wants {phrase}, not {shown(node)}"
    hint, fixes = _reading(node, details["msg"])
    fixes += nearest_numbers(node, field, details["msg"])
    if not fixes:
        hint = hint or example(node, field)
    title = f"a value that {owner}.{field} does not take"
    fault = Diagnostic("NB106", title, node.span, label, help=hint, fixes=fixes)
    return fault if hint else with_fixes(fault, fixes)


def _how_to_write(
    component: type[BaseModel], owner: str, field: str, present: Iterable[str]
) -> str:
    fields = ", ".join(f"{name}: …" for name in [*present, field])
    bare = f"{owner}: …, or " if bare_field(component) == field and fields.count(":") == 1 else ""
    return f"write {bare}{owner}: {{{fields}}}"


_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def _reading(node: Node, phrase: str) -> tuple[str | None, tuple[Fix, ...]]:
    """Return help and fixes for a text that looks like the value in `phrase`.

    `no` looks like a boolean, and `1_000` looks like a number. Both are texts in YAML 1.2.
    """
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return None, ()
    text = node.value.lower()
    if text.startswith("(") and "list" in phrase:
        return "YAML has no tuples: write a list, such as [3, 3]", ()
    if "true or false" in phrase and text in _BOOLEANS:
        word = _BOOLEANS[text]
        fix = Fix(f"write {word}", (Edit(node.span, word),), safe=True)
        return f"{node.value} is a text in YAML 1.2: write {word}", (fix,)
    if "number" in phrase and text.replace("_", "").replace(".", "", 1).isdigit():
        number = node.value.replace("_", "")
        fix = Fix(f"write {number}", (Edit(node.span, number),), safe=True)
        return f"this is a text: write {number}, without quotes and underscores", (fix,)
    return None, ()
