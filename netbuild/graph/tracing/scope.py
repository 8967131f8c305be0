"""What an item reads: `inputs:` names results of its stack, `outputs:` what the stack gives.

Names are looked up in the same stack only. `lstm.h_n` is the result `h_n` of the member `lstm`, and
`input`, or the names of several inputs, are what the stack itself is given.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.graph.tracing.naming import called
from netbuild.graph.value import OUTPUT, Reach, Ref, Value
from netbuild.syntax.node import List, Map, Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import Tensor
    from netbuild.diagnostics.diagnostic import Found, Span
    from netbuild.syntax.item import Child
    from netbuild.syntax.wires import Wire


class Signal(NamedTuple):
    """A tensor on its way; None behind a fault. `origin` is what messages call it."""

    tensor: Tensor | None
    origin: str
    value: Value = Value("", "")
    reach: Reach | None = None


def from_outside(name: str, tensor: Tensor | None, span: Span) -> Signal:
    """Return an input of the network as a signal."""
    reach = None
    if tensor is not None and len(tensor.shape) > 1:
        ones = (1,) * (len(tensor.shape) - 1)
        reach = Reach(ones, ones)
    said = "the input" if name == "input" else name
    return Signal(tensor, f"{said} (line {span.line})", Value("", name), reach)


class Scope:
    """The names in reach of the members of one stack, as far as it has been walked."""

    def __init__(self, inputs: Mapping[str, Signal], children: Sequence[Child]) -> None:
        self.inputs = dict(inputs)
        self.children = children
        #: The child that is being traced.
        self.current: Child | None = None
        self.members: dict[str, dict[str, Signal]] = {}
        #: Members that are left out, and what stands in their place.
        self.skipped: dict[str, Ref] = {}
        #: What an item reads that does not say it: nothing definite before the first of several.
        self.last: Ref | None = Ref("", next(iter(inputs))) if len(inputs) == 1 else None

    def add(self, member: str, results: dict[str, Signal]) -> None:
        """Have a member's results known by its name, and its first read by the next member."""
        self.members[member] = results
        self.last = Ref(member, next(iter(results)))

    def skip(self, member: str | None, ref: Ref | None) -> None:
        """Leave a member out: its name means what it would have read, and so it is passed on."""
        if ref is not None:
            self.last = ref
            if member is not None:
                self.skipped[member] = ref

    def first(self, member: str) -> Ref:
        """Return the result of a member that is passed on."""
        return Ref(member, next(iter(self.members[member])))

    def signal(self, ref: Ref) -> Signal:
        """Return what a reference stands for."""
        if ref.member == "":
            return self.inputs[ref.port]
        results = self.members[ref.member]
        # After a fault a member has one result, which stands for any.
        return results.get(ref.port) or next(iter(results.values()))

    def find(self, wire: Wire) -> Found[Ref | None]:
        """Return what a name stands for; None, with a fault, where that is nothing."""
        name, dot, port = wire.outside.partition(".")
        if not dot and name in self.inputs and name not in self.members:
            return Ref("", name), ()
        if wire.outside in self.skipped:
            return self.skipped[wire.outside], ()
        if name not in self.members:
            return None, (self.unknown(name, wire.span),)
        results = self.members[name]
        if next(iter(results.values())).tensor is None:
            return Ref(name, port or OUTPUT), ()
        if not dot:
            return Ref(name, next(iter(results))), ()
        if port in results:
            return Ref(name, port), ()
        help_, fixes = did_you_mean(f"{name}.{port}", [f"{name}.{p}" for p in results], wire.span)
        help_ = help_ or f"it gives {', '.join(f'{name}.{p}' for p in results)}"
        title = f"{name} has no result {brief(port)}"
        fault = Diagnostic("NB213", title, wire.span, "unknown", help=help_, fixes=fixes)
        return None, (fault,)

    @property
    def before(self) -> Tensor | None:
        """What the item above gives; None where it is not known."""
        return self.signal(self.last).tensor if self.last else None

    def unknown(self, name: str, span: Span) -> Diagnostic:
        """Return the fault of a name that stands for nothing above in this stack."""
        if name in self.skipped:
            label = f"{name} is left out by its when"
            means = "its name means what it would have read, and nothing else"
            return Diagnostic("NB213", "a layer that is not there", span, label, help=means)
        below = self.below(name, span)
        if below is not None:
            return below
        known = [*self.inputs, *self.members, *self.skipped]
        help_, fixes = did_you_mean(name, known, span)
        help_ = help_ or f"in reach are {', '.join(known[-8:])}"
        title = f"nothing in this stack is called {brief(name)}"
        return Diagnostic("NB213", title, span, "unknown", help=help_, fixes=fixes)

    def unsaid(self, layer: type[Layer] | None, span: Span, where: str) -> Diagnostic:
        """Return the fault of a first member that does not say which of several inputs it reads."""
        names = list(self.inputs)
        label = f"this {where} has the inputs {', '.join(names)}"
        several = layer is not None and (layer.variadic or len(layer.inputs) > 1)
        meant = f"[{', '.join(names)}]" if several else names[0]
        help_ = f"say which it reads: inputs: {meant}"
        title = "a first layer that does not say what it reads"
        return Diagnostic("NB208", title, span, label, help=help_)

    @cached_property
    def read_by(self) -> dict[str, list[str]]:
        """The names that each child reads, as far as they are written out."""
        return {
            _name(n, child): _read_by(n, self.children) for n, child in enumerate(self.children)
        }

    def below(self, name: str, span: Span) -> Diagnostic | None:
        """Return the fault of a name that the reader itself has, or one below it; else None."""
        reads = self.read_by
        own = next((_name(n, c) for n, c in enumerate(self.children) if c is self.current), None)
        if name not in reads:
            return None
        chain = _chain(name, own, reads)
        if chain:
            label = f"{name} reads {own}" if len(chain) > 1 else f"{name} is this layer itself"
            if len(chain) > 2:
                shown = chain if len(chain) < 6 else [*chain[:3], "…", *chain[-2:]]
                label = f"it reads itself: {' reads '.join([str(own), *shown])}"
            help_ = (
                "a network runs from top to bottom: for a recurrence there is RNNCell and its kin"
            )
            return Diagnostic("NB216", "layers in a circle", span, label, help=help_)
        label = f"{name} comes later in this stack"
        help_ = f"a layer reads what stands above it: move {name} up"
        return Diagnostic("NB213", "an input from below", span, label, help=help_)


def _name(position: int, child: Child) -> str:
    return called(child) or str(position)


def _read_by(position: int, children: Sequence[Child]) -> list[str]:
    """Return the names that a child reads, as far as they are written out."""
    node = children[position].node
    inputs = node.get("inputs") if isinstance(node, Map) else None
    if inputs is None:
        return [_name(position - 1, children[position - 1])] if position else []
    if isinstance(inputs, Map):
        named = [entry.value for entry in inputs.entries.values()]
    else:
        named = list(inputs.items) if isinstance(inputs, List) else [inputs]
    return [node.text.partition(".")[0] for node in named if isinstance(node, Scalar)]


def _chain(start: str, end: str | None, reads: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names from a layer to one that it reads, perhaps through others; else none."""
    reader: dict[str, str | None] = {start: None}
    found = [start]
    for name in found:
        if name == end:
            return _back(name, reader)
        new = [other for other in reads.get(name, ()) if other not in reader]
        reader |= dict.fromkeys(new, name)
        found += dict.fromkeys(new)
    return []


def _back(name: str, reader: Mapping[str, str | None]) -> list[str]:
    """Return the way to a name from the one that nobody reads, the latter first."""
    way: list[str] = []
    at: str | None = name
    while at is not None:
        way.append(at)
        at = reader[at]
    return way[::-1]


def arity_fault(layer: type[Layer], kind: str, count: int, span: Span) -> Diagnostic | None:
    """Return the fault of a layer that gets too few inputs, or too many; None where they fit."""
    least, most = len(layer.inputs), len(layer.inputs) + len(layer.optional_inputs)
    if least <= count and (count <= most or layer.variadic):
        return None
    names = [*layer.inputs, *(f"perhaps {name}" for name in layer.optional_inputs)]
    reads = "two or more" if layer.variadic else _enumerated(names)
    label = f"it reads {reads}, and gets {_number(count)}"
    help_ = None
    if count < least:
        help_ = f"name them beside it: {{{kind}: …, inputs: [{', '.join(layer.inputs)}]}}"
        help_ = help_.replace("[input]", "[…]")
    return Diagnostic("NB208", f"{kind} gets another number of inputs", span, label, help=help_)


def _enumerated(names: Sequence[str]) -> str:
    if len(names) > 1:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return "one input" if names else "nothing"


def _number(count: int) -> str:
    return "one" if count == 1 else str(count)


#: What is passed on behind a fault.
UNKNOWN_SIGNAL = Signal(None, "")
