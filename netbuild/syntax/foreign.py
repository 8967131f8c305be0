"""Notations of other languages that YAML reads as something else: `(3, 3)`, `1,000`, `${name}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix, Span
from netbuild.diagnostics.wording import brief
from netbuild.syntax.node import Scalar

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Found

#: Values in parentheses with commas between them, without brackets, quotes or colons.
_TUPLE = r"\( *([^()\[\]{}:#'\",*&!]+(?:,[^()\[\]{}:#'\",*&!]*)+)\)(?= *(?:[,}\]#]|$))"
#: A call of Python, such as `Linear(64, 10)`.
_CALL = r"(?:\w+\.)*[A-Z]\w*\([^()\[\]{}:#'\"*&!]*\)(?= *(?:[,}\]#]|$))"
#: `${name}` of shells, and `{{ name }}` of templates.
_BRACES = r"\$\{([^{}]*)\}|\{\{([^{}]*)\}\}"
#: A number with a comma between its thousands, and a number with a comma before its fraction.
_THOUSANDS = r"-?[1-9]\d{0,2}(?:,\d{3})+"
_FRACTION = r"-?0,\d+"


class Tuple(NamedTuple):
    """A tuple of Python in a text: its parts, and its place."""

    parts: tuple[str, ...]
    span: Span

    @property
    def fault(self) -> Diagnostic:
        """The fault of the tuple, with a list as its fix."""
        written = f"[{', '.join(self.parts)}]"
        fix = Fix(f"write {brief(written)}", (Edit(self.span, written),), safe=True)
        label = f"YAML has no tuples, and reads this as the text ({brief(self.parts[0])} and more"
        help_ = f"write a list: {brief(written)}"
        return Diagnostic("NB106", "a tuple of Python", self.span, label, help=help_, fixes=(fix,))


def tuple_at(span: Span) -> Tuple | None:
    """Return the tuple that begins at a place; None for other texts."""
    line = span.document.lines[span.line - 1]
    found = re.compile(_TUPLE).match(line, span.column - 1)
    if found is None:
        return None
    parts = tuple(part.strip() for part in found[1].split(",") if part.strip())
    return Tuple(parts, span._replace(end_line=span.line, end_column=found.end() + 1))


def formula_with_comma(span: Span) -> Found[Scalar | None]:
    """Return the formula that begins at a place and is cut at a comma in parentheses, or None."""
    line = span.document.lines[span.line - 1]
    start, opened, place = span.column - 1, 0, span.column - 1
    for place in range(start, len(line)):
        opened += (line[place] == "(") - (line[place] == ")")
        if opened < 0 or (opened == 0 and line[place] in ",}]#"):
            break
    if opened > 0 or place == start:
        return None, ()
    text = line[start:place].rstrip()
    span = span._replace(end_line=span.line, end_column=start + len(text) + 1)
    fix = Fix("put the formula in quotes", (Edit(span, f'"{text}"'),), safe=True)
    label = "between braces, YAML ends a text at its first comma"
    help_ = f'put the formula in quotes: "{brief(text)}"'
    title = "a formula with a comma"
    fault = Diagnostic("NB217", title, span, label, help=help_, fixes=(fix,))
    return Scalar(text, span, text), (fault,)


def call_at(span: Span) -> str | None:
    """Return the call `Linear(64, 10)` that begins at a place; None for other texts."""
    line = span.document.lines[span.line - 1]
    found = re.compile(_CALL).match(line, span.column - 1)
    return found and found[0]


def number_with_comma(value: Scalar, key: Scalar) -> Diagnostic | None:
    """Return the fault of `{lr: 0,1}`, which YAML reads as the number 0 and the key 1; else None.

    `value` is the value above the key.
    """
    span = value.span
    if span[3:] != (key.span.line, key.span.column - 1) or span.document is not key.span.document:
        return None
    text = f"{value.text},{key.text}"
    span = span._replace(end_line=key.span.end_line, end_column=key.span.end_column)
    written = without_comma(text)
    label = f"YAML reads {brief(text)} as {value.text} and the key {key.text}"
    help_ = f"write {written}" if written else f"write a list: [{text.replace(',', ', ')}]"
    fixes = (Fix(f"write {written}", (Edit(span, written),)),) if written else ()
    return Diagnostic("NB008", "a number with a comma", span, label, help=help_, fixes=fixes)


def without_comma(text: str) -> str | None:
    """Return `1,000` as 1000 and `0,5` as 0.5; None for other texts."""
    if re.fullmatch(_THOUSANDS, text):
        return text.replace(",", "")
    return text.replace(",", ".") if re.fullmatch(_FRACTION, text) else None


def starred(span: Span, *, safe: bool) -> tuple[str, tuple[Fix, ...]]:
    """Return the help and the fix for `*.bias`, which begins an alias of YAML."""
    word = span.document.lines[span.line - 1][span.column - 1 : span.end_column - 1]
    fix = Fix(f'write "{brief(word)}"', (Edit(span, f'"{word}"'),), safe=safe)
    return f'if it is a text, put it in quotes: "{brief(word)}"', (fix,)


def star_at(line: int, column: int, start: Span) -> Diagnostic | None:
    """Return the fault of a text that begins with `*` at a place, from 0; None for other texts."""
    lines = start.document.lines
    found = re.match(r"\*[^\s,\]}]*", lines[line][column:]) if line < len(lines) else None
    if found is None:
        return None
    span = Span(start.document, line + 1, column + 1, line + 1, column + found.end() + 1)
    _, fixes = starred(span, safe=True)
    help_ = f"put it in quotes: {fixes[0].edits[0].text}"
    title = "a text that begins with *"
    label = "in YAML, * begins an alias: the name of a value above"
    return Diagnostic("NB002", title, span, label, help=help_, fixes=fixes)


def braces_on(line: int, start: Span) -> Diagnostic | None:
    """Return the fault of `${name}` or `{{ name }}` on a line, from 0; None for other lines."""
    lines = start.document.lines
    found = re.search(_BRACES, lines[line]) if line < len(lines) else None
    if found is None:
        return None
    written = as_variable(found)
    span = Span(start.document, line + 1, found.start() + 1, line + 1, found.end() + 1)
    fix = Fix(f"write {brief(written)}", (Edit(span, written),))
    title = "a variable in the notation of another language"
    label = "a variable is $name, and an expression is $(…)"
    help_ = f"write {brief(written)}"
    return Diagnostic("NB002", title, span, label, help=help_, fixes=(fix,))


def variable_in_braces(text: str) -> str | None:
    """Return `${name}` or `{{ name }}` as `$name`; None for other texts."""
    found = re.fullmatch(_BRACES, text.strip())
    return as_variable(found) if found else None


def as_variable(found: re.Match[str]) -> str:
    """Return the variable or the expression between braces in the notation of netbuild."""
    inner = (found[1] or found[2] or "").strip()
    return f"${inner}" if inner.isidentifier() else f"$({inner})"
