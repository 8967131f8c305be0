"""From the calls of a module to the nodes of a network."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import torch

from netbuild.components.layers import LAYERS
from netbuild.components.tensor import BYTES, Tensor
from netbuild.exchange.importer import constants
from netbuild.exchange.importer.functions import name_of, reads_values
from netbuild.exchange.importer.layouts import Axes, Gap, Sym, plain, renumbered
from netbuild.exchange.importer.merging import Fixed, Times, Varying
from netbuild.exchange.importer.naming import Names
from netbuild.exchange.importer.network import Network, Node, Stack
from netbuild.exchange.importer.recording import Ref, refs
from netbuild.graph.value import OUTPUT, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.exchange.importer.merging import Recorded
    from netbuild.exchange.importer.recording import Call


#: The dtypes of a config.
_DTYPES = {"float32", "int64", "int32", "uint8", "bool"}


class Converter:
    """Walks the calls in their order. `call` is the one at hand, and `found` has what it gave."""

    def __init__(self, recorded: Recorded, module: torch.nn.Module) -> None:
        self.recorded, self.module = recorded, module
        self.nodes: list[Node] = []
        self.values: dict[Ref, Any] = {}
        self.gaps: dict[Ref, str] = {}
        self.names = Names(module, recorded.places)
        self.constants: dict[tuple[str, int], Sym] = {}
        self.kept: list[torch.Tensor] = []  # so that each has an `id` of its own
        self.items: dict[str, str] = {}  # the path of a functional layer, and its module's name
        self.parameters: dict[int, str] = {}  # the name of each tensor where it is first
        self.call: Call = None  # type: ignore[assignment]  # set before it is read
        self.fused = _fused(recorded)

    def network(self) -> Network:
        """Return the nodes of all calls."""
        from netbuild.exchange.importer import torch_calls

        inputs = {}
        for ref, leaf in self.recorded.leaves.items():
            if leaf.kind == "input":
                shape = self.recorded.shapes[ref]
                if not shape or shape[0] != Times(1):
                    message = f"axis 0 of the input {leaf.name} is not the batch"
                    raise Gap(message)
                dtype = self.recorded.dtypes[ref]
                inputs[leaf.name] = Tensor(shape[1:], dtype)
                value = Value("", leaf.name)
                self.values[ref] = Sym(value, plain(len(shape)), shape[1:], dtype)
        for call in self.recorded.calls:
            self.call = call
            self.convert(torch_calls.convert)
        outputs = self.outputs()
        self.nodes += _uncalled(self.module, self.nodes)
        stacks = {
            path: Stack(path, type(place.module).__name__, place.again)
            for path, place in self.recorded.places.items()
            if path
        }
        name = type(self.module).__name__
        return Network(name, inputs, tuple(self.nodes), outputs, stacks)

    def convert(self, function: Any) -> None:
        """Convert the call at hand; if a config cannot hold it, it becomes a gap."""
        call = self.call
        try:
            unread = next(
                (self.gaps[r] for r in refs((call.args, call.kwargs)) if r in self.gaps), None
            )
            if unread is not None:
                raise Unread(unread)
            if call.stale:
                raise Gap("it reads a tensor that was changed in place through another one")
            if reads_values(call.target):
                raise Gap("what comes next depends on a value, and a config has no such branch")
            result = function(self)
        except Unread as error:
            self.guessed(str(error))
        except Gap as gap:
            self.gap(str(gap))
        else:
            self.assign(call.result, result)

    def assign(self, refs: Any, result: Any) -> None:
        """Give the numbers of a result its values."""
        if isinstance(refs, Ref):
            self.values[refs] = result
        elif isinstance(refs, (list, tuple)):
            for ref, one in zip(refs, result, strict=False):
                self.assign(ref, one)

    def gap(self, reason: str) -> None:
        """Add a node for a call that a config cannot hold. What comes next reads its results."""
        call = self.call
        kind = type(call.target).__name__ if call.path is not None else name_of(call.target)
        path = call.path if call.path is not None else self.names.free(call.place.path, kind)
        if any(node.path == path for node in self.nodes):
            path = self.names.free(call.place.path, kind)
        reads: list[tuple[str, Value]] = []
        for ref in refs((call.args, call.kwargs)):
            found = self.values.get(ref)
            if isinstance(found, Sym):
                reads = [("input", found.value)]
                break
        outputs = self.guessed(path)
        self.nodes.append(Node(path, kind, {}, tuple(reads), outputs, gap=reason))

    def guessed(self, path: str) -> dict[str, Tensor]:
        """Give the results of the call at hand values of a gap, with the shapes that came."""
        outputs = {}
        results = list(refs(self.call.result))
        for number, ref in enumerate(results):
            port = OUTPUT if len(results) == 1 else str(number)
            sizes = self.recorded.shapes[ref]
            batch = [d for d, n in enumerate(sizes) if not isinstance(n, int)]
            dtype = self.dtype(ref)
            known = dtype in _DTYPES
            if not known or len(batch) > 1 or (batch and sizes[batch[0]] != Times(1)):
                self.gaps[ref] = path
                continue
            shape = tuple(n for d, n in enumerate(sizes) if d not in batch)
            axes = renumbered((0,) if d in batch else (1,) for d in range(len(sizes)))
            outputs[port] = Tensor(shape, dtype)
            self.values[ref] = Sym(Value(path, port), axes, shape, dtype, shared=not batch)
        return outputs

    def sym(self, value: Any) -> Sym:
        """Return the value of an argument of the call: a tensor.

        Raises:
            Gap: it is no tensor.
            Unread: it comes from a gap.
        """
        if isinstance(value, Ref):
            if value in self.gaps:
                raise Unread(self.gaps[value])
            if value not in self.values:
                self.values[value] = self.leaf(value)
            return self.settled(value)
        if isinstance(value, Fixed):
            return self.constant(value)
        if isinstance(value, Varying):
            raise Gap("it reads values that are computed outside of torch's functions")
        message = f"it reads {value!r} where a tensor stands"
        raise Gap(message)

    def settled(self, ref: Ref) -> Sym:
        """Return a value; a formula that was put off becomes a node."""
        from netbuild.exchange.importer.formulas import Pending, settle

        found = self.values[ref]
        if isinstance(found, Pending):
            found = self.values[ref] = settle(self, found)
        if not isinstance(found, Sym):
            raise Gap("it reads a result that is no tensor")
        return found

    def leaf(self, ref: Ref) -> Sym:
        """Add a Parameter, or the Constant of a buffer."""
        leaf = self.recorded.leaves[ref]
        tensor = leaf.tensor
        if leaf.kind == "buffer" and not self.names.persistent(leaf.name):
            return self.constant(Fixed(tensor))
        self.names.check(leaf.name)
        dtype = self.recorded.dtypes[ref]
        shape = tuple(tensor.shape)
        lead = leaf.kind == "parameter" and len(shape) > 1 and shape[0] == 1
        axes = plain(len(shape)) if lead else tuple((d + 1,) for d in range(len(shape)))
        shape = shape[1:] if lead else shape
        if leaf.kind == "parameter":
            if dtype != "float32":
                message = f"a Parameter is float32, and {leaf.name} is {dtype}"
                raise Gap(message)
            given = {"shape": list(shape)} | ({} if lead else {"batch_axis": False})
            kept = {} if tensor.requires_grad else {"freeze": True}
            value = self.add(leaf.name, "Parameter", given, (), shape, dtype, kept)
        else:
            value = constants.add(self, tensor, leaf.name)
        return Sym(value, axes, shape, dtype, shared=True)

    def constant(self, fixed: Fixed) -> Sym:
        """Add a Constant in the stack at hand."""
        tensor, batch = fixed
        key = (self.call.place.path, id(tensor))
        if key not in self.constants:
            self.kept.append(tensor)
            shape = tuple(tensor.shape)
            if batch is not None:
                own = tensor.squeeze(batch)
                groups = [(0,) if d == batch else (1,) for d in range(len(shape))]
                axes, shape = renumbered(groups), tuple(own.shape)
            else:
                own, axes = tensor, tuple((d + 1,) for d in range(len(shape)))
            value = constants.add(self, own)
            dtype = "float32" if own.is_floating_point() else str(own.dtype).removeprefix("torch.")
            self.constants[key] = Sym(value, axes, shape, dtype, shared=True)
        return self.constants[key]

    def add(
        self,
        path: str,
        kind: str,
        arguments: Mapping[str, Any],
        inputs: Sequence[tuple[str, Sym]],
        shape: tuple[int, ...],
        dtype: str,
        modifiers: Mapping[str, Any] | None = None,
        *,
        reuses: str | None = None,
        others: Mapping[str, Tensor] | None = None,
    ) -> Value:
        """Add a node with one result or several, and return the first one."""
        outputs = others or {OUTPUT: Tensor(shape, dtype)}
        wires = tuple((name, one.value) for name, one in inputs)
        self.nodes.append(
            Node(path, kind, dict(arguments), wires, outputs, reuses, dict(modifiers or {}))
        )
        return Value(path, next(iter(outputs)))

    def operation(
        self,
        kind: str,
        arguments: Mapping[str, Any],
        inputs: Sequence[Sym] | Mapping[str, Sym],
        axes: Axes,
        shape: Sequence[int],
        dtype: str | None = None,
        *,
        name: str = "",
    ) -> Sym:
        """Add an operation in the stack that calls it, with one result."""
        if isinstance(inputs, dict):
            wires = list(inputs.items())
        else:
            names = LAYERS[kind].inputs + LAYERS[kind].optional_inputs
            wires = [(names[min(n, len(names) - 1)], one) for n, one in enumerate(inputs)]
        path = self.names.free(self.call.place.path, name or kind)
        size = tuple(int(n) for n in shape)
        first = next(iter(dict(wires).values()), None)
        dtype = dtype or (first.dtype if first else "float32")
        if dtype not in BYTES or dtype in {"float64", "float16", "bfloat16"}:
            message = f"its result is {dtype}, and a config computes in float32"
            raise Gap(message)
        value = self.add(path, kind, arguments, wires, size, dtype)
        shared = all(one.shared for _, one in wires) and not LAYERS[kind].for_each_sample
        return Sym(value, axes, size, dtype, shared=shared and bool(wires))

    def view(self, x: Sym, axes: Axes, shape: Sequence[int], kind: str, /, **arguments: Any) -> Sym:
        """Add an operation that only moves values; none if the config's value stays as it is."""
        if tuple(shape) == x.shape and kind in {"Reshape", "Flatten", "Unflatten"}:
            return x._replace(axes=axes)
        return self.operation(kind, arguments, [x], axes, shape)

    def reshaped(self, x: Sym, axes: Axes, shape: Sequence[int]) -> Sym:
        """Give a value another shape."""
        shape = tuple(shape)
        if prod(shape) != prod(x.shape):
            raise Gap("a tensor that all samples share has a size where the batch is")
        return self.view(x, axes, shape, "Reshape", shape=list(shape))

    def relabelled(self, x: Sym, rank: int, batch: int | None) -> Sym:
        """Give a shared tensor its batch axis at another axis of torch, whose size is 1."""
        sizes = [x.size(d) for d in range(x.rank)]
        sizes = [1] * (rank - x.rank) + sizes
        groups = [(0,) if d == batch else (1,) for d in range(rank)]
        shape = [n for d, n in enumerate(sizes) if d != batch]
        return self.reshaped(x, renumbered(groups), shape)

    def sizes(self, ref: Any) -> tuple[Any, ...]:
        """Return torch's sizes of a result: whole numbers, or `Times` for the batch."""
        sizes = self.recorded.shapes[ref]
        if any(isinstance(n, Varying) for n in sizes):
            raise Gap("the size of its result depends on the number of samples")
        return sizes

    def dtype(self, ref: Any) -> str:
        """Return the dtype of a result."""
        return self.recorded.dtypes[ref]

    def outputs(self) -> dict[str, Value]:
        """Return the results of the network by name."""
        found: dict[str, Value] = {}
        self.call = self.recorded.calls[-1]._replace(place=self.recorded.places[""])
        results = _named(self.recorded.outputs)
        if len(results) == 1 and not results[0][0]:
            results = [(OUTPUT, results[0][1])]
        for name, ref in results:
            try:
                x = self.sym(ref)
            except Unread:
                continue
            if x.batch not in {0, None} or len(x.axes[0] if x.axes else (0,)) > 1:
                message = f"its output {name or 1} does not have the batch on axis 0"
                raise Gap(message)
            if x.batch is None and not x.shared:
                raise Gap("an output has no batch")
            found[self.names.output(name, x.value, found)] = x.value
        return found


def _uncalled(module: torch.nn.Module, nodes: Sequence[Node]) -> list[Node]:
    """Return a gap for each module with weights that no call reads."""
    paths = {node.path for node in nodes}
    state = module.state_dict(keep_vars=True)
    read, seen = set(), set()
    for name, tensor in state.items():
        parts = name.split(".")
        if any(".".join(parts[:n]) in paths for n in range(1, len(parts) + 1)):
            read.add(name)
            seen.add(id(tensor))
    left = [name for name, one in state.items() if name not in read and id(one) not in seen]
    found: dict[str, Node] = {}
    for name in left:
        parts = name.split(".")
        tops = (".".join(parts[:n]) for n in range(1, len(parts) + 1))
        top = next(t for t in tops if not any(r == t or r.startswith(f"{t}.") for r in read))
        kind = type(module.get_submodule(top)).__name__ if top != name else "Parameter"
        found[top] = Node(top, kind, {}, (), gap="forward does not read it in evaluation")
    return list(found.values())


class Unread(Exception):  # noqa: N818  not a failure of its own
    """A call reads what comes from a gap. The message is the gap's path."""


def _named(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """Return the tensors of a module's result, with their names."""
    if isinstance(value, (Ref, Fixed)):
        return [(name, value)]
    if isinstance(value, dict):
        return [pair for key, one in value.items() for pair in _named(one, str(key))]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        pairs = zip(value._fields, value, strict=True)
        return [pair for key, one in pairs for pair in _named(one, key)]
    if isinstance(value, (list, tuple)):
        return [pair for one in value for pair in _named(one, name)]
    return []


def _fused(recorded: Recorded) -> set[Ref]:
    """Return the results that one call alone reads, in the same statement."""
    readers: dict[Ref, list[Call]] = {}
    makers: dict[Ref, Call] = {}
    for call in recorded.calls:
        for ref in refs((call.args, call.kwargs)):
            readers.setdefault(ref, []).append(call)
        for ref in refs(call.result):
            makers[ref] = call
    for ref in refs(recorded.outputs):
        readers.setdefault(ref, []).extend([None, None])  # type: ignore[list-item]
    found = set()
    for ref, call in makers.items():
        reading = readers.get(ref, [])
        if len(reading) == 1 and call.path is None and reading[0].path is None:
            first, then = call.statement, reading[0].statement
            if first and first[:3] == then[:3] and first[3] < then[3]:
                found.add(ref)
    return found
