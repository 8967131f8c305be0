"""Trace the layers of a network one by one: validate fields, order inputs, infer results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from netbuild.components.layers.named import as_read, known_inputs
from netbuild.components.tensor import PartError, ShapeError, product, times
from netbuild.config.filling import fill
from netbuild.config.init import read_init
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.graph import inference
from netbuild.graph.inference import Inferred
from netbuild.graph.misfit import Circumstances, Misfit
from netbuild.graph.row import Row
from netbuild.graph.tracing import shared
from netbuild.graph.tracing.receptive_field import reach_after
from netbuild.graph.tracing.scope import UNKNOWN_SIGNAL, Signal, arity_fault, nameless_fault
from netbuild.graph.value import OUTPUT, Value
from netbuild.syntax.item import Item, place
from netbuild.syntax.substitution import substitute
from netbuild.syntax.wires import name_of_input_fault

if TYPE_CHECKING:
    from netbuild.components.layers.layer import Layer
    from netbuild.components.layers.made import Origin
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
    #: The first epoch in which it learns, if it is frozen at first.
    unfreezes: int | None = None
    #: The outermost stack around it that the backward pass computes again.
    recomputed: Recomputed | None = None


class Layers:
    """The layers that have been traced so far."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.by_path: dict[str, Row] = {}
        #: The layer that computed each value.
        self.origins: dict[Value, Origin] = {}

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
        self.origins |= dict.fromkeys([y.value for y in results.values()], row.inferred.origin)
        return (row, results), faults

    def share(self, start: int, path: str, module: str) -> None:
        """Give the rows from `start` on, which are below `path`, the weights of `module`."""
        for number, row in enumerate(self.rows[start:], start):
            origin = self.by_path.get(module + row.path.removeprefix(path))
            if origin is None:  # the Reuse has a fault
                continue
            origin = self.by_path[origin.reuses] if origin.reuses else origin
            self.rows[number] = self.by_path[row.path] = row._replace(
                reuses=origin.path, frozen=origin.frozen, unfreezes=origin.unfreezes
            )

    def _row(self, call: LayerCall, names: Names, signals: Signals | None) -> Found[Row | None]:
        """Validate a layer against its inputs; None if its output is not known."""
        item = call.item
        init, faults = _init(item, names) if "init" in item.modifiers else (None, ())
        modified, wrong = _shared(item, names)
        faults = (*faults, *wrong)
        if item.arguments is not None:
            arguments, wrong = substitute(item.arguments, names)
            call = call._replace(item=item._replace(arguments=arguments))
            faults = (*faults, *wrong)
        arranged, wrong = (None, ()) if signals is None else self._arranged(call, signals)
        faults += wrong
        inputs = tuple([s.tensor for _, s in arranged or () if s.tensor is not None])
        if arranged is None or len(inputs) < len(arranged):
            # Faults of its fields are still reported.
            _, wrong = fill(call.component, call.item, names)
            return None, (*faults, *wrong)
        inferred, wrong = self._inferred(call, names, arranged, inputs)
        faults += wrong
        if inferred is None:
            return None, faults
        sources = tuple([signal.value for _, signal in arranged])
        reach = reach_after(inferred, [signal.reach for _, signal in arranged])
        shares = tuple([signal.shared for _, signal in arranged])
        row = Row(call.path, inferred, sources, reach, item, names, init, call.frozen)
        row = row._replace(shares=shares, unfreezes=call.unfreezes)
        if call.recomputed is not None:
            row = row._replace(recomputed=call.recomputed)
        if modified:
            from netbuild.graph.tracing.parametrized import misfits

            row = row._replace(**modified)
            wrong = tuple(misfits(row))
            row, faults = row._replace(parametrized={}) if wrong else row, (*faults, *wrong)
        return row, faults

    def _inferred(
        self, call: LayerCall, names: Names, arranged: Signals, inputs: tuple[Tensor, ...]
    ) -> Found[Inferred | None]:
        """Return the layer with its results for these inputs; None after a fault."""
        sources = [signal.value for _, signal in arranged]
        shares = [signal.shared for _, signal in arranged]
        inputs = shared.aligned(call.component, inputs, shares)
        given = _given(call.component, arranged, inputs)
        type_ = (call.item.type.text, *given.items()) if given else call.item.type.text
        content = inference.content(type_, call.item.arguments, frozen=call.frozen)
        inferred = inference.cached(content, inputs)
        cached = inference.cached_layer(content)
        layer, faults = (cached, ()) if cached else fill(call.component, call.item, names)
        if layer is None:
            return None, faults
        if cached is None:
            layer = as_read(layer.frozen() if call.frozen else layer, given)
        try:
            if inferred is None:
                inferred = Inferred(layer, inputs, layer.apply(*inputs))
                _expect_addressable(inferred)
                inference.store(content, inferred)
            shared.check(inferred.layer, inputs, shares, call.scope.inputs.values())
            shared.check_kept(inferred.layer, sources, shares, self.by_path)
            y = next(iter(inferred.outputs.values())).shape
            inferred.layer.expect_origins(y, *map(self.origins.get, sources))
        except ShapeError as error:
            misfit = Misfit(
                error, layer, call.item, call.path, tuple(sources), inputs, len(self.rows)
            )
            return None, (*faults, _shape_fault(misfit, [signal for _, signal in arranged]))
        return inferred, faults

    def _arranged(self, call: LayerCall, signals: Signals) -> Found[Signals | None]:
        """Return the signals of a layer in the order of its inputs; None after a fault."""
        component, item = call.component, call.item
        inputs = item.modifiers.get("inputs")
        span = inputs.value.span if inputs else item.type.span
        count = sum(name not in component.named_inputs for name, _ in signals)
        fault = nameless_fault(component, signals, item) or arity_fault(
            component, item.type.text, count, span, call.scope
        )
        if fault is not None:
            return None, (fault._replace(origin=self._lacking(call, signals)),)
        if signals and signals[0][0] is not None:
            names = known_inputs(component, [name for name, _ in signals if name])
            fault = name_of_input_fault(names, inputs, item.type.text, component.named_inputs)
            if fault is not None:
                return None, (fault,)
            by_name = dict(signals)
            signals = [(name, by_name[name]) for name in names if name in by_name]
        return signals, ()

    def _lacking(self, call: LayerCall, signals: Signals) -> Circumstances | None:
        """Return the start of the search for the missing inputs of a layer."""
        layer, _ = fill(call.component, call.item)
        inputs = tuple([s.tensor for _, s in signals if s.tensor is not None])
        if layer is None or len(inputs) < len(signals):
            return None
        sources = tuple(signal.value for _, signal in signals)
        misfit = Misfit(None, layer, call.item, call.path, sources, inputs, len(self.rows))
        return Circumstances(misfit)


def _given(
    component: type[Layer], arranged: Signals, inputs: tuple[Tensor, ...]
) -> dict[str, Tensor]:
    """Return the inputs that a layer knows by the names in the file; one input may have none."""
    if not (component.named_inputs or component.names_inputs):
        return {}
    pairs = zip(arranged, inputs, strict=True)
    by_name = {name or component.inputs[0]: x for (name, _), x in pairs}
    named = by_name if component.names_inputs else component.named_inputs
    return {name: x for name, x in by_name.items() if name in named}


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
        value = Value(row.path, port)
        results[port] = Signal(tensor, f"{called} {kind}", value, row.reach, row.shared)
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
    names = [f"input {number}" if several else "input" for number in range(1, len(inputs) + 1)]
    names = [*misfit.layer.inputs] if misfit.layer.names_inputs else names
    notes = [
        Note(name, f"{'and' if number else receives} {x}")
        for number, (name, x) in enumerate(zip(names, inputs, strict=True))
    ]
    if error.formula:
        notes.append(Note("formula", error.formula))
    title = f"{item.type.text} does not fit its input{'s' if several else ''}"
    if error.code == "NB218":
        title = f"{item.type.text} draws once for all samples"
    elif not inputs:
        title = f"{item.type.text} has no value"
    span = place(item, error.at)
    if several and error.at is None and "inputs" in item.modifiers:
        span = item.modifiers["inputs"].value.span
    fault = Diagnostic(error.code, title, span, str(error), tuple(notes), help=error.help)
    if isinstance(error, PartError):
        from netbuild.graph.tracing.part_faults import underlined

        fault = underlined(fault, error, item)
    return fault._replace(origin=Circumstances(misfit))
