"""Text as tokens: a network predicts each token from the tokens before it."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

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
from netbuild.components.fields import PositiveInt, Wants, one_of, optional, whole
from netbuild.components.files import opened_text
from netbuild.components.target import Classes
from netbuild.components.tensor import Tensor

_Level = Literal["character", "word", "line"]
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

    data: {Text: {file: data/book.txt, length: 128}}
    """

    paths = ("file",)

    file: FilePath
    """Path of the text file, in UTF-8."""
    length: PositiveInt = 64
    """Number of tokens in a sample."""
    level: Annotated[_Level, one_of("character", "word", "line")] = "character"
    """Unit of a token: a character, a word or mark, or a line."""
    vocabulary: Annotated[int | None, Wants("a whole number of at least 2", optional(whole(2)))] = (
        None
    )
    """Number of different tokens; 0 stands for all others. null keeps all tokens of the file."""

    def count(self) -> int | None:
        return self._samples(self._vocabulary().tokens) if self._is_read_early() else None

    def sample(self, wanted: Sample) -> Declared:
        classes = self.vocabulary
        if classes is None and self._is_read_early():
            classes = len(self._vocabulary().known)
        target = None if classes is None else Classes(classes, self._places(wanted))
        return Declared((Tensor((self.length,), "int64"),), {"target": target})

    def repeats(self, wanted: Sample) -> tuple[Repeat, ...]:
        return (Repeat(0, 1),) if self._places(wanted) else ()

    def bounds(
        self, inputs: tuple[Tensor, ...], split: str | None = None
    ) -> tuple[Bounds | None, ...]:
        return ((0, len(self._vocabulary().known) - 1) if self._is_read_early() else None,)

    def load(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Loaded:
        self.without_splits(split)
        import numpy as np

        known, tokens = self._vocabulary()
        samples = self._samples(tokens)
        if not samples:
            message = (
                f"{self.file} has {tokens:,} tokens, and a sample needs {self.length + 1:,}: "
                f"{self.length:,} and the next one"
            )
            raise DataError(message, "length")
        number = {part: number for number, part in enumerate(known)}
        parts = _parts(self.file, self.level)[: samples * self.length + 1]
        numbers = np.array([number.get(part, 0) for part in parts], dtype="int64")
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

    def _vocabulary(self) -> "_Vocabulary":
        """Return the vocabulary of the file.

        Raises:
            DataError: the file is missing, empty, or not text.
        """
        try:
            if not has_file(self.file):
                raise DataError(f"there is no {self.file}", "file")
            stat = Path(self.file).stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            return _vocabulary(self.file, self.level, self.vocabulary, stamp)
        except OSError as error:
            message = f"{self.file} cannot be read: {error.strerror or error}"
            raise DataError(message, "file") from error
        except UnicodeDecodeError as error:
            message = f"{self.file} is not UTF-8 text: byte {error.start:,} is invalid"
            raise DataError(message, "file") from error


class _Vocabulary(NamedTuple):
    """The token of each number, None for unknown tokens, and the number of tokens in the file."""

    known: tuple[str | None, ...]
    tokens: int


@lru_cache(maxsize=4)
def _vocabulary(file: str, level: _Level, vocabulary: int | None, _stamp: Any) -> _Vocabulary:
    """Return the vocabulary of a file; an unchanged file is read once."""
    counts = Counter(_parts(file, level))
    if not counts:
        raise DataError(f"{file} has no {level}s", "file")
    known: list[str | None]
    if vocabulary is None and level == "character":
        known = [*sorted(counts)]
    else:
        known = [*sorted(counts, key=lambda part: (-counts[part], part))]
    if vocabulary is not None:
        known = [None, *known[: vocabulary - 1]]
    return _Vocabulary(tuple(known), counts.total())


def _parts(file: str, level: _Level) -> Sequence[str]:
    """Return the characters, the lines, or the words and marks of a file."""
    with opened_text(file) as lines:
        text = lines.read()
    if level == "character":
        return text
    return text.splitlines() if level == "line" else re.findall(r"\w+|[^\w\s]", text)
