"""The section `pretrained:`: initial weights from a file that an earlier training wrote.

    pretrained: resnet18.safetensors
    pretrained: {file: resnet18.safetensors, strict: false, leave_out: [fc]}

The file must have exactly the network's tensors, by name and shape. With `strict: false`, the
tensors of the modules in `leave_out` are not loaded and need not exist. They start with their
usual initial values: a new head on an old trunk. A path is relative to the folder of its config.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from netbuild.components.tensor import times
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.diagnostics.exceptions import RunNotFoundError, WeightsError
from netbuild.diagnostics.wording import brief, did_you_mean, reason, similar_path
from netbuild.runs.weights import compare, is_within, read_shapes
from netbuild.syntax.node import List, Map

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from netbuild.components.tensor import Shape
    from netbuild.config.config import Config
    from netbuild.config.pretrained import Pretrained
    from netbuild.diagnostics.diagnostic import Fix, Span
    from netbuild.graph.graph import Graph
    from netbuild.runs.renaming import Naming
    from netbuild.runs.weights import Comparison, Difference

#: The greatest number of misfitting tensors in the notes. `netbuild weights` lists all.
LISTED = 10


def check(graph: Graph) -> list[Diagnostic]:
    """Return the faults that keep a network from loading its pretrained weights."""
    config, pretrained = graph.config, graph.config.pretrained
    if pretrained is None:
        return []
    span = _written(config, "file")
    try:
        held, names = stored(pretrained)
    except (OSError, WeightsError) as error:
        return [unreadable(config, pretrained, error)]
    tensors = graph.tensors
    found = list(_for_nothing(config, pretrained, {**held, **tensors}))
    found += _misnamed(config, pretrained, names)
    if any(fault.span == _written(config, "prefix") for fault in found):
        return found
    comparison = compare(held, tensors, pretrained.leave_out, graph.ties)
    if comparison.differences:
        found.append(_misfit(pretrained, span, comparison))
    return found


def stored(pretrained: Pretrained) -> tuple[dict[str, Shape], Naming]:
    """Return the shapes in the file by their names in the network, and these names.

    Raises:
        WeightsError: the file is damaged, or holds something else.
        OSError: the file cannot be read.
    """
    from netbuild.runs.renaming import naming

    held = read_shapes(weights_of(pretrained.file))
    names = naming(held, pretrained.prefix, pretrained.rename)
    return {here: held[there] for here, there in names.in_file.items()}, names


def weights_of(path: str) -> Path:
    """Return the file of weights at a path: the file itself, or the best weights of a run.

    Raises:
        WeightsError: the folder is no run, or has no best checkpoint in one file.
    """
    if not Path(path).is_dir():
        return Path(path)
    from netbuild.runs.checkpoint_folder import WEIGHTS, whole
    from netbuild.runs.folder import find

    try:
        place = whole(find(Path(path)).checkpoint("best"))
    except RunNotFoundError as error:
        raise WeightsError(f"it is a folder, and no run: {error}") from error
    if place is None or not (place / WEIGHTS).is_file():
        raise WeightsError("this run has no best checkpoint")
    return place / WEIGHTS


def _misnamed(config: Config, pretrained: Pretrained, names: Naming) -> Iterator[Diagnostic]:
    """Yield the faults of `prefix` and `rename`."""
    span, title = _written(config, "rename"), "a renaming that does not fit the file"
    if pretrained.prefix and not names.in_file:
        label = f"no name in the file begins with {brief(pretrained.prefix)}."
        at = _written(config, "prefix")
        yield Diagnostic("NB503", "a prefix that no name has", at, label)
        return
    for pattern in names.unused:
        yield Diagnostic("NB503", title, span, f"{brief(pattern)} matches no name in the file")
    for one, other in names.same[:3]:
        label = f"{one} and {other} become one name"
        yield Diagnostic("NB503", title, span, label)


def unreadable(config: Config, pretrained: Pretrained, error: Exception) -> Diagnostic:
    """Return the fault of a file that cannot be read."""
    label = f"{pretrained.file}: {reason(error)}"
    title, span = "a file of weights that cannot be read", _written(config, "file")
    help_, fixes = _similar(pretrained, span)
    return Diagnostic("NB502", title, span, label, help=help_, fixes=fixes)


def two_values(config: Config, pretrained: Pretrained, name: str, target: str) -> Diagnostic:
    """Return the fault of a file with different values for the two names of a tied parameter."""
    label = f"its {name} has other values than its {target}, and the network ties the two"
    title = f"{Path(pretrained.file).name} does not fit the network"
    help_ = f"remove the tie of {name}, or leave one of the two out of the file"
    return Diagnostic("NB503", title, _written(config, "file"), label, help=help_)


def _similar(pretrained: Pretrained, span: Span) -> tuple[str | None, tuple[Fix, ...]]:
    """Return the help and the fix for a missing file next to a file with a similar name."""
    folder = Path(span.document.name).parent
    try:
        written = os.path.relpath(pretrained.file, folder).replace(os.sep, "/")
    except ValueError:  # on another drive
        return None, ()
    near = similar_path(written, folder)
    help_, fixes = did_you_mean(written, (), span, near)
    line = span.document.lines[span.line - 1]
    is_literal = line[span.column - 1 : span.end_column - 1].strip("\"'") == written
    return help_, fixes if is_literal else ()


def advice(comparison: Comparison, leave_out: Iterable[str] = ()) -> str | None:
    """Return advice, if the misfitting tensors have something in common.

    Entries of `leave_out` that leave out some tensor stay in the advice.
    """
    if not comparison.differences:
        return None
    names = [difference.name for difference in comparison.differences]
    unexpected = [name for name, _, network in comparison.differences if network is None]
    missing = {name for name, file, _ in comparison.differences if file is None}
    inner = {name.partition(".")[2] for name in unexpected}
    if unexpected and not comparison.fitting and inner >= missing:
        outer = unexpected[0].partition(".")[0]
        return f"the file's names begin with {outer}.: write prefix: {outer}"
    heads = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    if comparison.fitting and len(heads) <= 3 and all(heads):
        used = [e for e in leave_out if any(is_within(n, e) for n in comparison.left_out)]
        modules = ", ".join(dict.fromkeys((*used, *heads)))
        return (
            f"for a new head, write pretrained: {{file: …, strict: false, leave_out: [{modules}]}}"
        )
    return None


def _note(difference: Difference) -> Note:
    name, file, network = difference
    if file is not None and network is not None:
        text = f"{name} is {times(file)} in the file and {times(network)} in the network"
        return Note("shape", text)
    return Note(difference.kind, f"{name}, {times(file or network or ())}")


def _misfit(pretrained: Pretrained, span: Span, comparison: Comparison) -> Diagnostic:
    differences, more = comparison.differences, len(comparison.differences) - LISTED
    notes = [_note(difference) for difference in differences[:LISTED]]
    if more > 0:
        text = f"{more:,} more: netbuild weights FILE CONFIG lists all"
        notes.append(Note("and", text))
    count, of = len(differences), len(differences) + len(comparison.fitting)
    label = f"{count:,} of {of:,} tensors {'does' if count == 1 else 'do'} not fit"
    title = f"{Path(pretrained.file).name} does not fit the network"
    help_ = advice(comparison, pretrained.leave_out)
    return Diagnostic("NB503", title, span, label, tuple(notes), help=help_)


def _for_nothing(
    config: Config, pretrained: Pretrained, tensors: Mapping[str, Shape]
) -> Iterator[Diagnostic]:
    """Yield a fault for each entry of `leave_out` that exists in neither file nor network."""
    modules = {name.rpartition(".")[0] for name in tensors}
    for number, prefix in enumerate(pretrained.leave_out):
        if not any(is_within(name, prefix) for name in tensors):
            span = _written(config, "leave_out", number)
            help_, fixes = did_you_mean(prefix, modules, span)
            title = f"leave_out names {brief(prefix)}"
            label = "neither the file nor the network has it"
            yield Diagnostic("NB503", title, span, label, help=help_, fixes=fixes)


def _written(config: Config, field: str, number: int | None = None) -> Span:
    """Return the place of a field of the section, or of one value in its list."""
    item = config.items.get("pretrained")
    arguments = item.arguments if item else None
    inside = arguments.get(field) if isinstance(arguments, Map) else None
    if number is not None and isinstance(inside, List):
        return inside.items[number].span
    return inside.span if inside else config.span("pretrained")
