"""From inputs to samples: images, arrays and tables get the shape that the network reads."""

from __future__ import annotations

import csv
import warnings
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from netbuild.components.datasets.array_files import StoredArray, read_arrays
from netbuild.components.datasets.arrays import Arrays
from netbuild.components.datasets.conversion import input_values
from netbuild.components.datasets.dataset import DataError
from netbuild.components.datasets.decoding import SUFFIXES, pixels
from netbuild.components.datasets.delimited import Csv
from netbuild.components.datasets.fields import flat
from netbuild.components.datasets.hub import Hub
from netbuild.components.datasets.table import TableSource
from netbuild.components.datasets.windows import over_rows
from netbuild.components.tensor import Tensor, product, times
from netbuild.diagnostics.exceptions import InputError, UnreadableError
from netbuild.training.prediction.inputs import (
    Array,
    Input,
    InputSample,
    NamedArrays,
    Records,
    reason,
    spread,
)
from netbuild.training.prediction.series import last_windows
from netbuild.training.prediction.table import SEPARATORS, Table
from netbuild.training.prediction.trained_table import (
    RECORDS,
    RecordTable,
    TrainedTable,
    is_trained,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from netbuild.components.datasets.dataset import Dataset, Size
    from netbuild.components.datasets.kept import Kept

_ARRAYS = (".npy", ".npz", ".safetensors")
_IMAGES = {1: "grey", 3: "RGB", 4: "RGBA"}
#: Samples of an array that are prepared together.
_CHUNK = 256


class SampleReader:
    """Reads samples for the inputs of a network.

    Args:
        names: the names of the network's inputs.
        inputs: the shape and the dtype of each.
        data: the source that the network was trained with, which names arrays and columns.
        size: the height and width to which `resize` brought the training images.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        inputs: tuple[Tensor, ...],
        data: Dataset | None,
        size: Size | None,
    ) -> None:
        self.names, self.inputs, self.data, self.size = names, inputs, data, size
        #: What the user should know of the samples that were read, a sentence each.
        self.notices: list[str] = []

    def samples(self, inputs: Iterable[Input]) -> Iterator[InputSample | InputError]:
        """Yield the samples of all inputs, and an error for each input that cannot be read."""
        for given in chain.from_iterable(map(spread, inputs)):
            yield from [given] if isinstance(given, InputError) else self._tried(given)

    def _tried(self, given: Input) -> Iterable[InputSample | InputError]:
        try:
            return self._read(given)
        except InputError as error:
            return [error]

    def _read(self, given: Input) -> Iterator[InputSample | InputError]:
        """Yield the samples of a file or an array. All of them are checked before the first.

        Raises:
            InputError: the input cannot be read, or does not fit.
        """
        if isinstance(given, np.ndarray):
            if len(self.names) > 1:
                raise InputError(
                    f"one array is not enough: the network reads {', '.join(self.names)}"
                )
            return self._of_arrays({}, "the array", (given,))
        if isinstance(given, NamedArrays):
            return self._of_arrays({}, "the arrays", self._by_name(given.arrays))
        if isinstance(given, Records):
            return self._of_records(given)
        path = Path(given)
        place = {"input": str(given)}
        kind = path.suffix.lower()
        if kind in SUFFIXES:
            return iter([InputSample(place, (self._image(path),))])
        if kind in SEPARATORS:
            return self._of_table(place, path)
        if kind in _ARRAYS:
            return self._of_arrays(place, str(path), self._stored(path))
        *known, last = [*_ARRAYS, *SEPARATORS]
        raise UnreadableError(
            f"{path} is not an image, {', '.join(known)} or {last} file by its name"
        )

    def _by_name(self, arrays: dict[str, Array]) -> tuple[Array, ...]:
        """Return arrays in the order of the network's inputs."""
        if {*arrays} != {*self.names}:
            given, wanted = ", ".join(arrays) or "none", ", ".join(self.names)
            raise InputError(f"the arrays have the names {given}, but the network reads {wanted}")
        return tuple(arrays[name] for name in self.names)

    def _image(self, path: Path) -> Array:
        wanted = self.inputs[0]
        if len(self.names) > 1:
            raise InputError(f"{path} is one image, but {self._reads_several()}")
        if len(wanted.shape) != 3 or wanted.shape[0] not in _IMAGES or not wanted.floating:
            raise InputError(f"{path} is an image, but the network reads {_described(wanted)}")
        try:
            from PIL import Image, ImageOps
        except ModuleNotFoundError:
            raise UnreadableError(
                f'{path}: images need pillow: pip install "netbuild[data]"'
            ) from None
        height, width = wanted.shape[1:]
        try:
            with warnings.catch_warnings(), Image.open(path) as picture:
                warnings.simplefilter(
                    "ignore"
                )  # warnings of a large picture or of damaged Exif data
                # Exif gives the orientation; `datasets` rotates training images in the same way.
                return pixels(ImageOps.exif_transpose(picture), wanted, (height, width))
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            raise UnreadableError(f"{path} cannot be read: {reason(error)}") from error

    def _stored(self, path: Path) -> tuple[Array, ...]:
        """Return the arrays of a file, in the order of the network's inputs."""
        try:
            there = read_arrays(path)
            names = self._array_names(path, there)
            for name in names:
                if not there[name].is_read:
                    held = there[name].descr.lstrip("<|>")
                    held = "objects of Python" if held == "O" else held
                    raise InputError(
                        f"{name} of {path} holds {held}, but the network reads numbers"
                    )
            return tuple(_values(there[name]) for name in names)
        except DataError as error:
            raise UnreadableError(str(error)) from error
        except (OSError, ValueError) as error:
            raise UnreadableError(f"{path} cannot be read: {reason(error)}") from error

    def _array_names(self, path: Path, there: dict[str, StoredArray]) -> tuple[str, ...]:
        """Return the names of the arrays that the network reads.

        The arrays have the names of the network's inputs, or the names in the training data. A
        single array may have any name.
        """
        if set(self.names) <= {*there}:
            return self.names
        if isinstance(self.data, Arrays) and {*flat(self.data.inputs)} <= {*there}:
            return flat(self.data.inputs)
        if len(self.names) == len(there) == 1:
            return tuple(there)
        held = ", ".join(there) or "none"
        if len(self.names) > 1:
            raise InputError(f"{path} has the arrays {held}, but {self._reads_several()}")
        raise InputError(f"{path} has no array {self.names[0]}: its arrays are {held}")

    def _reads_several(self) -> str:
        return f"the network reads {', '.join(self.names)}: give a .npz of arrays with these names"

    def _of_arrays(
        self, place: dict[str, Any], name: str, arrays: tuple[Array, ...]
    ) -> Iterator[InputSample]:
        """Yield one sample, or the samples along axis 0."""
        pairs = list(zip(arrays, self.inputs, strict=True))
        single = all(_is_single(array, wanted) for array, wanted in pairs)
        arrays = tuple(a[None] if single or a.ndim == 0 else a for a in arrays)
        if len({len(array) for array in arrays}) > 1:
            lengths = ", ".join(f"{n} {len(a)}" for n, a in zip(self.names, arrays, strict=True))
            raise InputError(f"{name} has inputs of different lengths: {lengths}")
        if not len(arrays[0]):
            raise InputError(f"{name} has no samples")

        def chunks() -> Iterator[tuple[int, tuple[Array, ...]]]:
            for start in range(0, len(arrays[0]), _CHUNK):
                parts = tuple(array[start : start + _CHUNK] for array in arrays)
                at = _at_index(start, single=single)
                yield start, self._fitting(parts, name, at)

        for _ in chunks():  # checks every sample before the first is yielded
            pass
        return (
            InputSample(
                place if single else place | {"index": start + row}, tuple(x[row] for x in xs)
            )
            for start, xs in chunks()
            for row in range(len(xs[0]))
        )

    def _fitting(
        self, arrays: tuple[Array, ...], name: str, at: Callable[[int], str]
    ) -> tuple[Array, ...]:
        """Return the values of some samples as the network reads them.

        Raises:
            InputError: a sample has another shape, is not finite, or is not a number.
        """
        found = []
        for values, wanted in zip(arrays, self.inputs, strict=True):
            try:
                x = input_values(values, wanted, name, at)
            except DataError as error:
                raise InputError(str(error)) from error
            x = self._resized(x, wanted)
            came = Tensor(x.shape[1:], str(x.dtype))
            if came != wanted:
                of = "" if came.dtype == wanted.dtype else f" of {came.dtype}"
                said = f"{_described(came)}{of}, but the network reads {_described(wanted)}"
                raise InputError(f"{name} has samples of {said}")
            found.append(x)
        return tuple(found)

    def _resized(self, x: Array, wanted: Tensor) -> Array:
        """Return samples in the size to which `resize` brought the training samples."""
        to = self.size
        other = x.ndim == 4 and x.shape[1] == wanted.shape[0] and x.shape[2:] != to
        if to is None or not other or not len(x):
            return x
        made = interpolate(torch.from_numpy(x), to, mode="bilinear", antialias=True)
        return np.asarray(made.numpy())

    def _of_table(self, place: dict[str, Any], path: Path) -> Iterator[InputSample | InputError]:
        """Yield the rows of a table. The columns of several inputs stand side by side."""
        if isinstance(self.data, TableSource) and self.data.known is not None:
            with _unreadable(path):
                if is_trained(path, self.data, self.data.known):
                    return self._of_trained(place, path, self.data, self.data.known)
        source = self.data if isinstance(self.data, (Csv, Hub)) else None
        if len(self.inputs) > 1 and source is None:
            raise InputError(f"{path} is one table, but {self._reads_several()}")
        for wanted in self.inputs:
            if len(wanted.shape) > 1:
                read = _described(wanted)
                raise InputError(f"{path} holds rows of numbers, but the network reads {read}")
        widths = [product(wanted.shape) for wanted in self.inputs]
        with _unreadable(path):
            table = Table(path, source, sum(widths))
        columns = np.split(table.numbers.reshape(-1, sum(widths)), np.cumsum(widths)[:-1], axis=1)
        pairs = zip(columns, self.inputs, strict=True)
        values = tuple(_of_columns(numbers, wanted, path, table) for numbers, wanted in pairs)
        x = self._fitting(values, str(path), lambda row: f"in line {table.lines[row]}")
        rows = zip(*x, strict=True)
        return (InputSample(place | {"index": n}, sample) for n, sample in enumerate(rows))

    def _of_trained(
        self, place: dict[str, Any], path: Path, source: TableSource, kept: Kept
    ) -> Iterator[InputSample | InputError]:
        """Yield the rows of a table with the columns that the network was trained with."""
        return self._of_rows(place, source, lambda wanted: TrainedTable(path, source, kept, wanted))

    def _of_records(self, given: Records) -> Iterator[InputSample | InputError]:
        """Yield the samples of records, whose names are the columns of the training."""
        source = self.data
        if not isinstance(source, TableSource) or (kept := source.known) is None:
            raise InputError("records need a network that a table has trained: give an array")
        return self._of_rows({}, source, lambda wanted: RecordTable(given, source, kept, wanted))

    def _of_rows(
        self,
        place: dict[str, Any],
        source: TableSource,
        made: Callable[[tuple[Tensor, ...]], TrainedTable],
    ) -> Iterator[InputSample | InputError]:
        """Yield the samples of the rows of a table."""
        path = place.get("input", RECORDS)
        windowed = source if isinstance(source, Csv) and source.window else None
        wanted = tuple(map(over_rows, self.inputs)) if windowed else self.inputs
        try:
            table = made(wanted)
            windows = last_windows(table, windowed, place) if windowed else None
        except DataError as error:
            raise InputError(f"{path}: {error}") from error
        for column, count in table.unknown.items():
            values = f"{count:,} value" + ("" if count == 1 else "s")
            self.notices.append(f"{path}: {column} has {values} that training has not seen")
        return table.samples(place) if windows is None else windows


@contextmanager
def _unreadable(path: Path) -> Iterator[None]:
    """Turn what reading a table raises into the error of an input."""
    try:
        yield
    except (OSError, ValueError, csv.Error) as error:
        raise UnreadableError(f"{path} cannot be read: {reason(error)}") from error


def _of_columns(numbers: Array, wanted: Tensor, path: Path, table: Table) -> Array:
    """Return an input, (rows, *input), from its columns in a table.

    Raises:
        InputError: a number has a fraction, and the network reads whole numbers.
    """
    if not wanted.floating:
        parts = numbers % 1 != 0
        if parts.any():
            row, column = (int(axis[0]) for axis in parts.nonzero())
            part = f"{numbers[row, column]:g} in line {table.lines[row]}"
            raise InputError(f"{path} has {part}, but the network reads whole numbers")
        numbers = numbers.astype("int64")
    return numbers.reshape(-1, *wanted.shape)


def _is_single(array: Array, wanted: Tensor) -> bool:
    """Whether an array is a single sample: it has no first axis of samples.

    As in training, an axis of one channel may be absent.
    """
    axes = len(wanted.shape)
    if wanted.shape[:1] == (1,) and array.ndim <= axes and array.shape[:1] != (1,):
        axes -= 1
    return array.ndim == axes


def _at_index(start: int, *, single: bool) -> Callable[[int], str]:
    return lambda index: "at one place" if single else f"at index {start + index}"


def _values(stored: StoredArray) -> Array:
    """Return the values of an array. An uncompressed file is read when its values are used."""
    if stored.member is not None or not stored.nbytes or not stored.shape:
        return stored.values()
    order: Any = "F" if stored.fortran else "C"
    return np.memmap(stored.path, stored.descr, "r", stored.start, stored.shape, order)


def _described(tensor: Tensor) -> str:
    shape = times(tensor.shape) if tensor.shape else "one number"
    return shape if tensor.dtype == "float32" else f"{shape} of {tensor.dtype}"
