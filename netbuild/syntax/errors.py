"""Errors of YAML syntax, at the place of the mistake and in plain words.

libyaml reports what its scanner expected next. The table in this module lists the mistakes of
authors that lead to such reports.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

from netbuild.diagnostics.diagnostic import Diagnostic, Document, Edit, Fix, Span
from netbuild.diagnostics.wording import brief

# `kernel:3`: a word, a colon, and no space after it; not `a::b`, `C:\x` or `hf://x`.
_NO_SPACE = r"[A-Za-z_]\w*:(?=[^\s:/\\])"
_LINE_WITHOUT_SPACE = rf"(\s*(?:- +)*)({_NO_SPACE}[^#]*)"


#: The greatest number of lists and mappings within each other.
MAX_DEPTH = 100


class _Problem(NamedTuple):
    """A mistake of an author, for a part of the message of libyaml."""

    part: str
    title: str
    label: str
    remedy: str | None
    at_context: bool = False  # underline the start of the construct, not the place of the error
    code: str = "NB002"


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
    # libyaml's own limit, from PyYAML 6.0.4 on; it reads ahead of the parser's limit.
    _Problem(
        "nesting depth",
        "the file is nested too deeply",
        f"more than {MAX_DEPTH} levels",
        None,
        code="NB007",
    ),
)


def is_without_space(text: str) -> bool:
    """Whether a word is a key and a value without a space between them, such as `kernel:3`."""
    return ":" in text and re.match(_NO_SPACE, text) is not None


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


def explain(error: yaml.YAMLError, document: Document) -> Diagnostic:
    """Return the fault for an error of PyYAML."""
    mark: Any = getattr(error, "problem_mark", None)
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return _bad_character(error, document)
    context: Any = error.context_mark or mark
    for line in (context.line, mark.line, mark.line - 1):
        if fault := _missing_space_on(line, document):
            return fault
    message = error.problem or ""
    problem = next((problem for problem in _PROBLEMS if problem.part in message), None)
    if problem is None:
        return Diagnostic("NB002", "the YAML cannot be parsed", _at(mark, document), message)
    span = _at(context if problem.at_context else mark, document)
    remedy = problem.remedy
    if remedy and re.search(r"[\[{,:]\s*\$\(", document.lines[span.line - 1]):
        remedy = "put an expression with a comma or a bracket in quotes, or " + remedy
    return Diagnostic(problem.code, problem.title, span, problem.label, help=remedy)


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


def _missing_space_on(line: int, document: Document) -> Diagnostic | None:
    if not 0 <= line < len(document.lines):
        return None
    match = re.match(_LINE_WITHOUT_SPACE, document.lines[line])
    if match is None:
        return None
    word = match[2].rstrip()
    column = match.start(2) + 1
    return missing_space(word, Span(document, line + 1, column, line + 1, column + len(word)))


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
