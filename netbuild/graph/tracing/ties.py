"""Tied parameters: find the parameter that each one is, and refuse what cannot be one tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.tensor import times
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.graph.value import state_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from netbuild.components.tensor import Shape
    from netbuild.config.ties import Tie
    from netbuild.diagnostics.diagnostic import Found
    from netbuild.graph.row import Row


class _Known(NamedTuple):
    """The parameters of a network by their names in `state_dict()`."""

    #: The layer that each parameter belongs to, and the parameter's shape.
    own: Mapping[str, tuple[Row, Shape]]
    tied: Mapping[str, Tie]
    #: The layer that a `Reuse` calls, by the path of the call.
    reused: Mapping[str, str]
    buffers: frozenset[str]


def resolved(rows: tuple[Row, ...]) -> Found[tuple[Row, ...]]:
    """Return the rows with the parameters that learn, and the faults of their ties."""
    if not any(row.ties for row in rows):
        return rows, ()
    known = _known(rows)
    faults = tuple(_faults(rows, known))
    if faults:
        return tuple([row._replace(ties={}) if row.ties else row for row in rows]), faults
    by_path = {row.path: row for row in rows}
    return tuple([_with_learned(row, by_path, known) for row in rows]), ()


def _known(rows: Iterable[Row]) -> _Known:
    own = {state_key(row.path, n): (row, shape) for row in rows for n, shape in row.weights.items()}
    tied = {
        state_key(row.path, name): tie
        for row in rows
        if not row.reuses
        for name, tie in row.ties.items()
    }
    reused = {row.path: row.reuses for row in rows if row.reuses}
    buffers = frozenset(state_key(row.path, name) for row in rows for name in row.buffers)
    return _Known(own, tied, reused, buffers)


def _with_learned(row: Row, by_path: Mapping[str, Row], known: _Known) -> Row:
    """Return a layer with the names of its parameters that learn, if some of them are tied."""
    origin = by_path[row.reuses] if row.reuses else row
    if not origin.ties:
        return row
    learned = set() if origin.frozen else set(origin.weights)
    learned |= {n for n, tie in origin.ties.items() if not known.own[tie.target][0].frozen}
    return row._replace(ties=origin.ties, learned=frozenset(learned))


def _faults(rows: Sequence[Row], known: _Known) -> Iterator[Diagnostic]:
    """Yield one fault for each tie that does not work."""
    for row in rows:
        if row.reuses:
            continue
        for name, tie in row.ties.items():
            fault = _misnamed(row, name, tie) or _against(state_key(row.path, name), tie, known)
            fault = fault or _other(row, name, tie, known)
            if fault is not None:
                yield fault._replace(layer=row.path)


def _misnamed(row: Row, name: str, tie: Tie) -> Diagnostic | None:
    """Return the fault of a tie for a parameter that the layer does not have."""
    own = [parameter for parameter in row.inferred.weights if parameter]
    if name in own:
        return None
    help_, fixes = did_you_mean(name, own, tie.key)
    if help_ is None and own:
        help_ = f"its parameters are {', '.join(own)}"
    elif row.inferred.weights and not own:
        help_ = "let the layers that need it read this Parameter: it is itself the tensor"
    label = f"{row.type} has no parameter {brief(name)} to tie"
    return Diagnostic("NB219", "a tie for no parameter", tie.key, label, help=help_, fixes=fixes)


def _against(key: str, tie: Tie, known: _Known) -> Diagnostic | None:
    """Return the fault of a tie to a name that is no parameter with a tensor of its own."""
    target, title = tie.target, "a tie to no parameter"
    if target in known.own:
        return None
    near, label, help_ = None, "the network has no parameter of this name", None
    if target == key:
        title, label = "a parameter tied to itself", f"{key} is this very parameter"
        help_ = "name a parameter of another layer; other copies of a repeated layer have theirs"
    elif target in known.tied:
        chain = _chain(key, known.tied)
        title, label = "a tie to a tied parameter", f"{target} is itself tied"
        if chain[-1] in known.own:
            near = chain[-1]
        else:
            title, label = "ties in a circle", f"a circle: {' > '.join(chain)}"
            help_ = "one of them has to keep a tensor of its own"
    elif target in known.buffers:
        label = f"{target} is a buffer: no optimizer changes it"
    else:
        near, label, help_ = _meant(target, known, label)
    more, fixes = did_you_mean(target, known.own if help_ is None else (), tie.span, near)
    return Diagnostic("NB219", title, tie.span, label, help=more or help_, fixes=fixes)


def _chain(key: str, tied: Mapping[str, Tie]) -> list[str]:
    """Return the names from a tied parameter on, up to one with a tensor, or to a repetition."""
    chain = [key]
    while chain[-1] in tied and chain[-1] not in chain[:-1]:
        chain.append(tied[chain[-1]].target)
    return chain


def _meant(target: str, known: _Known, label: str) -> tuple[str | None, str, str | None]:
    """Return the parameter that an unknown name stands for, what is wrong with it, and help."""
    path, _, parameter = target.rpartition(".")
    if path in known.reused:
        label = f"{path} has no weights of its own: it reuses {known.reused[path]}"
        return f"{known.reused[path]}.{parameter}", label, None
    if f"{target}.weight" in known.own:
        return f"{target}.weight", f"{brief(target)} is a layer, and not a parameter", None
    copies = [name for name in known.own if _without_numbers(name) == target]
    if copies:
        label = "a layer in this name stands in a list or is repeated, and has a number"
        return copies[0], label, None
    return None, label, None


def _without_numbers(name: str) -> str:
    return ".".join(part for part in name.split(".") if not part.isdecimal())


def _other(row: Row, name: str, tie: Tie, known: _Known) -> Diagnostic | None:
    """Return the fault of a tie to a parameter that cannot be the same tensor."""
    owner, there = known.own[tie.target]
    here, key = row.inferred.weights[name], state_key(row.path, name)
    title, help_ = "a tie to a parameter of another shape", None
    computed = owner.parametrized.get(tie.target.removeprefix(f"{owner.path}."))
    if computed is not None:
        by = computed.by.torch_name()
        label = f"{by} computes {tie.target} anew in each pass: it is no tensor to share"
        return Diagnostic("NB219", "a tie to a computed parameter", tie.span, label)
    label = f"{key} is {times(here) or 'one number'}, and {tie.target} is {times(there)}"
    if here != there:
        if here == there[::-1]:
            help_ = "both layers read the very same tensor: a transposed one is another tensor"
        return Diagnostic("NB219", title, tie.span, label, help=help_)
    for one in (row, owner):
        looks_up = one.type in {"Embedding", "EmbeddingBag"}
        for field in ("sparse", "max_norm") if looks_up and row.type != owner.type else ():
            if getattr(one.layer, field):
                why = "gives sparse gradients" if field == "sparse" else "overwrites its table"
                label = f"with {field}, {one.path} ({one.type}) {why}, and {row.path} reads it too"
                return Diagnostic("NB219", "a tied weight that is special", tie.span, label)
    return None
