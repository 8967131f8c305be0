"""Samples of arrays that stay in their files: the system maps a file into memory, page by page.

A page that was read counts as memory of the process until it is released. So pages are released
after some samples; the system's cache keeps them as long as there is room.
"""

import mmap
import zipfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from netbuild.components.datasets.array_files import StoredArray, readable, short
from netbuild.components.datasets.conversion import input_of, input_values, target_values
from netbuild.components.datasets.dataset import Loaded, Row, Sample
from netbuild.components.files import opened
from netbuild.components.machine import memory
from netbuild.components.tensor import product

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: The part of the memory that the system's cache of files has for sure.
_CACHED = 0.5
#: The most bytes of an array's file that count as memory of the process.
_HELD = 1 << 26
#: The most bytes that Linux maps around a page that is read: a large page of its cache.
#: https://docs.kernel.org/admin-guide/mm/transhuge.html
_AROUND = 1 << 21
#: The two bytes of each length in the header of a member, and the size of this header.
#: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.7
_NAME, _EXTRA, _MEMBER = slice(26, 28), slice(28, 30), 30


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
        info = zipfile.ZipFile(file).getinfo(stored.member)  # type: ignore[arg-type]  # a file of bytes
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:  # 1: with a password
            return None
        file.seek(info.header_offset)
        header = file.read(_MEMBER)
        lengths = [int.from_bytes(header[part], "little") for part in (_NAME, _EXTRA)]
    return info.header_offset + _MEMBER + sum(lengths) + stored.start


class MappedArray:
    """An array whose samples are copied from its file when they are needed.

    `place` is where its first sample lies. If `ahead`, the file is larger than the system's cache,
    and the system is asked for all samples of a block at once, before the first one is copied.
    """

    def __init__(self, stored: StoredArray, place: int, *, ahead: bool = False) -> None:
        self.stored, self.place, self.ahead = stored, place, ahead
        self._bytes = product(stored.shape[1:]) * int(stored.descr[2:])
        self._end = place + stored.nbytes
        self._read = 0
        self._open()

    def _open(self) -> None:
        import numpy as np

        if not self.stored.nbytes:  # an empty file cannot be mapped
            self._map, self._array = None, np.empty(self.stored.shape, self.stored.descr)
            return
        with readable(self.stored.path), opened(self.stored.path) as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._expect_whole(self._map)
            self._array = np.ndarray(self.stored.shape, self.stored.descr, self._map, self.place)

    def __getstate__(self) -> tuple[StoredArray, int, bool]:
        return self.stored, self.place, self.ahead

    def __setstate__(self, state: tuple[StoredArray, int, bool]) -> None:
        stored, place, ahead = state
        self.__init__(stored, place, ahead=ahead)  # type: ignore[misc]  # a map is not pickled

    def take(self, indices: "Array") -> "Array":
        """Return a copy of some samples.

        Raises:
            DataError: the file has become shorter.
        """
        import numpy as np

        if self._map is None:
            return self._array[indices]
        self._expect_whole(self._map)
        if self.ahead:
            self._ask_for(indices, self._map)
        least, most = (int(end(indices)) for end in (np.min, np.max))
        near = (most - least + 1) * self._bytes
        if near <= _HELD:
            return self._copied(indices, near, self._map)
        each = max(self._bytes, _AROUND)
        count = max(1, _HELD // each)
        values = np.empty((len(indices), *self._array.shape[1:]), self._array.dtype)
        for start in range(0, len(indices), count):
            part = indices[start : start + count]
            values[start : start + count] = self._copied(part, len(part) * each, self._map)
        return values

    def _copied(self, indices: "Array", around: int, mapped: mmap.mmap) -> "Array":
        """Return a copy of some samples, which are read with `around` bytes of the file."""
        self._read += around
        if self._read > _HELD < self.stored.nbytes and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)
            self._read = around
        values: Array = self._array[indices]
        return values

    def _expect_whole(self, mapped: mmap.mmap) -> None:
        """Refuse a file that lacks its end: the system would kill a process that reads it.

        Raises:
            DataError: the file is too short.
        """
        there = mapped.size()
        if there < self._end:
            stored = self.stored
            raise short(stored.path, stored.member, max(0, there - self.place), stored.nbytes)

    def _ask_for(self, indices: "Array", mapped: mmap.mmap) -> None:
        if not hasattr(mmap, "MADV_WILLNEED"):  # Windows
            return
        for index in indices.tolist():
            start = self.place + index * self._bytes
            page = start - start % mmap.PAGESIZE
            mapped.madvise(mmap.MADV_WILLNEED, page, start - page + self._bytes)


class ArraySamples:
    """Samples of arrays in files: the inputs, and behind them the targets.

    `names` are the names of the arrays. `classes` is the number of classes of each target.
    """

    def __init__(
        self,
        arrays: tuple[MappedArray, ...],
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


def mapped(
    stored: tuple[StoredArray, ...],
    names: tuple[str, ...],
    wanted: Sample,
    classes: Mapping[str, int | None],
) -> ArraySamples | None:
    """Return the samples of stored arrays; None if some can only be read as a whole.

    Args:
        stored: the arrays of the inputs, and behind them those of the targets.
        names: the names of these arrays.
        wanted: what the network and the losses need of a sample.
        classes: the number of classes of each target.

    Raises:
        DataError: a file is damaged.
    """
    places = [place_of(array) for array in stored]
    ahead = sum(array.nbytes for array in stored) > _CACHED * memory()
    arrays = [
        MappedArray(array, place, ahead=ahead)
        for array, place in zip(stored, places, strict=True)
        if place is not None
    ]
    return None if None in places else ArraySamples(tuple(arrays), names, wanted, classes)


def _at(indices: "Array") -> Callable[[int], str]:
    return lambda index: f"at index {indices[index]}"
