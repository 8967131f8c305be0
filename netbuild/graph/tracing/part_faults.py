"""The place of a fault inside the text of a field, and the fix of this part of the text."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Edit, Fix
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.syntax.node import Map, Scalar

if TYPE_CHECKING:
    from netbuild.components.tensor import PartError
    from netbuild.diagnostics.diagnostic import Diagnostic, Span
    from netbuild.syntax.item import Item


def underlined(fault: Diagnostic, error: PartError, item: Item) -> Diagnostic:
    """Return the fault of a layer with the place, the title and the fix of a part of its text.

    If an expression made the text, or if it has escaped characters, the place is the whole text.
    """
    fault = fault._replace(title=error.title)
    node = item.arguments
    if isinstance(node, Map):
        node = node.get(error.at or "")
    if not isinstance(node, Scalar):
        return fault
    span = part_of(node, *error.part)
    if span is None:
        return fault._replace(span=node.span)
    fault = fault._replace(span=span)
    written = str(node.value)[slice(*error.part)]
    if error.instead is not None:
        title = f"replace {brief(written)} with {brief(error.instead.strip())}"
        edit = _quoted(node, span, error.instead) or Edit(span, error.instead)
        return fault._replace(fixes=(Fix(title, (edit,)),))
    help_, fixes = did_you_mean(written, error.known, span)
    return fault._replace(help=help_ or error.help, fixes=fixes)


def _quoted(node: Scalar, span: Span, instead: str) -> Edit | None:
    """Return the edit that writes a plain text anew in quotes, if it gets a comma; else None."""
    start, end = node.span.document.range(node.span)
    text = node.span.document.text[start:end]
    if "," not in instead or text[:1] in {'"', "'"} or "\n" in text:
        return None
    first, last = (place - start for place in node.span.document.range(span))
    return Edit(node.span, f'"{text[:first]}{instead}{text[last:]}"')


def part_of(node: Scalar, start: int, end: int) -> Span | None:
    """Return the place of a part of a text in the file; None if it is not clear.

    YAML joins the lines of a text, so only the characters between spaces are compared.
    """
    document, text = node.span.document, str(node.value)
    first, last = document.range(node.span)
    there = [place for place in range(first, last) if not document.text[place].isspace()]
    here = [place for place, sign in enumerate(text) if not sign.isspace()]
    signs = [text[place] for place in here]
    for skipped in range(4):  # a quote, or the sign of a block such as `>-`
        if [document.text[place] for place in islice(there, skipped, skipped + len(here))] == signs:
            break
    else:
        return None
    inside = [there[skipped + n] for n, place in enumerate(here) if start <= place < end]
    if not inside:
        return None
    places = []
    for position in (inside[0], inside[-1]):
        line = document.line(position)
        places.append((line, position - document.starts[line - 1] + 1))
    (line, column), (end_line, end_column) = places
    return node.span._replace(
        line=line, column=column, end_line=end_line, end_column=end_column + 1
    )
