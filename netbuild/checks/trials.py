"""Trials of fixes: a fix is offered only after the texts with its edits were checked.

The edits are applied in memory, to the file and its base files. The file is then read and checked
as before, with the same settings. A fix stays if its fault is gone, if no error is new, and if the
layer gives the shape that the fix names. Fixes that leave no error come first.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple

from netbuild.checks.places import NOWHERE, Moves, Place
from netbuild.components.tensor import times
from netbuild.config.load import read
from netbuild.diagnostics.diagnostic import MAX_FAULTS, with_fixes
from netbuild.syntax import parser
from netbuild.syntax.repair import edited, overlap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from netbuild.config.config import Config
    from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Faults, Fix, Span
    from netbuild.graph.graph import Graph
    from netbuild.syntax.parser import Source

#: The most fixes that are offered for a fault.
OFFERED = 3
#: What the check of a file and all its trials may cost together, about half a second, and what one
#: counts at least. A check costs 1 for each member of a stack, and it parses the text and words the
#: faults: 40 characters, or a third of a fault, take as long as a member.
MOST_COST, LEAST_COST = 6_000, 25
CHARACTERS_OF_A_MEMBER, MEMBERS_OF_A_FAULT = 40, 3
#: Seconds after which no trial begins: each trial looks up the data, which may lie on a slow disk.
LONGEST = 10.0
#: Faults of words and values. A layer with such a fault has no result, so the layers behind it are
#: not checked before the fault is gone: their faults are not new.
_OF_WORDS = ("NB0", "NB1", "NB213")


class Mark(NamedTuple):
    """What tells one fault from another while the text is edited."""

    code: str
    place: Place


class Outcome(NamedTuple):
    """What a check of the changed texts found."""

    graph: Graph
    #: The faults with their marks in the unchanged texts.
    faults: dict[Mark, Diagnostic]
    moves: Moves
    readable: bool
    errors: int
    warnings: int


class Proof(NamedTuple):
    """A fix that is true, and whether it reveals an error that its fault had hidden."""

    fix: Fix
    after: Outcome
    reveals: bool


def cost(graph: Graph) -> int:
    """Return what a check costs, in members that are traced."""
    found = graph.members + MEMBERS_OF_A_FAULT * len(graph.diagnostics)
    found += len(graph.config.document.text) // CHARACTERS_OF_A_MEMBER
    return max(found, LEAST_COST)


def proven(graph: Graph, check: Callable[[Config], Graph]) -> Faults:
    """Return the faults of a graph, each with those of its fixes that prove true.

    `check` returns the graph of a config with all its faults.
    """
    trials = _Trials(graph, check)
    return tuple([trials.proven(fault) if fault.fixes else fault for fault in graph.diagnostics])


class _Trials:
    """Applies fixes to the texts of one file, and remembers what came of them."""

    def __init__(self, graph: Graph, check: Callable[[Config], Graph]) -> None:
        self.config, self.check = graph.config, check
        self.faults = graph.diagnostics
        #: Whether the text of the file could be parsed.
        self.readable = bool(graph.config.root.entries)
        #: What a trial costs at least, and what is left for all of them.
        self.cost = cost(graph)
        self.left = MOST_COST - self.cost
        self.end = time.monotonic() + LONGEST
        self.known: dict[tuple[Edit, ...], Outcome | None] = {}
        self.joint = dict(self._tried_jointly())

    def proven(self, fault: Diagnostic) -> Diagnostic:
        """Return a fault with the fixes that prove true, the best ones first."""
        true = self.joint.get(fault, [])
        for guess in (False, True):
            if any(not proof.reveals for proof in true):
                break
            for fix in dict.fromkeys(fix for fix in fault.fixes if fix.guess == guess):
                true += self._proof(fault, fix, self._outcome(fix.edits))
        if any(not proof.reveals for proof in true):
            true = [proof for proof in true if not proof.reveals]
        true.sort(key=lambda proof: (proof.after.errors > 0, proof.after.warnings))
        fixes = tuple({proof.fix.edits: proof.fix for proof in true[::-1]}.values())[::-1][:OFFERED]
        if fixes == fault.fixes:
            return fault
        noted = any(note.label == "fix" for note in fault.notes)
        return with_fixes(fault, fixes) if noted else fault._replace(fixes=fixes)

    def _proof(self, fault: Diagnostic, fix: Fix, after: Outcome | None) -> list[Proof]:
        """Return the proof that a fix is true; an empty list if it is not."""
        new = self._new(fault, fix, after) if after else None
        named = _with_result(fix, after) if after else None
        return [Proof(named, after, bool(new))] if after and named and new is not None else []

    def _tried_jointly(self) -> Iterator[tuple[Diagnostic, list[Proof]]]:
        """Yield the faults that are gone if all faults are fixed at once, with their proofs.

        This is done only if there are more fixes than trials. First each fault gets its first fix,
        then the others their second one, and so on.
        """
        faults = [fault for fault in self.faults if fault.fixes]
        if sum(len(fault.fixes) for fault in faults) * self.cost <= self.left:
            return
        for number in range(OFFERED):
            chosen: list[Edit] = []
            tried = []
            for fault in faults:
                edits = fault.fixes[number].edits if number < len(fault.fixes) else ()
                if edits and not any(overlap(edit, one) for edit in edits for one in chosen):
                    chosen += edits
                    tried.append(fault)
            after = self._outcome(tuple(chosen))
            proofs = [(fault, self._proof(fault, fault.fixes[number], after)) for fault in tried]
            yield from ((fault, proof) for fault, proof in proofs if proof)
            gone = {fault for fault, proof in proofs if proof}
            faults = [fault for fault in faults if fault not in gone]

    def _new(self, fault: Diagnostic, fix: Fix, after: Outcome) -> list[Diagnostic] | None:
        """Return the faults that a fix reveals; None if the fix breaks a promise.

        It promises that its fault goes, and that no error comes.
        """
        moves = after.moves
        left = after.faults.get(Mark(fault.code, moves.before(fault.span)))
        if left is not None and not (left.layer in fault.also and self._is_of_one_use(fault, fix)):
            return None
        if after.readable < self.readable:
            return None
        known = {Mark(other.code, moves.before(other.span)) for other in self.faults}
        new = [other for mark, other in after.faults.items() if mark not in known]
        if fault.severity == "error":
            new = [other for other in new if other.severity == "error"]
        if new and len(self.faults) >= MAX_FAULTS:  # those that were not reported come up
            last = moves.before(self.faults[-1].span)
            new = [other for other in new if moves.after(other.span) < last]
        return new if all(_is_revealed(other, fault, fix, after) for other in new) else None

    def _is_of_one_use(self, fault: Diagnostic, fix: Fix) -> bool:
        """Whether a fault in a block is fixed at one use, so that the other uses keep it."""

        def in_a_block(span: Span) -> bool:
            return any(
                span.document is body.document and body[1:3] <= span[1:3] <= body[3:5]
                for body in bodies
            )

        bodies = [block.stack.span for block in self.config.blocks.values() if block]
        return in_a_block(fault.span) and not any(in_a_block(edit.span) for edit in fix.edits)

    def _outcome(self, edits: tuple[Edit, ...]) -> Outcome | None:
        """Check the texts with edits; None if they cannot be applied or no trial is left."""
        if edits not in self.known:
            if self.left < self.cost or time.monotonic() > self.end:
                return None
            after = self.known[edits] = self._tried(edits)
            self.left -= max(cost(after.graph), self.cost) if after else self.cost
        return self.known[edits]

    def _tried(self, edits: tuple[Edit, ...]) -> Outcome | None:
        texts = _texts(edits)
        if not texts:
            return None
        config = self.config

        def opened(path: Path) -> Source:
            data = texts.get(str(path))
            return parser.from_file(path) if data is None else parser.from_bytes(str(path), data)

        document = config.document
        data = texts.get(document.name, document.data or document.text.encode())
        source = parser.from_bytes(document.name, data)
        again = read(source, config.settings, config.shape, opened)
        if not config.inner_files:  # they may have been left out on purpose
            again = again.starting_from(*(given.pretrained for given in config.pretrained))
        graph = self.check(again)
        moves = Moves(edits)
        faults = {Mark(f.code, moves.after(f.span)): f for f in reversed(graph.diagnostics)}
        errors = sum(fault.severity == "error" for fault in graph.diagnostics)
        warnings = len(graph.diagnostics) - errors
        return Outcome(graph, faults, moves, source.root is not None, errors, warnings)


def _texts(edits: tuple[Edit, ...]) -> dict[str, bytes]:
    """Return the changed texts by the names of their documents; none if that is not possible."""
    groups: dict[str, list[Edit]] = {}
    for edit in edits:
        if any(overlap(edit, other) for other in groups.get(edit.span.document.name, ())):
            return {}
        groups.setdefault(edit.span.document.name, []).append(edit)
    if "--set" in groups or any(map(_overwrites, edits)):  # a fix changes literals of files
        return {}
    return {name: edited(own[0].span.document, own) for name, own in groups.items()}


def _overwrites(edit: Edit) -> bool:
    """Whether an expression or an alias gets another text. An entry may be left out as a whole."""
    start, end = edit.span.document.range(edit.span)
    shared = re.findall(r"\$[\w(][^\s,\]}]*|(?<![\w)])\*\w+", edit.span.document.text[start:end])
    return bool(edit.text) and any(text not in edit.text for text in shared)


def _with_result(fix: Fix, after: Outcome) -> Fix | None:
    """Return a fix whose title names the shape that came; None if the layer has no result.

    The fix may have changed the input of its layer too, for instance in each use of a block.
    """
    if fix.result is None:
        return fix
    place, path, named = after.moves.before(fix.result.span), fix.result.layer, fix.result.shape
    rows = [row for row in after.graph.rows if after.moves.after(row.span) == place]
    rows = [row for row in rows if row.path == path] or rows  # another layer may come before it
    if not rows:
        return None
    if any(row.output.shape == named for row in rows):
        return fix
    came = f" gives {times(rows[0].output.shape)}"
    return fix._replace(title=fix.title.replace(f" gives {times(named)}", came))


def _is_revealed(new: Diagnostic, fault: Diagnostic, fix: Fix, after: Outcome) -> bool:
    """Whether a fault stood in the text before the fix, and another fault hid it."""
    if not fault.code.startswith(_OF_WORDS) and not _is_decided(fault, fix):
        return False
    place = after.moves.after(new.span)
    here = [edit.span for edit in fix.edits if edit.span.document.name == place.document]
    if not after.readable and any(place.offset <= s.document.range(s)[1] for s in here):
        return False
    outside = all(s.document.range(s)[0] != place.offset != NOWHERE for s in here)
    if fault.code == "NB101" and outside:  # nothing read the value of the unknown section
        return True
    if fix.safe:  # the text says what the fix writes, so the error stood there before
        return True
    if place.offset == NOWHERE or (new.layer is not None and new.layer == fault.layer):
        return False
    if fault.code == "NB101":  # the value of an unknown section was not read
        return all(place.offset > s.document.range(s)[1] for s in here)
    return not any(s.line <= s.document.line(place.offset) <= s.end_line for s in here)


def _is_decided(fault: Diagnostic, fix: Fix) -> bool:
    """Whether a fix only changes a size that the input of the layer decides."""
    document = fault.span.document
    first, last = document.range(fault.span)
    return fault.code == "NB202" and all(
        edit.span.document is document
        and document.range(edit.span)[0] <= last
        and document.range(edit.span)[1] >= first
        for edit in fix.edits
    )
