"""Fixes applied to the texts that they are for, every other byte left as it is.

A round applies the fixes of all diagnostics that do not overlap, and the files are checked again,
until none is left. A text that YAML cannot read afterwards is not changed at all.
"""

from __future__ import annotations

import codecs
import os
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netbuild.diagnostics.diagnostic import Diagnostic, Document, Edit, Fix
    from netbuild.syntax.parser import Source

#: Fixes that lead to other fixes end here; two that undo each other would not.
MAX_ROUNDS = 10
#: A syntax error hides those behind it, so one fix may be found each time that a text is parsed.
MAX_PARSES = 100
#: What the document of the standard input is called.
STDIN = "<stdin>"


class Change(NamedTuple):
    """A file, its bytes before, and those that it should have."""

    name: str
    before: bytes
    after: bytes

    @property
    def is_stdin(self) -> bool:
        """Whether it is the standard input, which is no file that could be written."""
        return self.name == STDIN

    def diff(self) -> bytes:
        """Return the change as a unified diff that `patch` understands."""
        from difflib import unified_diff

        # Lines end at \n only, as for `patch`; what else YAML breaks lines at is part of them.
        before, after = (StringIO(data.decode(), newline="\n") for data in self[1:])
        lines = unified_diff([*before], [*after], self.name, self.name)
        end = "\n\\ No newline at end of file\n"
        text = "".join(line if line.endswith("\n") else line + end for line in lines)
        return text.encode("utf-8", "replace")

    def write(self) -> None:
        """Write the file beside itself, and put it in its place with the same mode.

        Raises:
            OSError: the file cannot be written, or is no longer what was checked.
        """
        from shutil import copymode
        from tempfile import mkstemp

        path = Path(self.name).resolve()  # a link stays one
        if not path.is_file() or path.read_bytes() != self.before:
            raise OSError("it has changed since it was checked")
        if not os.access(path, os.W_OK):  # putting another in its place would be possible
            raise OSError("it is write-protected")
        handle, beside = mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self.after)
                file.flush()
                os.fsync(handle)
            copymode(path, beside)
            Path(beside).replace(path)
        finally:
            Path(beside).unlink(missing_ok=True)


class Repair:
    """Applies fixes round by round, and remembers how each text was and is.

    `check` finds the diagnostics of a source, `fix` says what is to be done about one, and `save`
    is given each change of a text; where it raises OSError, the text stays as it is.
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

    def run(self, sources: Iterable[Source]) -> list[Sequence[Diagnostic]]:
        """Fix what can be fixed; return what is left of each source."""
        checked = [(source, self.check(source)) for source in sources]
        for _ in range(MAX_ROUNDS):
            if not self._round([d for _, found in checked for d in found]):
                break
            checked = [self._again(source, found) for source, found in checked]
        return [found for _, found in checked]

    def text(self, source: Source) -> bytes:
        """Return the bytes of a source as they are now."""
        change = self.changes.get(_key(source.document))
        return change.after if change else source.document.data

    def _round(self, diagnostics: Iterable[Diagnostic]) -> bool:
        """Apply the fixes that do not overlap; return whether any text changed."""
        chosen: dict[str, list[Edit]] = {}
        applied: dict[str, list[Diagnostic]] = {}
        for diagnostic in diagnostics:
            fix = self.fix(diagnostic)
            if fix is None or not self._fits(fix, chosen):
                continue
            for edit in fix.edits:
                chosen.setdefault(_key(edit.span.document), []).append(edit)
            applied.setdefault(_key(fix.edits[0].span.document), []).append(diagnostic)
        changed = [key for key, edits in chosen.items() if self._change(key, edits)]
        self.fixed += [d for key in changed for d in applied.get(key, ())]
        return bool(changed)

    def _fits(self, fix: Fix, chosen: dict[str, list[Edit]]) -> bool:
        """Whether a fix can be applied: to files as they are now, without overlapping another."""
        for number, edit in enumerate(fix.edits):
            document = edit.span.document
            key = _key(document)
            change = self.changes.get(key)
            stale = change is not None and change.after != document.data
            if not document.data or stale or key in self._refused:
                return False
            others = chosen.get(key, [])
            if any(_overlap(edit, other) for other in [*others, *fix.edits[:number]]):
                return False
            if any(other.span.document.data != document.data for other in others):
                return False  # somebody saved the file between two of the checks
        return bool(fix.edits)

    def _change(self, key: str, edits: list[Edit]) -> bool:
        document = edits[0].span.document
        after, more = self._parsed(document.name, edited(document, edits))
        change = Change(document.name, document.data, after or document.data)
        if change.after == change.before:
            self._refused.add(key)
            return False
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
        """Return a text that can be parsed, and what was fixed for it; None where it cannot be."""
        fixed: list[Diagnostic] = []
        for _ in range(MAX_PARSES):
            source = from_bytes(name, data)
            if source.root is not None:
                return data, fixed
            found = next(((d, fix) for d in source.diagnostics if (fix := self.fix(d))), None)
            if found is None:
                break
            fixed.append(found[0])
            data = edited(source.document, found[1].edits)
        return None, []

    def _again(
        self, source: Source, found: Sequence[Diagnostic]
    ) -> tuple[Source, Sequence[Diagnostic]]:
        """Check a source once more; one without any diagnostics is as it was."""
        if not found:
            return source, found
        if _key(source.document) in self.changes:
            source = from_bytes(source.document.name, self.text(source))
        return source, self.check(source)


def edited(document: Document, edits: Iterable[Edit]) -> bytes:
    """Return the bytes of a document with edits applied, which do not overlap."""
    text, starts = document.text, _line_starts(document)
    ending = "\r\n" if text.startswith("\r\n", len(document.lines[0])) else "\n"
    ranges = sorted((*_range(edit, starts), edit.text) for edit in edits)
    parts, done = [], 0
    for start, end, new in ranges:
        parts += [text[done:start], new.replace("\n", ending)]
        done = end
    mark = codecs.BOM_UTF8 if document.data.startswith(codecs.BOM_UTF8) else b""
    return mark + "".join([*parts, text[done:]]).encode()


def _key(document: Document) -> str:
    """Return what tells texts apart: several names may lead to one file."""
    return STDIN if document.name == STDIN else os.path.realpath(document.name)


def _line_starts(document: Document) -> list[int]:
    """Return where each line begins, as `Document.lines` has them."""
    starts = [0]
    for line in document.lines[:-1]:
        end = starts[-1] + len(line)
        starts.append(end + (2 if document.text.startswith("\r\n", end) else 1))
    return starts


def _range(edit: Edit, starts: list[int]) -> tuple[int, int]:
    """Return the characters from and up to which an edit replaces."""
    span = edit.span
    lines = span.document.lines
    start, end = (
        starts[line - 1] + min(column - 1, len(lines[line - 1]))
        for line, column in ((span.line, span.column), (span.end_line, span.end_column))
    )
    return start, max(start, end)


def _overlap(edit: Edit, other: Edit) -> bool:
    """Whether two edits touch the same characters, or insert at the same place."""
    (start, end), (first, last) = ((e.span[1:3], e.span[3:5]) for e in (edit, other))
    return start == first or (start < last and first < end)
