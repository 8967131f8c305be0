"""A column of text as tokens: what `{tokens: review, length: 200}` in `inputs` means."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.datasets.column import Column
from netbuild.components.datasets.dataset import Bounds, DataError
from netbuild.components.datasets.feature import lacking
from netbuild.components.datasets.fields import Tokens
from netbuild.components.datasets.tokens import Level, Vocabulary, parts, ranked

if TYPE_CHECKING:
    import numpy as np

#: The numbers behind the last token of a short text, and of a token without a number of its own.
PADDING, UNKNOWN = 0, 1
#: The first number of a token.
_FIRST = 2
#: The part of a column of tokens that is the number of its tokens, as in `review.length`.
LENGTH = "length"


class TokenFeature(NamedTuple):
    """A column of text as numbers of tokens, (rows, length).

    The most frequent token is 2. 0 stands behind the last token, and 1 is any token without a
    number. Of a longer text, the first `length` tokens are read.
    """

    name: str
    column: Column
    tokens: Tokens
    rule: str | float | None = None
    #: The tokens that a run has kept, in the order of their numbers; None for those of the column.
    known: Sequence[str | None] | None = None
    categories: None = None
    dtype: str = "int64"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the tokens of a row."""
        return (self.tokens.length,)

    @property
    def vocabulary(self) -> Sequence[str | None]:
        """The token of each number from 2 on. One that the training rows lack is None."""
        if self.known is not None:
            return self.known
        return _vocabulary(self.column, self.tokens.level, self.tokens.vocabulary)

    @property
    def gaps(self) -> tuple[int, ...]:
        """The rows that lack a text."""
        return self.column.gaps

    @property
    def bounds(self) -> Bounds:
        """The smallest and the largest number."""
        return PADDING, _FIRST - 1 + len(self.vocabulary)

    def check(self) -> None:
        """Refuse a missing text if nothing stands for it, and a rule that does not suit.

        Raises:
            DataError: names the first row, and how many more there are.
        """
        check_texts(self.name, self.column, self.rule)

    def values(self, rows: Sequence[int] | None) -> "np.ndarray[Any, Any]":
        """Return the numbers of the tokens of each row."""
        import numpy as np

        numbers = {part: n for n, part in enumerate(self.vocabulary, _FIRST) if part is not None}
        chosen = range(len(self.column.cells)) if rows is None else rows
        found = np.full((len(chosen), self.tokens.length), PADDING, "int64")
        for row, index in enumerate(chosen):
            read = _read(self.column, index, self.tokens.level)[: self.tokens.length]
            found[row, : len(read)] = [numbers.get(part, UNKNOWN) for part in read]
        return found


class LengthFeature(NamedTuple):
    """The number of tokens of each row that the network reads: 1 to `length`.

    A text without tokens has the length 1, because a recurrent layer needs a place: it reads 0.
    """

    name: str
    column: Column
    tokens: Tokens
    rule: str | float | None = None
    categories: None = None
    dtype: str = "int64"
    shape: tuple[int, ...] = ()

    @property
    def gaps(self) -> tuple[int, ...]:
        """The rows that lack a text."""
        return self.column.gaps

    @property
    def bounds(self) -> Bounds:
        """The smallest and the largest number."""
        return 1, self.tokens.length

    def check(self) -> None:
        """Refuse a missing text if nothing stands for it.

        Raises:
            DataError: names the first row, and how many more there are.
        """
        check_texts(self.column.name, self.column, self.rule)

    def values(self, rows: Sequence[int] | None) -> "np.ndarray[Any, Any]":
        """Return the number of tokens of each row."""
        import numpy as np

        chosen = range(len(self.column.cells)) if rows is None else rows
        counts = [len(_read(self.column, index, self.tokens.level)) for index in chosen]
        return np.array(counts, "int64").clip(1, self.tokens.length)


def token_feature(
    name: str,
    columns: Mapping[str, Column],
    tokens: Sequence[Tokens],
    group: Any,
    rule: str | float | None,
    kept: Mapping[str, Sequence[str | None]],
) -> TokenFeature | LengthFeature | None:
    """Return the feature of a name in `inputs`; None for another kind of feature.

    Args:
        name: the name of a column, or of the length of a column of tokens.
        columns: the columns of the table.
        tokens: the columns of tokens that `inputs` has.
        group: what the input of the network reads.
        rule: what stands for a missing text.
        kept: the vocabularies that a run has kept.
    """
    if isinstance(group, Tokens):
        return TokenFeature(name, columns[name], group, rule, kept.get(group.key))
    if name in columns:
        return None
    base, _, part = name.rpartition(".")
    of = next((one for one in tokens if one.column == base), None)
    if of is None or part != LENGTH:
        return None
    return LengthFeature(name, columns[base], of, rule)


def check_texts(name: str, column: Column, rule: str | float | None) -> None:
    """Refuse a missing text if nothing stands for it, and a rule for numbers.

    Raises:
        DataError: names the first row, and how many more there are.
    """
    if rule not in {None, "unknown", "drop"}:
        raise DataError(f"{name} is a text, and takes drop or unknown, an empty text", "missing")
    if rule is None and column.gaps:
        raise lacking(name, column, f"missing: {{{name}: unknown}}")


def seen(feature: TokenFeature, numbers: "np.ndarray[Any, Any]") -> list[str | None]:
    """Return the vocabulary with None in place of the tokens that some numbers lack."""
    import numpy as np

    there = {*np.unique(numbers).tolist()}
    return [part if n in there else None for n, part in enumerate(feature.vocabulary, _FIRST)]


def without_unseen(
    numbers: "np.ndarray[Any, Any]", vocabulary: Sequence[str | None]
) -> "np.ndarray[Any, Any]":
    """Return numbers of tokens, with the number of an unknown one for what training lacks."""
    import numpy as np

    own = [UNKNOWN if part is None else n for n, part in enumerate(vocabulary, _FIRST)]
    found: np.ndarray[Any, Any] = np.array([PADDING, UNKNOWN, *own], "int64")[numbers]
    return found


def _read(column: Column, row: int, level: Level) -> Sequence[str]:
    """Return the tokens of a row; none for a missing text."""
    cell = column.cells[row]
    return () if column.is_gap(cell) else parts(str(cell), level)


@lru_cache(maxsize=8)
def _vocabulary(column: Column, level: Level, most: int | None) -> Vocabulary:
    """Return the tokens of a column by frequency. With padding and unknown they are `most`."""
    counts: Counter[str] = Counter()
    for row in range(len(column.cells)):
        counts.update(_read(column, row, level))
    known = ranked(counts)
    return tuple(known if most is None else known[: most - _FIRST])
