"""From a config to its graph: expressions evaluated, layers validated, every shape inferred."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from netbuild import lint, objective
from netbuild.component import Component, bare_field, fill, fill_fields, find
from netbuild.diagnostic import MAX_FAULTS, ConfigError, Diagnostic, Note, brief, errors, suggest
from netbuild.expression import substitute
from netbuild.fields import OptionalCount, OptionalText
from netbuild.graph import Graph, Reach, Row
from netbuild.item import Child, Item, Stack, is_stack, name_fault, place, read_item, read_stack
from netbuild.layers import LAYERS
from netbuild.layers.layer import ShapeError, Tensor, times
from netbuild.source import UNKNOWN, Entry, Map, Node, Scalar

if TYPE_CHECKING:
    from netbuild.config import Config
    from netbuild.layers.layer import Layer

#: What an expression can name, with the values.
Names: TypeAlias = Mapping[str, Any]

#: More layers than this are refused, however short the file that asks for them.
MAX_LAYERS = 10_000


def trace(config: Config) -> Graph:
    """Infer the network of a config.

    Raises:
        ConfigError: the config has faults; `.diagnostics` holds all of them.
    """
    graph = infer(config)
    if errors(graph.diagnostics):
        raise ConfigError(graph.diagnostics)
    return graph


def trainable(config: Config) -> Graph:
    """Infer the network of a config that has all that training needs.

    Raises:
        ConfigError: the config has faults, lacks a section, or has no weights.
    """
    graph = trace(config)
    faults = [
        Diagnostic("NB102", f"training needs {called}", config.start, "missing", help=help_)
        for section, called, help_ in (
            ("loss", "a loss", "write loss: CrossEntropyLoss"),
            ("optimizer", "an optimizer", "write optimizer: Adam"),
            ("data", "data", "write data: Digits"),
        )
        if getattr(config, section) is None
    ]
    if not faults and graph.trainable == 0:
        label = "none of the layers has weights"
        span = config.span("layers")
        faults = [Diagnostic("NB402", "there is nothing to train", span, label)]
    if faults:
        raise ConfigError(faults)
    return graph


def infer(config: Config) -> Graph:
    """Infer the network of a config, collecting faults instead of raising."""
    tracer = _Tracer()
    output = None
    if config.layers is not None:
        signal = _Signal(config.input, f"the input (line {config.span('input').line})")
        if config.input is not None:
            ones = (1,) * (len(config.input.shape) - 1)
            signal = signal._replace(reach=Reach(ones, ones) if ones else None)
        output = tracer.trace(config.layers, config.names, signal)
    faults = [*config.diagnostics, *tracer.faults]
    if output is not None:
        faults += objective.faults(config, output)
    graph = Graph(config, tuple(tracer.rows), output, ())
    if not faults:
        faults = lint.warnings(graph)
    return graph._replace(diagnostics=_ordered(faults))


def _ordered(faults: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Order faults as a reader meets them, without those that a repeated item reports again."""
    documents = {id(fault.span.document): number for number, fault in enumerate(faults)}
    distinct = {(fault.code, fault.span, fault.message): fault for fault in faults}.values()
    in_order = sorted(
        distinct, key=lambda fault: (documents[id(fault.span.document)], fault.span[1:])
    )
    return tuple(in_order)[:MAX_FAULTS]


class _Signal(NamedTuple):
    """What one item passes to the next; the tensor is None behind a fault.

    `kept` says whether its memory must stay as it is for the backward pass.
    """

    tensor: Tensor | None
    origin: str
    reach: Reach | None = None
    kept: bool = False


class Modifiers(Component):
    """What may stand beside the type of a layer, or beside `layers:`."""

    name: OptionalText = None
    repeat: OptionalCount = None


_NO_MODIFIERS = Modifiers.model_construct()
_UNKNOWN = _Signal(None, "")


class _TooManyError(Exception):
    """The network has more layers than are worth looking at."""


class _Tracer:
    """Walks the layers in their order with the shape that reaches each."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.faults: list[Diagnostic] = []
        self.visited = 0

    def trace(self, layers: Node, names: Names, signal: _Signal) -> Tensor | None:
        """Trace a whole network; return what it gives, or None where that is not known."""
        stack = self.part(layers, names)
        if not isinstance(stack, Stack):
            return None
        for key, _ in stack.modifiers.values():
            title = f"the network as a whole has no {brief(key.text)}"
            self.faults.append(Diagnostic("NB104", title, key.span, "unknown"))
        try:
            return self.stack(stack, "", names, signal).tensor
        except _TooManyError:
            if self.visited > MAX_LAYERS:
                label = f"more than {MAX_LAYERS:,} layers"
                title = "the network has too many layers"
                self.faults.append(Diagnostic("NB209", title, layers.span, label))
            return None

    def stack(self, stack: Stack, path: str, names: Names, signal: _Signal) -> _Signal:
        """Trace the members of a stack one after the other."""
        taken: set[str] = set()
        position = 0
        for child in stack.children:
            here = {**names, **_input_names(signal.tensor)}
            part = self.part(child.node, here)
            if isinstance(part, Item):
                part = self.with_misplaced_arguments(part)
            modifiers = self.modifiers(part, here) if part else None
            if part is None or modifiers is None:
                if part is not None:  # its own faults are still found
                    self.member(part, f"{path}{position}", names, _UNKNOWN)
                signal, position = _UNKNOWN, position + 1
                continue
            name = self.name(child, modifiers, part, taken)
            for index in range(modifiers.repeat or 1):
                place = name or str(position)
                scope = names
                if modifiers.repeat is not None:
                    scope = {**names, "index": index}
                    place = f"{name}.{index}" if name else place
                signal = self.member(part, f"{path}{place}", scope, signal)
                position += name is None
            position += name is not None
        return signal

    def part(self, node: Node, names: Names) -> Item | Stack | None:
        """Read a node as the item or the stack that it is; None after a fault."""
        if len(self.faults) > MAX_FAULTS:
            raise _TooManyError
        if isinstance(node, Scalar):
            node = substitute(node, names, self.faults)
            if isinstance(node, Scalar) and node.value is UNKNOWN:
                return None
        if is_stack(node) and not _is_lower_case_layer(node):
            part: Item | Stack | Diagnostic = read_stack(node)
        else:
            part = read_item(node, "layer", LAYERS)
        if isinstance(part, Diagnostic):
            self.faults.append(part)
            return None
        return part

    def modifiers(self, part: Item | Stack, names: Names) -> Modifiers | None:
        """Validate what stands beside a type or beside `layers:`; None after a fault."""
        if not part.modifiers:
            return _NO_MODIFIERS
        entries = {
            name: Entry(key, substitute(value, names, self.faults))
            for name, (key, value) in part.modifiers.items()
        }
        at = part.type.span if isinstance(part, Item) else part.span
        return fill_fields(Modifiers, entries, "layer", at, self.faults)

    def with_misplaced_arguments(self, item: Item) -> Item:
        """Report arguments that stand beside their type, and go on as if they stood inside."""
        kind = item.type.text
        fields = getattr(LAYERS.get(kind), "model_fields", ())
        misplaced = {name: e for name, e in item.modifiers.items() if name in fields}
        if not misplaced:
            return item
        for name, (key, _) in misplaced.items():
            label = f"{name} is an argument of {kind}, and stands beside it"
            help_ = f"indent it below {kind}, or write {kind}: {{{name}: …}}"
            title = "an argument beside its item"
            self.faults.append(Diagnostic("NB107", title, key.span, label, help=help_))
        inside: dict[str, Entry] = {}
        if isinstance(item.arguments, Map):
            inside = item.arguments.entries
        elif item.arguments is not None and (field := bare_field(LAYERS[kind])):
            inside = {field: Entry(Scalar(field, item.arguments.span, field), item.arguments)}
        modifiers = {name: e for name, e in item.modifiers.items() if name not in misplaced}
        arguments = Map({**inside, **misplaced}, item.type.span)
        return item._replace(arguments=arguments, modifiers=modifiers)

    def name(
        self, child: Child, modifiers: Modifiers, part: Item | Stack, taken: set[str]
    ) -> str | None:
        """Return what a member is called in its stack; None for one that is named by its index."""
        name, span = child.name, child.span
        if modifiers.name is not None:
            span = part.modifiers["name"].value.span
            if name is not None:
                label = f"it is called {name} already, by its key"
                self.faults.append(Diagnostic("NB109", "a layer with two names", span, label))
                return name
            name = modifiers.name
        if name is None:
            return None
        fault = name_fault(name, span, taken, by_key=child.name is not None)
        if fault:
            self.faults.append(fault)
        taken.add(name)
        return name

    def member(self, part: Item | Stack, path: str, names: Names, signal: _Signal) -> _Signal:
        """Trace one member of a stack, once."""
        if isinstance(part, Stack):
            return self.stack(part, f"{path}.", names, signal)
        self.visited += 1
        if self.visited > MAX_LAYERS:
            raise _TooManyError
        before = len(self.faults)
        row = self.row(part, path, names, signal)
        self.faults[before:] = [fault._replace(layer=path) for fault in self.faults[before:]]
        if row is None:
            return _UNKNOWN
        self.rows.append(row)
        origin = f"{path} ({row.type}, line {row.span.line})"
        shared = signal.kept and row.layer.memory() != "new"
        kept = shared or "output" in row.layer.saved(row.x)
        return _Signal(row.output, origin, row.reach, kept)

    def row(self, item: Item, path: str, names: Names, signal: _Signal) -> Row | None:
        """Validate one layer against what reaches it; None where its output is not known."""
        x = signal.tensor
        component = find(item, LAYERS, "layer", self.faults)
        if component is None:
            return None
        if item.arguments is not None:
            scope = {**names, **_input_names(x)}
            item = item._replace(arguments=substitute(item.arguments, scope, self.faults))
        layer = fill(component, item, self.faults)
        if layer is None or x is None:
            return None
        try:
            outputs = _apply(layer, signal, x)
        except ShapeError as error:
            self.faults.append(_shape_fault(error, item, path, signal))
            return None
        window = layer.window(x.shape)
        reach = signal.reach.through(window) if signal.reach and window else None
        return Row(path, item.type.text, layer, (x,), outputs, reach, item.type.span)


def _is_lower_case_layer(node: Node) -> bool:
    """Tell `conv2d: {out_channels: 6}`, a misspelt layer, from `conv2d: {…}`, a stack of one."""
    if not isinstance(node, Map) or len(node.entries) != 1:
        return False
    (name, (_, value)), *_ = node.entries.items()
    meant = LAYERS.get(suggest(name, tuple(LAYERS)) or "")
    if meant is None:
        return False
    if isinstance(value, Map):
        return bool(value.entries) and set(value.entries) <= set(meant.model_fields)
    return isinstance(value, Scalar) and not isinstance(value.value, str)


def _input_names(x: Tensor | None) -> dict[str, Any]:
    """Return the names by which an expression knows the input of its item."""
    if x is None:
        return dict.fromkeys(("in_shape", "in_channels", "in_features"), UNKNOWN)
    return {"in_shape": x.shape, "in_channels": x.shape[0], "in_features": x.shape[-1]}


def _apply(layer: Layer, signal: _Signal, x: Tensor) -> dict[str, Tensor]:
    """Return what a layer makes of an input in a chain.

    Raises:
        ShapeError: the input does not fit, or a chain cannot pass on what comes of it.
    """
    outputs = layer.apply(x)
    if signal.kept and layer.memory() == "overwritten":
        message = "it overwrites its input, which the backward pass of the layer before needs"
        raise ShapeError("NB211", message, at="inplace")
    return outputs


def _shape_fault(error: ShapeError, item: Item, path: str, signal: _Signal) -> Diagnostic:
    assert signal.tensor is not None
    received = f"{path} receives {times(signal.tensor.shape)} from {signal.origin}"
    notes = [Note("input", received)]
    if error.formula:
        notes.append(Note("formula", error.formula))
    title = f"{item.type.text} does not fit its input"
    return Diagnostic(error.code, title, place(item, error.at), str(error), tuple(notes))
