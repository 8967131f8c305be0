"""Faults as data: the place in the text, the message, and the fix.

Every step from text to network returns its result and the faults that it found, as `Found`. A step
neither raises for a fault nor changes an argument, so one run reports all faults of a file. Formats
(`netbuild.reports.faults`) only print them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, TypeVar

from netbuild.diagnostics.codes import severity

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The greatest number of reported faults per file. It bounds the time and the output.
MAX_FAULTS = 100

#: The line breaks of YAML 1.1. libyaml counts them, and all line numbers must agree with it.
LINE_BREAK = r"\r\n|[\r\n\x85\u2028\u2029]"


class Document:
    """A text and its name: a path, `<stdin>`, or a command-line option such as `--set`.

    `data` holds the original bytes of a file.
    """

    def __init__(self, name: str, text: str, data: bytes = b"") -> None:
        self.name, self.text, self.data = name, text, data

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text without line breaks."""
        return re.split(LINE_BREAK, self.text)

    @cached_property
    def starts(self) -> list[int]:
        """The position of the first character of each line."""
        starts = [0]
        for line in self.lines[:-1]:
            end = starts[-1] + len(line)
            starts.append(end + (2 if self.text.startswith("\r\n", end) else 1))
        return starts

    def position(self, line: int, column: int) -> int:
        """Return the position of a character, counted from 0."""
        return self.starts[line - 1] + min(column - 1, len(self.lines[line - 1]))

    def range(self, span: Span) -> tuple[int, int]:
        """Return the positions of the first character of a span, and of its end."""
        start = self.position(span.line, span.column)
        return start, max(start, self.position(span.end_line, span.end_column))

    def line(self, position: int) -> int:
        """Return the number of the line that holds a position."""
        return bisect_right(self.starts, position)

    def with_breaks(self, text: str) -> str:
        """Return a text with the line breaks of the document."""
        windows = self.text.startswith("\r\n", len(self.lines[0]))
        return text.replace("\n", "\r\n") if windows else text


class Span(NamedTuple):
    """A range of a document. Lines and columns count from 1. The end is exclusive."""

    document: Document
    line: int
    column: int
    end_line: int
    end_column: int

    def within(self, start: int, length: int) -> Span:
        """Return a part of a one-line span: `length` characters after the first `start`."""
        if self.line != self.end_line or start + length > self.end_column - self.column:
            return self
        column = self.column + start
        return self._replace(column=column, end_column=column + length)


class Edit(NamedTuple):
    """The replacement of the text in a range."""

    span: Span
    text: str


class Result(NamedTuple):
    """The shape that a layer gives. `span` is the place of its type."""

    span: Span
    layer: str
    shape: tuple[int, ...]


class Fix(NamedTuple):
    """A repair as edits. A safe fix cannot change the meaning of a correct file."""

    title: str
    edits: tuple[Edit, ...]
    safe: bool = False
    #: The result that the title names, if it names one.
    result: Result | None = None
    #: Whether it is a guess, which is offered only if no other fix proves true.
    guess: bool = False


class Note(NamedTuple):
    """A labelled line under the excerpt, such as `input` or `formula`."""

    label: str
    text: str


class Diagnostic(NamedTuple):
    """One fault. `title` names it. `label` gives the reason, next to the underlined range."""

    code: str
    title: str
    span: Span
    label: str = ""
    notes: tuple[Note, ...] = ()
    help: str | None = None
    layer: str | None = None
    fixes: tuple[Fix, ...] = ()
    #: The other layers with a fault at this place. They belong to the same item of the file.
    also: tuple[str, ...] = ()
    #: What a later search for fixes starts from; None once that is over.
    origin: object = None

    @property
    def severity(self) -> Literal["error", "warning"]:
        """`error`, or `warning` for a network that torch would accept."""
        return severity(self.code)

    @property
    def message(self) -> str:
        """The fault on one line."""
        return f"{self.title}: {self.label}" if self.label else self.title


T = TypeVar("T")

#: The faults of a step, in the order in which it met them.
Faults: TypeAlias = tuple[Diagnostic, ...]

#: What a step returns: its result, and its faults.
Found: TypeAlias = tuple[T, Faults]


def collect(steps: Iterable[Found[T]]) -> Found[tuple[T, ...]]:
    """Return the results of several steps, and the faults of all of them."""
    results: list[T] = []
    faults: list[Diagnostic] = []
    for result, found in steps:
        results.append(result)
        faults += found
    return tuple(results), tuple(faults)


def with_fixes(fault: Diagnostic, fixes: tuple[Fix, ...]) -> Diagnostic:
    """Return a fault with other fixes, and a note with their titles."""
    notes = tuple(note for note in fault.notes if note.label != "fix")
    if fixes:
        notes += (Note("fix", ", or ".join(fix.title for fix in fixes)),)
    return fault._replace(notes=notes, fixes=fixes)


def errors(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return the errors among the diagnostics."""
    return [d for d in diagnostics if d.severity == "error"]
