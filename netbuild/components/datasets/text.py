"""Text as tokens, each to be told from those before it."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from netbuild.components.datasets.dataset import DataError, Dataset, Declared, Loaded, Sample, Size
from netbuild.components.datasets.fields import FilePath
from netbuild.components.fields import PositiveInt, Wants, one_of, optional, whole
from netbuild.components.target import Classes
from netbuild.components.tensor import Tensor

_Level = Literal["character", "word", "line"]
#: A file of more bytes is not read while a config is checked.
_MAX_READ = 1 << 24


class Text(Dataset):
    """A text file as tokens, whole numbers (length), each to tell the token that follows it.

    Tokens are characters, words (and marks between them) or lines, numbered in the order of their
    code points, words and lines by how often they come, the most frequent first. With `vocabulary`
    there are so many: the most frequent, and 0 for all others. The targets are the same tokens one
    further, a class at each of length places; or the one behind the last, where the loss compares
    with one class. Samples do not overlap, so that what is held out is not seen in training.
    """

    paths = ("file",)

    file: FilePath
    """Path of the text file, in UTF-8."""
    length: PositiveInt = 64
    """Number of tokens of a sample."""
    level: Annotated[_Level, one_of("character", "word", "line")] = "character"
    """What a token is: a character, a word or mark, or a line."""
    vocabulary: Annotated[int | None, Wants("a whole number of at least 2", optional(whole(2)))] = (
        None
    )
    """Number of different tokens, the rest being 0; null keeps all that the file has."""

    def count(self) -> int | None:
        return self._samples(self._vocabulary().tokens) if self._is_read_early() else None

    def sample(self, wanted: Sample) -> Declared:
        classes = self.vocabulary
        if classes is None and self._is_read_early():
            classes = len(self._vocabulary().known)
        target = None if classes is None else Classes(classes, self._places(wanted))
        return Declared((Tensor((self.length,), "int64"),), target)

    def load(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Loaded:
        self.without_splits(split)
        import numpy as np

        known, tokens = self._vocabulary()
        samples = self._samples(tokens)
        if not samples:
            message = (
                f"{self.file} has {tokens:,} tokens, and a sample needs {self.length + 1:,}: "
                f"{self.length:,} and the one behind"
            )
            raise DataError(message, "length")
        number = {part: number for number, part in enumerate(known)}
        parts = _parts(self.file, self.level)[: samples * self.length + 1]
        numbers = np.array([number.get(part, 0) for part in parts], dtype="int64")
        inputs = numbers[:-1].reshape(samples, self.length)
        behind = numbers[1:].reshape(samples, self.length)
        if not self._places(wanted):
            behind = behind[:, -1]
        return (inputs.copy(),), behind.copy()

    def _is_read_early(self) -> bool:
        """Whether the file is there, and is read while a config is checked."""
        path = Path(self.file)
        return path.is_file() and path.stat().st_size <= _MAX_READ

    def _places(self, wanted: Sample) -> tuple[int, ...]:
        """Return the shape of the target: one token for each of the input, or one alone."""
        one = isinstance(wanted.target, Classes) and not wanted.target.shape
        return () if one else (self.length,)

    def _samples(self, tokens: int) -> int:
        return max(0, tokens - 1) // self.length

    def _vocabulary(self) -> "_Vocabulary":
        """Return the vocabulary of the file.

        Raises:
            DataError: it is missing, empty, or no text.
        """
        try:
            stat = Path(self.file).stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            return _vocabulary(self.file, self.level, self.vocabulary, stamp)
        except FileNotFoundError as error:
            raise DataError(f"there is no {self.file}", "file") from error
        except OSError as error:
            message = f"{self.file} cannot be read: {error.strerror or error}"
            raise DataError(message, "file") from error
        except UnicodeDecodeError as error:
            message = f"{self.file} is no text in UTF-8: byte {error.start:,} is not"
            raise DataError(message, "file") from error


class _Vocabulary(NamedTuple):
    """What the numbers stand for, None for what is not known, and how many tokens there are."""

    known: tuple[str | None, ...]
    tokens: int


@lru_cache(maxsize=4)
def _vocabulary(file: str, level: _Level, vocabulary: int | None, _stamp: Any) -> _Vocabulary:
    """Return the vocabulary of a file, read once while it stays the same."""
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
    text = Path(file).read_text(encoding="utf-8-sig")
    if level == "character":
        return text
    return text.splitlines() if level == "line" else re.findall(r"\w+|[^\w\s]", text)
