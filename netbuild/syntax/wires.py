"""Wires: the names that `inputs:` and `outputs:` hold."""

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
    """A name inside (None where it is not given), and the name outside that it stands for."""

    inside: str | None
    outside: str
    span: Span


def read_wires(node: Node, what: str) -> Found[list[Wire]]:
    """Read `inputs:` or `outputs:`: a name, a list of names, or names by names.

    Whatever is not one is reported, and left out.
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
        label = f"the name of a layer is wanted, not {shown(child)}"
        help_ = f"write {what}: name, {what}: [name, name] or {what}: {{inside: name}}"
        fault = Diagnostic("NB213", "no name of a result", child.span, label, help=help_)
        faults.append(fault)
    return wires, tuple(faults)


#: What a name is in YAML: a layer of a list is `0`, and the first part of a Chunk there `0.0`.
_NAMES = (str, int, float)


def name_of_input_fault(names: Sequence[str], inputs: Entry | None, kind: str) -> Diagnostic | None:
    """Return the fault of `inputs:` by names that a layer does not have, or with a gap."""
    assert inputs is not None
    assert isinstance(inputs.value, Map)
    given = inputs.value.entries
    for name, (key, _) in given.items():
        if name not in names:
            help_, fixes = did_you_mean(name, names, key.span)
            help_ = help_ or f"it reads {', '.join(names)}"
            title = f"{kind} has no input {brief(name)}"
            return Diagnostic("NB104", title, key.span, "unknown", help=help_, fixes=fixes)
    missing = next(name for name in [*names, ""] if name not in given)
    behind = [name for name in names[names.index(missing) :] if name in given] if missing else []
    if not behind:
        return None
    label = f"{behind[0]} goes with {missing}, which is not given"
    return Diagnostic("NB208", f"{kind} lacks an input", inputs.value.span, label)
