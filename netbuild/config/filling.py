"""Fill a component from an item: validate its arguments, with a fault for each wrong value."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from netbuild.components.component import LARGEST, C, Nested, bare_field, field_notes
from netbuild.diagnostics.diagnostic import MAX_FAULTS, Diagnostic, Note, collect, with_fixes
from netbuild.diagnostics.wording import article, brief, did_you_mean
from netbuild.syntax.item import Item, read_item, shown
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
from netbuild.syntax.overlay import with_step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from netbuild.config.reading import Reader
    from netbuild.diagnostics.diagnostic import Faults, Found, Span
    from netbuild.syntax.expression import Names

#: No names: the expressions around these values are unknown.
NO_NAMES: Names = MappingProxyType({})


def find(item: Item, known: Mapping[str, type[C]], what: str) -> Found[type[C] | None]:
    """Return the component with the name of an item's type; None with a fault if it is unknown."""
    component = known.get(item.type.text)
    if component is None:
        from netbuild.syntax.unknown_type import unknown_type

        return None, (unknown_type(item.type, what, known, item.arguments),)
    return component, ()


def read_component(
    node: Node, what: str, known: Mapping[str, type[C]], names: Names = NO_NAMES
) -> Found[C | None]:
    """Read an item that takes no modifiers; None after a fault."""
    item = read_item(node, what, known)
    if isinstance(item, Diagnostic):
        return None, (item,)
    component, faults = find(item, known, what)
    if component is None:
        return None, faults
    filled, wrong = fill(component, item, names)
    return filled, (*check_modifiers(item, component, what), *wrong)


def check_modifiers(
    item: Item,
    component: type[BaseModel],
    what: str,
    *,
    allowed: Collection[str] = (),
    elsewhere: Mapping[str, str] | None = None,
) -> Faults:
    """Return a fault for each modifier of an item that is not allowed.

    `elsewhere` holds the help for names that are allowed in another place.
    """
    faults = []
    for name, (key, _) in item.modifiers.items():
        if name in allowed:
            continue
        noun = f"{article(what)} {what}"
        help_ = f"{noun} has no modifiers"
        if allowed:
            are = "modifiers of {} are" if len(allowed) > 1 else "only modifier of {} is"
            help_ = f"the {are.format(noun)} {', '.join(allowed)}"
        help_ = (elsewhere or {}).get(name, help_)
        if name in component.model_fields:
            setting = with_step(key.span, item.type.text)
            help_ = f"{name} is a field: write {setting or f'{item.type.text}: {{{name}: …}}'}"
        title = f"{noun} has no modifier {brief(name)}"
        faults.append(Diagnostic("NB104", title, key.span, "unknown modifier", help=help_))
    return tuple(faults)


def fill(component: type[C], item: Item, names: Names = NO_NAMES) -> Found[C | None]:
    """Validate an item's arguments as the component's fields; None after a fault.

    `names` are the names that an expression in the arguments can use.
    """
    name, arguments = item.type.text, item.arguments
    if arguments is None:
        return fill_fields(component, {}, name, item.type.span, names)
    if isinstance(arguments, Map):
        return fill_fields(component, arguments.entries, name, item.type.span, names)
    if holds_unknown(arguments):
        return None, ()
    field = bare_field(component)
    if field is None:
        from netbuild.config.meaning import no_bare_value  # a file without faults does not need it

        return None, (no_bare_value(component, item, arguments),)
    key = Scalar(field, arguments.span, field)
    entries = {field: Entry(key, arguments)}
    filled, faults = fill_fields(component, entries, name, item.type.span, names)
    if filled is None and isinstance(arguments, List):
        from netbuild.config.meaning import arguments_in_order

        nameless = arguments_in_order(component, item, arguments)
        faults = (nameless,) if nameless else faults
    return filled, faults


def fill_fields(
    component: type[C],
    entries: Mapping[str, Entry],
    owner: str,
    at: Span,
    names: Names = NO_NAMES,
) -> Found[C | None]:
    """Validate entries as the fields of a component; `owner` is its name in messages.

    The result is None after a fault. It is also None if a value is UNKNOWN; that value already has
    a fault. `names` are the names that an expression in the values can use.
    """
    nodes = {name: e.value for name, e in entries.items() if name in component.model_fields}
    strange = [e for name, e in entries.items() if name not in nodes][:MAX_FAULTS]
    unknown_fields = {name for name, value in nodes.items() if holds_unknown(value)}
    faults: Faults = ()
    values: dict[str, Any] = {}
    for name, node in nodes.items():
        mark = _nested(component, name)
        values[name], wrong = _items(mark, node, names) if mark else (plain(node), ())
        faults += wrong
        if mark and values[name] is UNKNOWN:
            unknown_fields.add(name)
    meant, unknown = _strangers(component, owner, strange, values)
    faults = (*unknown, *faults)
    # A misspelt field does not get a second fault as a missing field.
    misspelt = set(meant.values())
    try:
        filled = component.model_validate(values)
    except ValidationError as error:
        from netbuild.config.reading import Reader

        reader = Reader(component, values, names)
        faults += tuple(
            _fault(details, reader, nodes, owner, at)
            for details in error.errors(include_url=False)
            if details["loc"][0] not in unknown_fields
            and not (details["type"] == "missing" and details["loc"][0] in misspelt)
        )
        return None, faults
    return None if unknown_fields or strange else filled, faults


def _strangers(
    component: type[BaseModel], owner: str, strange: Sequence[Entry], values: Mapping[str, Any]
) -> Found[Mapping[str, str]]:
    """Return the fields that unknown names stand for, and the faults of all unknown names."""
    if not strange:
        return {}, ()
    from netbuild.config.meaning import renamed, unknown_field

    meant = renamed(component, strange, values)
    return meant, tuple(unknown_field(component, owner, entry, meant) for entry in strange)


def _nested(component: type[BaseModel], field: str) -> Nested | None:
    """Return the annotation of a field that holds items; None for any other field."""
    marks = component.model_fields[field].metadata
    return next((mark for mark in marks if isinstance(mark, Nested)), None)


def _items(mark: Nested, node: Node, names: Names) -> Found[Any]:
    """Return the component of a field's item, or a list of components; UNKNOWN after a fault."""
    if is_null(node):
        return None, ()
    if not mark.many:
        return _item(mark, node, names)
    if not isinstance(node, List):
        label = f"this field wants a list with at least one {mark.what}, not {shown(node)}"
        return UNKNOWN, (Diagnostic("NB106", "a value that is not a list", node.span, label),)
    if not node.items:
        label = f"this field wants at least one {mark.what}"
        return UNKNOWN, (Diagnostic("NB106", "an empty list", node.span, label),)
    items, faults = collect(_item(mark, child, names) for child in node.items)
    return UNKNOWN if any(item is UNKNOWN for item in items) else items, faults


def _item(mark: Nested, node: Node, names: Names) -> Found[Any]:
    if holds_unknown(node):
        return UNKNOWN, ()
    filled, faults = read_component(node, mark.what, mark.known, names)
    return UNKNOWN if filled is None else filled, faults


def _fault(
    details: Any, reader: Reader, nodes: Mapping[str, Node], owner: str, at: Span
) -> Diagnostic:
    """Turn an error of pydantic into a fault, at the value or at the owner of a missing field."""
    field, component = str(details["loc"][0]), reader.component
    if details["type"] == "missing":
        title = f"{owner} needs {field}"
        help_ = _how_to_write(component, owner, field, nodes)
        notes = (Note(field, field_notes(component)[field]),)
        return Diagnostic("NB105", title, at, f"{field} is missing", notes, help=help_)
    node = nodes.get(field)
    if node is None:  # a default that does not fit the value of another field
        label = f"{field} wants {details['msg']}, so its default does not fit"
        return Diagnostic("NB106", f"a value that {owner} does not take", at, label)
    if details["type"] == "inside":
        return _inside(node, **details["ctx"])
    phrase = details["msg"]
    if (
        isinstance(node, Scalar)
        and type(node.value) is int
        and node.value > LARGEST
        and "number" in phrase
    ):
        phrase = f"a number of at most {LARGEST}"
    label = f"{field} wants {phrase}, not {shown(node)}"
    from netbuild.config.nearest import advice, nearest_numbers

    hint, fixes = reader.advice(field, node)
    fixes += nearest_numbers(node, field, details["msg"])
    title = f"a value that {owner}.{field} does not take"
    fault = Diagnostic("NB106", title, node.span, label, help=hint, fixes=fixes)
    if hint:
        return fault
    hint = advice(component, node, field, is_fixed=bool(fixes))
    return with_fixes(fault._replace(help=hint), fixes)


def _inside(
    node: Node, at: Sequence[str], phrase: str = "", fields: Sequence[str] = ()
) -> Diagnostic:
    """Return the fault of a value or of a name inside a mapping; `at` leads to it."""
    span, name = node.span, at[-1]
    for step in at:
        if isinstance(node, Map) and step in node.entries:
            entry = node.entries[step]
            node, span = entry.value, entry.key.span if fields else entry.value.span
    if not fields:
        label = f"{name} wants {phrase}, not {shown(node)}"
        return Diagnostic("NB106", f"a value that {name} does not take", span, label)
    help_, fixes = did_you_mean(name, fields, span)
    help_ = help_ or f"the fields are {', '.join(fields)}"
    title = f"{at[-2]} has no field {brief(name)}"
    return Diagnostic("NB104", title, span, "unknown field", help=help_, fixes=fixes)


def _how_to_write(
    component: type[BaseModel], owner: str, field: str, present: Iterable[str]
) -> str:
    fields = ", ".join(f"{name}: …" for name in [*present, field])
    bare = f"{owner}: …, or " if bare_field(component) == field and fields.count(":") == 1 else ""
    return f"write {bare}{owner}: {{{fields}}}"
