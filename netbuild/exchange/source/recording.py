"""What the `forward` of a stack does, as recorded steps.

It follows `builder.module` call by call.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.layers.constant import Constant
from netbuild.components.layers.operation import Operation
from netbuild.exchange.source.values import Name, Recorder, Value, same, step_of
from netbuild.graph.row import Block, Row
from netbuild.graph.value import OUTPUT, Ref

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from netbuild.components.tensor import Shape, Tensor
    from netbuild.exchange.source.values import Step
    from netbuild.graph.row import Member


#: Keywords of functions that a person leaves out, with torch's defaults.
_DEFAULTS = {
    "keepdim": False,
    "largest": True,
    "sorted": True,
    "descending": False,
    "mode": "constant",
    "value": None,
}


class Recording(NamedTuple):
    """The steps of a stack, the values of its inputs, its results, and what its constants keep.

    `held` are the values that a constant computes when the network is built, by its name.
    """

    steps: list[Step]
    inputs: dict[str, Value]
    results: list[Value]
    held: dict[str, Value]


def record(
    block: Block,
    outputs: Mapping[str, Tensor],
    optional: Collection[str] = (),
    *,
    in_order: bool = False,
) -> Recording:
    """Record the steps of a stack.

    Args:
        block: the stack.
        outputs: the results of the whole network, if the stack is the network.
        optional: the members that other uses of the stack lack.
        in_order: whether no layer of the network permutes memory.
    """
    writer = _Stack(block, outputs, optional, in_order=in_order)
    for member in block.members:
        writer.recorder.hint, writer.recorder.part = member.name, member.name
        for port, value in writer.results_of(member).items():
            writer.values[Ref(member.name, port)] = value
    results = [writer.result(port) for port in block.outputs]
    return Recording(writer.recorder.steps, writer.arguments, results, writer.held)


class _Stack:
    """Records a stack member by member."""

    def __init__(
        self,
        block: Block,
        outputs: Mapping[str, Tensor],
        optional: Collection[str],
        *,
        in_order: bool,
    ) -> None:
        self.block, self.outputs, self.optional = block, outputs, optional
        self.in_order = in_order
        self.recorder = Recorder()
        self.arguments = {port: self.recorder.add("input", port) for port in block.inputs}
        self.values = {Ref("", port): value for port, value in self.arguments.items()}
        self.loose: set[Ref] = set()
        self.repeated: dict[Ref, Value] = {}
        self.held: dict[str, Value] = {}

    def result(self, port: str) -> Value:
        """Return a result of the stack, as the builder does."""
        ref = self.block.outputs[port]
        self.recorder.hint, self.recorder.part = port, f"result {port}"
        if port in self.outputs and port in self.block.shared:
            return self.repeat(ref, self.outputs[port].shape).clone()
        return self.read(ref)

    def read(self, ref: Ref) -> Value:
        """Return a value with its batch axis."""
        return self.values[ref].unsqueeze(0) if ref in self.loose else self.values[ref]

    def repeat(self, ref: Ref, shape: Shape) -> Value:
        """Return a value that all samples share, repeated for each sample."""
        if ref not in self.repeated:
            batch = self.values[Ref("", self.block.batched[0])].size(0)
            sizes = shape if ref in self.loose else (-1,) * len(shape)
            self.repeated[ref] = self.values[ref].expand(batch, *sizes)
        return self.repeated[ref]

    def results_of(self, member: Member) -> dict[str, Value]:
        """Record a member, and return its results."""
        part = member.part
        if isinstance(part, Row) and part.layer.is_tensor:
            return {OUTPUT: self.tensor(member, part)}
        names = part.inputs if isinstance(part, Block) else member.reads
        x = [self.given(member, number, name) for number, name in enumerate(names)]
        if isinstance(part, Block):
            return self.stack(member, part, x)
        if part.layer.for_each_sample:
            x = [self.values[Ref("", self.block.batched[0])]]
        if not self.in_order and part.layer.needs_order(*part.shapes):
            x = [value.contiguous() for value in x]
        forward = self.forward(member, part)
        if isinstance(part.layer, Operation) and part.layer.gives_tuple:
            y = forward(*x)
            step_of(y).count = len(part.outputs)
            found = {}
            for number, port in enumerate(part.outputs):
                own = port.isidentifier() and not port.startswith("output")
                self.recorder.hint = port if own else f"{member.name}{number}"
                found[port] = y[number]
            return found
        return part.layer.run(forward, *x)

    def stack(self, member: Member, part: Block, x: Sequence[Value]) -> dict[str, Value]:
        """Record the call of a stack."""
        ports = list(part.outputs)
        if member.module:  # the first call says how the stack is written
            part = next(m.part for m in self.block.members if m.name == member.module)  # type: ignore[assignment]
        if part.recomputes:
            name = "recomputed" if part.has_statistics else "checkpoint"
            y = self.recorder.add("checkpoint", name, self.module(member), *x)
            step_of(y).alone = True
        elif is_loop(part):
            y = self.recorder.add("loop", member.module or member.name, *x)
            first = part.members[0].part
            if isinstance(first, Block) and first.recomputes:
                step_of(y).how = "recomputed" if first.has_statistics else "checkpoint"
            step_of(y).alone = True
        else:
            y = self.call(member, *x)
            step_of(y).alone = True
        several = len(ports) > 1
        return {port: y[n] if several else y for n, port in enumerate(ports)}

    def given(self, member: Member, number: int, name: str) -> Value:
        """Return an input of a member, as the member reads it."""
        ref, part = member.reads[name], member.part
        if member.repeats(name):
            return self.repeat(ref, member.shared[name])
        layer = part.layer if isinstance(part, Row) and not part.shared else None
        if name not in member.shared or not isinstance(layer, Operation):
            return self.read(ref)
        x, shape = self.values[ref], member.shared[name]
        has = layer.batch_axis(number, shape)
        if has is False:
            for _ in range(len(shape) - 1 - (ref in self.loose)):
                x = x.squeeze(0)
        return self.read(ref) if has else x

    def tensor(self, member: Member, row: Row) -> Value:
        """Return a parameter or a constant of the stack."""
        if isinstance(row.layer, Constant):
            self.loose.add(Ref(member.name, OUTPUT))
            if row.layer.source is None:
                self.held[member.name] = self.read(next(iter(member.reads.values())))
        else:
            ((_, shape),) = row.weights.items()
            if len(shape) == len(row.output.shape):
                self.loose.add(Ref(member.name, OUTPUT))
        return self.recorder.add("attribute", member.name)

    def module(self, member: Member) -> Value:
        """Return the module of a member as a value."""
        return self.recorder.add("attribute", member.module or member.name)

    def forward(self, member: Member, row: Row) -> Callable[..., Any]:
        """Return a stand-in for a layer's `forward`."""
        if not isinstance(row.layer, Operation):
            return partial(self.call, member)
        operation = row.layer
        if not operation.function:
            return self.recorder.call
        keywords = {
            name: value
            for name, value in row.arguments.items()
            if name not in _DEFAULTS or not same(value, _DEFAULTS[name])
        }
        if "dtype" in keywords:
            keywords["dtype"] = Name(f"torch.{keywords['dtype']}")
        if operation.namespace == "torch.Tensor":
            return partial(_method, operation.function, **keywords)
        name = f"{operation.namespace}.{operation.function}"
        return partial(self.recorder.call, name, **keywords)

    def call(self, member: Member, *x: Any, **keywords: Any) -> Value:
        """Record the call of a module."""
        name = member.module or member.name
        chosen = name in self.optional
        y = self.recorder.add("choice" if chosen else "module", name, *x, **keywords)
        part = member.part
        step = step_of(y)
        step.alone = chosen
        step.ends = isinstance(part, Row) and (part.layer.activates or part.layer.pools)
        return y


def _method(name: str, x: Any, *arguments: Any, **keywords: Any) -> Any:
    return getattr(x, name)(*arguments, **keywords)


def is_loop(block: Block) -> bool:
    """Whether a stack without a name of its own is a run of one block that `forward` loops over.

    Each member after the first one reads the result of the member before it, and else what the
    first one reads.
    """
    if (
        block.type
        or block.is_chain
        or block.recomputes
        or len(block.members) < 2
        or len(block.outputs) != 1
    ):
        return False
    first, *others = block.members
    place = first.span
    for number, member in enumerate(block.members):
        part = member.part
        if not isinstance(part, Block) or member.module or member.name != str(number):
            return False
        if member.span != place or len(part.outputs) != 1:
            return False
        if any(member.repeats(name) for name in member.shared):
            return False
    if [ref.port for ref in first.reads.values()] != list(block.inputs):
        return False
    before = first
    for member in others:
        (port,) = before.part.outputs
        wanted = [Ref(before.name, port), *list(first.reads.values())[1:]]
        if list(member.reads.values()) != wanted or list(member.reads) != list(first.reads):
            return False
        before = member
    (port,) = before.part.outputs
    return list(block.outputs.values()) == [Ref(before.name, port)]
