"""Keys and values without `: ` between them: `size:3`, `size 3`, `size=3` and `fc: Linear: 10`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix, Span
from netbuild.diagnostics.wording import brief
from netbuild.syntax.scalar import NO_SPACE

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Document

_LINE_WITHOUT_SPACE = rf"(\s*(?:- +)*)({NO_SPACE}[^#]*)"
# `kernel 3`, `kernel=3` and `kernel = 3`: a word and a value.
_NO_COLON = r"([A-Za-z_]\w*)( *= *(?!=)| +)((?!- )\S.*)"
# The value on a line of its own is one word, or begins with a bracket or a quotation mark.
_LINE_WITHOUT_COLON = (
    r"(?P<before> *(?:- +)*)([A-Za-z_]\w*)( *= *(?!=)| +)"
    r"([^\s:#\[{\"'&*|>]\S*(?<!:)|[\[{\"'].*?)(?: +#.*)? *"
)
# `fc: Linear: 10`: a name, a type and its value on one line.
_TWO_KEYS = (
    r"(?P<before> *(?P<dash>(?:- +)*))(?P<name>[a-z_][\w-]*): +"
    r"(?P<type>[A-Z]\w*): *(?P<value>.*?)(?: +#.*)? *"
)


class Pair(NamedTuple):
    """A key and its value, what stands between them, and the place of all three."""

    key: str
    between: str
    value: str
    span: Span


def without_colon(text: str, span: Span) -> Pair | None:
    """Return the key and the value in `kernel 3` or `kernel=3`; None for any other text.

    A text in quotes is one word on purpose.
    """
    found = re.fullmatch(_NO_COLON, text) if " " in text or "=" in text else None
    line = span.document.lines[span.line - 1]
    if found is None or not line.startswith(text, span.column - 1):
        return None
    return Pair(found[1], found[2], found[3], span)


def lines_without_colons(span: Span) -> list[Pair]:
    """Return the pairs of a text of which every line is `key value`, `key=value` or `key:value`.

    One of the values is no plain word: `out_channels 6` is a pair, and `my file` is a text. The
    result is empty for any other text.
    """
    lines = range(span.line - 1, span.end_line)
    pairs = [_on_line(n, span.document) or _tight(n, span.document) for n in lines]
    found = [pair for pair in pairs if pair is not None]
    told = any(pair.between.strip() or not pair.value[:1].isalpha() for pair in found)
    return found if told and len(found) == len(pairs) else []


def missing_space(text: str, span: Span) -> Diagnostic:
    """Return the fault of `kernel:3`, which YAML reads as one word."""
    word, _, rest = text.partition(":")
    line, column = span.line, span.column + len(word) + 1
    gap = span._replace(column=column, end_line=line, end_column=column)
    # A word in quotes, or with an escape, differs from its source text. It is one word on purpose.
    is_plain = span.document.lines[line - 1].startswith(f"{word}:", span.column - 1)
    fix = Fix("insert a space", (Edit(gap, " "),), safe=True)
    return Diagnostic(
        "NB009",
        "no space after a colon",
        span,
        f"YAML reads {word}:{brief(rest)} as one word",
        help=f"write {word}: {brief(rest)}",
        fixes=(fix,) if is_plain else (),
    )


def missing_colon(pair: Pair, *, braces: bool = False) -> Diagnostic:
    """Return the fault of `kernel 3` or `kernel=3`, which YAML reads as one text.

    With `braces` the item is the value of a key on the same line: `fc: Linear 10`.
    """
    key, between, value, span = pair
    if between == ":":
        return missing_space(f"{key}:{value}", span)
    column = span.column + len(key)
    gap = span._replace(column=column, end_line=span.line, end_column=column + len(between))
    edits: tuple[Edit, ...] = (Edit(gap, ": "),)
    written = f"{key}: {value}"
    behind = span.document.lines[span.line - 1][column - 1 + len(between) :]
    sizes = None if braces else re.match(r"\((\d+(?:, ?\d+)+)\)", behind)
    if value.startswith("(") and sizes:
        # In braces, YAML ends the text at the first comma of a tuple.
        gap = gap._replace(end_column=gap.end_column + sizes.end())
        edits, written = (Edit(gap, f": [{sizes[1]}]"),), f"{key}: [{sizes[1]}]"
    if braces:
        written = f"{{{written}}}"
        edits = (Edit(span, written),)
    label = f"YAML reads {brief(key + between + value)} as one text"
    fix = Fix(f"write {brief(written)}", edits, safe=True)
    title = "no colon after a key"
    return Diagnostic("NB009", title, span, label, help=f"write {brief(written)}", fixes=(fix,))


def in_place_of(pair: Pair) -> Diagnostic:
    """Return the fault of an item `Linear 10`, with braces where it is the value of a key."""
    span = pair.span
    before = span.document.lines[span.line - 1][: span.column - 1].rstrip()
    return missing_colon(pair, braces=before.endswith(":"))


def explained(line: int, above: int, document: Document, *, colons: bool) -> Diagnostic | None:
    """Return the fault of a key and a value on a line that YAML cannot read; None without one.

    `line` is the line of the error, from 0, and `above` the line at which the value began. With
    `colons` the error is about a colon.
    """
    lines = [number for number in (above, line, line - 1) if 0 <= number < len(document.lines)]
    tight = next((pair for n in lines if (pair := _tight(n, document))), None)
    if tight is not None or not colons:
        return missing_colon(tight) if tight else None
    fault = two_keys(line, document) if line in lines else None
    if fault is not None:
        return fault
    pair = next((pair for n in lines if (pair := _on_line(n, document))), None)
    return missing_colon(pair) if pair else None


def two_keys(line: int, document: Document) -> Diagnostic | None:
    """Return the fault of `fc: Linear: 10`; None for any other line."""
    text = document.lines[line]
    found = re.fullmatch(_TWO_KEYS, text)
    if found is None:
        return None
    value, column = found["value"], found.start("name") + 1
    inner = re.fullmatch(r"([a-z_]\w*): +(.+)", value)
    value = f"{{{value}}}" if inner else value
    in_list = bool(found["dash"])
    item = f"{found['type']}: {value or '…'}"
    written = f"{found['name']}: {{{item}}}"
    if in_list:
        written = f"{{{item}, name: {found['name']}}}"
    end = found.end("value") + 1
    span = Span(document, line + 1, column, line + 1, end)
    title = "a colon in a place without a key"
    label = f"the value of {brief(found['name'])} is an item, and needs braces on this line"
    fixes: tuple[Fix, ...] = ()
    if value and all(value.count(a) == value.count(b) for a, b in ("{}", "[]")):
        fixes = (Fix(f"write {brief(written)}", (Edit(span, written),), safe=not in_list),)
    return Diagnostic("NB002", title, span, label, help=f"write {brief(written)}", fixes=fixes)


def _on_line(line: int, document: Document) -> Pair | None:
    found = re.fullmatch(_LINE_WITHOUT_COLON, document.lines[line])
    if found is None:
        return None
    column = found.end("before") + 1
    span = Span(document, line + 1, column, line + 1, found.end(4) + 1)
    return Pair(found[2], found[3], found[4], span)


def _tight(line: int, document: Document) -> Pair | None:
    """Return the pair on a line such as `kernel:3`; None for any other line."""
    match = re.match(_LINE_WITHOUT_SPACE, document.lines[line])
    if match is None:
        return None
    word = match[2].rstrip()
    column = match.start(2) + 1
    key, between, value = word.partition(":")
    span = Span(document, line + 1, column, line + 1, column + len(word))
    return Pair(key, between, value, span)
