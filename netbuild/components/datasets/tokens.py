"""Tokens: a text as characters, words or lines, numbered by a vocabulary."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from netbuild.components.datasets.dataset import DataError

Level: TypeAlias = Literal["character", "word", "line"]
#: The token of each number; None stands for all tokens that have no number of their own.
Vocabulary: TypeAlias = tuple[str | None, ...]

#: A word, or one mark between words.
_WORDS = re.compile(r"\w+|[^\w\s]")
#: Marks without a space before them, and marks without a space behind them.
_CLOSING = frozenset(".,;:!?%)]}'’”»…-/")
_OPENING = frozenset("([{'’‘“«-/$#@")
#: A mark that opens, and closes the next time.
_QUOTE = '"'


def parts(text: str, level: Level) -> Sequence[str]:
    """Return the characters, the lines, or the words and marks of a text."""
    if level == "character":
        return text
    return text.splitlines() if level == "line" else _WORDS.findall(text)


def ranked(counts: Counter[str]) -> list[str]:
    """Return tokens by frequency, the most frequent one first."""
    return sorted(counts, key=lambda part: (-counts[part], part))


class Joiner:
    """Puts tokens together, one by one, as people write them.

    The space between words is no token, so marks tell where there is one.
    """

    def __init__(self, level: Level) -> None:
        self.level: Level = level
        self._last: str | None = None
        self._quoted = False

    def add(self, token: str) -> str:
        """Return the token, with what stands between it and the one before."""
        last, self._last = self._last, token
        if self.level == "character":
            return token
        if self.level == "line":
            return token if last is None else f"\n{token}"
        opens = last is None or last in _OPENING or (last == _QUOTE and self._quoted)
        closes = token in _CLOSING or (token == _QUOTE and self._quoted)
        if token == _QUOTE:
            self._quoted = not self._quoted
        return token if opens or closes else f" {token}"


def read_vocabulary(kept: Mapping[str, Any], level: Level, most: int | None) -> Vocabulary:
    """Return the vocabulary that a run has kept.

    Args:
        kept: what the run has kept, with `level` and `vocabulary`.
        level: the unit of a token.
        most: the number of different tokens, if there is a token for all others.

    Raises:
        DataError: this is not such a vocabulary.
    """
    if not isinstance(kept, Mapping) or not isinstance(kept.get("vocabulary"), list):
        raise DataError("the run has kept no list of tokens as its vocabulary")
    if kept.get("level") != level:
        message = f"the run has kept {kept.get('level')}s as its vocabulary, and level is {level}"
        raise DataError(message, "level")
    first, known = kept["vocabulary"][:1], kept["vocabulary"]
    own = known if most is None else known[1:]
    if not own or not all(isinstance(part, str) and part for part in own):
        raise DataError("the vocabulary of the run has something other than tokens")
    if len({*own}) < len(own):
        raise DataError("the vocabulary of the run has a token twice")
    if most is not None and (first != [None] or len(known) > most):
        message = f"the run has kept {len(known):,} tokens, and vocabulary is {most:,}"
        raise DataError(message, "vocabulary")
    return tuple(known)
