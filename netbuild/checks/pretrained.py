"""`pretrained:`: initial weights from files that an earlier training wrote.

    pretrained: resnet18.safetensors
    pretrained: {file: resnet18.safetensors, strict: false, leave_out: [fc]}

The file must have exactly the network's tensors, by name and shape. With `strict: false`, the
tensors of the modules in `leave_out` are not loaded and need not exist. They start with their
usual initial values: a new head on an old trunk. A path is relative to the folder of its config.

Beside a stack, a file fills this stack, and its names are seen from there. The files of a list fill
their part together. What an outer file lacks may be filled inside. No tensor has two files.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.tensor import times
from netbuild.diagnostics.diagnostic import Diagnostic, Note, collect
from netbuild.diagnostics.exceptions import RunNotFoundError, WeightsError
from netbuild.diagnostics.wording import brief, did_you_mean, reason, similar_path
from netbuild.runs.weights import compare, is_within, read_shapes
from netbuild.syntax.node import List, Map

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from netbuild.components.tensor import Shape
    from netbuild.config.pretrained import Given, Pretrained
    from netbuild.diagnostics.diagnostic import Fix, Found, Span
    from netbuild.graph.graph import Graph
    from netbuild.runs.renaming import Naming
    from netbuild.runs.weights import Comparison, Difference

#: The greatest number of misfitting tensors in the notes. `netbuild weights` lists all.
LISTED = 10


class Filled(NamedTuple):
    """A tensor of the network that a file fills: its name there, and the file."""

    given: Given
    name: str


class _Held(NamedTuple):
    """What a file holds for its part of the network, by the names seen from there."""

    given: Given
    shapes: Mapping[str, Shape]
    naming: Naming

    def fills(self, name: str) -> bool:
        """Whether the file decides about a tensor: it holds it, or leaves it out."""
        return name in self.shapes or _is_within(name, self.given.pretrained.leave_out)


class Part(NamedTuple):
    """A stack, or the whole network, that files of weights fill."""

    path: str
    #: Its tensors and tied parameters, by the names seen from it.
    tensors: Mapping[str, Shape]
    ties: Mapping[str, str]
    #: The tensors for which files beside inner stacks stand.
    inner: frozenset[str]

    def compare(
        self, shapes: Mapping[str, Shape], without: Sequence[str], others: Sequence[_Held]
    ) -> Comparison:
        """Compare a file with the tensors that no other file decides about."""
        left = {
            name: shape
            for name, shape in self.tensors.items()
            if name in shapes or not (name in self.inner or any(o.fills(name) for o in others))
        }
        return compare(shapes, left, without, self.ties)


def check(graph: Graph) -> list[Diagnostic]:
    """Return the faults that keep a network from loading its pretrained weights."""
    return filled(graph)[1] if graph.files else []


def parts(graph: Graph) -> list[Part]:
    """Return what the files of weights fill, the network itself first."""
    tensors, ties, paths = graph.tensors, graph.ties, [*graph.files]
    found = []
    for path in paths:
        start = f"{path}." if path else ""
        own = {n[len(start) :]: shape for n, shape in tensors.items() if n.startswith(start)}
        deeper = tuple(p[len(start) :] for p in paths if p != path and p.startswith(start))
        inner = {name for name in own if _is_within(name, deeper)} if deeper else set()
        tied = {n: t for n, t in ties.items() if n.startswith(start)}
        # What is tied to a parameter outside need not be in the file.
        inner |= {n[len(start) :] for n, t in tied.items() if not t.startswith(start)}
        within = {n[len(start) :]: t[len(start) :] for n, t in tied.items() if t.startswith(start)}
        found.append(Part(path, own, within, frozenset(inner)))
    return found


def filled(graph: Graph) -> tuple[dict[str, Filled], list[Diagnostic]]:
    """Return the tensors that files fill, by their names in `state_dict()`, and the faults."""
    found: dict[str, Filled] = {}
    faults: list[Diagnostic] = []
    for part, group in zip(parts(graph), graph.files.values(), strict=True):
        held, wrong = collect(_held(given, part) for given in group)
        faults, before = [*faults, *wrong], len(faults)
        known = [one for one in held if one is not None]
        for one in known:
            others = [other for other in known if other is not one]
            comparison = part.compare(one.shapes, one.given.pretrained.leave_out, others)
            faults += _misfit(one.given, part, comparison, alone=len(group) == 1)
            twice = []
            for name in comparison.fitting:
                key = f"{part.path}.{name}" if part.path else name
                if key in found:
                    twice.append(key)
                else:
                    found[key] = Filled(one.given, one.naming.in_file[name])
            faults += _both(one.given, part, twice, found)
        for given, read in zip(group, held, strict=True):
            for name, assumed in _assumed(part, given) if read is None else ():
                found.setdefault(name, assumed)
        if len(group) > 1 and len(faults) == before:
            faults += _in_no_file(part, known)
    for name, target in graph.ties.items():
        if name in found:  # a file may hold a tensor under its other name alone
            found.setdefault(target, found[name])
    return found, faults


def _assumed(part: Part, given: Given) -> Iterator[tuple[str, Filled]]:
    """Yield what a file that cannot be read is for."""
    for name in part.tensors:
        if not (name in part.inner or _is_within(name, given.pretrained.leave_out)):
            yield f"{part.path}.{name}" if part.path else name, Filled(given, name)


def siblings(graph: Graph, part: Part, given: Given) -> Sequence[_Held]:
    """Return what the other files of a list hold, as far as they can be read."""
    held = (_held(one, part)[0] for one in graph.files[part.path] if one is not given)
    return [one for one in held if one is not None]


def _held(given: Given, part: Part) -> Found[_Held | None]:
    """Read the names and shapes of a file; None if they cannot be compared with the network."""
    try:
        shapes, names = stored(given.pretrained)
    except (OSError, WeightsError) as error:
        return None, (unreadable(given, error, part.path),)
    faults = [*_for_nothing(given, {**shapes, **part.tensors}), *_misnamed(given, names)]
    is_empty = given.pretrained.prefix and not names.in_file
    return None if is_empty else _Held(given, shapes, names), tuple(faults)


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


def _misnamed(given: Given, names: Naming) -> Iterator[Diagnostic]:
    """Yield the faults of `prefix` and `rename`."""
    pretrained = given.pretrained
    span, title = _written(given, "rename"), "a renaming that does not fit the file"
    if pretrained.prefix and not names.in_file:
        label = f"no name in the file begins with {brief(pretrained.prefix)}."
        at = _written(given, "prefix")
        yield Diagnostic("NB503", "a prefix that no name has", at, label)
        return
    for pattern in names.unused:
        yield Diagnostic("NB503", title, span, f"{brief(pattern)} matches no name in the file")
    for one, other in names.same[:3]:
        label = f"{one} and {other} become one name"
        yield Diagnostic("NB503", title, span, label)


def unreadable(given: Given, error: Exception, part: str = "") -> Diagnostic:
    """Return the fault of a file that cannot be read; `part` is the path of what it fills."""
    pretrained = given.pretrained
    label = f"{pretrained.file}: {reason(error)}"
    title, span = "a file of weights that cannot be read", _written(given, "file")
    title += f", for {part}" if part else ""
    help_, fixes = _similar(pretrained, span)
    return Diagnostic("NB502", title, span, label, help=help_, fixes=fixes)


def two_values(one: Filled, other: Filled, name: str, target: str) -> Diagnostic:
    """Return the fault of files with different values for the two names of a tied parameter."""
    pretrained = one.given.pretrained
    label = f"its {name} has other values than its {target}, and the network ties the two"
    title = f"{Path(pretrained.file).name} does not fit the network"
    if one.given is not other.given:
        title = f"{_name(one.given)} and {_name(other.given)} do not fit together"
    help_ = f"remove the tie of {name}, or leave one of the two out of the file"
    return Diagnostic("NB503", title, _written(one.given, "file"), label, help=help_)


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


def _misfit(
    given: Given, part: Part, comparison: Comparison, *, alone: bool
) -> Iterator[Diagnostic]:
    """Yield the fault of a file that does not fit. Beside other files, it may lack tensors."""
    differences = [d for d in comparison.differences if alone or d.file is not None]
    if not differences:
        return
    count, of = len(differences), len(differences) + len(comparison.fitting)
    label = f"{count:,} of {of:,} tensors {'does' if count == 1 else 'do'} not fit"
    title = f"{_name(given)} does not fit {part.path or 'the network'}"
    advised = alone or not comparison.fitting
    help_ = advice(comparison, given.pretrained.leave_out) if advised else None
    notes = _notes(differences)
    yield Diagnostic("NB503", title, _written(given, "file"), label, notes, help=help_)


def _notes(differences: Sequence[Difference]) -> tuple[Note, ...]:
    notes = [_note(difference) for difference in differences[:LISTED]]
    more = len(differences) - LISTED
    if more > 0:
        text = f"{more:,} more: netbuild weights FILE CONFIG lists all"
        notes.append(Note("and", text))
    return tuple(notes)


def _in_no_file(part: Part, held: Sequence[_Held]) -> Iterator[Diagnostic]:
    """Yield the fault of a list of files that leaves tensors of its part without values."""
    shapes = {name: shape for one in held for name, shape in one.shapes.items()}
    without = [name for one in held for name in one.given.pretrained.leave_out]
    needed = {n: shape for n, shape in part.tensors.items() if n in shapes or n not in part.inner}
    found = compare(shapes, needed, without, part.ties).differences
    missing = [difference for difference in found if difference.file is None]
    if missing:
        count, of = len(missing), len(needed)
        title = f"files that leave out tensors of {part.path or 'the network'}"
        are = "is" if count == 1 else "are"
        label = f"{count:,} of {of:,} tensors {are} in no file of the list"
        help_ = "add a file, or write strict: false and leave_out next to one"
        span = held[-1].given.node.span
        yield Diagnostic("NB503", title, span, label, _notes(missing), help=help_)


def _both(
    given: Given, part: Part, names: Sequence[str], found: Mapping[str, Filled]
) -> Iterator[Diagnostic]:
    """Yield the fault of a file with tensors that another file fills."""
    if not names:
        return
    other = found[names[0]].given
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    label = f"{_name(other)} also fills {names[0]}{more}"
    title = f"two files fill the same part of {part.path or 'the network'}"
    modules = list(dict.fromkeys(name.rpartition(".")[0] or name for name in names))
    inside = part.path or ", ".join((*modules[:3], "…") if len(modules) > 3 else modules)
    help_ = f"leave it out of one of them: {{file: …, strict: false, leave_out: [{inside}]}}"
    yield Diagnostic("NB503", title, _written(given, "file"), label, help=help_)


def _name(given: Given) -> str:
    return Path(given.pretrained.file).name


def _is_within(name: str, prefixes: Iterable[str]) -> bool:
    return any(is_within(name, prefix) for prefix in prefixes)


def _for_nothing(given: Given, tensors: Mapping[str, Shape]) -> Iterator[Diagnostic]:
    """Yield a fault for each entry of `leave_out` that exists in neither file nor network."""
    modules = {name.rpartition(".")[0] for name in tensors}
    for number, prefix in enumerate(given.pretrained.leave_out):
        if not any(is_within(name, prefix) for name in tensors):
            span = _written(given, "leave_out", number)
            help_, fixes = did_you_mean(prefix, modules, span)
            title = f"leave_out names {brief(prefix)}"
            label = "neither the file nor the network has it"
            yield Diagnostic("NB503", title, span, label, help=help_, fixes=fixes)


def _written(given: Given, field: str, number: int | None = None) -> Span:
    """Return the place of a field of a file of weights, or of one value in its list."""
    inside = given.node.get(field) if isinstance(given.node, Map) else None
    if number is not None and isinstance(inside, List):
        return inside.items[number].span
    return inside.span if inside else given.node.span
