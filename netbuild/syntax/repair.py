"""Apply fixes to texts. Every other byte of a text stays unchanged.

A round applies all fixes that do not disturb each other, and then checks the files again. Rounds
end when no fix is left. A text stays unchanged if the result cannot be parsed as YAML.
"""

from __future__ import annotations

import codecs
import os
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.files import read, real
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.parser import MAX_BYTES, from_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netbuild.diagnostics.diagnostic import Diagnostic, Document, Edit, Fix
    from netbuild.syntax.parser import Source

#: The most rounds. In each round at least one fault disappears.
MAX_ROUNDS = 30
#: The most times that one text is parsed. A syntax error hides later ones, so each parse may
#: give only one fix.
MAX_PARSES = 100
#: The name of the document of the standard input.
STDIN = "<stdin>"


class Change(NamedTuple):
    """A file with its old and its new bytes."""

    name: str
    before: bytes
    after: bytes

    @property
    def is_stdin(self) -> bool:
        """Whether the text came from the standard input and so cannot be written."""
        return self.name == STDIN

    def diff(self) -> bytes:
        """Return the change as a unified diff that `patch` understands."""
        from difflib import unified_diff

        # Lines end at \n only, as in `patch`. The other line breaks of YAML are part of a line.
        before, after = (StringIO(data.decode(), newline="\n") for data in self[1:])
        lines = unified_diff([*before], [*after], self.name, self.name)
        end = "\n\\ No newline at end of file\n"
        text = "".join(line if line.endswith("\n") else line + end for line in lines)
        return text.encode("utf-8", "replace")

    def write(self) -> None:
        """Write the new bytes into a temporary file, and replace the file with it, mode kept.

        Raises:
            OSError: the file cannot be written, or it changed after the check.
        """
        from shutil import copymode
        from tempfile import mkstemp

        path = Path(real(self.name))  # a symbolic link stays a link
        if not path.is_file() or self.name.startswith("/dev/"):
            raise OSError("it is not a file")
        if read(path, MAX_BYTES) != self.before:
            raise OSError("the file changed after the check")
        if not os.access(path, os.W_OK):  # replacing the file would succeed
            raise OSError("the file is write-protected")
        handle, temporary = mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self.after)
                file.flush()
                os.fsync(handle)
            copymode(path, temporary)
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)


class Repair:
    """Applies fixes round by round, and remembers the old and the new bytes of each text.

    `check` returns the diagnostics of a source. `fix` returns the fix for a diagnostic, or None.
    `save` gets each change of a text. If `save` raises OSError, the text stays unchanged.
    """

    def __init__(
        self,
        check: Callable[[Source], Sequence[Diagnostic]],
        fix: Callable[[Diagnostic], Fix | None],
        save: Callable[[Change], None],
    ) -> None:
        self.check, self.fix, self.save = check, fix, save
        self.changes: dict[str, Change] = {}
        self.fixed: list[Diagnostic] = []
        self.failures: list[tuple[str, OSError]] = []
        self._refused: set[str] = set()
        self._texts: dict[str, set[bytes]] = {}
        self._gone: set[tuple[object, ...]] = set()

    def run(self, sources: Iterable[Source]) -> list[Sequence[Diagnostic]]:
        """Apply the fixes to all sources; return the remaining diagnostics of each source."""
        checked = [(source, self.check(source)) for source in sources]
        for _ in range(MAX_ROUNDS):
            if not self._round(checked):
                break
            checked = [self._again(source, diagnostics) for source, diagnostics in checked]
        return [diagnostics for _, diagnostics in checked]

    def text(self, source: Source) -> bytes:
        """Return the current bytes of a source."""
        change = self.changes.get(_key(source.document))
        return change.after if change else source.document.data

    def _round(self, checked: Iterable[tuple[Source, Sequence[Diagnostic]]]) -> bool:
        """Apply the fixes that do not overlap; return whether a text changed."""
        chosen: dict[str, list[Edit]] = {}
        applied: dict[str, list[Diagnostic]] = {}
        for source, diagnostics in checked:
            for diagnostic, fix in self._together(source, diagnostics):
                if not self._fits(fix, chosen):
                    continue
                for edit in fix.edits:
                    chosen.setdefault(_key(edit.span.document), []).append(edit)
                applied.setdefault(_key(fix.edits[0].span.document), []).append(diagnostic)
        changed = [key for key, edits in chosen.items() if self._change(key, edits)]
        fixed = [d for key in changed for d in applied.get(key, ())]
        self.fixed += fixed
        self._gone |= {_likeness(diagnostic) for diagnostic in fixed}
        return bool(changed)

    def _together(
        self, source: Source, diagnostics: Sequence[Diagnostic]
    ) -> list[tuple[Diagnostic, Fix]]:
        """Return the fixes of a source to apply at once.

        Each fix is right alone. Two fixes may repair the same thing, or insert the same name. Then
        only the first ones are applied, and the others are searched again. The fix of a fault that
        has returned is left out.
        """
        chosen: dict[str, list[Edit]] = {}
        fixes = []
        for diagnostic in diagnostics:
            fix = self.fix(diagnostic)
            if fix and _likeness(diagnostic) not in self._gone and self._fits(fix, chosen):
                fixes.append((diagnostic, fix))
                for edit in fix.edits:
                    chosen.setdefault(_key(edit.span.document), []).append(edit)
        while len(fixes) > 1 and not self._agree(source, diagnostics, fixes):
            fixes = fixes[: len(fixes) // 2]
        return fixes

    def _agree(
        self,
        source: Source,
        diagnostics: Sequence[Diagnostic],
        fixes: Sequence[tuple[Diagnostic, Fix]],
    ) -> bool:
        """Whether no more faults are left after several fixes than the fixes leave alone."""
        if all(fix.safe for _, fix in fixes):
            return True
        edits = [edit for _, fix in fixes for edit in fix.edits]
        if any(edit.span.document.data != source.document.data for edit in edits):
            return False  # the edits of base files are checked on the disk
        after = self.check(from_bytes(source.document.name, edited(source.document, edits)))
        wrong = errors(diagnostics)
        if not wrong:
            return len(after) <= len(diagnostics) - len(fixes)
        fixed = errors(diagnostic for diagnostic, _ in fixes)
        return len(errors(after)) <= len(wrong) - len(fixed)

    def _fits(self, fix: Fix, chosen: dict[str, list[Edit]]) -> bool:
        """Whether a fix is for the current text of its files and overlaps no other fix."""
        for number, edit in enumerate(fix.edits):
            document = edit.span.document
            key = _key(document)
            change = self.changes.get(key)
            stale = change is not None and change.after != document.data
            if not document.data or stale or key in self._refused:
                return False
            others = chosen.get(key, [])
            if any(overlap(edit, other) for other in [*others, *fix.edits[:number]]):
                return False
            if any(other.span.document.data != document.data for other in others):
                return False  # somebody saved the file between two checks
        return bool(fix.edits)

    def _change(self, key: str, edits: list[Edit]) -> bool:
        document = edits[0].span.document
        after, more = self._parsed(document.name, edited(document, edits))
        change = Change(document.name, document.data, after or document.data)
        texts = self._texts.setdefault(key, {change.before})
        if change.after in texts:  # fixes that undo each other would never end
            self._refused.add(key)
            return False
        texts.add(change.after)
        try:
            self.save(change)
        except OSError as error:
            self.failures.append((document.name, error))
            self._refused.add(key)
            return False
        before = self.changes.get(key)
        self.changes[key] = change._replace(before=before.before) if before else change
        self.fixed += more
        return True

    def _parsed(self, name: str, data: bytes) -> tuple[bytes | None, list[Diagnostic]]:
        """Return a text that can be parsed, and the diagnostics that were fixed for it.

        The text is None if no fixes make it valid YAML.
        """
        fixed: list[Diagnostic] = []
        for _ in range(MAX_PARSES):
            source = from_bytes(name, data)
            if source.root is not None:
                return data, fixed
            fixable = next(((d, fix) for d in source.diagnostics if (fix := self.fix(d))), None)
            if fixable is None:
                break
            fixed.append(fixable[0])
            data = edited(source.document, fixable[1].edits)
        return None, []

    def _again(
        self, source: Source, diagnostics: Sequence[Diagnostic]
    ) -> tuple[Source, Sequence[Diagnostic]]:
        """Check a source again; a source without diagnostics needs no second check."""
        if not diagnostics:
            return source, diagnostics
        if _key(source.document) in self.changes:
            source = from_bytes(source.document.name, self.text(source))
        return source, self.check(source)


def edited(document: Document, edits: Iterable[Edit]) -> bytes:
    """Return the bytes of a document with edits applied; the edits must not overlap."""
    text = document.text
    ranges = sorted((*document.range(edit.span), edit.text) for edit in edits)
    parts, done = [], 0
    for start, end, new in ranges:
        parts += [text[done:start], document.with_breaks(new)]
        done = end
    mark = codecs.BOM_UTF8 if document.data.startswith(codecs.BOM_UTF8) else b""
    return mark + "".join([*parts, text[done:]]).encode()


def _key(document: Document) -> str:
    """Return the key of a text: its real path, because a file can have several names."""
    return STDIN if document.name == STDIN else real(document.name)


def _likeness(fault: Diagnostic) -> tuple[object, ...]:
    """Return a key that is equal if a fault returns after other lines have changed."""
    document, line = fault.span[:2]
    text = document.lines[line - 1] if line <= len(document.lines) else ""
    return document.name, fault.code, fault.message, fault.layer, text


def overlap(edit: Edit, other: Edit) -> bool:
    """Whether two edits touch the same characters, or insert at the same place."""
    (start, end), (first, last) = ((e.span[1:3], e.span[3:5]) for e in (edit, other))
    return start == first or (start < last and first < end)
