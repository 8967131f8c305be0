"""Places of a text that keep their meaning while the text is edited."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netbuild.diagnostics.diagnostic import Document, Edit, Span


#: The offset of what an edit has inserted.
NOWHERE = -1


class Place(NamedTuple):
    """The start of a span in the unchanged text. A setting of `--set` is a document of its own."""

    document: str
    offset: int


class _Move(NamedTuple):
    """An edit: the range that it replaces, and the end of its text in the changed document."""

    start: int
    end: int
    new_end: int


class Moves:
    """Maps spans of edited texts to places in the unchanged texts.

    What lies in a replaced text has the place where the edit begins. What lies in an inserted text
    has no place.
    """

    def __init__(self, edits: Iterable[Edit] = ()) -> None:
        by_name = sorted(edits, key=lambda edit: (edit.span.document.name, edit.span[1:]))
        self.moves = {
            name: _moves([*own])
            for name, own in groupby(by_name, key=lambda edit: edit.span.document.name)
        }

    def before(self, span: Span) -> Place:
        """Return the place of a span of the unchanged texts."""
        offset = span.document.position(span.line, span.column)
        for move, _ in self.moves.get(span.document.name, ()):
            if move.start < offset < move.end:
                offset = move.start
        return Place(_name(span.document), offset)

    def after(self, span: Span) -> Place:
        """Return the place of a span of the changed texts."""
        offset = span.document.position(span.line, span.column)
        place = offset
        for move, shift in self.moves.get(span.document.name, ()):
            start = move.start + shift
            if offset < start:
                break
            inside = offset < move.new_end
            if inside:
                place = move.start if move.end > move.start else NOWHERE
                break
            place = offset - move.new_end + move.end
        return Place(_name(span.document), place)


def _moves(edits: list[Edit]) -> list[tuple[_Move, int]]:
    """Return the edits of a document in order, each with the shift of the text before it."""
    document = edits[0].span.document
    moves, shift = [], 0
    for edit in edits:
        start, end = document.range(edit.span)
        length = len(document.with_breaks(edit.text))
        moves.append((_Move(start, end, start + shift + length), shift))
        shift += length - (end - start)
    return moves


def _name(document: Document) -> str:
    return f"--set {document.text}" if document.name == "--set" else document.name
