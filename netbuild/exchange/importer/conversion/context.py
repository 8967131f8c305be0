"""The nodes that are made so far, and the values of the module's tensors in the config."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from netbuild.components.layers import LAYERS
from netbuild.components.tensor import BYTES, Tensor
from netbuild.exchange.importer.conversion.layouts import Axes, Gap, Sym, plain, renumbered
from netbuild.exchange.importer.conversion.naming import Names
from netbuild.exchange.importer.network import Node
from netbuild.exchange.importer.recording.merging import Fixed, Varying
from netbuild.exchange.importer.recording.recording import Ref
from netbuild.graph.value import OUTPUT, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

    from netbuild.exchange.importer.recording.merging import Recorded
    from netbuild.exchange.importer.recording.recording import Call

#: The dtypes of values that a config does not have.
_OTHERS = {"float64", "float16", "bfloat16", "int8", "int16"}


class Unread(Exception):  # noqa: N818  not a failure of its own
    """A call reads what comes from a gap. The message is the gap's path."""


class Context:
    """What is known while the calls are walked in their order. `call` is the one at hand.

    `settle` adds the node of a formula that was put off, and `tabulate` those of a tensor that
    depends on nothing.
    """

    def __init__(
        self,
        recorded: Recorded,
        module: torch.nn.Module,
        settle: Callable[[Context, Any], Sym],
        tabulate: Callable[..., Value],
    ) -> None:
        self.recorded, self.module = recorded, module
        self.settle, self.tabulate = settle, tabulate
        self.nodes: list[Node] = []
        self.values: dict[Ref, Any] = {}
        self.gaps: dict[Ref, str] = {}
        self.names = Names(module, recorded.places)
        self.constants: dict[tuple[str, int], Sym] = {}
        self.kept: list[torch.Tensor] = []  # so that each has an `id` of its own
        self.tables: set[Value] = set()  # what was made of constants
        self.items: dict[str, str] = {}  # the path of a functional layer, and its module's name
        self.parameters: dict[int, str] = {}  # the name of each tensor where it is first
        self.call: Call = None  # type: ignore[assignment]  # set before it is read
        self.fused: set[Ref] = set()

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
        found = self.values[ref]
        if not isinstance(found, Sym):
            if not hasattr(found, "operands"):
                raise Gap("it reads a result that is no tensor")
            found = self.values[ref] = self.settle(self, found)
        return found

    def leaf(self, ref: Ref) -> Sym:
        """Add a Parameter, or the Constant of a buffer."""
        leaf = self.recorded.leaves[ref]
        tensor = leaf.tensor
        if leaf.kind == "buffer" and not self.names.persistent(leaf.name):
            return self.constant(Fixed(tensor), leaf.name)
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
            value = self.tabulate(self, tensor, leaf.name)
        return Sym(value, axes, shape, dtype, shared=True)

    def constant(self, fixed: Fixed, path: str | None = None) -> Sym:
        """Add a Constant in the stack at hand, or at the path of its buffer."""
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
            value = self.tabulate(self, own, path, persistent=False)
            self.tables.add(value)
            dtype = "float32" if own.is_floating_point() else str(own.dtype).removeprefix("torch.")
            self.constants[key] = Sym(value, axes, shape, dtype, shared=True)
        return self.constants[key]

    def add(  # noqa: PLR0913  each is a part of a node
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

    def free(self, kind: str) -> str:
        """Return a path for an operation in the stack that calls it."""
        before = self.nodes[-1].path if self.nodes else ""
        return self.names.free(self.call.place.path, kind, self.call.name, before)

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
        path = self.free(name or kind)
        size = tuple(int(n) for n in shape)
        first = next(iter(dict(wires).values()), None)
        dtype = dtype or (first.dtype if first else "float32")
        if dtype not in BYTES or dtype in _OTHERS:
            message = f"its result is {dtype}, and a config computes in float32"
            raise Gap(message)
        value = self.add(path, kind, arguments, wires, size, dtype)
        shared = all(one.shared for _, one in wires) and not LAYERS[kind].for_each_sample
        return Sym(value, axes, size, dtype, shared=shared and bool(wires))

    def view(self, x: Sym, axes: Axes, shape: Sequence[int], kind: str, /, **arguments: Any) -> Sym:
        """Add an operation that only moves values; none if the config's value stays as it is."""
        if tuple(shape) == x.shape and kind in {"Reshape", "Flatten", "Unflatten"}:
            return x._replace(axes=axes)
        name = "table" if x.value in self.tables else ""
        return self.operation(kind, arguments, [x], axes, shape, name=name)

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
        sizes: tuple[Any, ...] = self.recorded.shapes[ref]
        if any(isinstance(n, Varying) for n in sizes):
            raise Gap("the size of its result depends on the number of samples")
        return sizes

    def dtype(self, ref: Any) -> str:
        """Return the dtype of a result."""
        found: str = self.recorded.dtypes[ref]
        return found
