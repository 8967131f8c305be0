"""Replace each `$name` and `$(expression)` in a tree by its value."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix, collect
from netbuild.diagnostics.exceptions import ExpressionError
from netbuild.diagnostics.wording import brief
from netbuild.syntax.expression import bounded, evaluate, words_of
from netbuild.syntax.node import UNKNOWN, Entry, List, Map, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.diagnostics.diagnostic import Faults, Found, Span

_NAME = r"[A-Za-z_]\w*"


def substitute(node: Node, names: Mapping[str, Any]) -> Found[Node]:
    """Return the tree with every `$name` and `$(expression)` replaced by its value.

    A scalar that is one expression gets a value of any type. Inside a longer string the value
    becomes text. `$$` is a dollar sign. A value has the span of its expression; an item that is the
    value of a name keeps its own span.
    """
    if isinstance(node, Scalar):
        if not isinstance(node.value, str) or "$" not in node.value:
            return node, ()
        value, faults = _scalar(node, names)
        return _node(value, node), faults
    if not is_computed(node):
        return node, ()
    if isinstance(node, List):
        items, faults = collect(substitute(item, names) for item in node.items)
        return List(items, node.span), faults
    entries, faults = substitute_entries(node.entries, names)
    return Map(entries, node.span), faults


def substitute_entries(
    entries: Mapping[str, Entry], names: Mapping[str, Any]
) -> Found[dict[str, Entry]]:
    """Return the entries of a mapping with every expression in their values evaluated."""
    evaluated: dict[str, Entry] = {}
    faults: Faults = ()
    for name, (key, node) in entries.items():
        value, wrong = substitute(node, names)
        evaluated[name] = Entry(key, value)
        faults += wrong
    return evaluated, faults


def names_in(node: Node) -> set[str]:
    """Return the names that the expressions in a tree can use: all words in them."""
    if isinstance(node, List):
        return set().union(*map(names_in, node.items))
    if isinstance(node, Map):
        return set().union(*(names_in(entry.value) for entry in node.entries.values()))
    if not isinstance(node.value, str) or "$" not in node.value:
        return set()
    try:
        found = [expression for _, expression, _, _ in _pieces(node.value)]
    except ExpressionError:  # evaluation reports it
        return words_of(node.value)
    return set().union(*(words_of(expression) for expression in found if expression))


def is_computed(node: Node) -> bool:
    """Whether a node contains an expression."""
    if isinstance(node, Scalar):
        return isinstance(node.value, str) and "$" in node.value
    if isinstance(node, List):
        return any(is_computed(item) for item in node.items)
    return any(is_computed(entry.value) for entry in node.entries.values())


def _node(value: Any, expression: Scalar) -> Node:
    """Return the value of an expression as a node, with the span of the expression."""
    if isinstance(value, (Map, List)):
        return value
    if isinstance(value, (list, tuple)):
        return List(tuple(_node(part, expression) for part in value), expression.span)
    return Scalar(value, expression.span, expression.text)


def _scalar(node: Scalar, names: Mapping[str, Any]) -> Found[Any]:
    text, joined = node.value, ""
    start = end = -1
    try:
        for literal, expression, start, end in _pieces(text):
            joined += literal
            if expression is None:
                continue
            value = evaluate(expression, names)
            if value is UNKNOWN or (start, end) == (0, len(text)):
                return value, ()
            joined = bounded(joined + _as_text(value))
    except ExpressionError as error:
        # A quoted scalar begins one column before its text.
        quote = max((node.span.end_column - node.span.column - len(text)) // 2, 0)
        place = node.span if end < 0 else node.span.within(start + quote, end - start)
        title = "an expression that cannot be evaluated"
        fixes = _respelt(error, place)
        return UNKNOWN, (Diagnostic("NB110", title, place, str(error), fixes=fixes),)
    return joined, ()


def _respelt(error: ExpressionError, place: Span) -> tuple[Fix, ...]:
    """Return the fix for a misspelt name in the expression at a place."""
    if error.misspelt is None or place.line != place.end_line:
        return ()
    position, word, near = error.misspelt
    text = place.document.lines[place.line - 1][place.column - 1 : place.end_column - 1]
    inside = re.match(r"\$\(\s*|\$", text)
    if inside is None or not text.startswith(word, inside.end() + position):
        return ()
    span = place.within(inside.end() + position, len(word))
    return (Fix(f"replace {brief(word)} with {near}", (Edit(span, near),)),)


def _as_text(value: Any) -> str:
    if isinstance(value, (Map, List)):
        raise ExpressionError("a text cannot contain an item")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


@lru_cache(maxsize=4096)  # each use of a block evaluates the same expressions again
def _pieces(text: str) -> tuple[tuple[str, str | None, int, int], ...]:
    """Split a string into (literal text, the expression after it, its start, its end)."""
    return tuple(_split(text))


def _split(text: str) -> Iterator[tuple[str, str | None, int, int]]:
    literal, position = "", 0
    while position < len(text):
        dollar = text.find("$", position)
        if dollar < 0:
            break
        literal += text[position:dollar]
        if text.startswith("$$", dollar):
            literal, position = literal + "$", dollar + 2
        elif text.startswith("$(", dollar):
            position = _closing(text, dollar + 1) + 1
            yield literal, text[dollar + 2 : position - 1], dollar, position
            literal = ""
        elif match := re.match(_NAME, text[dollar + 1 :]):
            position = dollar + 1 + match.end()
            yield literal, match[0], dollar, position
            literal = ""
        else:
            literal, position = literal + "$", dollar + 1
    yield literal + text[position:], None, len(text), len(text)


def _closing(text: str, start: int) -> int:
    """Return the position of the parenthesis that closes the one at `start`."""
    depth, quote = 0, ""
    for position in range(start, len(text)):
        character = text[position]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                return position
    msg = "this $( has no closing ): put an expression with a comma or a bracket in quotes"
    raise ExpressionError(msg)
