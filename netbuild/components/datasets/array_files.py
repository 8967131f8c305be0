"""Arrays in files: their headers, read without numpy, and their values.

A `.npy` file is a header and the bytes of one array
(https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). A `.npz` file is a zip
archive of `.npy` files. The header of a safetensors file is JSON
(https://huggingface.co/docs/safetensors/index#format). The header of an IDX file is a few bytes
(http://yann.lecun.com/exdb/mnist).
"""

import ast
import gzip
import re
import sys
import zipfile
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from netbuild.components.archives import Bounded
from netbuild.components.datasets.dataset import DataError
from netbuild.components.files import opened
from netbuild.components.tensor import Shape, Tensor, product

if TYPE_CHECKING:
    import numpy as np

#: The largest labels, in bytes, that a check reads to count the classes.
MAX_COUNTED = 1 << 24
#: The number of values that tell whether an array has few different ones.
_SOME = 4096
#: The longest header, in bytes; numpy has the same limit.
_MAX_HEADER = 10_000
#: The most arrays of a `.npz`, and the bytes of its directory for each; each array reads it again.
_MAX_ARRAYS, _MAX_ENTRY = 1_000, 1_000

_NPY = b"\x93NUMPY"
#: The dtypes by numpy's names in a header, without the byte order in front.
_DTYPES = {
    "f2": "float16",
    "f4": "float32",
    "f8": "float64",
    "i1": "int8",
    "i2": "int16",
    "i4": "int32",
    "i8": "int64",
    "u1": "uint8",
    "u2": "uint16",
    "u4": "uint32",
    "u8": "uint64",
    "b1": "bool",
}
#: numpy's names by the names in headers of safetensors and IDX files.
_SAFETENSORS = {
    **{f"F{size * 8}": f"f{size}" for size in (2, 4, 8)},
    **{f"{kind}{size * 8}": f"{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)},
    "BOOL": "b1",
}
_IDX = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
#: The codes of Python's `array`, for whole numbers and for fractions.
_CODES = {"i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q"}
_FLOATS = {"f4": "f", "f8": "d"}

#: Exceptions that a damaged file causes in its reader.
_DAMAGED = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    SyntaxError,
    EOFError,
    RecursionError,
    NotImplementedError,  # an archive with a compression that Python does not know
    RuntimeError,  # an archive with a password
    zipfile.BadZipFile,
    zlib.error,
)


class StoredArray(NamedTuple):
    """An array in a file: the place of its bytes, and the contents of its header."""

    path: Path
    member: str | None  # in an archive
    start: int
    descr: str  # numpy's notation of a dtype, with the byte order in front
    shape: Shape  # axis 0 is the samples
    fortran: bool = False

    @property
    def is_read(self) -> bool:
        """Whether numpy can read its values as numbers: not text, not bfloat16."""
        return self.descr[1:] in _DTYPES

    @property
    def nbytes(self) -> int:
        """The size of its values in bytes."""
        return product(self.shape) * int(self.descr[2:])

    @property
    def tensor(self) -> Tensor:
        """The tensor of one sample."""
        return Tensor(self.shape[1:], _DTYPES[self.descr[1:]])

    def bounds(self, ignored: int | None = None) -> tuple[int, int] | None:
        """Return the smallest and the largest number; None for large arrays or fractions.

        The number `ignored` does not count.
        """
        if self.descr[1:] not in _CODES or not 0 < self.nbytes <= MAX_COUNTED:
            return None
        stat = self.path.stat()
        return _bounds(self, ignored, stat.st_mtime_ns, stat.st_size)

    def classes(self, ignored: int | None = None) -> int | None:
        """Return the number of classes, largest number + 1; None for large arrays or fractions."""
        bounds = self.bounds(ignored)
        return None if bounds is None else max(1, 1 + bounds[1])

    def values(self) -> "np.ndarray[Any, Any]":
        """Return its values.

        Raises:
            DataError: the file is damaged.
        """
        import numpy as np

        values = np.empty(self.shape[::-1] if self.fortran else self.shape, self.descr)
        self._read(values.data.cast("B") if values.nbytes else memoryview(b""))
        return values.T if self.fortran else values

    def first(self, samples: int) -> "list[array[Any]]":
        """Return the values of the first samples, in at most MAX_COUNTED bytes; [] for others.

        Raises:
            DataError: the file is damaged.
        """
        code = (_CODES | _FLOATS).get(self.descr[1:])
        each = product(self.shape[1:])
        if code is None or self.fortran or not each:
            return []
        size = int(self.descr[2:])
        samples = min(samples, self.shape[0], MAX_COUNTED // (each * size))
        values = array(code, bytes(samples * each * size))
        self._read(memoryview(values).cast("B"))
        self._swap(values)
        return [values[start : start + each] for start in range(0, len(values), each)]

    def _swap(self, values: "array[Any]") -> None:
        """Put bytes of the other order into the order of this machine."""
        if self.descr[0] == (">" if sys.byteorder == "little" else "<"):
            values.byteswap()

    def _read(self, buffer: memoryview) -> None:
        """Fill a buffer with the bytes of its values.

        Raises:
            DataError: the file has fewer bytes, or is damaged.
        """
        with readable(self.path), _opened(self.path, self.member) as file:
            file.seek(self.start)
            read = 0
            while read < len(buffer):
                got = file.readinto(buffer[read:])  # type: ignore[attr-defined]  # all opened files have it
                if not got:
                    raise short(self.path, self.member, read, len(buffer))
                read += got


@lru_cache(maxsize=16)
def _bounds(stored: StoredArray, ignored: int | None, *_stamp: int) -> tuple[int, int]:
    """Return the smallest and the largest number; an unchanged file is read once."""
    values = array(_CODES[stored.descr[1:]], bytes(stored.nbytes))
    stored._read(memoryview(values).cast("B"))  # noqa: SLF001  same module
    stored._swap(values)  # noqa: SLF001
    few = len({*values[:_SOME]}) < _SOME / 2
    numbers = {*values} if few else values  # a small set is as fast as max
    least, most = min(numbers), max(numbers)
    if ignored in {least, most}:
        others = {*numbers} - {ignored}
        least, most = min(others, default=0), max(others, default=-1)
    return least, most


#: How many samples tell whether one array repeats another, and how many changes from place to
#: place they need: arrays that differ by chance agree in this many changes only once in 2³².
_COMPARED, _CHANGES = 64, 32


def shift_between(x: StoredArray, target: StoredArray, axis: int = 0) -> int | None:
    """Return k if the target at place t is x at place t + k, for all places; None without such a k.

    An axis of a sample, 0 or the last one of two, holds the places, and k is at least 1. The target
    may also repeat a single feature of x. Negative targets do not count: losses ignore them.

    Raises:
        DataError: a file is damaged.
    """
    if min(len(x.shape), len(target.shape)) < 2 or len(x.shape) < 2 + axis:
        return None
    places = x.shape[1 + axis]
    if not places or target.shape[-1 if axis else 1] != places:
        return None
    wide, width = (product(stored.shape[1:]) // places for stored in (x, target))
    if width not in {1, wide}:
        return None
    xs, ys = (
        [_by_place(sample, places, axis) for sample in stored.first(_COMPARED)]
        for stored in (x, target)
    )
    if sum(_changes(told, width) for told in ys) < _CHANGES:
        return None
    ignores = not target.tensor.floating
    for feature in range(wide // width):
        read = [sample[feature::wide] for sample in xs] if width < wide else xs
        found = _shift(read, ys, width, ignores=ignores)
        if found is not None:
            return found
    return None


def _by_place(sample: "array[Any]", places: int, axis: int) -> list[Any]:
    """Return the values of a sample, one place after the other."""
    return [value for n in range(places) for value in sample[n::places]] if axis else list(sample)


def _shift(xs: list[list[Any]], ys: list[list[Any]], width: int, *, ignores: bool) -> int | None:
    """Return the shift between samples whose places have `width` values each."""
    # Samples of different lengths are padded: the target of the last place is no longer there.
    ends = [_end(sample, width) for sample in xs]
    for shift in range(1, max(map(len, xs), default=0) // width // 2 + 1):
        start = shift * width
        later = (x[start:end] for x, end in zip(xs, ends, strict=True))
        if all(_equal(y, x, ignores=ignores) for y, x in zip(ys, later, strict=False)):
            changes = sum(_changes(x[start:end], width) for x, end in zip(xs, ends, strict=True))
            return shift if changes >= _CHANGES else None
    return None


def _end(sample: list[Any], width: int) -> int:
    """Return where the equal places at the end of a sample begin; its last place is one of them."""
    last, end = sample[-width:], len(sample) - width
    while end and sample[end - width : end] == last:
        end -= width
    return end


def _changes(values: list[Any], width: int) -> int:
    """Return how many values differ from those of the place before."""
    return sum(a != b for a, b in zip(values, values[width:], strict=False))


def _equal(told: list[Any], later: list[Any], *, ignores: bool) -> bool:
    pairs = zip(told, later, strict=False)
    return all(a == b or (ignores and a < 0) for a, b in pairs)


def read_arrays(path: Path) -> dict[str, StoredArray]:
    """Return the arrays of a file by name; for a folder, the arrays of its `.npy` files.

    Raises:
        DataError: the file is damaged, or has another format.
    """
    with readable(path):
        if path.is_dir():
            return {file.stem: _npy(file, None, file.stat().st_size) for file in _npy_files(path)}
        with opened(path) as file:
            start = file.read(9)
        if start.startswith(b"PK"):
            return _npz(path)
        if start.startswith(_NPY):
            return {path.stem: _npy(path, None, path.stat().st_size)}
        from netbuild.components.safetensors import is_safetensors  # most files are others

        if is_safetensors(start):
            return _safetensors(path)
    raise DataError(f"{path} is not a .npz, .npy or .safetensors file")


def read_idx(path: Path) -> StoredArray:
    """Return the array of an IDX file, which may be compressed by gzip.

    Raises:
        DataError: the file is damaged, or not an IDX file.
    """
    with readable(path), _opened(path, None) as file:
        zero, code, rank = file.read(2), *(file.read(2) or b"\0\0")
        if zero != b"\0\0" or code not in _IDX or not rank:
            raise DataError(f"{path} is not an IDX file")
        sizes = file.read(4 * rank)
        if len(sizes) < 4 * rank:
            raise short(path, None, len(sizes), 4 * rank)
        shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
    stored = StoredArray(path, None, 4 + 4 * rank, f">{_IDX[code]}", shape)
    if path.suffix != ".gz":
        _expect_bytes(stored, path.stat().st_size)
    return stored


def _npy_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.npy") if file.is_file())


def _npz(path: Path) -> dict[str, StoredArray]:
    with opened(path) as file:
        bounded = Bounded(file, _MAX_ARRAYS * _MAX_ENTRY, lambda why: DataError(f"{path}: {why}"))
        archive = zipfile.ZipFile(cast("BinaryIO", bounded))
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
    if len(members) > _MAX_ARRAYS:
        raise DataError(f"{path} has more than {_MAX_ARRAYS:,} arrays")
    return {
        info.filename.removesuffix(".npy"): _npy(path, info.filename, info.file_size)
        for info in members
    }


def _npy(path: Path, member: str | None, size: int) -> StoredArray:
    with _opened(path, member) as file:
        if file.read(6) != _NPY:
            raise DataError(f"{_said(path, member)} is not a .npy file")
        major, _ = file.read(2)
        width = 2 if major == 1 else 4
        length = int.from_bytes(file.read(width), "little")
        if length > _MAX_HEADER:
            raise DataError(f"{_said(path, member)} is damaged: its header has {length:,} bytes")
        header = ast.literal_eval(file.read(length).decode("utf-8").strip())
    descr, shape = header["descr"], header["shape"]
    if not all(type(n) is int and n >= 0 for n in shape):
        raise DataError(f"{_said(path, member)} is damaged: its shape is {shape}")
    fortran = header["fortran_order"] is True
    stored = StoredArray(path, member, 8 + width + length, str(descr), shape, fortran)
    _expect_bytes(stored, size)
    return stored


def _safetensors(path: Path) -> dict[str, StoredArray]:
    from netbuild.components.safetensors import read_header

    with opened(path) as file:
        header = read_header(file)
    return {
        name: StoredArray(path, None, start, f"<{_SAFETENSORS.get(dtype, dtype)}", shape)
        for name, (dtype, shape, start) in header.items()
    }


def _expect_bytes(stored: StoredArray, size: int) -> None:
    """Refuse a file that is shorter than its header says.

    Raises:
        DataError: the file is too short.
    """
    if stored.is_read and stored.start + stored.nbytes > size:
        there = max(0, size - stored.start)
        raise short(stored.path, stored.member, there, stored.nbytes)


def short(path: Path, member: str | None, there: int, expected: int) -> DataError:
    """Return the error of a file that lacks its end."""
    said = f"{_said(path, member)} is damaged"
    return DataError(f"{said}: it ends after {there:,} of {expected:,} bytes")


def _said(path: Path, member: str | None) -> str:
    return f"{member} of {path}" if member else str(path)


@contextmanager
def _opened(path: Path, member: str | None) -> Iterator[IO[bytes]]:
    """Open a file, a member of an archive, or a file compressed by gzip."""
    with opened(path) as file:
        if member is not None:
            with zipfile.ZipFile(file) as archive, archive.open(member) as inner:
                yield inner
        elif path.suffix == ".gz":
            with gzip.GzipFile(fileobj=file) as inner:
                yield inner  # type: ignore[misc]  # it is a file of bytes
        else:
            yield file


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn the exceptions of a damaged file into one sentence.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        yield
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.strerror:
            said = f"{error.filename or path} cannot be read: {error.strerror}"
            raise DataError(said) from error
        said = re.sub(r"\s+", " ", str(error))[:100] or type(error).__name__
        raise DataError(f"{path} is damaged: {said}") from error
