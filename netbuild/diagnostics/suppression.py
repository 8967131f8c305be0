"""The comment `# netbuild: ignore[NB301]` at the end of a line: it silences a warning.

It applies to warnings whose underlined place begins on its line, in base files too. Errors cannot
be silenced: such a network does not run.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import yaml

from netbuild.diagnostics.codes import CODES, severity
from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix, Span, errors
from netbuild.diagnostics.wording import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.diagnostics.diagnostic import Document

#: A file without this word has no such comment, so it is not searched.
_WORD = "netbuild:"
_COMMENT = r"#\s*netbuild:\s*ignore\b(?:\s*\[([^\]]*)\])?"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Comment(NamedTuple):
    """An ignore comment: its place, and its codes with their places."""

    span: Span
    codes: tuple[tuple[str, Span], ...]


def silence(faults: list[Diagnostic], document: Document) -> list[Diagnostic]:
    """Return the faults without the warnings that a comment on their line silences.

    `document` is the checked file. A comment in it that silences nothing is a warning itself,
    except if there are errors, because errors hide other warnings. A comment in a base file gives
    no such warning: another file that extends the base may need the comment.
    """
    warnings = [fault for fault in faults if fault.severity == "warning"]
    if len(warnings) < len(faults) and not warnings:  # errors cannot be silenced
        return faults
    documents = {id(d): d for d in (document, *(warning.span.document for warning in warnings))}
    comments: dict[tuple[int, int], list[_Comment]] = defaultdict(list)
    for key, found in documents.items():
        for comment in _comments(found) if _WORD in found.text else ():
            comments[key, comment.span.line].append(comment)
    if not comments:
        return faults
    kept, used = [], set()
    for fault in faults:
        silencing = [place for place in _places(comments, fault) if fault.severity == "warning"]
        used.update(silencing)
        if not silencing:
            kept.append(fault)
    if not errors(kept):
        own = (c for (key, _), there in comments.items() if key == id(document) for c in there)
        for comment in own:
            kept += _useless(comment, used)
    return kept


def _places(
    comments: Mapping[tuple[int, int], list[_Comment]], fault: Diagnostic
) -> Iterator[Span]:
    """Yield the places in comments, on the line of a fault, that name its code."""
    for comment in comments.get((id(fault.span.document), fault.span.line), ()):
        for code, span in comment.codes:
            if len(code) > 1 and fault.code.startswith(code):
                yield span


def _useless(comment: _Comment, used: set[Span]) -> Iterator[Diagnostic]:
    """Yield a warning for each code of a comment that silences nothing."""
    title = CODES["NB318"]
    if not comment.codes:
        help_ = "write # netbuild: ignore[NB301]"
        yield Diagnostic("NB318", title, comment.span, "it names no code", help=help_)
    unused = [(code, span) for code, span in comment.codes if span not in used]
    fixes = _removal(comment.span) if len(unused) == len(comment.codes) else ()
    for code, span in unused:
        label, help_ = _reason(code)
        yield Diagnostic("NB318", title, span, label, help=help_, fixes=fixes)


def _removal(span: Span) -> tuple[Fix, ...]:
    """Return the fix that removes a comment; none if more text follows, such as a reason."""
    line = span.document.lines[span.line - 1]
    if line[span.end_column - 1 :].strip():
        return ()
    start = len(line[: span.column - 1].rstrip()) + 1
    whole = span._replace(column=start, end_column=len(line) + 1)
    return (Fix("remove the comment", (Edit(whole, ""),)),)


def _reason(code: str) -> tuple[str, str]:
    from netbuild.diagnostics.selection import is_known, near

    if not is_known(code):
        return f"no code begins with {brief(code)}", near(code)
    if not any(severity(known) == "warning" for known in CODES if known.startswith(code)):
        return f"{code} is an error", "only warnings, NB3xx, can be ignored"
    return (
        f"no {code} begins on this line",
        "remove it, or move it to the end of the line with the warning",
    )


def _comments(document: Document) -> Iterator[_Comment]:
    """Yield the ignore comments of a document; none if its YAML is invalid."""
    found = [
        (number, match)
        for number, line in enumerate(document.lines, start=1)
        if _WORD in line
        for match in re.finditer(_COMMENT, line)
    ]
    texts = _texts(document) if found else []
    starts = [(text.start_mark.line, text.start_mark.column) for text in texts]
    for line, match in found:
        before = bisect_right(starts, (line - 1, match.start()))
        if not before or not _holds(texts[before - 1], line - 1, match.start()):
            start, end = match.span()
            span = Span(document, line, start + 1, line, end + 1)
            yield _Comment(span, tuple(_codes(span, match)))


@lru_cache(maxsize=4)
def _texts(document: Document) -> list[yaml.Token]:
    """Return the scalars of a document in their order; none if its YAML is invalid."""
    try:
        tokens = [*yaml.scan(document.text, Loader=_LOADER)]
    except yaml.YAMLError:
        return []
    return [token for token in tokens if isinstance(token, yaml.ScalarToken)]


def _holds(token: yaml.Token, line: int, column: int) -> bool:
    """Whether a place is inside a token, such as a quoted text, where no comment can begin."""
    start, end = token.start_mark, token.end_mark
    if getattr(token, "style", None) in {"|", ">"} and line == start.line:
        return False  # a comment may follow the indicator of a block scalar
    return (start.line, start.column) <= (line, column) < (end.line, end.column)


def _codes(span: Span, match: re.Match[str]) -> Iterator[tuple[str, Span]]:
    for word in re.finditer(r"[^\s,](?:[^,]*[^\s,])?", match[1] or ""):
        start = match.start(1) + word.start() + 1
        yield word[0], span._replace(column=start, end_column=start + len(word[0]))
