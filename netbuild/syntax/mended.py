"""What an author meant by a text that YAML reads otherwise: reading goes on with it.

Each function returns a node and the faults of its text, so one mistake gives one fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Fix
from netbuild.syntax.colons import (
    lines_without_colons,
    missing_colon,
    missing_space,
    without_colon,
)
from netbuild.syntax.foreign import call_at, formula_with_comma, number_with_comma, tuple_at
from netbuild.syntax.node import UNKNOWN, Entry, List, Map, Scalar
from netbuild.syntax.scalar import resolve

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Found, Span
    from netbuild.syntax.colons import Pair
    from netbuild.syntax.node import Node


#: The keys with a formula as their value.
_OF_FORMULAS = {"Formula", "formula"}


def without_space(text: str, span: Span) -> Found[Entry]:
    """Return the entry of `kernel:3`, as if it were `kernel: 3`."""
    word, _, rest = text.partition(":")
    entry = Entry(Scalar(word, span, word), _plain(rest, span))
    return entry, (missing_space(text, span),)


def key_alone(key: Scalar, above: Entry | None) -> Found[Entry | None]:
    """Return the entry that a key without a value of `{size 3}` or `{lr: 0,1}` stands for.

    `above` is the entry above the key. Of any other key the result is None.
    """
    if (" " in key.text or "=" in key.text) and (pair := without_colon(key.text, key.span)):
        return _entry(pair), (missing_colon(pair),)
    if above is None or not key.text.isdigit() or not isinstance(above.value, Scalar):
        return None, ()
    fault = number_with_comma(above.value, key)
    if fault is None:
        return None, ()
    text = f"{above.value.text},{key.text}"
    return Entry(above.key, Scalar(UNKNOWN, fault.span, text)), (fault,)


def lines(span: Span) -> Found[Map | None]:
    """Return the mapping of lines without colons, such as `size 3`; None for any other text.

    YAML reads a single line with a colon among them as a fault, so one fix changes all lines.
    """
    pairs = lines_without_colons(span)
    entries = {pair.key: _entry(pair) for pair in pairs}
    faults = tuple(map(missing_colon, pairs))
    if faults[1:]:
        edits = tuple(edit for fault in faults for edit in fault.fixes[0].edits)
        fix = Fix(f"write all {len(pairs)} lines with colons", edits, safe=True)
        faults = tuple(fault._replace(fixes=(fix,)) for fault in faults)
    return Map(entries, span) if entries else None, faults


def end_of_tuple(key: Scalar) -> tuple[int, int] | None:
    """Return the end, from 0, of the tuple in `{size=(3, 3)}`; None without a tuple."""
    pair = without_colon(key.text, key.span)
    if pair is None or not pair.value.startswith("("):
        return None
    found = tuple_at(key.span._replace(column=key.span.end_column - len(pair.value)))
    return (key.span.line - 1, found.span.end_column - 1) if found else None


def cut_text(span: Span, key: Scalar | None, text: str) -> Found[Node | None]:
    """Return what a text stands for that YAML ends at a comma in parentheses; else None.

    A tuple is a list. A formula is meant as it stands. A call such as `Linear(64, 10)` is a layer,
    whose fault says what to write.
    """
    if key is not None and key.text in _OF_FORMULAS and tuple_at(span) is None:
        return formula_with_comma(span)
    if text.startswith("("):
        return _list_of_tuple(span)
    call = call_at(span)
    if call is None:
        return None, ()
    from netbuild.components.layers import LAYERS
    from netbuild.syntax.unknown_type import unknown_type, without_module

    if without_module(call).partition("(")[0] not in LAYERS:
        return None, ()
    key = Scalar(call, span._replace(end_column=span.column + len(call)), call)
    return key._replace(value=UNKNOWN), (unknown_type(key, "layer", LAYERS),)


def _list_of_tuple(span: Span) -> Found[List | None]:
    """Return the list of the tuple of Python that begins at a place; None for any other text."""
    found = tuple_at(span)
    if found is None:
        return None, ()
    values = tuple(_plain(part, found.span) for part in found.parts)
    return List(values, found.span), (found.fault,)


def _entry(pair: Pair) -> Entry:
    value = _plain(pair.value, pair.span)
    if pair.value.startswith("("):  # a tuple, which the fault of the colon names
        value = value._replace(value=UNKNOWN)
    return Entry(Scalar(pair.key, pair.span, pair.key), value)


def _plain(text: str, span: Span) -> Scalar:
    """Return a plain text as a value; its value is unknown if it cannot be read."""
    try:
        return Scalar(UNKNOWN if text[0] in "{[\"'" else resolve(text), span, text)
    except ValueError:
        return Scalar(UNKNOWN, span, text)
