"""What is offered for a broken file: each fix is applied alone, and the result judged anew.

Nothing here asks netbuild which of its fixes it holds for true.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.checks.trace import infer
from netbuild.components.tensor import times
from netbuild.config.load import read
from netbuild.config.resolution import resolved_values
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.parser import from_bytes
from netbuild.syntax.repair import Repair, edited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netbuild.diagnostics.diagnostic import Diagnostic, Fix
    from netbuild.graph.graph import Graph
    from tests.broken.right import Right

#: What must never happen.
UNREADABLE = "a fix makes the text unreadable"
STAYS = "a fix leaves its fault"
NEW = "a fix brings an error"
SHAPE = "a fix names a shape that does not come"
OVERWRITTEN = "a fix overwrites an expression"
CHANGED = "a safe fix changes the network"
GROWS = "--fix leaves more errors than there were"
NEVER = (UNREADABLE, STAYS, NEW, SHAPE, OVERWRITTEN, CHANGED, GROWS)

#: Faults that hide those of the layers behind them, until they are gone.
HIDE = ("NB0", "NB1", "NB213", "NB202")

_SHAPE = re.compile(r" gives ([\d×]+)")


class Verdict(NamedTuple):
    """What happened with one broken file."""

    #: The number of errors, and of those with a fix or a help.
    faults: int = 0
    helped: int = 0
    #: Whether some error has a fix, and whether the first fix leaves no error.
    fixable: bool = False
    clean: bool = False
    #: What must not happen, with the fix.
    wrong: tuple[tuple[str, str], ...] = ()
    #: The codes of the errors without fix and help, and of those whose first fix leaves errors.
    helpless: tuple[str, ...] = ()


def graph_of(text: bytes) -> Graph:
    """Return the graph of a text."""
    return infer(read(from_bytes("net.yaml", text)))


def judge(right: Right, text: str) -> Verdict | None:
    """Judge what is offered for a broken text; None if it has no errors."""
    graph = graph_of(text.encode())
    found = errors(graph.diagnostics)
    wrong = [
        (what, f"{fault.code} {fault.title}: {fix.title}")
        for fault in graph.diagnostics
        for fix in fault.fixes
        for what in _of_fix(graph, fault, fix)
    ]
    wrong += _safe(right, text.encode(), found)
    if not found:
        return Verdict(wrong=tuple(wrong)) if wrong else None
    helpless = [fault for fault in found if not fault.fixes and not fault.help]
    first = next((fault.fixes[0] for fault in found if fault.fixes), None)
    return Verdict(
        faults=len(found),
        helped=len(found) - len(helpless),
        fixable=first is not None,
        clean=first is not None and not errors(_after(first).diagnostics),
        wrong=tuple(wrong),
        helpless=tuple(fault.code for fault in helpless),
    )


def _after(fix: Fix) -> Graph:
    document = fix.edits[0].span.document
    return graph_of(edited(document, fix.edits))


def _of_fix(graph: Graph, fault: Diagnostic, fix: Fix) -> Iterable[str]:
    """Yield what a fix does that it must not do."""
    for edit in fix.edits:
        start, end = edit.span.document.range(edit.span)
        old = edit.span.document.text[start:end]
        left_out = not edit.text and ":" in old
        if not left_out and (old.count("$") > edit.text.count("$") or re.match(r"\*\w", old)):
            yield OVERWRITTEN
    document = fix.edits[0].span.document
    before_readable = from_bytes("net.yaml", document.data).root is not None
    if before_readable and from_bytes("net.yaml", edited(document, fix.edits)).root is None:
        yield UNREADABLE
        return
    after = _after(fix)
    if any(
        _counted(after, of)[of(fault)] >= _counted(graph, of)[of(fault)]
        for of in (_likeness, *[_place] * _keeps_lines(fix))
    ):
        yield STAYS
    hides = fault.code.startswith(HIDE) and not _at_layer(after, fault)
    more = len(errors(after.diagnostics)) - len(errors(graph.diagnostics))
    if not hides and more > -(fault.severity == "error"):
        yield NEW
    named = _SHAPE.search(fix.title)
    if named and named[1] not in _shapes(after, fault):
        yield SHAPE


def _at_layer(after: Graph, fault: Diagnostic) -> bool:
    """Whether the layer of a fault of shapes has another error."""
    if fault.code != "NB202":
        return False
    return any(other.layer == fault.layer for other in errors(after.diagnostics))


def _counted(
    graph: Graph, of: Callable[[Diagnostic], tuple[object, ...]]
) -> Counter[tuple[object, ...]]:
    return Counter(map(of, graph.diagnostics))


def _likeness(fault: Diagnostic) -> tuple[object, ...]:
    return fault.code, fault.message


def _place(fault: Diagnostic) -> tuple[object, ...]:
    """Return the line and the title, which a fault keeps if only the numbers in it change."""
    return fault.code, fault.title, fault.span.document.name, fault.span.line, fault.layer


def _keeps_lines(fix: Fix) -> bool:
    """Whether a fix leaves each line of the text at its number."""
    return all("\n" not in edit.text and edit.span.line == edit.span.end_line for edit in fix.edits)


def _shapes(graph: Graph, fault: Diagnostic) -> set[str]:
    """Return the shapes that the layer of a fault gives; its number may have grown by one."""
    path = fault.layer or ""
    stack, dot, last = path.rpartition(".")
    also = f"{stack}{dot}{int(last) + 1}" if last.isdecimal() else path
    rows = [row for row in graph.rows if row.path in {path, also}]
    if "repeat" in dict(fault.notes).get("fix", ""):
        rows = list(graph.rows)
    return {times(row.output.shape) for row in rows}


def _resolved(right: Right) -> Any:
    return resolved_values(right.graph.config)


def _are_alike(one: Any, other: Any) -> bool:
    """Whether two values mean the same: a list of equal numbers may stand for one of them."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [*one] == [*other] and all(_are_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_are_alike, one, other))
    if isinstance(one, list) and one[1:] and type(other) is int:
        return all(part == other for part in one)
    return bool(one == other) and type(one) is type(other)


def _safe(right: Right, data: bytes, found: list[Diagnostic]) -> list[tuple[str, str]]:
    """Return what the safe fixes together do that they must not do."""
    source = from_bytes("net.yaml", data)
    repair = Repair(
        lambda source: infer(read(source)).diagnostics,
        lambda fault: next((fix for fix in fault.fixes if fix.safe), None),
        lambda _: None,
    )
    (left,) = repair.run([source])
    after = repair.text(source)
    if after == data:
        return []
    said = ", ".join(f"{fault.code} {fault.message}" for fault in repair.fixed[:2])
    if not errors(left):
        same = _are_alike(resolved_values(graph_of(after).config), _resolved(right))
        return [] if same else [(CHANGED, said)]
    readable = source.root is not None
    return [(GROWS, said)] if readable and len(errors(left)) > len(found) else []
