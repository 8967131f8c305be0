"""From the calls of a module to the nodes of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.components.tensor import Tensor
from netbuild.exchange.importer.conversion import constants, formulas, owners, torch_calls
from netbuild.exchange.importer.conversion.context import Context, Unread
from netbuild.exchange.importer.conversion.layouts import Gap, Sym, plain, renumbered
from netbuild.exchange.importer.network import Network, Node, Stack
from netbuild.exchange.importer.recording.functions import name_of, reads_values
from netbuild.exchange.importer.recording.merging import Fixed, Times, Varying
from netbuild.exchange.importer.recording.recording import Call, Ref, refs
from netbuild.exchange.importer.recording.statements import Statement
from netbuild.graph.value import OUTPUT, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import torch

    from netbuild.exchange.importer.recording.merging import Recorded

#: Operations that only read a part of a tensor.
_PARTS = {"Narrow", "Select"}
#: The dtypes of a config.
_DTYPES = {"float32", "int64", "int32", "uint8", "bool"}


def network(recorded: Recorded, module: torch.nn.Module) -> Network:
    """Return the network of a module whose calls were recorded.

    Raises:
        Gap: an input or an output does not have the batch on axis 0.
    """
    c = Context(recorded, module, formulas.settle, constants.add)
    c.fused = _fused(recorded)
    inputs: dict[str, Tensor] = {}
    given = {leaf.name for leaf in recorded.leaves.values() if leaf.kind == "input"}
    for ref, leaf in recorded.leaves.items():
        if leaf.kind == "input":
            shape = recorded.shapes[ref]
            if not shape or shape[0] != Times(1):
                message = f"axis 0 of the input {leaf.name} is not the batch"
                raise Gap(message)
            dtype = recorded.dtypes[ref]
            name = c.names.input(leaf.name, given | {*inputs})
            inputs[name] = Tensor(shape[1:], dtype)
            c.values[ref] = Sym(Value("", name), plain(len(shape)), shape[1:], dtype)
    for c.call in recorded.calls:
        _convert(c)
    outputs = _outputs(c)
    made = _read(c.nodes, outputs.values())
    nodes = (*made, *_uncalled(module, made))
    stacks = {
        path: Stack(path, type(place.module).__name__, place.again)
        for path, place in recorded.places.items()
        if path
    }
    notes = (*c.names.notes, *owners.frozen_alone(module, nodes))
    return Network(type(module).__name__, inputs, nodes, outputs, stacks, notes)


def _convert(c: Context) -> None:
    """Convert the call at hand; if a config cannot hold it, it becomes a gap."""
    try:
        result = _converted(c)
    except Unread as error:
        _guessed(c, str(error))
    except Gap as gap:
        _gap(c, str(gap))
    else:
        _assign(c, c.call.result, result)


def _converted(c: Context) -> Any:
    call = c.call
    unread = next((c.gaps[ref] for ref in refs((call.args, call.kwargs)) if ref in c.gaps), None)
    if unread is not None:
        raise Unread(unread)
    if call.stale:
        raise Gap("it reads a tensor that was changed in place through another one")
    if reads_values(call.target):
        raise Gap("what comes next depends on a value, and a config has no such branch")
    try:
        return torch_calls.convert(c)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
        message = f"a config has no counterpart for it as it is called here ({error})"
        raise Gap(message) from error


def _assign(c: Context, refs: Any, result: Any) -> None:
    """Give the numbers of a result its values."""
    if isinstance(refs, Ref):
        c.values[refs] = result
    elif isinstance(refs, (list, tuple)):
        for ref, one in zip(refs, result, strict=False):
            _assign(c, ref, one)


def _gap(c: Context, reason: str) -> None:
    """Add a node for a call that a config cannot hold. What comes next reads its results."""
    call = c.call
    kind = type(call.target).__name__ if call.path is not None else name_of(call.target)
    path = call.path if call.path is not None else c.free(kind)
    if any(node.path == path for node in c.nodes):
        path = c.free(kind)
    reads: list[tuple[str, Value]] = []
    for ref in refs((call.args, call.kwargs)):
        found = c.values.get(ref)
        if isinstance(found, Sym):
            reads = [("input", found.value)]
            break
    outputs = _guessed(c, path)
    c.nodes.append(Node(path, kind, {}, tuple(reads), outputs, gap=reason))


def _guessed(c: Context, path: str) -> dict[str, Tensor]:
    """Give the results of the call at hand values of a gap, with the shapes that came."""
    outputs = {}
    results = list(refs(c.call.result))
    for number, ref in enumerate(results):
        port = OUTPUT if len(results) == 1 else str(number)
        sizes = c.recorded.shapes[ref]
        batch = [d for d, n in enumerate(sizes) if not isinstance(n, int)]
        dtype = c.dtype(ref)
        known = dtype in _DTYPES
        if not known or len(batch) > 1 or (batch and sizes[batch[0]] != Times(1)):
            c.gaps[ref] = path
            continue
        shape = tuple(n for d, n in enumerate(sizes) if d not in batch)
        axes = renumbered((0,) if d in batch else (1,) for d in range(len(sizes)))
        outputs[port] = Tensor(shape, dtype)
        c.values[ref] = Sym(Value(path, port), axes, shape, dtype, shared=not batch)
    return outputs


def _outputs(c: Context) -> dict[str, Value]:
    """Return the results of the network by name."""
    found: dict[str, Value] = {}
    c.call = Call(None, (), {}, None, c.recorded.places[""], Statement())
    results = _named(c.recorded.outputs)
    if not results:
        raise Gap(_nothing(c.recorded.outputs))
    if len(results) == 1 and not results[0][0]:
        results = [(OUTPUT, results[0][1])]
    for name, ref in results:
        try:
            x = c.sym(ref)
        except Unread:
            continue
        if x.batch not in {0, None} or len(x.axes[0] if x.axes else (0,)) > 1:
            message = f"its output {name or 1} does not have the batch on axis 0"
            raise Gap(message)
        if x.batch is None and not x.shared:
            raise Gap("an output has no batch")
        found[c.names.output(name, x.value, found)] = x.value
    return found if c.nodes else _passed_on(c, found)


def _passed_on(c: Context, outputs: Mapping[str, Value]) -> dict[str, Value]:
    """Return the results of a network without layers: each input goes through an `Identity`."""
    made: dict[Value, Value] = {}
    for value in outputs.values():
        if value not in made:
            ref = next(r for r, one in c.values.items() if one.value == value)
            x = c.sym(ref)
            made[value] = c.operation("Identity", {}, [x], x.axes, x.shape).value
    return {name: made[value] for name, value in outputs.items()}


def _nothing(value: Any) -> str:
    """Return a sentence about a result of `forward` without a tensor."""
    if isinstance(value, Varying):
        return "forward returns values that are computed outside of torch's functions"
    kind = "None" if value is None else f"a result of the type {type(value).__name__}"
    return f"forward returns {kind}, and no tensor"


def _read(nodes: Sequence[Node], outputs: Iterable[Value]) -> list[Node]:
    """Return the nodes without the parts of tensors that nothing reads."""
    read = {value.path for value in outputs}
    found: list[Node] = []
    for node in reversed(nodes):
        if node.type in _PARTS and node.path not in read and not node.gap:
            continue
        read |= {value.path for _, value in node.inputs} | {node.reuses or ""}
        found.append(node)
    return found[::-1]


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
            first, then = call.statement.mark, reading[0].statement.mark
            if first and first[:3] == then[:3] and first[-1:] < then[-1:]:
                found.add(ref)
    return found
