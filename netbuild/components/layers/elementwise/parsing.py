"""From the text of a formula to a tree of Python's `ast`. Python compiles and evaluates nothing."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, NoReturn

from netbuild.components.layers.elementwise.faults import fault

if TYPE_CHECKING:
    import ast

MAX_LENGTH = 500
MAX_DEPTH = 40

_SIGNS_OF_PRINT = {"×": "*", "·": "*", "⋅": "*", "−": "-", "÷": "/", "²": " ** 2", "³": " ** 3"}
_SIGNS_OF_PRINT |= {"≤": "<=", "≥": ">=", "≠": "!=", "∧": "&", "∨": "|"}


def parse(text: str) -> tuple[ast.expr, int]:
    """Return the tree of a text, and the position at which it begins."""
    import ast

    everything = (0, len(text))
    if len(text) > MAX_LENGTH:
        fault(
            f"a formula has at most {MAX_LENGTH} characters, and this one has {len(text):,}",
            everything,
        )
    if not text.strip():
        fault("the formula is empty", everything)
    strange = re.search(r"[^\x20-\x7e\n\t]|[\\\"'`#$;{}]|:=", text)
    if strange:
        sign = strange[0]
        instead = _SIGNS_OF_PRINT.get(sign)
        help_ = f"write {instead.strip()}" if instead else None
        fault(
            f"a formula has no {sign if sign.isprintable() else 'such sign'}",
            strange.span(),
            instead=instead,
            help=help_,
        )
    start = len(text) - len(text.lstrip())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return ast.parse(re.sub(r"\s", " ", text[start:]).rstrip(), mode="eval").body, start
    except SyntaxError as error:
        _not_python(text, start, error)
    except (ValueError, RecursionError, MemoryError):
        fault("the formula is nested too deeply", everything)


def _not_python(text: str, start: int, error: SyntaxError) -> NoReturn:
    """Raise the fault of a text that Python's parser refuses."""
    if "too many nested" in error.msg:
        fault(f"a formula has at most {MAX_DEPTH} levels", (0, len(text)))
    twice = re.search(r"&&|\|\|", text)
    if twice:
        fault(f"a formula writes {twice[0][0]} once", twice.span(), instead=twice[0][0])
    opened, closed = text.count("("), text.count(")")
    if opened > closed:
        place = _unclosed(text)
        fault("this ( is never closed", (place, place + 1))
    word = re.search(
        r"\b(import|lambda|def|for|return|class|yield|await|del|global|assert)\b", text
    )
    if word:
        fault(
            f"a formula has no {word[0]}: it has numbers, names, signs and functions", word.span()
        )
    last = re.search(r"[-+*/%&|<>=,~]+\s*$", text)
    if last:
        fault(f"a value is missing after {last[0].strip()}", last.span())
    single = re.search(r"(?<![=<>!])=(?!=)", text)
    if single:
        fault("a formula has no =", single.span(), help="write == to compare two values")
    place = min(start + (error.offset or 1) - 1, len(text) - 1)
    end = max(start + (error.end_offset or 0) - 1, place + 1)
    fault("the formula makes no sense here", (place, min(end, len(text))))


def _unclosed(text: str) -> int:
    """Return the position of the last `(` without a `)`."""
    opened: list[int] = []
    for place, sign in enumerate(text):
        if sign == "(":
            opened.append(place)
        elif sign == ")" and opened:
            opened.pop()
    return opened[-1]
