"""The sections of a file: how to look one up, and the readers of the short sections."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from netbuild.components.component import Component
from netbuild.config.filling import fill_fields
from netbuild.diagnostics.diagnostic import MAX_FAULTS, Diagnostic, Document, Span
from netbuild.diagnostics.wording import brief
from netbuild.syntax.expression import RESERVED
from netbuild.syntax.item import Item, is_stack, kind, read_item
from netbuild.syntax.node import UNKNOWN, Map, Node, Scalar, is_null, is_unknown, value_of
from netbuild.syntax.substitution import substitute

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from netbuild.diagnostics.diagnostic import Faults, Found

C = TypeVar("C", bound=Component)
T = TypeVar("T")

#: The sections of a file, in a good order for a reader.
SECTIONS = (
    "extends",
    "name",
    "vars",
    "blocks",
    "input",
    "inputs",
    "layers",
    "outputs",
    "init",
    "pretrained",
    "loss",
    "metrics",
    "optimizer",
    "scheduler",
    "data",
    "train",
    "budget",
)
#: The sections of a file that holds only blocks. Other files extend it.
LIBRARY = ("extends", "name", "vars", "blocks")
#: Names that a folder has on every system. Windows cuts a dot at the end, and has devices:
#: https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
NAME = (
    r"(?!([Cc][Oo][Nn]|[Pp][Rr][Nn]|[Aa][Uu][Xx]|[Nn][Uu][Ll]|([Cc][Oo][Mm]|[Ll][Pp][Tt])[0-9])(\.|$))"
    r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?"
)


class Sections(NamedTuple):
    """The sections of a file, with the names for their expressions."""

    document: Document
    root: Map
    names: dict[str, Any]
    #: The item of each section, before expressions are evaluated. The type of a mapping such as
    #: `train` is the name of the section.
    items: dict[str, Item]

    def node(self, section: str) -> Found[Node | None]:
        """Return a section with its expressions evaluated; None if it is absent or empty."""
        node = self.root.get(section)
        return (None, ()) if node is None or is_null(node) else substitute(node, self.names)

    def read(self, section: str, reader: Callable[[Node], Found[T]], default: T) -> Found[T]:
        """Return the result of a reader for a section; `default` if the section is absent."""
        node, faults = self.node(section)
        if node is None or is_unknown(node):
            return default, faults
        self.items[section] = Item(*self.root.entries[section])
        value, wrong = reader(node)
        return value, (*faults, *wrong)

    def item(self, section: str, what: str, known: Collection[str]) -> Found[Item | None]:
        """Return a section with one item of the types `known`; `what` is its kind in messages."""
        node, faults = self.node(section)
        if node is None or is_unknown(node):
            return None, faults
        item = read_item(node, what, known)
        if isinstance(item, Diagnostic):
            return None, (*faults, item)
        original = read_item(self.root.entries[section].value, what, known)
        self.items[section] = original if isinstance(original, Item) else item
        return item, faults

    def fields(self, section: str, component: type[C], example: str) -> Found[C]:
        """Return a section with the fields of a component; the defaults after a fault."""

        def reader(node: Node) -> Found[C]:
            if not isinstance(node, Map):
                label = f"{section} wants names with values, not {kind(node)}"
                title, help_ = f"{section} is not a mapping", f"write {section}: {{{example}}}"
                return component(), (Diagnostic("NB106", title, node.span, label, help=help_),)
            filled, faults = fill_fields(component, node.entries, section, node.span, self.names)
            return filled or component(), faults

        return self.read(section, reader, component())

    def missing(self, section: str, example: str) -> Diagnostic:
        """Return the fault of a section that every network needs."""
        span = Span(self.document, 1, 1, 1, 2)
        title, help_ = f"the file has no {section}", f"write {example}"
        return Diagnostic("NB102", title, span, f"{section} is missing", help=help_)


def check_library(document: Document, root: Map) -> Faults:
    """Return the fault of a file that holds only blocks, which are no network; else none."""
    if not isinstance(root.get("blocks"), Map) or not set(root.entries) <= {*LIBRARY}:
        return ()
    title, label = "a file that holds only blocks", "blocks alone are no network"
    help_ = "name this file in another file, which has input and layers: extends: …"
    span = Span(document, 1, 1, 1, 2)
    return (Diagnostic("NB102", title, span, label, help=help_),)


def unknown_sections(root: Map) -> Faults:
    """Return a fault for each key of the file that is not a section."""
    if all(name in SECTIONS for name in root.entries):
        return ()
    from netbuild.config import misplaced

    return misplaced.unknown_sections(root, SECTIONS)


def read_variables(root: Map) -> Found[dict[str, Any]]:
    """Read the section `vars:`: names with values. A value may use the names above it."""
    node = root.get("vars")
    if node is None or is_null(node):
        return {}, ()
    if not isinstance(node, Map):
        label, help_ = f"vars wants names with values, not {kind(node)}", "write vars: {width: 64}"
        return {}, (Diagnostic("NB106", "vars is not a mapping", node.span, label, help=help_),)
    names: dict[str, Any] = {}
    faults: list[Diagnostic] = []
    for name, (key, child) in node.entries.items():
        unfit = _unfit_variable(name)
        if len(faults) > MAX_FAULTS:
            names[name] = UNKNOWN
        elif unfit:
            title = "a name that a variable cannot have"
            faults.append(Diagnostic("NB109", title, key.span, unfit))
        else:
            value, wrong = substitute(child, names)
            names[name] = value_of(value)
            faults += wrong
    return names, tuple(faults)


def _unfit_variable(name: str) -> str:
    """Return why a variable cannot have a name; an empty text for a valid name."""
    if not name.isidentifier():
        return f"{brief(name)} is not a name: letters, digits and _, not beginning with a digit"
    return f"{name} has another meaning in an expression" if name in RESERVED else ""


def read_name(sections: Sections) -> Found[str]:
    """Return the name for the folder of runs; the default is the file's own name."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(sections.document.name).stem).strip("-._")
    default = stem if re.fullmatch(NAME, stem) else "network"
    node, faults = sections.node("name")
    if node is None or is_unknown(node):
        return default, faults
    label = unfit_name("")
    if isinstance(node, Scalar):
        name = node.value if isinstance(node.value, str) else node.text
        if re.fullmatch(NAME, name):
            return name, faults
        label = unfit_name(name)
    title = "a name that a folder of runs cannot have"
    return default, (*faults, Diagnostic("NB106", title, node.span, label))


def unfit_name(name: str) -> str:
    """Return why a folder of runs cannot have a name that `NAME` does not match."""
    if len(name) > 100:
        return "a name has at most 100 characters, because a folder gets this name"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        return "a name has letters, digits, '.', '_' and '-', because a folder gets this name"
    if name.endswith("."):
        return "a name does not end with '.', because Windows leaves it out of a folder's name"
    return f"{name.partition('.')[0]} is a device on Windows, so no folder there has this name"


def read_layers(sections: Sections, *, needed: bool) -> Found[Node | None]:
    """Return the node of the network; None if it is missing or not a stack.

    Its expressions depend on the shapes of the layers' inputs. Tracing evaluates them.
    """
    node = sections.root.get("layers")
    if node is None or is_null(node):
        missing = sections.missing("layers", "layers: [Flatten, Linear: 10]")
        return None, (missing,) if needed else ()
    if is_stack(node):
        return node, ()
    label = f"layers wants a list or a mapping of layers, not {kind(node)}"
    help_ = "begin each layer with '- '"
    if isinstance(node, Map):
        label = "these layers need dashes or names"
        help_ += ", or give each its name: conv1: {Conv2d: …}"
    fault = Diagnostic("NB108", "layers is not a stack", node.span, label, help=help_)
    return None, () if is_unknown(node) else (fault,)
