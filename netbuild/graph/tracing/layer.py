"""One layer at its place: its fields validated, what it reads arranged, its results inferred."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from netbuild.components.layers import LAYERS
from netbuild.components.layers.layer import Operation, Origin
from netbuild.components.layers.parameter import Parameter
from netbuild.components.tensor import ShapeError, Tensor, product, times
from netbuild.config.filling import fill
from netbuild.config.init import read_init
from netbuild.diagnostics.diagnostic import Diagnostic, Fix, Note, with_fixes
from netbuild.diagnostics.exceptions import TooManyError
from netbuild.graph import inferred as inference
from netbuild.graph.inferred import Inferred
from netbuild.graph.row import Row
from netbuild.graph.tracing.limits import MAX_LAYERS
from netbuild.graph.tracing.names import Known
from netbuild.graph.tracing.scope import UNKNOWN_SIGNAL, Signal, arity_fault
from netbuild.graph.value import NOWHERE, OUTPUT, Reach, Value, state_key
from netbuild.syntax.expression import Names, substitute
from netbuild.syntax.item import Item, place
from netbuild.syntax.wires import name_of_input_fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.components.layers.layer import Layer
    from netbuild.config.config import Config
#: What a layer reads, in order: the input's name, where it is given, and what reaches it.
Signals: TypeAlias = "list[tuple[str | None, Signal]]"


class Leaves:
    """The layers in their order, each validated against what reaches it."""

    def __init__(self, config: Config, faults: list[Diagnostic]) -> None:
        self.config = config
        self.rows: list[Row] = []
        self.by_path: dict[str, Row] = {}
        self.items: dict[str, Item] = {}
        self.faults = faults
        self.visited = 0
        #: Whether the weights of what is traced stay as they begin.
        self.frozen = False
        #: The value in whose memory another one lies, and those that backward needs as they are.
        self.memory: dict[Value, Value] = {}
        self.needed: dict[Value, str] = {}
        #: Views that torch lets nothing overwrite, and views of them.
        self.locked: set[Value] = set()
        self.origins: dict[Value, Origin] = {}
        #: Tensors without a batch axis.
        self.loose: set[Value] = set()

    def trace(
        self, item: Item, path: str, names: Names, signals: Signals | None
    ) -> tuple[Row | None, dict[str, Signal]]:
        """Trace a layer; return its row and its results. `signals` is None behind a fault."""
        self.visited += 1
        if self.visited > MAX_LAYERS:
            raise TooManyError(f"more than {MAX_LAYERS:,} layers")
        before = len(self.faults)
        row = self.row(item, path, names, signals)
        if len(self.faults) > before:
            self.faults[before:] = [fault._replace(layer=path) for fault in self.faults[before:]]
        if row is None:
            return None, {OUTPUT: UNKNOWN_SIGNAL}
        self.rows.append(row)
        self.by_path[path], self.items[path] = row, item
        kind = f"({row.type}, line {row.span.line})"
        memory = row.inferred.memory
        results: dict[str, Signal] = {}
        for port, tensor in row.outputs.items():
            value = Value(path, port)
            called = f"{path}.{port}" if results else path
            results[port] = Signal(tensor, f"{called} {kind}", value, row.reach)
            self.origins[value] = row.inferred.origin
            self.memory[value] = value
            if memory != "new" and row.sources:
                self.memory[value] = self.memory.get(row.sources[0], row.sources[0])
            if isinstance(row.layer, Parameter) and not row.layer.batch_axis:
                self.loose.add(value)
            if memory == "locked" or (memory == "view" and row.sources[0] in self.locked):
                self.locked.add(value)
        for value, _ in row.saved:
            self.needed.setdefault(self.memory.get(value, value), path)
        return row, results

    def share(self, start: int, layers: int, path: str, module: str, item: Item) -> None:
        """Have the rows from `start` on, those under `path`, use the weights of those of `module`.

        A module that would have to be another one for these inputs is reported: `layers` are those
        that it has.
        """
        title = f"{module} does not fit these inputs"
        if len(self.rows) - start != layers:
            label = f"it has {layers} layers, and for these it would have {len(self.rows) - start}"
            self.faults.append(Diagnostic("NB215", title, item.type.span, label, layer=path))
            return
        for number, row in enumerate(self.rows[start:], start):
            origin = self.by_path.get(module + row.path.removeprefix(path))
            if origin is None:  # it has a fault of its own
                continue
            origin = self.by_path[origin.reuses] if origin.reuses else origin
            own_function = row.path == path and isinstance(row.layer, Operation)
            other = "" if own_function else _other_module(origin, row)
            if other:
                fault = Diagnostic("NB215", title, item.type.span, other, layer=row.path)
                self.faults.append(fault)
            self.rows[number] = self.by_path[row.path] = row._replace(
                reuses=origin.path, frozen=origin.frozen
            )

    def row(self, item: Item, path: str, names: Names, signals: Signals | None) -> Row | None:
        """Validate one layer against what reaches it; None where its output is not known."""
        component = LAYERS[item.type.text]
        reads_nothing = signals is not None and not signals
        x = signals[0][1].tensor if signals else None
        scope = names if reads_nothing else Known(names, x)
        init = None
        if "init" in item.modifiers:
            written = substitute(item.modifiers["init"].value, scope, self.faults)
            init = read_init(written, self.faults)
        if item.arguments is not None:
            item = item._replace(arguments=substitute(item.arguments, scope, self.faults))
        arranged = None if signals is None else self.arranged(component, item, path, signals)
        inputs = tuple([s.tensor for s in arranged or () if s.tensor is not None])
        if arranged is None or len(inputs) < len(arranged):
            fill(component, item, self.faults)  # its own faults are still found
            return None
        if len(inputs) > 1 and issubclass(component, Operation) and component.broadcasts:
            inputs = self.aligned(arranged, inputs)
        inferred = self.inferred(component, item, path, arranged, inputs)
        if inferred is None:
            return None
        sources = tuple([signal.value for signal in arranged])
        reach = _reach(inferred, arranged)
        return Row(path, inferred, sources, reach, item.type.span, init, self.frozen)

    def inferred(
        self,
        component: type[Layer],
        item: Item,
        path: str,
        signals: list[Signal],
        inputs: tuple[Tensor, ...],
    ) -> Inferred | None:
        """Return what a layer does to what reaches it; None after a fault."""
        content = inference.content(item.type.text, item.arguments)
        found = inference.known(content, inputs)
        layer = inference.layer(content) or fill(component, item, self.faults)
        if layer is None:
            return None
        try:
            if found is None:
                found = Inferred(layer, inputs, layer.apply(*inputs))
                _expect_addressable(found)
                inference.keep(content, found)
            if signals:
                self.expect_not_needed(found, signals[0])
                self.expect_batch(layer, signals)
                y = next(iter(found.outputs.values())).shape
                layer.expect_origins(y, *(self.origins.get(x.value) for x in signals))
        except ShapeError as error:
            fixes = self.fixes(error, layer, item, signals, inputs)
            self.faults.append(_shape_fault(error, item, path, signals, fixes))
            return None
        return found

    def fixes(
        self,
        error: ShapeError,
        layer: Layer,
        item: Item,
        signals: list[Signal],
        inputs: Sequence[Tensor],
    ) -> tuple[Fix, ...]:
        """Return what would make a layer fit: in it, before it, in its branches, at the input."""
        from netbuild.graph.fixes import fields as solver
        from netbuild.graph.fixes import (  # which a network without faults does not need
            upstream as joining,
        )

        found = solver.fixes(error, layer, item, inputs)
        if error.code == "NB212":
            sources = [signal.value for signal in signals]
            found += joining.fixes(layer, inputs, sources, self.by_path, self.items)
            found += joining.other_size(
                layer, sources, self.by_path, self.config.inputs, self.config.written_inputs
            )
        if error.code in {"NB201", "NB202"} and len(inputs) == 1:
            found = [
                *joining.other_shape(
                    layer,
                    inputs[0],
                    signals[0].value,
                    self.by_path,
                    self.config.written_inputs,
                    alone=not found,
                ),
                *found,
            ]
        if error.code == "NB203" and len(inputs) == 1:
            found += joining.width(layer, inputs[0], signals[0].value, self.by_path, self.items)
        if error.code == "NB207" and len(inputs) == 1:
            found += joining.other_dtype(
                layer, inputs[0], signals[0].value, self.by_path, self.config.written_inputs
            )
        return tuple(found)

    def arranged(
        self, component: type[Layer], item: Item, path: str, signals: Signals
    ) -> list[Signal] | None:
        """Return what a layer reads in the order of its inputs; None after a fault."""
        names = [*component.inputs, *component.optional_inputs]
        inputs = item.modifiers.get("inputs")
        span = inputs.value.span if inputs else item.type.span
        fault = arity_fault(component, item.type.text, len(signals), span)
        if fault is not None:
            from netbuild.graph.fixes import upstream as joining

            layer = fill(component, item, [])
            read = [(s.value, s.tensor) for _, s in signals if s.tensor is not None]
            if layer is not None and len(read) == len(signals):
                fixes = joining.more_inputs(
                    layer, item, path, read, self.by_path, self.config.inputs
                )
                fault = fault._replace(fixes=tuple(fixes))
        if fault is None and signals and signals[0][0] is not None:
            given = dict(signals)
            fault = name_of_input_fault(names, inputs, item.type.text)
            signals = [(name, given[name]) for name in names if name in given]
        if fault is not None:
            self.faults.append(fault)
            return None
        return [signal for _, signal in signals]

    def aligned(self, signals: list[Signal], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return inputs of one rank: what has no batch axis gets axes of 1 in front."""
        if not self.loose:
            return inputs
        rank = max(len(x.shape) for x in inputs)
        return tuple(
            x._replace(shape=(1,) * (rank - len(x.shape)) + x.shape)
            if signal.value in self.loose
            else x
            for signal, x in zip(signals, inputs, strict=True)
        )

    def expect_not_needed(self, inferred: Inferred, first: Signal) -> None:
        """Refuse a layer that overwrites what an earlier one keeps for the backward pass.

        Raises:
            ShapeError: it does, or it overwrites a view that torch keeps from that.
        """
        if inferred.memory != "overwritten":
            return
        message = ""
        reader = self.needed.get(self.memory.get(first.value, first.value))
        if reader:
            message = f"it overwrites its input, which the backward pass of {reader} needs"
        elif first.value in self.locked:
            message = "it overwrites its input, whose memory others share: torch forbids that"
        if message:
            raise ShapeError("NB211", message, at="inplace")

    def expect_batch(self, layer: Layer, signals: list[Signal]) -> None:
        """Refuse a tensor without a batch axis where nothing gives it one.

        Raises:
            ShapeError: the layer does not, or has nothing else that does.
        """
        if not self.loose:
            return
        loose = [signal.value in self.loose for signal in signals]
        repeats = isinstance(layer, Operation) and layer.broadcasts
        if any(loose) and (all(loose) or not repeats):
            message = "it reads a Parameter without a batch axis, which only Add, Multiply and "
            message += "their kin repeat, for what has one"
            raise ShapeError("NB212", message)


def _other_module(origin: Row, row: Row) -> str:
    """Return why a layer is called with inputs for which it would be another one, if it is."""
    for name, shape in row.weights.items():
        if origin.weights.get(name) != shape:
            is_ = times(origin.weights.get(name, ()))
            key = state_key(origin.path, name)
            return f"{key} is {is_}, and for {times(row.x)} it would be {times(shape)}"
    arguments = origin.arguments
    for name, value in row.arguments.items():
        if arguments.get(name) != value:
            said = f"{origin.path} is made with {name} {_said(arguments.get(name))}"
            return f"{said}, and for {times(row.x)} it would be {_said(value)}"
    return ""


def _said(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def _expect_addressable(inferred: Inferred) -> None:
    """Refuse tensors that no machine counts the values of.

    Raises:
        ShapeError: one of them has 2⁶³ values or more.
    """
    outputs = [tensor.shape for tensor in inferred.outputs.values()]
    for shape in (*outputs, *inferred.weights.values()):
        if product(shape) >= 1 << 63:
            raise ShapeError("NB209", f"a tensor of {times(shape)} has too many values")


def _reach_of_one(inferred: Inferred, before: Reach | None) -> Reach | None:
    window = inferred.window
    if before is None or before == NOWHERE:
        return before
    if window is None or len(before.size) != len(window.kernel):
        return None
    return before if inferred.is_pointwise else before.through(window)


def _reach(inferred: Inferred, signals: list[Signal]) -> Reach | None:
    """Return the receptive field behind a layer: the largest over what it reads."""
    if len(signals) == 1:
        return _reach_of_one(inferred, signals[0].reach)
    looking = [
        (signal.reach, x[1:])
        for signal, x in zip(signals, inferred.shapes, strict=True)
        if signal.reach != NOWHERE
    ]
    if not looking:
        return NOWHERE
    window = inferred.window
    if window is None:
        return None
    reach: Reach | None = None
    largest = tuple(map(max, zip(*(sizes for _, sizes in looking), strict=False)))
    for before, sizes in looking:
        if before is None or len(before.size) != len(window.kernel):
            return None
        behind = before.through(window).repeated(sizes, largest)
        reach = behind if reach is None else reach.joined(behind)
    return reach


def _shape_fault(
    error: ShapeError, item: Item, path: str, signals: list[Signal], fixes: tuple[Fix, ...]
) -> Diagnostic:
    receives = f"{path} receives"
    came = [f"{times(x.tensor.shape)} from {x.origin}" for x in signals if x.tensor is not None]
    several = len(came) > 1
    notes = [
        Note(f"input {number}" if several else "input", f"{'and' if number > 1 else receives} {x}")
        for number, x in enumerate(came, start=1)
    ]
    if error.formula:
        notes.append(Note("formula", error.formula))
    title = f"{item.type.text} does not fit its input{'s' if several else ''}"
    span = place(item, error.at)
    if several and error.at is None and "inputs" in item.modifiers:
        span = item.modifiers["inputs"].value.span
    found = Diagnostic(error.code, title, span, str(error), tuple(notes), help=error.help)
    return with_fixes(found, fixes)
