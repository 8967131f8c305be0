"""Check that a network does not see the values that it has to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.checks import objective
from netbuild.checks.lint.flow import Flow, described
from netbuild.components.component import bare_field
from netbuild.components.datasets.dataset import DataError
from netbuild.components.layers.sight import Sight
from netbuild.config.against import Against
from netbuild.diagnostics.diagnostic import Diagnostic, Fix, Note
from netbuild.graph.sight import Sights, sights, through
from netbuild.graph.value import Value
from netbuild.syntax import edits
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from netbuild.components.datasets.dataset import Repeat
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row


def check(graph: Graph) -> list[Diagnostic]:
    """Return a fault for each layer that shows the network what it has to tell.

    Data may repeat an input as its target: the target at a place is then the input at a later
    place. A network must not see this later place when it tells the target. Otherwise it learns to
    copy, its loss means nothing, and it fails where the later place is not known yet.
    """
    config = graph.config
    if config.data is None or not config.losses or not graph.compared:
        return []
    wanted = objective.wanted(config, graph.outputs)
    try:
        repeats = config.data.repeats(wanted)
    except DataError:  # another check reports it
        return []
    names = list(config.inputs)
    flow = Flow(graph)
    faults: dict[str, Diagnostic] = {}
    for repeat in repeats:
        leak = Leak(flow, Value("", names[repeat.input]), repeat)
        told = Against("target", repeat.target)
        values = dict.fromkeys(v for c in flow.compared if c.against == told for v in c.values)
        faults |= {row.path: leak.fault(row) for row in leak.layers(*values)}
    return list(faults.values())


class Leak:
    """The places of a network that see an input that is the target of an earlier place."""

    def __init__(self, flow: Flow, start: Value, repeat: Repeat) -> None:
        self.flow, self.start, self.repeat = flow, start, repeat
        x = flow.graph.config.inputs[start.port]
        assert x is not None
        self.length = x.shape[repeat.axis]
        self.sights = sights(flow.graph.rows, start, repeat.axis)

    def layers(self, *values: Value) -> list[Row]:
        """Return the layers through which these values see their own targets, in order."""
        reached, found = set(values), []
        for row in reversed(self.flow.graph.rows):
            results = [Value(row.path, port) for port in row.outputs]
            if not any(y in reached and self._shows(self.sights.get(y)) for y in results):
                continue
            sources = {x for x in row.sources if self._shows(self.sights.get(x))}
            reached |= sources
            if not sources or self._looks_ahead(row):
                found.append(row)
        return found[::-1]

    def _shows(self, seen: Sights) -> bool:
        """Whether some place sees its target."""
        return any(self._reveals(sight) for sight in seen or ())

    def _reveals(self, sight: Sight) -> bool:
        shift = self.repeat.shift
        if sight.loose:
            return False
        if sight.axis is None:
            return max(sight.first, shift) <= min(sight.last, self.length - 1)
        if sight.stride == 1:
            first, last = sight.seen(0)
            return first <= shift <= last
        places = ((t, *sight.seen(t)) for t in range(self.length - shift))
        return any(first <= t + shift <= last for t, first, last in places)

    def _looks_ahead(self, row: Row) -> bool:
        """Whether a layer alone, between layers that keep to their places, would show targets."""
        for source, value in enumerate(row.sources):
            for sight in self.sights.get(value) or ():
                if sight.axis is None:
                    continue
                straight = Sight(sight.axis, sight.stride)
                for port in row.outputs:
                    own = through(row, source, port, straight)
                    if own is not None and self._reveals(own):
                        return True
        return False

    def fault(self, row: Row) -> Diagnostic:
        """Return the fault of a layer, with its causal form as fix."""
        config, shift = self.flow.graph.config, self.repeat.shift
        name = self.start.port
        label = f"place t sees places after t, and its target is {name} at place t + {shift}"
        fields = self._causal_fields(row)
        data = f"{type(config.data).__name__}, line {config.place('data').line}"
        return Diagnostic(
            "NB410",
            f"{row.type} sees what the network has to tell",
            place(row.item, next(iter(fields), None)),
            label,
            (Note("layer", described(row)), Note("data", data)),
            help=self.help(row),
            layer=row.path,
            fixes=_fixes(row, fields),
        )

    def help(self, row: Row) -> str:
        """Return the causal form of a layer in words."""
        return _help(row, self._causal_fields(row))

    def _causal_fields(self, row: Row) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for source, value in enumerate(row.sources):
            if self.sights.get(value):
                found |= row.layer.causal_fields(source)
        return found


def _fixes(row: Row, fields: dict[str, Any]) -> tuple[Fix, ...]:
    """Return the fix that sets fields of a layer; none if an expression decides one of them."""
    changed = edits.set_fields(row.item, bare_field(type(row.layer)), fields)
    return (Fix(_written(fields), changed),) if changed else ()


def _written(fields: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {edits.as_yaml(value)}" for name, value in fields.items())


def _help(row: Row, fields: dict[str, Any]) -> str:
    if fields:
        return f"write {_written(fields)}"
    window = row.layer.window(*row.shapes) if row.layer.slides else None
    if window is not None and len(window.kernel) == 1:
        before = window.dilation[0] * (window.kernel[0] - 1)
        return f"pad only before the sequence: put ZeroPad1d: [{before}, 0] here, and no padding"
    if row.layer.normalises:
        return "normalise each place alone: LayerNorm over the features"
    return "keep to the places before: a GRU, or an attention with is_causal: true"
