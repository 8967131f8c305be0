"""Errors of YAML syntax, at the place of the mistake and in plain words.

libyaml reports what its scanner expected next. The table in this module lists the mistakes of
authors that lead to such reports.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from netbuild.diagnostics.diagnostic import Diagnostic, Document, Edit, Fix, Span
from netbuild.diagnostics.wording import brief
from netbuild.syntax.colons import explained
from netbuild.syntax.foreign import braces_on, star_at
from netbuild.syntax.node import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Problem(NamedTuple):
    """A mistake of an author, for a part of the message of libyaml."""

    part: str
    title: str
    label: str
    remedy: str | None
    at_context: bool = False  # underline the start of the construct, not the place of the error
    code: str = "NB002"
    left_out: str = ""  # the characters that a fix leaves out


_PROBLEMS = (
    _Problem(
        "cannot start any token",
        "a character that cannot begin a value",
        "this character cannot begin a value, and a tab cannot indent a line",
        "indent with spaces, and put a text that begins with @, % or ` in quotes",
    ),
    _Problem(
        "tab character that violates indentation",
        "a tab in the indentation",
        "YAML indents with spaces only",
        "replace the tab with spaces",
    ),
    _Problem(
        "mapping values are not allowed",
        "a colon in a place without a key",
        "this line already has a key, or it is indented below a value",
        "begin a nested mapping on a new line, and put a text with ': ' in quotes",
    ),
    _Problem(
        "could not find expected ':'",
        "a key without a colon",
        "this line is not written as 'key: value'",
        "write key: value, with a space after the colon",
        at_context=True,
    ),
    _Problem(
        "did not find expected ',' or ']'",
        "a list that is not closed",
        "this [ has no ]",
        "close the list with ], and put a comma between its entries",
        at_context=True,
    ),
    _Problem(
        "did not find expected ',' or '}'",
        "a mapping that is not closed",
        "this { has no }",
        "close the mapping with }, and put a comma between its entries",
        at_context=True,
    ),
    _Problem(
        "found unexpected end of stream",
        "a quoted text that is not closed",
        "this quotation mark has no closing one",
        "put the same quotation mark at the end of the text",
        at_context=True,
    ),
    _Problem(
        "did not find expected '-' indicator",
        "a line that does not belong to its list",
        "each entry of the list begins with '- ', in the same column",
        "indent this line like the entries of the list",
    ),
    _Problem(
        "did not find expected key",
        "a line that does not belong to its mapping",
        "the keys around this line have another indentation",
        "indent this line like the other keys of the mapping",
    ),
    _Problem(
        "found unexpected ':'",
        "a colon at the end of a value",
        "YAML reads the value before this colon as a key",
        "leave the colon out, or put the text in quotes",
        left_out=":",
    ),
    _Problem(
        "did not find expected node content",
        "a value is missing",
        "a value should begin here",
        "write a value here, or leave this character out",
        left_out=",;",
    ),
    # libyaml's own limit, from PyYAML 6.0.4 on; it reads ahead of the parser's limit.
    _Problem(
        "nesting depth",
        "the file is nested too deeply",
        f"more than {MAX_DEPTH} levels",
        None,
        code="NB007",
    ),
)


#: The parts of libyaml's messages about a missing colon, or a colon too many.
_COLONS = ("mapping values are not allowed", "could not find expected ':'")


def with_error(
    error: yaml.YAMLError, document: Document, faults: Sequence[Diagnostic]
) -> list[Diagnostic]:
    """Return faults and the fault of an error; of equal faults at one place, only the shortest.

    libyaml may have read a word without its space together with the lines below it.
    """
    fault = explain(error, document)
    alike = [f for f in faults if (f.code, f.span[:3]) == (fault.code, fault.span[:3])]
    rest = [f for f in faults if f not in alike]
    return [*rest, min([fault, *alike], key=lambda f: f.span[3:])]


def explain(error: yaml.YAMLError, document: Document) -> Diagnostic:
    """Return the fault for an error of PyYAML."""
    mark: Any = getattr(error, "problem_mark", None)
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return _bad_character(error, document)
    context: Any = error.context_mark or mark
    message = error.problem or ""
    colons = any(part in message for part in _COLONS)
    fault = explained(mark.line, context.line, document, colons=colons)
    fault = fault or _foreign(context, mark, document)
    if fault is not None:
        return fault
    problem = next((problem for problem in _PROBLEMS if problem.part in message), None)
    if problem is None:
        return Diagnostic("NB002", "the YAML cannot be parsed", _at(mark, document), message)
    span = _at(context if problem.at_context else mark, document)
    remedy = problem.remedy
    if remedy and re.search(r"[\[{,:]\s*\$\(", document.lines[span.line - 1]):
        remedy = "put an expression with a comma or a bracket in quotes, or " + remedy
    fixes: tuple[Fix, ...] = ()
    character = document.lines[span.line - 1][span.column - 1 : span.end_column - 1]
    if character and character in problem.left_out:
        fixes = (Fix(f"leave {character} out", (Edit(span, ""),)),)
    if not character.strip() and problem.left_out:  # the line ends where a value should begin
        remedy = "write a value, and close each [ and {"
    return Diagnostic(problem.code, problem.title, span, problem.label, help=remedy, fixes=fixes)


def _foreign(context: Any, mark: Any, document: Document) -> Diagnostic | None:
    """Return the fault of a text that YAML reads as an alias, or of `${name}`; else None."""
    start = Span(document, 1, 1, 1, 1)
    for place in (context, mark):
        fault = star_at(place.line, place.column, start) or braces_on(place.line, start)
        if fault is not None:
            return fault
    return None


def _at(mark: Any, document: Document) -> Span:
    """Return a mark as a span of one character, on a line that exists and is not empty."""
    line, column = mark.line, mark.column
    if line >= len(document.lines):
        line = len(document.lines) - 1
        column = len(document.lines[line])
    while line > 0 and not document.lines[line].strip():
        line -= 1
        column = len(document.lines[line])
    column = min(column, len(document.lines[line]))
    return Span(document, line + 1, column + 1, line + 1, column + 2)


def _bad_character(error: yaml.YAMLError, document: Document) -> Diagnostic:
    """Find the character that YAML does not allow, because the error names no line."""
    for number, line in enumerate(document.lines, start=1):
        for column, character in enumerate(line, start=1):
            if not character.isprintable() and not character.isspace():
                span = Span(document, number, column, number, column + 1)
                label = f"U+{ord(character):04X} is not allowed in YAML"
                return Diagnostic("NB002", "a character that YAML does not allow", span, label)
    reason = str(getattr(error, "reason", error))
    span = Span(document, 1, 1, 1, 1)
    return Diagnostic("NB002", "the YAML cannot be parsed", span, brief(reason, 200))
