"""Fill a component from an item: validate its arguments, with a fault for each wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from netbuild.components.component import LARGEST, C, Nested, bare_field, field_notes
from netbuild.diagnostics.diagnostic import MAX_FAULTS, Diagnostic, Edit, Fix, Note, collect
from netbuild.diagnostics.wording import article, brief, did_you_mean, suggest
from netbuild.syntax.item import Item, read_item, shown, unknown_type
from netbuild.syntax.node import UNKNOWN, Entry, List, Map, Node, Scalar, holds_unknown, plain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from netbuild.diagnostics.diagnostic import Faults, Found, Span


def find(item: Item, known: Mapping[str, type[C]], what: str) -> Found[type[C] | None]:
    """Return the component that an item's type names; None, with a fault, where there is none."""
    component = known.get(item.type.text)
    return component, () if component else (unknown_type(item.type, what, known),)


def read_component(node: Node, what: str, known: Mapping[str, type[C]]) -> Found[C | None]:
    """Read an item that no modifier may stand beside; None after a fault."""
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
        help_ = f"beside it may stand {', '.join(allowed) or 'nothing'}"
        if name in component.model_fields:
            help_ = f"a field stands inside: {item.type.text}: {{{name}: …}}"
        title = f"{what} has no modifier {brief(name)}"
        faults.append(Diagnostic("NB104", title, key.span, "unknown", help=help_))
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
    """Validate entries as the fields of a component that messages call `owner`.

    The result is None after a fault, and without one where a value is UNKNOWN: that value has a
    fault of its own.
    """
    known = {name: e.value for name, e in entries.items() if name in component.model_fields}
    unknown = [entry.key for name, entry in entries.items() if name not in known][:MAX_FAULTS]
    faults = [_unknown_field(component, owner, key, known) for key in unknown]
    # A misspelt field is not reported as missing too.
    meant = {suggest(key.text, tuple(component.model_fields)) for key in unknown}
    blurred = {name for name, value in known.items() if holds_unknown(value)}
    values: dict[str, Any] = {}
    for name, node in known.items():
        mark = _nested(component, name)
        values[name], wrong = _items(mark, node) if mark else (plain(node), ())
        faults += wrong
        if mark and values[name] is UNKNOWN:
            blurred.add(name)
    try:
        filled = component.model_validate(values)
    except ValidationError as error:
        faults += (
            _fault(details, component, known, owner, at)
            for details in error.errors(include_url=False)
            if details["loc"][0] not in blurred
            and not (details["type"] == "missing" and details["loc"][0] in meant)
        )
        return None, tuple(faults)
    return None if blurred or unknown else filled, tuple(faults)


def _nested(component: type[BaseModel], field: str) -> Nested | None:
    """Return the mark of a field that holds items."""
    marks = component.model_fields[field].metadata
    return next((mark for mark in marks if isinstance(mark, Nested)), None)


def _items(mark: Nested, node: Node) -> Found[Any]:
    """Return what a field's item is, or its list of items; UNKNOWN after a fault."""
    if isinstance(node, Scalar) and node.value is None:
        return None, ()
    if not mark.many:
        return _item(mark, node)
    if not isinstance(node, List):
        label = (
            f"it wants a list of items, each {article(mark.what)} {mark.what}, not {shown(node)}"
        )
        return UNKNOWN, (Diagnostic("NB106", "a value that is no list", node.span, label),)
    if not node.items:
        label = f"it wants at least one {mark.what}"
        return UNKNOWN, (Diagnostic("NB106", "an empty list", node.span, label),)
    items, faults = collect(_item(mark, child) for child in node.items)
    return UNKNOWN if any(item is UNKNOWN for item in items) else items, faults


def _item(mark: Nested, node: Node) -> Found[Any]:
    if holds_unknown(node):
        return UNKNOWN, ()
    filled, faults = read_component(node, mark.what, mark.known)
    return UNKNOWN if filled is None else filled, faults


def _unknown_field(
    component: type[BaseModel], owner: str, key: Scalar, given: Collection[str]
) -> Diagnostic:
    fields = list(component.model_fields)
    help_, fixes = did_you_mean(key.text, [f for f in fields if f not in given], key.span)
    if help_ is None:
        help_ = f"its fields are {', '.join(fields)}" if fields else "it takes none"
    title = f"{owner} has no field {key.text[:40]}"
    return Diagnostic("NB104", title, key.span, "unknown", help=help_, fixes=fixes)


def _fault(
    details: Any, component: type[BaseModel], known: Mapping[str, Node], owner: str, at: Span
) -> Diagnostic:
    """Turn one error of pydantic into a fault at the value, or at the owner."""
    field = str(details["loc"][0])
    if details["type"] == "missing":
        title = f"{owner} needs {field}"
        how = _how_to_write(component, owner, field, known)
        notes = (Note(field, field_notes(component)[field]),)
        return Diagnostic("NB105", title, at, "missing", notes, help=how)
    node = known.get(field)
    if node is None:  # a default that does not go with another field
        label = f"{field} wants {details['msg']}, not its default"
        return Diagnostic("NB106", f"a value that {owner} does not take", at, label)
    wanted = details["msg"]
    if (
        isinstance(node, Scalar)
        and type(node.value) is int
        and node.value > LARGEST
        and "number" in wanted
    ):
        wanted = f"a number of at most {LARGEST}"
    label = f"{field} wants {wanted}, not {shown(node)}"
    help_, fixes = _reading(node, details["msg"])
    title = f"a value that {owner}.{field} does not take"
    return Diagnostic("NB106", title, node.span, label, help=help_, fixes=fixes)


def _how_to_write(
    component: type[BaseModel], owner: str, field: str, written: Iterable[str]
) -> str:
    fields = ", ".join(f"{name}: …" for name in [*written, field])
    bare = f"{owner}: …, or " if bare_field(component) == field and fields.count(":") == 1 else ""
    return f"write {bare}{owner}: {{{fields}}}"


_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def _reading(node: Node, wanted: str) -> tuple[str | None, tuple[Fix, ...]]:
    """Return help for a value that reads like what was wanted, but is text to YAML 1.2."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return None, ()
    written = node.value.lower()
    if written.startswith("(") and "list" in wanted:
        return "YAML has no tuples: a list is written [3, 3]", ()
    if "true or false" in wanted and written in _BOOLEANS:
        word = _BOOLEANS[written]
        fix = Fix(f"write {word}", (Edit(node.span, word),), safe=True)
        return f"{node.text} is text in YAML 1.2: write {word}", (fix,)
    if "number" in wanted and written.replace("_", "").replace(".", "", 1).isdigit():
        number = node.value.replace("_", "")
        fix = Fix(f"write {number}", (Edit(node.span, number),), safe=True)
        return f"this is text: write {number}, without quotes and underscores", (fix,)
    return None, ()
