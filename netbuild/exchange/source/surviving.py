"""Which results need a variable, so that the importer calls their operations as the config does.

A person writes `x = self.norm(x + y)`. If the config calls the sum `placed`, the source says so:
`placed = x + y`. An operation that the importer calls so by itself, as `add`, needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.exchange.operation_names import of_type, told, variable
from netbuild.graph.row import Block

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from netbuild.exchange.source.values import Step
    from netbuild.graph.row import Member

_CALLS = {"module", "loop", "checkpoint", "choice"}


def mark(steps: Sequence[Step], block: Block, arguments: Collection[str]) -> None:
    """Mark the steps of a stack whose results need a variable. `arguments` are its inputs'."""
    made: dict[str, list[Step]] = {}
    for step in steps:
        if step.kind not in {"input", "attribute"}:
            made.setdefault(step.part, []).append(step)
    own = {m.name for m in block.members if _has_module(m, made.get(m.name, ()))}
    numbered = bool(own) and all(name.isdecimal() for name in own)
    taken = {m.name for m in block.members if m.name in own or not made.get(m.name)}
    before = ""
    for member in block.members:
        found = made.get(member.name, [])
        if found and member.name not in own:
            number = str(int(before) + 1) if before.isdecimal() else "0"
            if member.module:
                name = _free(member.module, taken)
            elif numbered and number not in taken:
                name = number
            else:
                name = _free(of_type(_type(member)), taken)
            if name != member.name and _tells(member.name, _result(found), arguments):
                name = member.name
            taken.add(name)
            before = name
        elif found:
            before = member.name


def _tells(name: str, result: Step, arguments: Collection[str]) -> bool:
    """Mark a result if a variable can tell its name."""
    own = variable(name)
    meant = told((own,)) is None and not result.count and own not in arguments
    result.named = told((own,), typed=meant) == name
    result.meant = meant and result.named
    return result.named


def _has_module(member: Member, steps: Sequence[Step]) -> bool:
    return not member.module and any(step.kind in _CALLS for step in steps)


def _type(member: Member) -> str:
    return "" if isinstance(member.part, Block) else member.part.type


def _free(name: str, taken: set[str]) -> str:
    number, found = 0, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def _result(steps: Sequence[Step]) -> Step:
    """Return the step of a member that gives its result: a tuple before it is taken apart."""
    return next((step for step in steps if step.count), steps[-1])
