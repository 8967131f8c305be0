"""Wires: the names in `inputs:` and `outputs:`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.syntax.item import shown
from netbuild.syntax.node import Entry, List, Map, Node, Scalar, is_unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.diagnostics.diagnostic import Found, Span


class Wire(NamedTuple):
    """The name of a result, and the name of the input that reads it (None without a name)."""

    inside: str | None
    outside: str
    span: Span


def read_wires(node: Node, what: str) -> Found[list[Wire]]:
    """Read `inputs:` or `outputs:`: a name, a list of names, or a mapping from names to names.

    `what` is the key, for messages. Values that are not names get a fault, and are left out.
    """
    named: list[tuple[str | None, Node]]
    if isinstance(node, Map):
        named = [(name, entry.value) for name, entry in node.entries.items()]
    else:
        named = [(None, child) for child in (node.items if isinstance(node, List) else (node,))]
    wires = []
    strange = [] if named else [node]
    for inside, child in named:
        if isinstance(child, Scalar) and type(child.value) in _NAMES:
            name = child.text if isinstance(child.value, float) else str(child.value)
            wires.append(Wire(inside, name, child.span))
        elif not is_unknown(child):
            strange.append(child)
    faults = []
    for child in strange:
        label = f"{what} wants the name of a layer, not {shown(child)}"
        help_ = f"write {what}: name, {what}: [name, name] or {what}: {{inside: name}}"
        title = "a value that is not the name of a result"
        faults.append(Diagnostic("NB213", title, child.span, label, help=help_))
    return wires, tuple(faults)


#: The types of a name in YAML: a layer of a list is `0`, and the first part of a Chunk is `0.0`.
_NAMES = (str, int, float)


def name_of_input_fault(
    names: Sequence[str], inputs: Entry | None, kind: str, named: Sequence[str] = ()
) -> Diagnostic | None:
    """Return the fault of a mapping `inputs:` with an unknown name or with a missing one.

    The inputs `named` need no other input before them.
    """
    assert inputs is not None
    assert isinstance(inputs.value, Map)
    entries = inputs.value.entries
    known = [*dict.fromkeys([*names, *named])]
    for name, (key, _) in entries.items():
        if name not in known:
            help_, fixes = did_you_mean(name, known, key.span)
            help_ = help_ or f"the inputs are {', '.join(known)}"
            title = f"{kind} has no input {brief(name)}"
            return Diagnostic("NB104", title, key.span, "unknown input", help=help_, fixes=fixes)
    names = [name for name in names if name not in named]
    missing = next(name for name in [*names, ""] if name not in entries)
    later = [name for name in names[names.index(missing) :] if name in entries] if missing else []
    if not later:
        return None
    label = f"{later[0]} needs the input {missing} before it"
    return Diagnostic("NB208", f"{kind} needs the input {missing}", inputs.value.span, label)
