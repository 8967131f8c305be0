"""Keys at the top of a file that are no sections: misspelt ones, and fields of a section."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from netbuild.config.preparation import Preparation
from netbuild.config.train import Train
from netbuild.diagnostics.diagnostic import MAX_FAULTS, Diagnostic, Edit, Fix
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.syntax import other_names
from netbuild.syntax.edits import Edits, set_entries, set_fields
from netbuild.syntax.item import Item, read_item
from netbuild.syntax.node import Entry, List, Map, Node, Scalar, is_null

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netbuild.diagnostics.diagnostic import Faults

#: Fields of optimizers that people write at the top of a file.
_OF_OPTIMIZERS = ("lr", "momentum", "weight_decay", "betas", "eps", "nesterov")


def unknown_sections(root: Map, sections: Sequence[str]) -> Faults:
    """Return a fault for each key of the file that is not a section."""
    begun: set[str] = set()
    unknown = [entry for name, entry in root.entries.items() if name not in sections]
    return tuple([_fault(root, entry, sections, begun) for entry in unknown[:MAX_FAULTS]])


def _fault(root: Map, entry: Entry, sections: Sequence[str], begun: set[str]) -> Diagnostic:
    """Return the fault of a key; `begun` are the sections into which another fix moves a field."""
    key = entry.key
    title, label = f"no section is called {brief(key.text)}", "unknown section"
    home = home_of(key.text)
    fixes: tuple[Fix, ...] = ()
    if home is None:
        meant = other_names.SECTIONS.get(key.text.lower())
        if meant == "extends" and not isinstance(entry.value, Scalar):
            meant = None
        left = [name for name in sections if name not in root.entries]
        help_, fixes = did_you_mean(key.text, left, key.span, meant if meant in left else None)
        help_ = help_ or f"the sections are {', '.join(sections)}"
        return Diagnostic("NB101", title, key.span, label, help=help_, fixes=fixes)
    section, field = home
    value = entry.value.text if isinstance(entry.value, Scalar) else "…"
    help_ = f"{field} is a field of {section}: write {section}: {_example(root, home, value)}"
    edits = _moved(root, entry, section, field) if section not in begun else ()
    if edits:
        begun.add(section)
        fixes = (Fix(f"move {field} into {section}", edits),)
    return Diagnostic("NB101", title, key.span, label, help=help_, fixes=fixes)


def home_of(name: str) -> tuple[str, str] | None:
    """Return the section and the field that a name at the top of a file stands for, or None."""
    for section, fields in (
        ("train", tuple(Train.model_fields)),
        ("optimizer", _OF_OPTIMIZERS),
        ("data", tuple(Preparation.model_fields)),
    ):
        field = name.lower() if name.lower() in fields else other_names.field_for(name, fields)
        if field is not None:
            return section, field
    return None


def full_paths(root: Map, setting: str) -> list[str]:
    """Return settings with the full path for a setting of one name, such as `lr=0.1`."""
    name, equals, value = setting.partition("=")
    if not equals or not name.isidentifier():
        return []
    found = list(islice(_paths(root, name, ""), 3))
    home = home_of(name)
    if home is not None and not found:
        section, field = home
        item = _item(root, section) if section != "train" else None
        inside = f".{item.type.text}" if item and section == "optimizer" else ""
        if section == "train" or item is not None:
            found = [f"{section}{inside}.{field}"]
    return [f"{path}={value}" for path in found]


def _paths(node: Node, name: str, path: str) -> Iterator[str]:
    """Yield the paths in a tree that end with a name."""
    if isinstance(node, Map):
        for key, entry in node.entries.items():
            if key == name and path:
                yield f"{path}{key}"
            yield from _paths(entry.value, name, f"{path}{key}.")
    elif isinstance(node, List):
        for number, part in enumerate(node.items):
            called = part.get("name") if isinstance(part, Map) else None
            step = called.text if isinstance(called, Scalar) else str(number)
            yield from _paths(part, name, f"{path}{step}.")


def _example(root: Map, home: tuple[str, str], value: str) -> str:
    section, field = home
    if section == "train":
        return f"{{{field}: {value}}}"
    item = _item(root, section)
    if section == "data":
        return f"{{{f'{item.type.text}: …' if item else 'Digits'}, {field}: {value}}}"
    return f"{{{item.type.text if item else 'Adam'}: {{{field}: {value}}}}}"


def _item(root: Map, section: str) -> Item | None:
    node = root.get(section)
    item = None if node is None or is_null(node) else read_item(node, section)
    return item if isinstance(item, Item) else None


def _moved(root: Map, entry: Entry, section: str, field: str) -> tuple[Edit, ...]:
    """Return the edits that move a field into its section; none if the file has other lines."""
    key, value = entry
    span = key.span
    lines = span.document.lines
    if not isinstance(value, Scalar) or value.span.line != span.line or span.column != 1:
        return ()
    if value.span.document is not span.document or value.span.end_line != span.line:
        return ()
    text = lines[span.line - 1][value.span.column - 1 : value.span.end_column - 1]
    whole = span._replace(end_column=value.span.end_column)
    node = root.get(section)
    if node is None and section == "train":
        return (Edit(whole, f"train: {{{field}: {text}}}"),)
    if node is None or node.span.document is not span.document:
        return ()
    item = _item(root, section)
    added: Edits | None = None
    if section == "train" and isinstance(node, Map) and node.entries and field not in node.entries:
        added = set_entries(node, None, {field: text})
    elif section == "optimizer" and item is not None and not isinstance(item.arguments, Scalar):
        inside = item.arguments
        if not isinstance(inside, Map) or field not in inside.entries:
            added = set_fields(item, None, {field: text})
    if added is None or span.line == len(lines):
        return ()
    gone = Edit(span._replace(end_line=span.line + 1, end_column=1), "")
    return (gone, *added)
