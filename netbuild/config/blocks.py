"""Blocks: stacks with parameters, defined once under `blocks:` and used like layers.

A block is a function. It sees its parameters, the file's variables and its own input, and nothing
else of the file. A parameter may be any value, an item too: `norm: {GroupNorm: 8}`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.layers import LAYERS
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.syntax.expression import RESERVED, substitute, value_of
from netbuild.syntax.item import REUSE, Item, Stack, kind, read_stack
from netbuild.syntax.node import Entry, List, Map, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What a block may hold.
_FIELDS = ("params", "layers", "outputs")
_TYPE = r"[A-Z][A-Za-z0-9_]{0,99}"


class Definition(NamedTuple):
    """A block as it is defined; a parameter whose default is None has to be given."""

    name: str
    params: Mapping[str, Node | None]
    stack: Stack

    def bind(
        self,
        item: Item,
        names: Mapping[str, Any],
        known: Mapping[str, Any],
        faults: list[Diagnostic],
    ) -> dict[str, Any] | None:
        """Return the values of the parameters for an item; None after a fault.

        What is given is evaluated with `names`, those around the item; a default with `known`, the
        variables of the file and the block's input, and the parameters above it.
        """
        before = len(faults)
        given = self._given(item, faults)
        values: dict[str, Any] = {}
        for name, default in self.params.items():
            if name in given:
                values[name] = value_of(substitute(given[name].value, names, faults))
            elif default is not None:
                values[name] = value_of(substitute(default, {**known, **values}, faults))
            elif len(faults) == before:
                title = f"{self.name} needs {name}"
                help_ = f"write {self.name}: {{{name}: …}}"
                faults.append(Diagnostic("NB105", title, item.type.span, "missing", help=help_))
        return None if len(faults) > before else values

    def _given(self, item: Item, faults: list[Diagnostic]) -> dict[str, Entry]:
        """Return what an item gives, by the parameters' names; a bare value is the first one."""
        if item.arguments is None:
            return {}
        if not isinstance(item.arguments, Map) and self.params:
            first = next(iter(self.params))
            return {first: Entry(Scalar(first, item.arguments.span, first), item.arguments)}
        if not isinstance(item.arguments, Map):
            title = f"{self.name} takes no bare value"
            label = f"{self.name} has no parameters"
            faults.append(Diagnostic("NB104", title, item.arguments.span, label))
            return {}
        for name, (key, _) in item.arguments.entries.items():
            if name not in self.params:
                help_, fixes = did_you_mean(name, self.params, key.span)
                help_ = help_ or f"its parameters are {', '.join(self.params) or 'none'}"
                title = f"{self.name} has no parameter {brief(name)}"
                fault = Diagnostic("NB104", title, key.span, "unknown", help=help_, fixes=fixes)
                faults.append(fault)
        return item.arguments.entries


def read_blocks(node: Node, faults: list[Diagnostic]) -> dict[str, Definition | None]:
    """Read the section `blocks:`; a definition with a fault is None."""
    if not isinstance(node, Map):
        label = f"blocks wants types with their definitions, not {kind(node)}"
        help_ = "write blocks: {Name: {params: …, layers: …}}"
        faults.append(Diagnostic("NB106", "blocks is no mapping", node.span, label, help=help_))
        return {}
    return {name: _definition(entry, faults) for name, entry in node.entries.items()}


def _definition(entry: Entry, faults: list[Diagnostic]) -> Definition | None:
    name, span = entry.key.text, entry.key.span
    label = ""
    if not re.fullmatch(_TYPE, name):
        label = f"{brief(name)} is no type: a type is Capitalised, of letters, digits and _"
    elif name in LAYERS or name == REUSE:
        label = f"{name} is a layer already"
    if label:
        faults.append(Diagnostic("NB109", "a name that a block cannot have", span, label))
        return None
    body = entry.value
    if not isinstance(body, Map) or "layers" not in body.entries:
        other = "it has none" if isinstance(body, Map) else f"not {kind(body)}"
        label = f"a block is a mapping with its layers, {other}"
        help_ = f"write {name}: {{params: {{channels, stride: 1}}, layers: […]}}"
        faults.append(Diagnostic("NB108", "a block without layers", span, label, help=help_))
        return None
    for field, (key, _) in body.entries.items():
        if field not in _FIELDS:
            near, fixes = did_you_mean(field, _FIELDS, key.span)
            help_ = near or f"a block has {', '.join(_FIELDS)}"
            title = f"a block has no {brief(field)}"
            faults.append(Diagnostic("NB104", title, key.span, "unknown", help=help_, fixes=fixes))
    stack = read_stack(Map({k: e for k, e in body.entries.items() if k != "params"}, body.span))
    params = _params(body.get("params"), faults)
    if isinstance(stack, Diagnostic):
        faults.append(stack)
        return None
    return None if params is None else Definition(name, params, stack)


def _params(node: Node | None, faults: list[Diagnostic]) -> dict[str, Node | None] | None:
    """Read `{channels, stride: 1}` or `[channels, stride]`: one without a value is required."""
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return {}
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
        faults.append(Diagnostic("NB109", title, name.span, label))
        return None
    return found


def _named(node: Node) -> list[tuple[Node, Node | None]]:
    """Return names with their values, a value of nothing as None."""
    if isinstance(node, Map):
        pairs = [(key, value) for key, value in node.entries.values()]
        return [(k, None if isinstance(v, Scalar) and v.value is None else v) for k, v in pairs]
    names = node.items if isinstance(node, List) else (List((), node.span),)
    return [(name, None) for name in names]
