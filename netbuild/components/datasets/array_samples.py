"""Samples of arrays that stay in their files: each one is read when it is needed.

Files are read with `preadv` rather than mapped into memory. Pages of a map count as memory of the
process until they are released, a random place brings up to 2 MiB of them, and a file that becomes
shorter kills the process.
"""

import os
import zipfile
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import finalize

from netbuild.components.datasets.array_files import StoredArray, readable, short
from netbuild.components.datasets.conversion import input_of, input_values, target_values
from netbuild.components.datasets.dataset import DataError, Loaded, Row, Sample
from netbuild.components.files import opened
from netbuild.components.machine import memory
from netbuild.components.tensor import product

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: The part of the memory that the system's cache of files has for sure.
_CACHED = 0.5
#: An array of at most so many bytes, and of at most this part of the largest array, is held in
#: memory, such as the classes of images.
_SMALL, _SMALL_PART = 1 << 25, 1 / 16
#: A part of a file of at most so many bytes is read at once, also if a few samples are not wanted.
_AT_ONCE = 1 << 24
#: The two bytes of each length in the header of a member, and the size of this header.
#: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.7
_NAME, _EXTRA, _MEMBER = slice(26, 28), slice(28, 30), 30
#: Without `preadv` a file has one position, which threads take turns to use.
_TURN = Lock()


def place_of(stored: StoredArray) -> int | None:
    """Return where in its file the first sample of an array lies.

    None if its samples do not lie there one after the other: they are compressed, or in Fortran's
    order.

    Raises:
        DataError: the file is damaged.
    """
    if stored.path.suffix == ".gz" or (stored.fortran and len(stored.shape) > 1):
        return None
    if stored.member is None:
        return stored.start
    with readable(stored.path), opened(stored.path) as file:
        info = zipfile.ZipFile(file).getinfo(stored.member)
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:  # 1: with a password
            return None
        file.seek(info.header_offset)
        header = file.read(_MEMBER)
        lengths = [int.from_bytes(header[part], "little") for part in (_NAME, _EXTRA)]
    return info.header_offset + _MEMBER + sum(lengths) + stored.start


class ReadArray:
    """An array whose samples are read from its file when they are needed.

    `place` is where its first sample lies. If `ahead`, the file is larger than the system's cache,
    and the system is asked for all samples of a block before the first one is read.
    """

    def __init__(self, stored: StoredArray, place: int, *, ahead: bool = False) -> None:
        self.stored, self.place, self.ahead = stored, place, ahead
        self._bytes = product(stored.shape[1:]) * int(stored.descr[2:])
        with readable(stored.path), opened(stored.path) as file:
            self._file = os.dup(file.fileno())
        finalize(self, os.close, self._file)
        if os.fstat(self._file).st_size < place + stored.nbytes:
            raise self._short()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self.stored, self.place, self.ahead)

    def take(self, indices: "Array") -> "Array":
        """Return some samples.

        Raises:
            DataError: the file cannot be read, or has become shorter.
        """
        import numpy as np

        if not len(indices):
            return self._empty(0)
        first, last = int(np.min(indices)), int(np.max(indices))
        near = last - first + 1
        with readable(self.stored.path):
            if near == 1 or (near * self._bytes <= _AT_ONCE and near <= 2 * len(indices)):
                together = self._empty(near)
                self._read(_bytes_of(together), first)
                chosen: Array = together[indices - first]
                return chosen
            numbers = indices.tolist()
            if self.ahead:
                self._ask_for(numbers)
            values = self._empty(len(numbers))
            buffer, size, file = _bytes_of(values), self._bytes, self._file
            for n, index in enumerate(numbers):
                part = buffer[n * size : (n + 1) * size]
                if _read_at(file, [part], self.place + index * size) != size:
                    self._read(part, index)
        return values

    def _empty(self, samples: int) -> "Array":
        import numpy as np

        return np.empty((samples, *self.stored.shape[1:]), self.stored.descr)

    def _ask_for(self, indices: list[int]) -> None:
        if not hasattr(os, "posix_fadvise"):  # Windows and macOS
            return
        file, advice = self._file, os.POSIX_FADV_WILLNEED
        for index in indices:
            os.posix_fadvise(file, self.place + index * self._bytes, self._bytes, advice)

    def _read(self, buffer: memoryview, index: int) -> None:
        """Fill a buffer with the bytes of samples, from the sample with this index.

        Raises:
            OSError: the file cannot be read.
            DataError: it has become shorter.
        """
        start, read = self.place + index * self._bytes, 0
        while read < len(buffer):
            got = _read_at(self._file, [buffer[read:]], start + read)
            if not got:
                raise self._short()
            read += got

    def _short(self) -> DataError:
        there = max(0, os.fstat(self._file).st_size - self.place)
        return short(self.stored.path, self.stored.member, there, self.stored.nbytes)


def _in_turn(file: int, buffers: list[memoryview], start: int) -> int:
    """Fill a buffer with the bytes at a place of a file, as `os.preadv` does."""
    with _TURN:
        os.lseek(file, start, os.SEEK_SET)
        data = os.read(file, len(buffers[0]))
    buffers[0][: len(data)] = data
    return len(data)


_read_at = getattr(os, "preadv", _in_turn)  # Windows has no `preadv`


def _bytes_of(values: "Array") -> memoryview:
    return values.reshape(-1).view("B").data


def _reopened(stored: StoredArray, place: int, ahead: bool) -> ReadArray:  # noqa: FBT001
    """Return an array that a process has got as bytes. It opens the file itself."""
    return ReadArray(stored, place, ahead=ahead)


class HeldArray:
    """An array with few bytes for each sample, in memory."""

    def __init__(self, stored: StoredArray) -> None:
        self.stored, self._values = stored, stored.values()

    def take(self, indices: "Array") -> "Array":
        """Return some samples."""
        values: Array = self._values[indices]
        return values


class ArraySamples:
    """Samples of arrays in files: the inputs, and behind them the targets.

    `names` are the names of the arrays. `classes` is the number of classes of each target.
    """

    def __init__(
        self,
        arrays: tuple[ReadArray | HeldArray, ...],
        names: tuple[str, ...],
        wanted: Sample,
        classes: Mapping[str, int | None],
    ) -> None:
        self.arrays, self.names, self.wanted, self.classes = arrays, names, wanted, classes
        tensors = (array.stored.tensor for array in arrays)
        #: The names of bytes that an input reads as 0 to 1, as `arrays_of` converts them.
        self.scaled = {
            name
            for name, given, x in zip(names, tensors, wanted.inputs, strict=False)
            if given.dtype == "uint8" and input_of(given, x).floating
        }

    def __len__(self) -> int:
        return self.arrays[-1].stored.shape[0]

    def __getitem__(self, index: int) -> Row:
        import numpy as np

        inputs, targets = self.block(np.array([index]))
        return tuple(x[0] for x in inputs), tuple(y[0] for y in targets)

    def block(self, indices: "Array") -> Loaded:
        """Return some samples.

        Raises:
            DataError: a value cannot be an input or a target, or a file has become shorter.
        """
        inputs = tuple(
            input_values(array.take(indices), x, name, _at(indices))
            for array, name, x in zip(self.arrays, self.names, self.wanted.inputs, strict=False)
        )
        return inputs, self.block_targets(indices)

    def block_targets(self, indices: "Array") -> "tuple[Array, ...]":
        """Return the targets of some samples.

        Raises:
            DataError: as `block`.
        """
        count = len(self.wanted.inputs)
        parts = zip(self.wanted.targets, self.arrays[count:], self.names[count:], strict=True)
        return tuple(
            target_values(
                array.take(indices),
                self.wanted.targets[target],
                self.classes[target],
                name,
                _at(indices),
                scaled=name in self.scaled,
            )
            for target, array, name in parts
        )

    def targets(self) -> "tuple[Array, ...]":
        """Return the targets of all samples."""
        import numpy as np

        return self.block_targets(np.arange(len(self)))


def samples_of(
    stored: tuple[StoredArray, ...],
    names: tuple[str, ...],
    wanted: Sample,
    classes: Mapping[str, int | None],
) -> ArraySamples | None:
    """Return the samples of stored arrays; None if a large array can only be read as a whole.

    Args:
        stored: the arrays of the inputs, and behind them those of the targets.
        names: the names of these arrays.
        wanted: what the network and the losses need of a sample.
        classes: the number of classes of each target.

    Raises:
        DataError: a file is damaged.
    """
    ahead = sum(array.nbytes for array in stored) > _CACHED * memory()
    small = min(_SMALL, _SMALL_PART * max(array.nbytes for array in stored))
    arrays: list[ReadArray | HeldArray] = []
    for array in stored:
        if array.nbytes <= small:
            arrays.append(HeldArray(array))
        elif (place := place_of(array)) is None:
            return None
        else:
            arrays.append(ReadArray(array, place, ahead=ahead))
    return ArraySamples(tuple(arrays), names, wanted, classes)


def _at(indices: "Array") -> Callable[[int], str]:
    return lambda index: f"at index {indices[index]}"
