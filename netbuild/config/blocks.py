"""Blocks: stacks with parameters, defined once under `blocks:` and used like layers.

A block is a function. It sees its parameters, the file's variables and its own input, and nothing
else of the file. A parameter may be any value, an item too: `norm: {GroupNorm: 8}`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.layers import LAYERS
from netbuild.diagnostics.diagnostic import Diagnostic, collect
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.syntax.expression import RESERVED
from netbuild.syntax.item import REUSE, Item, Stack, kind, read_stack
from netbuild.syntax.node import Entry, List, Map, Node, Scalar, value_of
from netbuild.syntax.substitution import substitute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.diagnostics.diagnostic import Faults, Found

#: What a block may hold.
_FIELDS = ("params", "layers", "outputs")
_TYPE = r"[A-Z][A-Za-z0-9_]{0,99}"


class Definition(NamedTuple):
    """A block as it is defined; a parameter whose default is None has to be given."""

    name: str
    params: Mapping[str, Node | None]
    stack: Stack

    def bind(
        self, item: Item, names: Mapping[str, Any], known: Mapping[str, Any]
    ) -> Found[dict[str, Any] | None]:
        """Return the values of the parameters for an item; None after a fault.

        What is given is evaluated with `names`, those around the item; a default with `known`, the
        variables of the file and the block's input, and the parameters above it.
        """
        given, faults = self._arguments(item)
        values: dict[str, Any] = {}
        for name, default in self.params.items():
            if name in given:
                node, wrong = substitute(given[name].value, names)
            elif default is not None:
                node, wrong = substitute(default, {**known, **values})
            else:
                faults = faults or (self._missing(name, item),)
                continue
            values[name] = value_of(node)
            faults += wrong
        return None if faults else values, faults

    def _missing(self, param: str, item: Item) -> Diagnostic:
        title = f"{self.name} needs {param}"
        help_ = f"write {self.name}: {{{param}: …}}"
        return Diagnostic("NB105", title, item.type.span, "missing", help=help_)

    def _arguments(self, item: Item) -> Found[dict[str, Entry]]:
        """Return the arguments of an item by their names; a bare value is the first parameter's."""
        if item.arguments is None:
            return {}, ()
        if not isinstance(item.arguments, Map) and self.params:
            first = next(iter(self.params))
            return {first: Entry(Scalar(first, item.arguments.span, first), item.arguments)}, ()
        if not isinstance(item.arguments, Map):
            title = f"{self.name} takes no bare value"
            label = f"{self.name} has no parameters"
            return {}, (Diagnostic("NB104", title, item.arguments.span, label),)
        faults = []
        for name, (key, _) in item.arguments.entries.items():
            if name not in self.params:
                help_, fixes = did_you_mean(name, self.params, key.span)
                help_ = help_ or f"its parameters are {', '.join(self.params) or 'none'}"
                title = f"{self.name} has no parameter {brief(name)}"
                fault = Diagnostic("NB104", title, key.span, "unknown", help=help_, fixes=fixes)
                faults.append(fault)
        return item.arguments.entries, tuple(faults)


def read_blocks(node: Node | None) -> Found[dict[str, Definition | None]]:
    """Read the section `blocks:`; a definition with a fault is None."""
    if node is None:
        return {}, ()
    if not isinstance(node, Map):
        label = f"blocks wants types with their definitions, not {kind(node)}"
        help_ = "write blocks: {Name: {params: …, layers: …}}"
        return {}, (Diagnostic("NB106", "blocks is no mapping", node.span, label, help=help_),)
    definitions, faults = collect(_definition(entry) for entry in node.entries.values())
    return dict(zip(node.entries, definitions, strict=True)), faults


def _definition(entry: Entry) -> Found[Definition | None]:
    name, body = entry.key.text, entry.value
    unfit = _unfit_name(name)
    if unfit:
        title = "a name that a block cannot have"
        return None, (Diagnostic("NB109", title, entry.key.span, unfit),)
    if not isinstance(body, Map) or "layers" not in body.entries:
        other = "it has none" if isinstance(body, Map) else f"not {kind(body)}"
        label = f"a block is a mapping with its layers, {other}"
        help_ = f"write {name}: {{params: {{channels, stride: 1}}, layers: […]}}"
        title = "a block without layers"
        return None, (Diagnostic("NB108", title, entry.key.span, label, help=help_),)
    faults = _unknown_fields(body)
    stack = read_stack(Map({k: e for k, e in body.entries.items() if k != "params"}, body.span))
    params, wrong = _params(body.get("params"))
    faults += wrong
    if isinstance(stack, Diagnostic):
        return None, (*faults, stack)
    return None if params is None else Definition(name, params, stack), faults


def _unfit_name(name: str) -> str:
    """Return why a block cannot have a name; an empty text where it can."""
    if not re.fullmatch(_TYPE, name):
        return f"{brief(name)} is no type: a type is Capitalised, of letters, digits and _"
    return f"{name} is a layer already" if name in LAYERS or name == REUSE else ""


def _unknown_fields(body: Map) -> Faults:
    faults = []
    for field, (key, _) in body.entries.items():
        if field not in _FIELDS:
            near, fixes = did_you_mean(field, _FIELDS, key.span)
            help_ = near or f"a block has {', '.join(_FIELDS)}"
            title = f"a block has no {brief(field)}"
            faults.append(Diagnostic("NB104", title, key.span, "unknown", help=help_, fixes=fixes))
    return tuple(faults)


def _params(node: Node | None) -> Found[dict[str, Node | None] | None]:
    """Read `{channels, stride: 1}` or `[channels, stride]`: one without a value is required."""
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return {}, ()
    found: dict[str, Node | None] = {}
    for name, default in _named(node):
        if not isinstance(name, Scalar) or not name.text.isidentifier():
            label = f"params wants names, with or without a value, not {kind(node)}"
            if isinstance(name, Scalar):
                label = f"{brief(name.text)} is no name: letters, digits and _"
        elif name.text in RESERVED:
            label = f"{name.text} means something else in an expression"
        elif name.text in found:
            label = f"two parameters are called {name.text}"
        else:
            found[name.text] = default
            continue
        title = "a name that a parameter cannot have"
        return None, (Diagnostic("NB109", title, name.span, label),)
    return found, ()


def _named(node: Node) -> list[tuple[Node, Node | None]]:
    """Return names with their values, a value of nothing as None."""
    if isinstance(node, Map):
        pairs = [(key, value) for key, value in node.entries.values()]
        return [(k, None if isinstance(v, Scalar) and v.value is None else v) for k, v in pairs]
    names = node.items if isinstance(node, List) else (List((), node.span),)
    return [(name, None) for name in names]
