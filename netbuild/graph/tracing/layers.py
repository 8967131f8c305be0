"""The layers of a network in their order: fields validated, inputs arranged, results inferred."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from netbuild.components.layers import LAYERS
from netbuild.components.layers.layer import Operation
from netbuild.components.tensor import ShapeError, product, times
from netbuild.config.filling import fill
from netbuild.config.init import read_init
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.graph import inference
from netbuild.graph.inference import Inferred
from netbuild.graph.misfit import Circumstances, Misfit
from netbuild.graph.row import Row
from netbuild.graph.tracing.aliases import Aliases
from netbuild.graph.tracing.receptive_field import reach_behind
from netbuild.graph.tracing.scope import UNKNOWN_SIGNAL, Signal, arity_fault
from netbuild.graph.value import OUTPUT, Value, state_key
from netbuild.syntax.item import Item, place
from netbuild.syntax.substitution import substitute
from netbuild.syntax.wires import name_of_input_fault

if TYPE_CHECKING:
    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import Tensor
    from netbuild.config.init import Init
    from netbuild.diagnostics.diagnostic import Faults, Found
    from netbuild.syntax.expression import Names

#: What a layer reads, in order: the input's name, where it is given, and what reaches it.
Signals: TypeAlias = "list[tuple[str | None, Signal]]"
#: The results of a layer or a stack by their names.
Results: TypeAlias = "dict[str, Signal]"


class Call(NamedTuple):
    """A layer about to be traced: its component, its item with expressions evaluated, its path."""

    component: type[Layer]
    item: Item
    path: str


class Layers:
    """The layers that are traced so far."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.by_path: dict[str, Row] = {}
        self.aliases = Aliases()

    def trace(
        self, item: Item, path: str, names: Names, signals: Signals | None, *, frozen: bool
    ) -> Found[tuple[Row | None, Results]]:
        """Trace a layer; return its row and its results. `signals` is None behind a fault."""
        row, faults = self._row(item, path, names, signals)
        if faults:
            faults = tuple(fault._replace(layer=path) for fault in faults)
        if row is None:
            return (None, {OUTPUT: UNKNOWN_SIGNAL}), faults
        row = row._replace(frozen=frozen) if frozen else row
        self.rows.append(row)
        self.by_path[path] = row
        results = _results(row)
        self.aliases.add(row, [signal.value for signal in results.values()])
        return (row, results), faults

    def share(self, start: int, layers: int, path: str, module: str, item: Item) -> Faults:
        """Have the rows from `start` on, those under `path`, use the weights of those of `module`.

        A module that would have to be another one for these inputs is reported: `layers` are those
        that it has.
        """
        title = f"{module} does not fit these inputs"
        if len(self.rows) - start != layers:
            label = f"it has {layers} layers, and for these it would have {len(self.rows) - start}"
            return (Diagnostic("NB215", title, item.type.span, label, layer=path),)
        faults = []
        for number, row in enumerate(self.rows[start:], start):
            origin = self.by_path.get(module + row.path.removeprefix(path))
            if origin is None:  # it has a fault of its own
                continue
            origin = self.by_path[origin.reuses] if origin.reuses else origin
            own_function = row.path == path and isinstance(row.layer, Operation)
            other = "" if own_function else _other_module(origin, row)
            if other:
                faults.append(Diagnostic("NB215", title, item.type.span, other, layer=row.path))
            self.rows[number] = self.by_path[row.path] = row._replace(
                reuses=origin.path, frozen=origin.frozen
            )
        return tuple(faults)

    def _row(
        self, written: Item, path: str, names: Names, signals: Signals | None
    ) -> Found[Row | None]:
        """Validate one layer against what reaches it; None where its output is not known."""
        init, faults = _init(written, names) if "init" in written.modifiers else (None, ())
        item = written
        if item.arguments is not None:
            arguments, wrong = substitute(item.arguments, names)
            item, faults = item._replace(arguments=arguments), (*faults, *wrong)
        call = Call(LAYERS[item.type.text], item, path)
        arranged, wrong = (None, ()) if signals is None else self._arranged(call, signals)
        faults += wrong
        inputs = tuple([s.tensor for s in arranged or () if s.tensor is not None])
        if arranged is None or len(inputs) < len(arranged):
            _, wrong = fill(call.component, item)  # its own faults are still found
            return None, (*faults, *wrong)
        inferred, wrong = self._inferred(call, arranged, inputs)
        faults += wrong
        if inferred is None:
            return None, faults
        sources = tuple([signal.value for signal in arranged])
        reach = reach_behind(inferred, [signal.reach for signal in arranged])
        return Row(path, inferred, sources, reach, written, names, init), faults

    def _inferred(
        self, call: Call, arranged: list[Signal], inputs: tuple[Tensor, ...]
    ) -> Found[Inferred | None]:
        """Return what a layer does to what reaches it; None after a fault."""
        sources = [signal.value for signal in arranged]
        inputs = self.aliases.aligned(call.component, sources, inputs)
        content = inference.content(call.item.type.text, call.item.arguments)
        found = inference.known(content, inputs)
        kept = inference.layer(content)
        layer, faults = (kept, ()) if kept else fill(call.component, call.item)
        if layer is None:
            return None, faults
        try:
            if found is None:
                found = Inferred(layer, inputs, layer.apply(*inputs))
                _expect_addressable(found)
                inference.keep(content, found)
            self.aliases.check(found, sources)
        except ShapeError as error:
            misfit = Misfit(
                error, layer, call.item, call.path, tuple(sources), inputs, len(self.rows)
            )
            return None, (*faults, _shape_fault(misfit, arranged))
        return found, faults

    def _arranged(self, call: Call, signals: Signals) -> Found[list[Signal] | None]:
        """Return what a layer reads in the order of its inputs; None after a fault."""
        component, item = call.component, call.item
        inputs = item.modifiers.get("inputs")
        span = inputs.value.span if inputs else item.type.span
        fault = arity_fault(component, item.type.text, len(signals), span)
        if fault is not None:
            return None, (fault._replace(origin=self._lacking(call, signals)),)
        if signals and signals[0][0] is not None:
            names = [*component.inputs, *component.optional_inputs]
            fault = name_of_input_fault(names, inputs, item.type.text)
            if fault is not None:
                return None, (fault,)
            by_name = dict(signals)
            signals = [(name, by_name[name]) for name in names if name in by_name]
        return [signal for _, signal in signals], ()

    def _lacking(self, call: Call, signals: Signals) -> Circumstances | None:
        """Return from where to look for the inputs that a layer lacks."""
        layer, _ = fill(call.component, call.item)
        inputs = tuple([s.tensor for _, s in signals if s.tensor is not None])
        if layer is None or len(inputs) < len(signals):
            return None
        sources = tuple(signal.value for _, signal in signals)
        misfit = Misfit(None, layer, call.item, call.path, sources, inputs, len(self.rows))
        return Circumstances(misfit)


def _init(item: Item, names: Names) -> Found[Init | None]:
    """Return how the weights of an item begin, as its modifier says."""
    node, faults = substitute(item.modifiers["init"].value, names)
    init, wrong = read_init(node)
    return init, (*faults, *wrong)


def _results(row: Row) -> Results:
    """Return the results of a layer as signals, by their names."""
    kind = f"({row.type}, line {row.span.line})"
    results: Results = {}
    for port, tensor in row.outputs.items():
        called = f"{row.path}.{port}" if results else row.path
        results[port] = Signal(tensor, f"{called} {kind}", Value(row.path, port), row.reach)
    return results


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


def _shape_fault(misfit: Misfit, signals: list[Signal]) -> Diagnostic:
    error, item = misfit.error, misfit.item
    assert error is not None
    receives = f"{misfit.path} receives"
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
    fault = Diagnostic(error.code, title, span, str(error), tuple(notes), help=error.help)
    return fault._replace(origin=Circumstances(misfit))
