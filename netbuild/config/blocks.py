"""Blocks: stacks with parameters, defined once under `blocks:` and used like layers.

A block is a function. Its expressions know its parameters, the file's variables and its own input,
and nothing else of the file. A parameter may have any value, also an item: `norm: {GroupNorm: 8}`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.layers import LAYERS
from netbuild.diagnostics.diagnostic import Diagnostic, collect
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.syntax.expression import RESERVED, layered
from netbuild.syntax.item import REUSE, Item, Stack, kind, read_stack
from netbuild.syntax.node import Entry, List, Map, Node, Scalar, is_null, value_of
from netbuild.syntax.substitution import substitute

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netbuild.diagnostics.diagnostic import Faults, Found

#: The fields of a block.
_FIELDS = ("params", "layers", "outputs")
_TYPE = r"[A-Z][A-Za-z0-9_]{0,99}"


class Foreign(NamedTuple):
    """The file whose layers are a block: its sections, and the blocks that only it knows."""

    root: Map
    blocks: Mapping[str, Definition | None]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of its inputs; none if it does not say them."""
        several = self.root.get("inputs")
        if isinstance(several, Map):
            return tuple(several.entries)
        return () if self.root.get("input") is None else ("input",)


class Definition(NamedTuple):
    """The definition of a block. A parameter with the default None is required."""

    name: str
    params: Mapping[str, Node | None]
    stack: Stack
    #: The file that holds the layers; None for a block with its own layers.
    file: Foreign | None = None

    def bind(
        self, item: Item, names: Mapping[str, Any], inner_names: Mapping[str, Any]
    ) -> Found[dict[str, Any] | None]:
        """Return the values of the parameters for an item; None after a fault.

        An argument is evaluated with `names`, the names around the item. A default is evaluated
        with `inner_names`, which are the file's variables and the block's input, and with the
        parameters above it.
        """
        arguments, faults = self._arguments(item)
        values: dict[str, Any] = {}
        for name, default in self.params.items():
            if name in arguments:
                node, wrong = substitute(arguments[name].value, names)
            elif default is not None:
                node, wrong = substitute(default, layered(values, inner_names))
            else:
                faults = faults or (self._missing(name, item),)
                continue
            values[name] = value_of(node)
            faults += wrong
        return None if faults else values, faults

    def _missing(self, param: str, item: Item) -> Diagnostic:
        title = f"{self.name} needs {param}"
        help_ = f"write {self.name}: {{{param}: …}}"
        return Diagnostic("NB105", title, item.type.span, f"{param} is missing", help=help_)

    def _arguments(self, item: Item) -> Found[dict[str, Entry]]:
        """Return the arguments of an item by name; a bare value is for the first parameter."""
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
                label = "unknown parameter"
                fault = Diagnostic("NB104", title, key.span, label, help=help_, fixes=fixes)
                faults.append(fault)
        return item.arguments.entries, tuple(faults)


def read_blocks(
    node: Node | None, of_file: Callable[[Scalar, Entry], Found[Definition | None]]
) -> Found[dict[str, Definition | None]]:
    """Read the section `blocks:`; a definition with a fault is None.

    `of_file` reads a definition that names a file.
    """
    if node is None or is_null(node):
        return {}, ()
    if not isinstance(node, Map):
        label = f"blocks wants a mapping from types to definitions, not {kind(node)}"
        help_ = "write blocks: {Name: {params: …, layers: …}}"
        return {}, (Diagnostic("NB106", "blocks is not a mapping", node.span, label, help=help_),)
    definitions, faults = collect(_definition(entry, of_file) for entry in node.entries.values())
    return dict(zip(node.entries, definitions, strict=True)), faults


def _definition(
    entry: Entry, of_file: Callable[[Scalar, Entry], Found[Definition | None]]
) -> Found[Definition | None]:
    name, body = entry.key.text, entry.value
    unfit = _unfit_name(name)
    if unfit:
        title = "a name that a block cannot have"
        return None, (Diagnostic("NB109", title, entry.key.span, unfit),)
    if isinstance(body, Map) and "file" in body.entries:
        faults = tuple(
            [_beside_a_file(key) for key, _ in body.entries.values() if key.text != "file"]
        )
        definition, wrong = of_file(entry.key, body.entries["file"])
        return definition, (*faults, *wrong)
    if not isinstance(body, Map) or "layers" not in body.entries:
        label = f"a block is a mapping with layers, not {kind(body)}"
        if isinstance(body, Map):
            label = "a block needs layers"
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
    """Return why a block cannot have a name; an empty text for a valid name."""
    if not re.fullmatch(_TYPE, name):
        return f"{brief(name)} is not a type: letters, digits and _, beginning with a capital"
    return f"netbuild already has a type {name}" if name in LAYERS or name == REUSE else ""


def _beside_a_file(key: Scalar) -> Diagnostic:
    """Return the fault of a key next to `file`."""
    title = "a key next to the file of a block"
    label = f"{brief(key.text)} stands in the file itself"
    if key.text == "params":
        label = "the parameters are the vars of the file"
    help_ = "keep file alone, or write the layers here without it"
    return Diagnostic("NB107", title, key.span, label, help=help_)


def _unknown_fields(body: Map) -> Faults:
    faults = []
    for field, (key, _) in body.entries.items():
        if field not in _FIELDS:
            near, fixes = did_you_mean(field, _FIELDS, key.span)
            help_ = near or f"the fields of a block are {', '.join(_FIELDS)}"
            title, label = f"a block has no field {brief(field)}", "unknown field"
            faults.append(Diagnostic("NB104", title, key.span, label, help=help_, fixes=fixes))
    return tuple(faults)


def _params(node: Node | None) -> Found[dict[str, Node | None] | None]:
    """Read `{channels, stride: 1}` or `[channels, stride]`.

    A parameter without a value is required; its default is None.
    """
    if node is None or is_null(node):
        return {}, ()
    params: dict[str, Node | None] = {}
    for name, default in _named(node):
        if not isinstance(name, Scalar) or not name.text.isidentifier():
            label = f"params wants names, with or without values, not {kind(node)}"
            if isinstance(name, Scalar):
                label = f"{brief(name.text)} is not a name: letters, digits and _"
        elif name.text in RESERVED:
            label = f"{name.text} has another meaning in an expression"
        elif name.text in params:
            label = f"two parameters are called {name.text}"
        else:
            params[name.text] = default
            continue
        title = "a name that a parameter cannot have"
        return None, (Diagnostic("NB109", title, name.span, label),)
    return params, ()


def _named(node: Node) -> list[tuple[Node, Node | None]]:
    """Return names with their values; an empty value is None."""
    if isinstance(node, Map):
        pairs = [(key, value) for key, value in node.entries.values()]
        return [(key, None if is_null(value) else value) for key, value in pairs]
    names = node.items if isinstance(node, List) else (List((), node.span),)
    return [(name, None) for name in names]
