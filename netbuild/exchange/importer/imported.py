"""A module as a config that was built again and compared: `from_module`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from netbuild.builder import module as builder
from netbuild.checks.indices import lookups
from netbuild.checks.trace import infer
from netbuild.config.load import read as read_config
from netbuild.diagnostics.exceptions import ConfigError, ImportedError
from netbuild.exchange.importer.folding.folding import config_of
from netbuild.exchange.importer.in_training import SEED, differs_in_training, flat
from netbuild.exchange.importer.module import named, read
from netbuild.exchange.importer.recording.recording import call
from netbuild.exchange.importer.recording.sampling import batch
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from netbuild.exchange.importer.network import Network
    from netbuild.graph.graph import Graph

#: The numbers of samples in the batches that are compared.
SIZES = (1, 2, 5)
#: The largest difference, as a part of the largest value of an output or of 1.
TOLERANCE = 1e-4
_LISTED = 5


class Imported(NamedTuple):
    """A config, and how far its outputs are from the module's.

    `difference` is None if gaps left nothing to compare. `training` tells whether training was
    compared too. `gaps` are sentences about what a config cannot hold, and `notes` are sentences
    about names in `state_dict()`, or about a fault that gaps leave.
    """

    text: str
    network: Network
    difference: float | None = None
    training: bool = False
    gaps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def from_module(
    module: nn.Module, inputs: Mapping[str, torch.Tensor] | Sequence[torch.Tensor] | torch.Tensor
) -> str:
    """Return a module as the text of a config, which was built again and compared.

    The names and shapes in `state_dict()` are equal, and so are the outputs with the same weights
    for batches of 1, 2 and 5 samples. What a config cannot hold is a comment that begins with
    `# gap`, and the rest is written; then no outputs are compared.

    Args:
        module: any module of torch. It stays as it is.
        inputs: samples for each input of `forward`, with the batch on axis 0: by name, in their
            order, or a single tensor. Only the shapes, the dtypes and the bounds of whole numbers
            count.

    Raises:
        ImportedError: the module cannot run on the inputs, or the config differs from it.
    """
    return imported(module, inputs).text


def imported(
    module: nn.Module, inputs: Mapping[str, torch.Tensor] | Sequence[torch.Tensor] | torch.Tensor
) -> Imported:
    """Return the config of a module with what the comparison found; it raises as `from_module`."""
    given = named(module, inputs)
    network = read(module, given)
    made = config_of(network)
    beside = sum(note.startswith("gap: ") for note in network.notes)  # outputs are equal with them
    faults = (made.fault,) if made.fault else ()
    found = Imported(made.text, network, gaps=made.gaps, notes=faults)
    if len(made.gaps) > beside:
        return found
    return compared(found, _graph(made.text), module, given)


def _graph(text: str) -> Graph:
    """Return the network of a config that was written."""
    try:
        graph = infer(read_config(from_bytes("imported.yaml", text.encode())))
    except ConfigError as error:
        message = f"the config that was written has a fault: {error}"
        raise ImportedError(message) from error
    faults = [one for one in graph.diagnostics if one.severity == "error"]
    if faults:
        first = faults[0]
        where = text.splitlines()[first.span.line - 1].strip()
        message = f"the config that was written has a fault: {first.code} {first.message}"
        message += f" ({first.label}) at {where}" if first.label else f" at {where}"
        raise ImportedError(message)
    return graph


def compared(
    found: Imported, graph: Graph, module: nn.Module, given: Mapping[str, torch.Tensor]
) -> Imported:
    """Compare a config with the module from which it came.

    Raises:
        ImportedError: names, shapes or outputs differ.
    """
    built = builder.module(graph)
    notes = _load(built, module, graph)
    given = _within(graph, given)
    mode = {one: one.training for one in module.modules()}
    try:
        difference = _largest(built.eval(), module.eval(), given, SIZES)
    finally:
        for one, training_ in mode.items():
            one.training = training_
    gap, was_compared = differs_in_training(graph, built, module, given)
    found = found._replace(difference=difference, training=was_compared, notes=notes)
    if gap is None:
        return found
    made = config_of(found.network._replace(notes=(*found.network.notes, f"gap: {gap}")))
    return found._replace(text=made.text, gaps=made.gaps)


def _within(graph: Graph, given: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return samples whose whole numbers reach the bounds of the layers that look them up."""
    found = dict(given)
    for one in lookups(graph):
        x = found.get(one.value.port) if not one.value.path else None
        if x is not None and not x.is_floating_point() and x.numel() > 1:
            least, most = max(one.lookup.least, 0), one.lookup.most
            wide = x.clone()
            wide.view(-1)[0], wide.view(-1)[1] = int(least), int(most)
            found[one.value.port] = wide
    return found


def weights_of(module: nn.Module) -> bytes:
    """Return the weights of a module as a file of safetensors."""
    from safetensors.torch import save

    tensors = {name: one.detach().clone().contiguous() for name, one in module.state_dict().items()}
    return save(tensors)


def _load(built: nn.Module, module: nn.Module, graph: Graph) -> tuple[str, ...]:
    """Copy the weights into what was built, and return notes about names."""
    ours, theirs = built.state_dict(), module.state_dict()
    more = sorted({*ours} - {*theirs} - {*graph.ties})
    same = _same(module)
    less = sorted(name for name in {*theirs} - {*ours} if not same.get(name, {*()}) & {*ours})
    if more or less:
        raise ImportedError(_sentence("the config also has", more) or _sentence("it lacks", less))
    shapes = [n for n, one in theirs.items() if n in ours and ours[n].shape != one.shape]
    if shapes:
        raise ImportedError(_sentence("these have other shapes:", shapes))
    again = sorted({*theirs} - {*ours})
    built.load_state_dict({name: theirs[graph.ties.get(name, name)] for name in ours})
    tied = sorted({*ours} - {*theirs})
    notes = (
        _sentence("state_dict() also has the tied", tied),
        _sentence("state_dict() has under one name only:", again),
    )
    return tuple(note for note in notes if note)


def _same(module: nn.Module) -> dict[str, set[str]]:
    """Return for each name in `state_dict()` all names of the same tensor."""
    found: dict[int, set[str]] = {}
    names = dict(module.state_dict(keep_vars=True))
    for name, one in names.items():
        found.setdefault(id(one), set()).add(name)
    return {name: found[id(one)] for name, one in names.items()}


def _sentence(what: str, names: list[str]) -> str:
    shown = ", ".join(names[:_LISTED])
    rest = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{what} {shown}{rest}" if names else ""


def _largest(
    built: nn.Module, module: nn.Module, given: Mapping[str, torch.Tensor], sizes: Sequence[int]
) -> float:
    """Return the largest difference of an output.

    Raises:
        ImportedError: it is above the tolerance, or shapes differ.
    """
    largest = 0.0
    for size in sizes:
        x = batch(given, size, seed=100 + size)
        ours, theirs = _outputs(built, x), _outputs(module, x, by_name=True)
        if len(ours) != len(theirs):
            message = f"the config has {len(ours)} outputs, and the module has {len(theirs)}"
            raise ImportedError(message)
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True), start=1):
            if one.shape != other.shape:
                message = f"output {number} is {tuple(one.shape)} in the config, and "
                message += f"{tuple(other.shape)} in the module"
                raise ImportedError(message)
            largest = max(largest, _difference(number, one.double(), other.double()))
    return largest


def _outputs(
    module: nn.Module, x: Mapping[str, torch.Tensor], *, by_name: bool = False
) -> list[torch.Tensor]:
    copies = {name: one.clone() for name, one in x.items()}
    torch.manual_seed(SEED)
    with torch.no_grad():
        return flat(call(module, copies) if by_name else module(*copies.values()))


def _difference(number: int, one: torch.Tensor, other: torch.Tensor) -> float:
    same = (one == other) | (one.isnan() & other.isnan())
    difference = float((one - other).abs()[~same].max()) if bool((~same).any()) else 0.0
    finite = other[other.isfinite()]
    scale = max(1.0, float(finite.abs().max())) if finite.numel() else 1.0
    if not difference <= TOLERANCE * scale:
        message = f"output {number} of the config differs from the module by {difference:.1e}"
        raise ImportedError(message)
    return difference
