"""Trace the layers of a network one by one: validate fields, order inputs, infer results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from netbuild.components.tensor import ShapeError, product, times
from netbuild.config.filling import fill
from netbuild.config.init import read_init
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.graph import inference
from netbuild.graph.inference import Inferred
from netbuild.graph.misfit import Circumstances, Misfit
from netbuild.graph.row import Row
from netbuild.graph.tracing.aliases import Aliases
from netbuild.graph.tracing.receptive_field import reach_after
from netbuild.graph.tracing.scope import UNKNOWN_SIGNAL, Signal, arity_fault
from netbuild.graph.value import OUTPUT, Value
from netbuild.syntax.item import Item, place
from netbuild.syntax.substitution import substitute
from netbuild.syntax.wires import name_of_input_fault

if TYPE_CHECKING:
    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import Tensor
    from netbuild.config.init import Init
    from netbuild.diagnostics.diagnostic import Faults, Found
    from netbuild.graph.row import Recomputed
    from netbuild.graph.tracing.scope import Scope
    from netbuild.syntax.expression import Names

#: The inputs of a layer in order: the name of the input (None without one), and its signal.
Signals: TypeAlias = "list[tuple[str | None, Signal]]"
#: The results of a layer or a stack by their names.
Results: TypeAlias = "dict[str, Signal]"


class LayerCall(NamedTuple):
    """A layer before tracing: its component, its item, its path."""

    component: type[Layer]
    item: Item
    path: str
    #: The names that its `inputs` can use.
    scope: Scope
    frozen: bool = False
    #: The outermost stack around it that the backward pass computes again.
    recomputed: Recomputed | None = None


class Layers:
    """The layers that have been traced so far."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.by_path: dict[str, Row] = {}
        self.aliases = Aliases()

    def trace(
        self, call: LayerCall, names: Names, signals: Signals | None
    ) -> Found[tuple[Row | None, Results]]:
        """Trace a layer; return its row and its results. `signals` is None after a fault."""
        path = call.path
        row, faults = self._row(call, names, signals)
        if faults:
            faults = tuple(fault._replace(layer=path) for fault in faults)
        if row is None:
            return (None, {OUTPUT: UNKNOWN_SIGNAL}), faults
        self.rows.append(row)
        self.by_path[path] = row
        results = _results(row)
        self.aliases.add(row, [signal.value for signal in results.values()])
        return (row, results), faults

    def share(self, start: int, path: str, module: str) -> None:
        """Give the rows from `start` on, which are below `path`, the weights of `module`."""
        for number, row in enumerate(self.rows[start:], start):
            origin = self.by_path.get(module + row.path.removeprefix(path))
            if origin is None:  # the Reuse has a fault
                continue
            origin = self.by_path[origin.reuses] if origin.reuses else origin
            self.rows[number] = self.by_path[row.path] = row._replace(
                reuses=origin.path, frozen=origin.frozen
            )

    def _row(self, call: LayerCall, names: Names, signals: Signals | None) -> Found[Row | None]:
        """Validate a layer against its inputs; None if its output is not known."""
        item = call.item
        init, faults = _init(item, names) if "init" in item.modifiers else (None, ())
        shared, wrong = _shared(item, names)
        faults = (*faults, *wrong)
        if item.arguments is not None:
            arguments, wrong = substitute(item.arguments, names)
            call = call._replace(item=item._replace(arguments=arguments))
            faults = (*faults, *wrong)
        arranged, wrong = (None, ()) if signals is None else self._arranged(call, signals)
        faults += wrong
        inputs = tuple([s.tensor for s in arranged or () if s.tensor is not None])
        if arranged is None or len(inputs) < len(arranged):
            # Faults of its fields are still reported.
            _, wrong = fill(call.component, call.item, names)
            return None, (*faults, *wrong)
        inferred, wrong = self._inferred(call, names, arranged, inputs)
        faults += wrong
        if inferred is None:
            return None, faults
        sources = tuple([signal.value for signal in arranged])
        reach = reach_after(inferred, [signal.reach for signal in arranged])
        row = Row(call.path, inferred, sources, reach, item, names, init, call.frozen)
        if call.recomputed is not None:
            row = row._replace(recomputed=call.recomputed)
        if shared:
            from netbuild.graph.tracing.parametrized import misfits

            row = row._replace(**shared)
            wrong = tuple(misfits(row))
            row, faults = row._replace(parametrized={}) if wrong else row, (*faults, *wrong)
        return row, faults

    def _inferred(
        self, call: LayerCall, names: Names, arranged: list[Signal], inputs: tuple[Tensor, ...]
    ) -> Found[Inferred | None]:
        """Return the layer with its results for these inputs; None after a fault."""
        sources = [signal.value for signal in arranged]
        inputs = self.aliases.aligned(call.component, sources, inputs)
        content = inference.content(call.item.type.text, call.item.arguments, frozen=call.frozen)
        inferred = inference.cached(content, inputs)
        cached = inference.cached_layer(content)
        layer, faults = (cached, ()) if cached else fill(call.component, call.item, names)
        if layer is None:
            return None, faults
        if call.frozen and cached is None:
            layer = layer.frozen()
        try:
            if inferred is None:
                inferred = Inferred(layer, inputs, layer.apply(*inputs))
                _expect_addressable(inferred)
                inference.store(content, inferred)
            self.aliases.check(inferred, sources)
        except ShapeError as error:
            misfit = Misfit(
                error, layer, call.item, call.path, tuple(sources), inputs, len(self.rows)
            )
            return None, (*faults, _shape_fault(misfit, arranged))
        return inferred, faults

    def _arranged(self, call: LayerCall, signals: Signals) -> Found[list[Signal] | None]:
        """Return the signals of a layer in the order of its inputs; None after a fault."""
        component, item = call.component, call.item
        inputs = item.modifiers.get("inputs")
        span = inputs.value.span if inputs else item.type.span
        fault = arity_fault(component, item.type.text, len(signals), span, call.scope)
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

    def _lacking(self, call: LayerCall, signals: Signals) -> Circumstances | None:
        """Return the start of the search for the missing inputs of a layer."""
        layer, _ = fill(call.component, call.item)
        inputs = tuple([s.tensor for _, s in signals if s.tensor is not None])
        if layer is None or len(inputs) < len(signals):
            return None
        sources = tuple(signal.value for _, signal in signals)
        misfit = Misfit(None, layer, call.item, call.path, sources, inputs, len(self.rows))
        return Circumstances(misfit)


def _init(item: Item, names: Names) -> Found[Init | None]:
    """Read the modifier `init` of an item."""
    node, faults = substitute(item.modifiers["init"].value, names)
    init, wrong = read_init(node)
    return init, (*faults, *wrong)


def _shared(item: Item, names: Names) -> Found[dict[str, Any]]:
    """Read the modifiers that change what a parameter is: `tie` and `parametrize`."""
    found: dict[str, Any] = {}
    faults: Faults = ()
    if "tie" in item.modifiers:
        from netbuild.config.ties import read_ties

        found["ties"], faults = read_ties(item.modifiers["tie"].value, names)
    if "parametrize" in item.modifiers:
        from netbuild.config.parametrize import read_parametrize

        node = item.modifiers["parametrize"].value
        found["parametrized"], wrong = read_parametrize(node, names)
        faults += wrong
    return found, faults


def _results(row: Row) -> Results:
    """Return the results of a layer as signals, by their names."""
    kind = f"({row.type}, line {row.span.line})"
    results: Results = {}
    for port, tensor in row.outputs.items():
        called = f"{row.path}.{port}" if results else row.path
        results[port] = Signal(tensor, f"{called} {kind}", Value(row.path, port), row.reach)
    return results


def _expect_addressable(inferred: Inferred) -> None:
    """Refuse tensors that no machine can address.

    Raises:
        ShapeError: a result or a weight has 2⁶³ values or more.
    """
    outputs = [tensor.shape for tensor in inferred.outputs.values()]
    for shape in (*outputs, *inferred.weights.values()):
        if product(shape) >= 1 << 63:
            raise ShapeError("NB209", f"a tensor of {times(shape)} has too many values")


def _shape_fault(misfit: Misfit, signals: list[Signal]) -> Diagnostic:
    error, item = misfit.error, misfit.item
    assert error is not None
    receives = f"{misfit.path} receives"
    inputs = [f"{times(x.tensor.shape)} from {x.origin}" for x in signals if x.tensor is not None]
    several = len(inputs) > 1
    notes = [
        Note(f"input {number}" if several else "input", f"{'and' if number > 1 else receives} {x}")
        for number, x in enumerate(inputs, start=1)
    ]
    if error.formula:
        notes.append(Note("formula", error.formula))
    title = f"{item.type.text} does not fit its input{'s' if several else ''}"
    span = place(item, error.at)
    if several and error.at is None and "inputs" in item.modifiers:
        span = item.modifiers["inputs"].value.span
    fault = Diagnostic(error.code, title, span, str(error), tuple(notes), help=error.help)
    return fault._replace(origin=Circumstances(misfit))
