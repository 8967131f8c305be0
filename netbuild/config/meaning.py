"""What an author meant by arguments that a component does not have: other names, or no names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix
from netbuild.diagnostics.wording import brief, did_you_mean, suggest
from netbuild.syntax.edits import replaced
from netbuild.syntax.node import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from netbuild.syntax.item import Item
    from netbuild.syntax.node import Entry, List, Node


def renamed(
    component: type[BaseModel], strange: Sequence[Entry], values: Mapping[str, Any]
) -> dict[str, str]:
    """Return the fields that unknown names stand for, by these names.

    A name stands for a field that is absent: one with a similar name, one that other libraries call
    so, or the only field that is missing if it takes the value.
    """
    from netbuild.syntax.calls import takes
    from netbuild.syntax.other_names import field_for

    fields = component.model_fields
    absent = [name for name in fields if name not in values]
    found: dict[str, str] = {}
    for key, node in strange:
        left = tuple(name for name in absent if name not in found.values())
        near = field_for(key.text, left)
        if near is None or not takes(component, values, near, plain(node)):
            near = suggest(key.text, left)
        if near is not None:
            found[key.text] = near
    lost = [name for name in absent if fields[name].is_required() and name not in found.values()]
    rest = [entry for entry in strange if entry.key.text not in found]
    if len(lost) == len(rest) == 1 and takes(component, values, lost[0], plain(rest[0].value)):
        found[rest[0].key.text] = lost[0]
    return found


def unknown_field(
    component: type[BaseModel],
    owner: str,
    entry: Entry,
    meant: Mapping[str, str],
) -> Diagnostic:
    """Return the fault of a name that is no field; `meant` holds the fields that are meant."""
    from netbuild.syntax.other_names import FIELD_HELP

    key, fields = entry.key, list(component.model_fields)
    near = meant.get(key.text)
    help_: str | None = None
    fixes: tuple[Fix, ...] = ()
    if near is not None:
        help_, fixes = did_you_mean(key.text, fields, key.span, near)
    elif key.text in FIELD_HELP:
        help_ = _help_of(key.text, entry.value)
    elif (near := suggest(key.text, tuple(fields))) is not None:
        a_setting = key.span.document.name == "--set"
        help_ = f"did you mean {near}?" if a_setting else f"{near} is there already"
    else:
        help_ = f"the fields are {', '.join(fields)}" if fields else f"{owner} has no fields"
    title = f"{owner} has no field {key.text[:40]}"
    return Diagnostic("NB104", title, key.span, "unknown field", help=help_, fixes=fixes)


def _help_of(field: str, value: Node) -> str:
    """Return what to write for a field of another library; for an activation, its own layer."""
    from netbuild.components.layers import LAYERS
    from netbuild.syntax.other_names import FIELD_HELP

    help_ = FIELD_HELP[field]
    text = plain(value)
    near = suggest(text, tuple(LAYERS)) if isinstance(text, str) else None
    return help_.replace("ReLU", near) if field == "activation" and near else help_


def no_bare_value(component: type[BaseModel], item: Item, value: Node) -> Diagnostic:
    """Return the fault of a bare value for a component that takes none: `BatchNorm2d: 64`."""
    name, fields = item.type.text, list(component.model_fields)
    label = f"{fields[0]} comes from the input" if fields else f"{name} has no fields"
    help_ = f"write {name}, or {name}: {{{fields[1]}: …}}" if fields else f"write {name}"
    title = f"{name} takes no bare value"
    type_span = item.type.span
    fixes: tuple[Fix, ...] = ()
    edit = replaced(value, "")
    if edit is not None and value.span.document is type_span.document and not item.modifiers:
        end = value.span
        span = type_span._replace(end_line=end.end_line, end_column=end.end_column)
        fixes = (Fix(f"write {name}", (Edit(span, name),)),)
    return Diagnostic("NB104", title, value.span, label, help=help_, fixes=fixes)


def arguments_in_order(component: type[BaseModel], item: Item, value: List) -> Diagnostic | None:
    """Return the fault of arguments without names, such as `Conv2d: [3, 6, 5]`; None for others."""
    from netbuild.syntax.calls import by_name, left_out, written

    values = plain(value)
    kept = by_name(component, values, {})
    if not kept:
        return None
    name, text = item.type.text, written(component, kept)
    edit = replaced(value, text)
    fixes = (Fix(f"write {brief(f'{name}: {text}', 60)}", (edit,)),) if edit else ()
    label = f"a list does not stand for {', '.join(kept)}"
    if len(kept) == 1:
        label = f"{next(iter(kept))} wants one value, and not a list"
    help_ = f"write {name}: {text}{left_out(component, values, kept)}"
    title = f"arguments of {name} without their names"
    return Diagnostic("NB106", title, value.span, label, help=help_, fixes=fixes)
