"""The memory of a training step: where each value lies, and what the backward pass needs of it.

The walk goes through the layers in the order of execution, as autograd does. It knows of each value
its memory, its layout and whether it needs a gradient; of each layer it knows what it keeps. From
this follow the bytes that training keeps of one sample, and which layer may overwrite its input.

A tensor that two layers keep, or that has a view, counts once, for the first layer. A view keeps
the whole tensor that it is a part of. A layer keeps nothing if the backward pass does not reach it:
if neither the layer nor a layer before it learns, or if no output depends on it. Gradients go
through floating-point results only: through the values of a max pool, and not through its indices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.layers.layout import Placed
from netbuild.components.layers.operation import Operation
from netbuild.graph.value import Value, value_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from netbuild.components.layers.layer import Memory
    from netbuild.components.tensor import Tensor
    from netbuild.graph.row import Recomputed, Row


class Held(NamedTuple):
    """An input or a result of a layer that the backward pass of the layer needs."""

    value: Value
    #: The value whose memory holds it, and the tensor in this memory.
    place: Value
    tensor: Tensor
    #: An earlier layer that already keeps this memory.
    keeper: str | None = None
    #: Whether it is a Parameter or a Constant, which count as tensors of the network.
    is_weight: bool = False
    #: Whether torch keeps a copy, because the values do not lie in order.
    is_copy: bool = False
    #: Whether all samples share it: it is there once a batch.
    is_shared: bool = False
    #: Whether it is a Constant, which `is_weight` counts too.
    is_constant: bool = False

    @property
    def nbytes(self) -> int:
        """The bytes that only this layer keeps."""
        return 0 if self.keeper is not None or self.is_weight else self.tensor.nbytes


class Kept(NamedTuple):
    """The memory that a layer keeps; nothing if the backward pass does not reach the layer."""

    reached: bool
    tensors: tuple[Held, ...] = ()
    #: The bytes of other tensors that the layer keeps, such as indices and masks.
    workspace: int = 0
    #: The bytes of such tensors that are there once a batch.
    once: int = 0
    #: Whether an output of the network depends on the layer by floating-point results.
    is_read: bool = True
    #: Whether all samples share its results, so that the workspace is there once a batch.
    is_shared: bool = False
    #: What it keeps while the backward pass computes the stack around it again, and the stack.
    again: int = 0
    stack: str = ""

    @property
    def nbytes(self) -> int:
        """The bytes of the tensors and of the workspace for one sample."""
        return self._bytes(shared=False)

    @property
    def shared_nbytes(self) -> int:
        """The bytes that are there once a batch."""
        return self._bytes(shared=True)

    def _bytes(self, *, shared: bool) -> int:
        tensors = sum(one.nbytes for one in self.tensors if one.is_shared == shared)
        once = self.once if shared else 0
        return tensors + once + self.workspace * (self.is_shared == shared)


def kept(rows: Sequence[Row], outputs: Collection[Value] | None = None) -> Iterator[Kept]:
    """Yield the memory of each layer, in the order of execution.

    `outputs` are the results of the network; without them, every result counts as read.
    """
    read = None if outputs is None else reaching(rows, outputs)
    step = Step()
    for row in rows:
        yield step.add(row, read=None if read is None else read.get(row.path, frozenset()))


class _Writes(NamedTuple):
    """The layers that wrote into one memory: the results of the last one, and those before it."""

    results: tuple[Value, ...]
    before: _Writes | None


def reaching(rows: Iterable[Row], outputs: Iterable[Value]) -> dict[str, frozenset[str]]:
    """Return the results from which a gradient comes to each layer, by the layer's path."""
    above: dict[Value, list[Value | _Writes]] = {}
    learned: set[Value] = set()
    places: dict[Value, Value] = {}
    writers: dict[Value, _Writes] = {}

    def sources(values: Iterable[Value]) -> list[Value | _Writes]:
        found = [value for value in values if value in learned]
        memories = [places.get(value, value) for value in found] if writers else []
        return [*found, *(writers[memory] for memory in memories if memory in writers)]

    for row in rows:
        results = {Value(row.path, port): y for port, y in row.outputs.items()}
        for value, y in results.items():
            above[value] = sources(row.layer.feeding(value.port, row.sources))
            if y.floating and (row.learns or above[value]):
                learned.add(value)
        if row.sources and row.inferred.memory != "new":
            memory = places.get(row.sources[0], row.sources[0])
            places |= dict.fromkeys(results, memory)
            if row.inferred.memory == "overwritten":
                writers[memory] = _Writes(tuple(results), writers.get(memory))
    return _back(sources(outputs), above)


def _back(
    waiting: list[Value | _Writes], above: Mapping[Value, list[Value | _Writes]]
) -> dict[str, frozenset[str]]:
    """Return the results that are reached from some values, by the layer's path."""
    found: dict[str, frozenset[str]] = {}
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, _Writes):
            if id(value) not in seen:
                seen.add(id(value))
                waiting += [*value.results, *([value.before] if value.before else [])]
            continue
        ports = found.get(value.path, frozenset())
        if value.port not in ports:
            found[value.path] = ports | {value.port}
            waiting += above[value]
    return found


class Conflict(NamedTuple):
    """A layer that overwrites a tensor which torch protects, and why."""

    path: str
    message: str


class _Stored(NamedTuple):
    """A value in memory."""

    #: The value that the memory was made for.
    base: Value
    tensor: Tensor
    placed: Placed
    #: For one of several views, how often the memory had been overwritten when it was made.
    version: int | None = None
    #: The first value that is the same tensor of torch.
    first: Value | None = None


class Step:
    """One forward pass, layer by layer.

    In training a dropout has a result of its own. In evaluation it returns its input itself.
    """

    def __init__(self, *, training: bool = True) -> None:
        self.training = training
        self.values: dict[Value, _Stored] = {}
        #: Parameters and constants, which are tensors of the network.
        self.weights: set[Value] = set()
        self.constants: set[Value] = set()
        #: The values that all samples share.
        self.shared: set[Value] = set()
        #: For each memory, the first layer whose backward pass needs it.
        self.keepers: dict[Value, str] = {}
        #: The same within each stack that the backward pass computes again, by its path.
        self.within: dict[str, dict[Value, str]] = {}
        #: The stacks of these whose inputs torch keeps.
        self.entered: set[str] = set()
        #: For each memory, the layers that have overwritten it.
        self.writers: dict[Value, list[str]] = {}

    def add(self, row: Row, *, read: frozenset[str] | None = None) -> Kept:
        """Add a layer; return the memory that it keeps. `read` as in `reaching`; None is all."""
        x = [self._read(row, number) for number in range(len(row.sources))]
        given = _named([one.placed for one in x], [one.first for one in x])
        reached = row.learns or any(one.gradient for one in given)
        self._store(row, x, given)
        if not reached or not (read is None or read):
            return Kept(reached=reached, is_read=not reached)
        known = self.keepers if row.recomputed is None else self._opened(row.recomputed)
        needs = row.inferred.needs(given, learns=row.has_learning_weight, read=read)
        held = [self._input(row, n, x[n], known) for n in needs.inputs]
        for port in needs.outputs:
            value = Value(row.path, port)
            held.append(self._held(value, self.values[value], known))
        for one in held:
            if not one.is_copy:
                known.setdefault(one.place, row.path)
        found = Kept(True, _once(held), needs.workspace, needs.once, is_shared=row.shared)
        return found if row.recomputed is None else self._again(row, found)

    def _opened(self, stack: Recomputed) -> dict[Value, str]:
        """Return the keepers within a stack that is computed again. Its inputs are kept already."""
        if stack.path not in self.within:
            inputs = [self._value(value, tensor) for value, tensor in stack.inputs]
            self.within[stack.path] = dict.fromkeys((x.base for x in inputs), stack.path)
        return self.within[stack.path]

    def _again(self, row: Row, found: Kept) -> Kept:
        """Return what a layer keeps in a stack that is computed again.

        The first layer that would keep anything, also a weight, lets torch keep what the stack
        reads. The others keep nothing more until the stack is computed again.
        """
        stack = row.recomputed
        assert stack is not None
        inputs: tuple[Held, ...] = ()
        # A Parameter saves nothing; a layer that computes with it does.
        weighs = bool(row.inferred.weights) and not row.layer.is_tensor
        needed = found.tensors or found.workspace or found.once or weighs
        if needed and stack.path not in self.entered:
            self.entered.add(stack.path)
            reads = [(value, self._value(value, tensor)) for value, tensor in stack.inputs]
            inputs = _once([self._held(value, x, self.keepers) for value, x in reads])
            for one in inputs:
                self.keepers.setdefault(one.place, stack.path)
        return Kept(True, inputs, again=found.nbytes, stack=stack.path)

    def conflict(self, row: Row) -> Conflict | None:
        """Return why torch refuses a layer after the layers before it; None if it runs."""
        for value in row.sources:
            found = self.outdated(value, f"{row.path} reads {value_name(value)}")
            if found is not None:
                return found
        # An input of the network needs no gradient, and nothing but a checkpoint keeps its values.
        is_input = row.sources and row.sources[0] not in self.values
        if row.inferred.memory != "overwritten" or (is_input and row.recomputed is None):
            return None
        first = self._read(row, 0)
        if first.base in self.weights:
            message = "the layer overwrites a Parameter or a Constant, which keeps its values"
            return Conflict(row.path, message)
        stack = row.recomputed
        reader = (self.keepers if stack is None else self._opened(stack)).get(first.base)
        if reader:
            message = f"the layer overwrites its input, which the backward pass of {reader} needs"
            return Conflict(row.path, message)
        sizes = zip(first.placed.distances, first.placed.sizes, strict=True)
        repeats = any(stride == 0 and size > 1 for stride, size in sizes)
        if repeats or (first.version is not None and first.placed.gradient):
            message = "the layer overwrites a view of another tensor, which torch forbids"
            return Conflict(row.path, message)
        return None

    def outdated(self, value: Value, use: str) -> Conflict | None:
        """Return the conflict of one of several views, if a layer has overwritten it since."""
        stored = self.values.get(value)
        if stored is None or stored.version is None or not stored.placed.gradient:
            return None
        later = self.writers.get(stored.base, [])[stored.version :]
        if not later:
            return None
        message = f"the layer overwrites its input, and {use}, a part of it, after this"
        return Conflict(later[0], message)

    def _value(self, value: Value, tensor: Tensor) -> _Stored:
        """Return a value as it was computed; one that is not known is an input of the network."""
        if value not in self.values:
            placed = Placed(tensor.shape, None, False, tensor.dtype)
            self.values[value] = _Stored(value, tensor, placed, first=value)
        return self.values[value]

    def _read(self, row: Row, number: int) -> _Stored:
        """Return a value as a layer reads it: one that all samples share repeats for each."""
        value, tensor = row.sources[number], row.inputs[number]
        stored = self._value(value, tensor)
        more = len(tensor.shape) - len(stored.placed.shape)
        if value not in self.shared or (row.shared and not more):
            return stored
        batch, *own = stored.placed.distances
        strides = (batch if row.shared else 0, *(0,) * more, *own)
        broadcasts = isinstance(row.layer, Operation) and row.layer.broadcasts
        batched = row.shared or not broadcasts
        return stored._replace(
            placed=stored.placed._replace(shape=tensor.shape, strides=strides, batched=batched)
        )

    def _store(self, row: Row, x: Sequence[_Stored], given: tuple[Placed, ...]) -> None:
        """Add the results of a layer to the memory."""
        memory: Memory = row.inferred.memory_of(given)
        strides = row.inferred.layouts(given)
        if not self.training and row.layer.drops:
            memory, strides = "same", (given[0].strides,)
        if row.layer.is_tensor:
            memory = "new"
        if memory == "overwritten":
            self.writers.setdefault(x[0].base, []).append(row.path)
        for (port, y), layout in zip(row.outputs.items(), strides, strict=True):
            value = Value(row.path, port)
            base = value if memory == "new" else x[0].base
            version = None if memory == "new" else x[0].version
            if memory == "locked":
                version = len(self.writers.get(base, []))
            learned = row.learns or any(one.gradient for one in row.layer.feeding(port, given))
            placed = Placed(y.shape, layout, learned and y.floating, y.dtype)
            first = x[0].first if memory in {"same", "overwritten"} else value
            self.values[value] = _Stored(base, y, placed, version, first)
            if row.layer.is_tensor:
                self.weights.add(value)
                if not row.inferred.weights:
                    self.constants.add(value)
            if row.shared:
                self.shared.add(value)

    def _input(self, row: Row, number: int, x: _Stored, known: Mapping[Value, str]) -> Held:
        """Return an input that a layer keeps, itself or as a copy."""
        value = row.sources[number]
        if row.layer.keeps_itself(x.placed):
            return self._held(value, x, known)
        return Held(value, value, row.inputs[number], is_copy=True, is_shared=row.shared)

    def _held(self, value: Value, stored: _Stored, known: Mapping[Value, str]) -> Held:
        base = stored.base
        tensor = self.values[base].tensor if base in self.values else stored.tensor
        keeper, is_weight = known.get(base), base in self.weights
        held = Held(value, base, tensor, keeper, is_weight, is_shared=base in self.shared)
        return held._replace(is_constant=base in self.constants)


def _named(x: Sequence[Placed], first: Sequence[Value | None]) -> tuple[Placed, ...]:
    """Return the inputs of a layer, and mark those that are one tensor."""
    if len(set(first)) == len(x):
        return tuple(x)
    pairs = zip(x, first, strict=True)
    return tuple(
        one._replace(same=first.index(value)) if first.count(value) > 1 else one
        for one, value in pairs
    )


def _once(held: Iterable[Held]) -> tuple[Held, ...]:
    """Return tensors of which each memory counts once, also within one layer."""
    found: dict[object, Held] = {}
    for number, one in enumerate(held):
        found.setdefault(number if one.is_copy else one.place, one)
    return tuple(found.values())
