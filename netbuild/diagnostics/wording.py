"""Words for messages: articles, shortened texts, and the name that a misspelt one means."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Edit, Fix, Span

if TYPE_CHECKING:
    from collections.abc import Iterable


def reason(error: Exception) -> str:
    """Return why a file cannot be used, in the words of the system where these are its own."""
    return str(getattr(error, "strerror", None) or error)


def article(noun: str) -> str:
    """Return `a` or `an`."""
    return "an" if noun[0] in "aeiou" else "a"


def brief(text: str, length: int = 40) -> str:
    """Return a text cut to what a message can show."""
    return text if len(text) <= length else text[: length - 1] + "…"


@lru_cache(maxsize=1024)
def suggest(word: str, known: tuple[str, ...]) -> str | None:
    """Return the known word that a misspelt one most likely stands for, or None.

    A difference of case alone (`Conv2D`) always counts as a misspelling.
    """
    if len(word) > 40:  # difflib is quadratic in the word
        return None
    folded = {name.lower(): name for name in reversed(known)}
    if word.lower() in folded:
        return folded[word.lower()]
    from difflib import get_close_matches

    near = get_close_matches(word.lower(), folded, n=1, cutoff=0.7)
    return folded[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str], span: Span) -> tuple[str | None, tuple[Fix, ...]]:
    """Return the help and the fix for a misspelt word; (None, ()) where nothing is near."""
    near = suggest(word, tuple(known))
    if near is None:
        return None, ()
    return f"did you mean {near}?", (Fix(f"replace {word} by {near}", (Edit(span, near),)),)
