"""Text as tokens: a network predicts each token from the tokens before it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import PrivateAttr

from netbuild.components.datasets.dataset import (
    Bounds,
    DataError,
    Dataset,
    Declared,
    Loaded,
    Repeat,
    Sample,
    Size,
)
from netbuild.components.datasets.fields import FilePath
from netbuild.components.datasets.paths import has_file
from netbuild.components.datasets.tokens import (
    Level,
    Vocabulary,
    parts,
    ranked,
    read_vocabulary,
)
from netbuild.components.fields import PositiveInt, Wants, one_of, optional, whole
from netbuild.components.files import opened_text
from netbuild.components.target import Classes
from netbuild.components.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np

#: The largest file, in bytes, that a check reads.
_MAX_READ = 1 << 24


class Text(Dataset):
    """A text file as tokens, whole numbers (length); the target is the next token at each place.

    Tokens are characters, lines, or words and the marks between them. Characters are numbered in
    the order of their code points. Words and lines are numbered by frequency, the most frequent one
    first. `vocabulary` sets the number of different tokens: the most frequent tokens are numbered
    by frequency from 1 on, and 0 stands for all others. The targets are the tokens one place
    further: a class at each of length places. If the loss compares with one class, the target is
    the token after the last one. Samples do not overlap, so training never sees held-out text.

    A run keeps its tokens. A prediction, and an evaluation on another file, number them alike.

    data: {Text: {file: data/book.txt, length: 128}}
    """

    paths = ("file",)

    file: FilePath
    """Path of the text file, in UTF-8."""
    length: PositiveInt = 64
    """Number of tokens in a sample."""
    level: Annotated[Level, one_of("character", "word", "line")] = "character"
    """Unit of a token: a character, a word or mark, or a line."""
    vocabulary: Annotated[int | None, Wants("a whole number of at least 2", optional(whole(2)))] = (
        None
    )
    """Number of different tokens; 0 stands for all others. null keeps all tokens of the file."""

    #: The vocabulary that a run has kept, in place of that of the file.
    _own: Vocabulary | None = PrivateAttr(None)

    def kept(self) -> Mapping[str, Any]:
        return {"level": self.level, "vocabulary": [*self.known()]}

    def with_kept(self, kept: Mapping[str, Any]) -> "Text":
        source = self.model_copy()
        own = read_vocabulary(kept, self.level, self.vocabulary)
        source._own = own  # noqa: SLF001  a copy of this very class
        return source

    def known(self) -> Vocabulary:
        """Return the token of each number.

        Raises:
            DataError: no run has kept them, and the file cannot be read.
        """
        return self._own or self._read().known

    def parts(self, text: str) -> Sequence[str]:
        """Return the tokens of a text."""
        return parts(text, self.level)

    def numbers(self, tokens: Sequence[str], whose: str) -> "np.ndarray[Any, Any]":
        """Return the number of each token.

        Raises:
            DataError: a token has no number, and `vocabulary` is not set.
        """
        import numpy as np

        number = {part: number for number, part in enumerate(self.known())}
        if self.vocabulary is None and (unknown := {*tokens} - number.keys()):
            first = next(part for part in tokens if part in unknown)
            more = f", and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
            raise DataError(
                f"{whose} has the {self.level} {first!r}{more}, but the text of the training "
                "lacks it",
                help_="train with vocabulary: N, and 0 stands for all tokens without a number",
            )
        return np.array([number.get(part, 0) for part in tokens], dtype="int64")

    def count(self) -> int | None:
        return self._samples(self._read().tokens) if self._is_read_early() else None

    def sample(self, wanted: Sample) -> Declared:
        classes = self.vocabulary
        if classes is None and (self._own or self._is_read_early()):
            classes = len(self.known())
        target = None if classes is None else Classes(classes, self._places(wanted))
        return Declared((Tensor((self.length,), "int64"),), {"target": target})

    def repeats(self, wanted: Sample) -> tuple[Repeat, ...]:
        return (Repeat(0, 1),) if self._places(wanted) else ()

    def bounds(
        self, inputs: tuple[Tensor, ...], split: str | None = None
    ) -> tuple[Bounds | None, ...]:
        known = self._own or self._is_read_early()
        return ((0, len(self.known()) - 1) if known else None,)

    def load(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Loaded:
        self.without_splits(split)
        tokens = self._read().tokens
        samples = self._samples(tokens)
        if not samples:
            message = (
                f"{self.file} has {tokens:,} tokens, and a sample needs {self.length + 1:,}: "
                f"{self.length:,} and the next one"
            )
            raise DataError(message, "length")
        read = _parts(self.file, self.level)[: samples * self.length + 1]
        numbers = self.numbers(read, self.file)
        inputs = numbers[:-1].reshape(samples, self.length)
        behind = numbers[1:].reshape(samples, self.length)
        if not self._places(wanted):
            behind = behind[:, -1]
        return (inputs.copy(),), (behind.copy(),)

    def _is_read_early(self) -> bool:
        """Whether the file exists, and is small enough for a check to read it."""
        return has_file(self.file) and Path(self.file).stat().st_size <= _MAX_READ

    def _places(self, wanted: Sample) -> tuple[int, ...]:
        """Return the shape of the target: one token for each input token, or a single token."""
        one = isinstance(wanted.target, Classes) and not wanted.target.shape
        return () if one else (self.length,)

    def _samples(self, tokens: int) -> int:
        return max(0, tokens - 1) // self.length

    def _read(self) -> "_Contents":
        """Return the vocabulary of the file, and its size.

        Raises:
            DataError: the file is missing, empty, or not text.
        """
        try:
            if not has_file(self.file):
                raise DataError(f"there is no {self.file}", "file")
            stat = Path(self.file).stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            return _contents(self.file, self.level, self.vocabulary, stamp)
        except OSError as error:
            message = f"{self.file} cannot be read: {error.strerror or error}"
            raise DataError(message, "file") from error
        except UnicodeDecodeError as error:
            message = f"{self.file} is not UTF-8 text: byte {error.start:,} is invalid"
            raise DataError(message, "file") from error


class _Contents(NamedTuple):
    """The vocabulary of a file, and the number of tokens in it."""

    known: Vocabulary
    tokens: int


@lru_cache(maxsize=4)
def _contents(file: str, level: Level, vocabulary: int | None, _stamp: Any) -> _Contents:
    """Return the vocabulary of a file, and its size; an unchanged file is read once."""
    counts = Counter(_parts(file, level))
    if not counts:
        raise DataError(f"{file} has no {level}s", "file")
    known: list[str | None]
    by_code_point = vocabulary is None and level == "character"
    known = [*(sorted(counts) if by_code_point else ranked(counts))]
    if vocabulary is not None:
        known = [None, *known[: vocabulary - 1]]
    return _Contents(tuple(known), counts.total())


def _parts(file: str, level: Level) -> Sequence[str]:
    """Return the tokens of a file."""
    with opened_text(file) as lines:
        return parts(lines.read(), level)
