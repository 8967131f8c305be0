"""`pretrained:` the weights that a network begins with, from a file that training has left.

    pretrained: resnet18.safetensors
    pretrained: {file: resnet18.safetensors, strict: false, leave_out: [fc]}

The file has exactly the network's tensors, by name and shape. With `strict: false` the tensors of
the modules in `leave_out` are neither loaded nor wanted, and begin as they would without the file:
a new head on an old trunk. A path is seen from the folder of the file in which it is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic_core import core_schema

from netbuild.component import Component, fill_fields
from netbuild.diagnostic import Diagnostic, Note, brief, did_you_mean, reason
from netbuild.fields import Bool, Wants, many
from netbuild.layers.layer import times
from netbuild.node import Entry, List, Map, Node, Scalar
from netbuild.weights import WeightsError, compare, is_within, read_shapes, read_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import nn

    from netbuild.config import Config
    from netbuild.diagnostic import Span
    from netbuild.graph import Graph
    from netbuild.layers.layer import Shape
    from netbuild.weights import Comparison, Difference

#: How many tensors that do not fit a fault lists; `netbuild weights` lists all.
LISTED = 10

_text = core_schema.str_schema(strict=True, min_length=1)


class Pretrained(Component):
    """A file of weights, and the modules that it is not for."""

    file: Annotated[str, Wants("the path of a file", _text)]
    strict: Bool = True
    leave_out: Annotated[
        tuple[str, ...], Wants("a list of modules, such as [fc]", many(_text))
    ] = ()


def read_pretrained(node: Node, faults: list[Diagnostic]) -> Pretrained | None:
    """Read the section, its path as it is seen from here; None after a fault."""
    entries = node.entries if isinstance(node, Map) else {}
    if not isinstance(node, Map):
        entries = {"file": Entry(Scalar("file", node.span, "file"), node)}
    if "leave_out" in entries:
        key, value = entries["leave_out"]
        entries = {**entries, "leave_out": Entry(key, _as_names(value))}
    filled = fill_fields(Pretrained, entries, "pretrained", node.span, faults)
    if filled is None:
        return None
    if filled.strict == bool(filled.leave_out):
        at, label, help_ = node.span, "it leaves nothing out", "add leave_out: [fc], or be strict"
        if filled.strict:
            at = entries["leave_out"].key.span
            label, help_ = "a strict comparison leaves nothing out", "write strict: false beside it"
        title = "strict and leave_out contradict each other"
        faults.append(Diagnostic("NB107", title, at, label, help=help_))
        return None
    folder = Path(entries["file"].value.span.document.name).parent
    return filled.model_copy(update={"file": str(folder / filled.file)})


def _as_names(node: Node) -> Node:
    """Return a list whose numbers are names: a layer of a list is `0`, or `1.0` in another one."""
    if not isinstance(node, List):
        return node
    numbers = (int, float)
    items = (
        item._replace(value=item.text)
        if isinstance(item, Scalar) and type(item.value) in numbers
        else item
        for item in node.items
    )
    return List(tuple(items), node.span)


def faults(graph: Graph) -> list[Diagnostic]:
    """Return what keeps a network from beginning with the weights of its file."""
    config, pretrained = graph.config, graph.config.pretrained
    if pretrained is None:
        return []
    span = _written(config, "file")
    try:
        held = read_shapes(pretrained.file)
    except (OSError, WeightsError) as error:
        label = f"{pretrained.file}: {reason(error)}"
        return [Diagnostic("NB502", "a file of weights that cannot be read", span, label)]
    tensors = graph.tensors
    found = list(_for_nothing(config, pretrained, {**held, **tensors}))
    comparison = compare(held, tensors, pretrained.leave_out)
    if comparison.differences:
        found.append(_misfit(pretrained, span, comparison))
    return found


def load(module: nn.Module, graph: Graph) -> None:
    """Give a graph's module the weights of the file that its config names.

    Modules without memory, on the meta device, stay as they are.
    """
    pretrained = graph.config.pretrained
    if pretrained is None or any(tensor.is_meta for tensor in module.state_dict().values()):
        return
    tensors = read_tensors(pretrained.file)
    fitting = compare(read_shapes(pretrained.file), graph.tensors, pretrained.leave_out).fitting
    module.load_state_dict({name: tensors[name] for name in fitting}, strict=False)


def advice(comparison: Comparison) -> str | None:
    """Return what may be meant, where the tensors that do not fit have something in common."""
    if not comparison.differences:
        return None
    names = [difference.name for difference in comparison.differences]
    unexpected = [name for name, _, network in comparison.differences if network is None]
    missing = {name for name, file, _ in comparison.differences if file is None}
    inner = {name.partition(".")[2] for name in unexpected}
    if unexpected and not comparison.fitting and inner >= missing:
        outer = unexpected[0].partition(".")[0]
        return f"the file's names begin with {outer}.: save the state_dict() of {outer} itself"
    heads = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    if comparison.fitting and len(heads) <= 3 and all(heads):
        modules = ", ".join(heads)
        return f"for a new head, pretrained: {{file: …, strict: false, leave_out: [{modules}]}}"
    return None


def _note(difference: Difference) -> Note:
    name, file, network = difference
    if file is not None and network is not None:
        text = f"{name} is {times(file)}, and the network's {times(network)}"
        return Note("shape", text)
    return Note(difference.kind, f"{name}, {times(file or network or ())}")


def _misfit(pretrained: Pretrained, span: Span, comparison: Comparison) -> Diagnostic:
    differences, more = comparison.differences, len(comparison.differences) - LISTED
    notes = [_note(difference) for difference in differences[:LISTED]]
    if more > 0:
        text = f"{more:,} more, which netbuild weights FILE CONFIG lists"
        notes.append(Note("and", text))
    count, of = len(differences), len(differences) + len(comparison.fitting)
    label = f"{count:,} of {of:,} tensors {'does' if count == 1 else 'do'} not fit"
    title = f"{Path(pretrained.file).name} does not fit the network"
    return Diagnostic("NB503", title, span, label, tuple(notes), help=advice(comparison))


def _for_nothing(
    config: Config, pretrained: Pretrained, tensors: Mapping[str, Shape]
) -> Iterator[Diagnostic]:
    """Report what is left out and is there neither in the file nor in the network."""
    modules = {name.rpartition(".")[0] for name in tensors}
    for number, prefix in enumerate(pretrained.leave_out):
        if not any(is_within(name, prefix) for name in tensors):
            span = _written(config, "leave_out", number)
            help_, fixes = did_you_mean(prefix, modules, span)
            title = f"leave_out names {brief(prefix)}"
            label = "neither the file nor the network has it"
            yield Diagnostic("NB503", title, span, label, help=help_, fixes=fixes)


def _written(config: Config, field: str, number: int | None = None) -> Span:
    """Return where a field of the section is written, or one value of its list."""
    node = config.root.get("pretrained")
    inside = node.get(field) if isinstance(node, Map) else None
    if number is not None and isinstance(inside, List):
        return inside.items[number].span
    return inside.span if inside else config.span("pretrained")
