"""The names in a stack, which `inputs:` of a member and `outputs:` of the stack can use.

A name is looked up in its own stack only. `lstm.h_n` is the result `h_n` of the member `lstm`.
`input` is the input of the stack; several inputs have names of their own.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.graph.tracing.naming import called
from netbuild.graph.value import OUTPUT, Reach, Ref, Value
from netbuild.syntax.node import List, Map, Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import Tensor
    from netbuild.diagnostics.diagnostic import Found, Span
    from netbuild.syntax.item import Child, Item
    from netbuild.syntax.wires import Wire


class Signal(NamedTuple):
    """A tensor between two layers; None after a fault. `origin` is its name in messages."""

    tensor: Tensor | None
    origin: str
    value: Value = Value("", "")
    reach: Reach | None = None
    #: Whether all samples share it: it depends on no input of the network.
    shared: bool = False


def from_outside(name: str, tensor: Tensor | None, span: Span) -> Signal:
    """Return an input of the network as a signal."""
    reach = None
    if tensor is not None and len(tensor.shape) > 1:
        ones = (1,) * (len(tensor.shape) - 1)
        reach = Reach(ones, ones)
    called = "the input" if name == "input" else name
    return Signal(tensor, f"{called} (line {span.line})", Value("", name), reach)


class Scope:
    """The names that the members of one stack can use, up to the current member."""

    def __init__(self, inputs: Mapping[str, Signal], children: Sequence[Child]) -> None:
        self.inputs = dict(inputs)
        self.children = children
        #: The child that is being traced.
        self.current: Child | None = None
        self.members: dict[str, dict[str, Signal]] = {}
        #: The members that `when` leaves out, with the results that replace them.
        self.skipped: dict[str, Ref] = {}
        #: The members that `when` leaves out where no result can replace them.
        self.dropped: set[str] = set()
        #: The names that members with a fault may have, if an index is part of the name.
        self.unknown_names: list[re.Pattern[str]] = []
        #: The result that the next member reads by default; None before it is clear.
        self.last: Ref | None = Ref("", next(iter(inputs))) if len(inputs) == 1 else None

    def add(self, member: str, results: dict[str, Signal]) -> None:
        """Add the results of a member. The next member reads the first one by default."""
        self.members[member] = results
        self.last = Ref(member, next(iter(results)))

    def skip(self, member: str | None, ref: Ref | None) -> None:
        """Leave a member out. Its name then stands for its input, which the next member reads.

        A Parameter at the top of a stack of several inputs has no input. Its name stands for
        nothing.
        """
        if ref is not None:
            self.last = ref
            if member is not None:
                self.skipped[member] = ref
        elif member is not None:
            self.dropped.add(member)

    def first(self, member: str) -> Ref:
        """Return the first result of a member."""
        return Ref(member, next(iter(self.members[member])))

    def signal(self, ref: Ref) -> Signal:
        """Return the signal of a reference."""
        if ref.member == "":
            return self.inputs[ref.port]
        results = self.members[ref.member]
        # After a fault a member has one result, which replaces all of them.
        return results.get(ref.port) or next(iter(results.values()))

    def find(self, wire: Wire) -> Found[Ref | None]:
        """Return the result with a name; None with a fault if there is none."""
        name, dot, port = wire.outside.partition(".")
        if wire.outside in self.skipped:
            return self.skipped[wire.outside], ()
        if not dot and name in self.inputs and name not in self.members:
            return Ref("", name), ()
        if name not in self.members and any(p.fullmatch(name) for p in self.unknown_names):
            self.members[name] = {OUTPUT: UNKNOWN_SIGNAL}
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
        help_ = help_ or f"the results are {', '.join(f'{name}.{p}' for p in results)}"
        title = f"{name} has no result {brief(port)}"
        fault = Diagnostic("NB213", title, wire.span, "unknown result", help=help_, fixes=fixes)
        return None, (fault,)

    @property
    def before(self) -> Signal | None:
        """The first result of the item above; None if none of several inputs is read yet."""
        return self.signal(self.last) if self.last else None

    def unknown(self, name: str, span: Span) -> Diagnostic:
        """Return the fault of a name that no result above in this stack has."""
        if name in self.skipped or name in self.dropped:
            label = f"when: false leaves {name} out"
            hint = f"the name {name} then stands only for the input of the layer"
            if name in self.dropped:
                hint = f"{name} has no input for which its name could stand: read another layer"
            return Diagnostic("NB213", "a layer that is left out", span, label, help=hint)
        below = self.below(name, span)
        if below is not None:
            return below
        names = [*self.inputs, *self.members, *self.skipped]
        help_, fixes = did_you_mean(name, names, span)
        help_ = help_ or _here(names)
        title = f"nothing in this stack is called {brief(name)}"
        return Diagnostic("NB213", title, span, "unknown name", help=help_, fixes=fixes)

    def lacking(self, layer: type[Layer]) -> str:
        """Return the help for a layer that needs more inputs: what can be named here."""
        wanted = "two or more inputs" if layer.variadic else f"its {len(layer.inputs)} inputs"
        wanted = "its input" if len(layer.inputs) == 1 else wanted
        members = self.members.items()
        results = [
            name if n == 0 else f"{name}.{port}" for name, y in members for n, port in enumerate(y)
        ]
        inputs = [name for name in self.inputs if name not in {*self.members, *self.skipped}]
        return f"name {wanted}: {_here([*inputs, *results, *self.skipped])}"

    def unnamed(self, layer: type[Layer] | None, span: Span, where: str) -> Diagnostic:
        """Return the fault of a first member that does not name one of several inputs."""
        names = list(self.inputs)
        label = f"this {where} has the inputs {', '.join(names)}"
        count = 1 if layer is None else len(names) if layer.variadic else len(layer.inputs)
        example = f"[{', '.join(names[:count])}]" if count > 1 else names[0]
        if layer is not None and layer.names_inputs:
            example = f"{{{', '.join(f'{name}: {name}' for name in names)}}}"
        help_ = f"name the inputs that the layer reads: inputs: {example}"
        title = "a first layer that does not name its input"
        return Diagnostic("NB208", title, span, label, help=help_)

    @cached_property
    def read_by(self) -> dict[str, list[str]]:
        """The names that each child reads, without names from expressions."""
        return {
            _name(n, child): _read_by(n, self.children) for n, child in enumerate(self.children)
        }

    def below(self, name: str, span: Span) -> Diagnostic | None:
        """Return the fault of a name of the current child, or of a child below it; else None."""
        reads = self.read_by
        own = next((_name(n, c) for n, c in enumerate(self.children) if c is self.current), None)
        if name not in reads:
            return None
        chain = _chain(name, own, reads)
        if chain:
            title = "layers that read each other in a circle"
            label = f"{name} reads {own}"
            if len(chain) == 1:
                title, label = "a layer that reads itself", f"{name} is this layer"
            elif len(chain) > 2:
                shown = chain if len(chain) < 6 else [*chain[:3], "…", *chain[-2:]]
                label = f"{own} reads itself: {' reads '.join([str(own), *shown])}"
            help_ = "layers run from top to bottom: use RNN, GRU or LSTM for a recurrence"
            return Diagnostic("NB216", title, span, label, help=help_)
        label = f"{name} comes later in this stack"
        help_ = f"a layer reads results from above: move {name} up"
        return Diagnostic("NB213", "an input from a layer below", span, label, help=help_)


def _name(position: int, child: Child) -> str:
    return called(child) or str(position)


def _read_by(position: int, children: Sequence[Child]) -> list[str]:
    """Return the names that a child reads, without names from expressions."""
    node = children[position].node
    inputs = node.get("inputs") if isinstance(node, Map) else None
    if inputs is None:
        return [_name(position - 1, children[position - 1])] if position else []
    if isinstance(inputs, Map):
        nodes = [entry.value for entry in inputs.entries.values()]
    else:
        nodes = list(inputs.items) if isinstance(inputs, List) else [inputs]
    return [node.text.partition(".")[0] for node in nodes if isinstance(node, Scalar)]


def _chain(start: str, end: str | None, reads: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names on the way from a layer to a layer that it reads; empty without a way."""
    reader: dict[str, str | None] = {start: None}
    reached = [start]
    for name in reached:
        if name == end:
            return _back(name, reader)
        new = [other for other in reads.get(name, ()) if other not in reader]
        reader |= dict.fromkeys(new, name)
        reached += dict.fromkeys(new)
    return []


def _back(name: str, reader: Mapping[str, str | None]) -> list[str]:
    """Return the names from the start of a search to a name, in this order."""
    way: list[str] = []
    at: str | None = name
    while at is not None:
        way.append(at)
        at = reader[at]
    return way[::-1]


def _here(names: Sequence[str]) -> str:
    return f"the names here are {'…, ' if names[8:] else ''}{', '.join(names[-8:])}"


def arity_fault(
    layer: type[Layer], kind: str, count: int, span: Span, scope: Scope
) -> Diagnostic | None:
    """Return the fault of a layer with too few or too many inputs; None if the number fits."""
    least, most = len(layer.inputs), len(layer.inputs) + len(layer.optional_inputs)
    if least <= count and (count <= most or layer.variadic or layer.names_inputs):
        return None
    names = [*layer.inputs, *(f"optionally {name}" for name in layer.optional_inputs)]
    reads = "two or more" if layer.variadic else _enumerated(names)
    label = f"{kind} reads {reads}, and gets {_number(count)}"
    help_ = scope.lacking(layer) if count < least else None
    if count > most and layer.named_inputs:
        given = f"{layer.inputs[0]}: …, {layer.named_inputs[0]}: …"
        help_ = f"give {' and '.join(layer.named_inputs)} by name: inputs: {{{given}}}"
    title = f"{kind} gets the wrong number of inputs"
    return Diagnostic("NB208", title, span, label, help=help_)


def nameless_fault(
    layer: type[Layer], signals: Sequence[tuple[str | None, Signal]], item: Item
) -> Diagnostic | None:
    """Return the fault of several inputs without names, if the layer reads them by name."""
    if not layer.names_inputs or len(signals) < 2 or signals[0][0] is not None:
        return None
    kind, value = item.type.text, item.modifiers["inputs"].value
    items = value.items if isinstance(value, List) else ()
    wires = [one.text for one in items if isinstance(one, Scalar)]
    text = item.arguments.value if isinstance(item.arguments, Scalar) else ""
    words = dict.fromkeys(re.findall(r"[A-Za-z_]\w*(?!\w*\s*\()", str(text)))
    fits = len(words) == len(signals)
    pairs = zip(words if fits else "abcdefgh", wires, strict=False)
    named = ", ".join(f"{name}: {wire}" for name, wire in pairs)
    label = f"{kind} reads its inputs by name, and these {len(signals)} have none"
    help_ = f"name each input: inputs: {{{named}}}"
    fix = Fix(f"write inputs: {{{named}}}", (Edit(value.span, f"{{{named}}}"),))
    title, fixes = f"{kind} gets inputs without names", (fix,) if fits else ()
    return Diagnostic("NB208", title, value.span, label, help=help_, fixes=fixes)


def _enumerated(names: Sequence[str]) -> str:
    if len(names) > 1:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return "one input" if names else "nothing"


def _number(count: int) -> str:
    return ("none", "one")[count] if count < 2 else str(count)


#: The signal after a fault.
UNKNOWN_SIGNAL = Signal(None, "")
