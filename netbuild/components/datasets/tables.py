"""Rows of a table of `datasets` as samples: the columns to read, and their conversion."""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from netbuild.components.datasets.arrow import ArrowColumns
from netbuild.components.datasets.columns import Columns
from netbuild.components.datasets.conversion import (
    ignored,
    input_values,
    numbered,
    target_values,
)
from netbuild.components.datasets.dataset import DataError, Sample, Size
from netbuild.components.datasets.decoding import pixels
from netbuild.components.datasets.fields import Group, flat
from netbuild.components.tensor import Tensor, times

if TYPE_CHECKING:
    import datasets  # type: ignore[import-untyped]
    import numpy as np

    from netbuild.components.datasets.dataset import Loaded

#: The classes of targets of which nothing is known.
NOTHING_KNOWN: Mapping[str, Any] = MappingProxyType({})
#: The number of samples in the shuffle buffer of a stream.
_BUFFER = 1000
#: The number of files of a stream that take turns in filling the buffer.
_SHARDS = 10


class RowReader:
    """Turns rows into samples: pictures of one size, or columns of numbers as features.

    For each target, `classes` is the number of its classes, and `labels` are the names of the
    classes in a column of text or numbers, in order; None if unknown. `files` are the names of the
    rows in messages.
    """

    def __init__(
        self,
        columns: Columns,
        wanted: Sample,
        size: Size | None,
        *,
        classes: Mapping[str, int | None] = NOTHING_KNOWN,
        labels: Mapping[str, Sequence[Any] | None] = NOTHING_KNOWN,
        files: Sequence[str] | None = None,
    ) -> None:
        self.columns, self.wanted, self.size = columns, wanted, size
        self.labels, self.files = labels, files
        counted = {name: len(found) for name, found in labels.items() if found is not None}
        self.classes = {**classes, **counted}
        #: The name and the size of the first picture; all pictures must have this size.
        self.first: tuple[str, Size] | None = None
        read = len(wanted.inputs)
        if len(columns.groups) != read:
            message = (
                f"the network reads {read} inputs, and inputs has {len(columns.inputs)} columns"
            )
            raise DataError(message, "inputs", "name a column for each input, in their order")
        for name in columns.targets.values():
            if name in columns.images:
                message = f"{name} is a picture, and a target must be numbers"
                raise DataError(message, "target")
        beside = {name for group in columns.groups if not isinstance(group, str) for name in group}
        for name in columns.inputs:
            if name in columns.images & beside:
                raise DataError(
                    f"{name} is a picture, and shares its input with other columns", "inputs"
                )
            if name in columns.texts:
                help_ = "remove it from inputs, or turn it into numbers"
                raise DataError(f"{name} is text, and must be numbers", "inputs", help_)

    def batch(self, rows: Mapping[str, Sequence[Any]], start: int = 0) -> "Loaded":
        """Return the samples of some rows; the first row has number `start`.

        Raises:
            DataError: a value cannot be an input or a target.
        """
        pairs = zip(self.columns.groups, self.wanted.inputs, strict=True)
        inputs = tuple(self._input(group, rows, wanted, start) for group, wanted in pairs)
        return inputs, self.targets(rows, start)

    def row(self, rows: Mapping[str, Sequence[Any]], index: int) -> Any:
        """Return the sample of a single row.

        Raises:
            DataError: as `batch`.
        """
        inputs, targets = self.batch(rows, index)
        return tuple(x[0] for x in inputs), tuple(y[0] for y in targets)

    def place(self, index: int) -> str:
        """Return the name of a row in messages."""
        return self.files[index] if self.files else f"row {index + 1}"

    def _at(self, start: int) -> Callable[[int], str]:
        return lambda index: f"in {self.place(start + index)}"

    def _input(
        self, group: Group, rows: Mapping[str, Sequence[Any]], wanted: Tensor, start: int
    ) -> "np.ndarray[Any, Any]":
        """Return an input of one column, or of several columns side by side."""
        import numpy as np

        if isinstance(group, str):
            array = self._column(group, rows[group], wanted, start)
            return input_values(array, wanted, group, self._at(start))
        found = []
        for name in flat((group,)):
            array = _array(name, rows[name], self._at(start))
            if array.ndim > 1:
                message = f"{name} must have one number per row to be one of several columns"
                raise DataError(message, "inputs")
            found.append(input_values(array, Tensor((), wanted.dtype), name, self._at(start)))
        return np.stack(found, axis=1)

    def _column(
        self, name: str, values: Sequence[Any], wanted: Tensor, start: int
    ) -> "np.ndarray[Any, Any]":
        """Return the numbers of a column, or its pictures."""
        import numpy as np

        if name not in self.columns.images:
            return _array(name, values, self._at(start))
        found = []
        for index, picture in enumerate(values, start):
            if picture is None:
                raise DataError(f"{name} has no value in {self.place(index)}")
            here = (self.place(index), (picture.height, picture.width))
            self.first = self.first or here
            if self.size is None and here[1] != self.first[1]:
                first, other = (f"{file} has {times(size)}" for file, size in (self.first, here))
                height, width = wanted.shape[1:] if len(wanted.shape) == 3 else here[1]
                help_ = f"bring them to one size: resize: [{height}, {width}]"
                raise DataError(f"its pictures differ in size: {first}, and {other}", None, help_)
            found.append(pixels(picture, wanted, self.size))
            picture.close()  # a GIF stays open for its next picture
        return np.stack(found)

    def targets(
        self, rows: Mapping[str, Sequence[Any]], start: int = 0
    ) -> "tuple[np.ndarray[Any, Any], ...]":
        """Return each target of some rows; the first row has number `start`.

        Raises:
            DataError: a value cannot be a target.
        """
        columns = self.columns.targets
        return tuple(self._target(name, rows[columns[name]], start) for name in columns)

    def _target(self, target: str, values: Sequence[Any], start: int) -> "np.ndarray[Any, Any]":
        name, wanted = self.columns.targets[target], self.wanted.targets[target]
        array = _array(name, values, self._at(start))
        labels = self.labels.get(target)
        if labels is not None and self.columns.names(target) is None:
            array = numbered(array.tolist(), labels, ignored(wanted), name, self._at(start))
        elif name in self.columns.texts:
            raise DataError(f"{name} is text, and must be numbers", "target")
        return target_values(array, wanted, self.classes.get(target), name, self._at(start))


def _array(
    name: str, values: Sequence[Any], place: "Callable[[int], str]"
) -> "np.ndarray[Any, Any]":
    """Return a column as an array.

    Raises:
        DataError: a value is missing.
    """
    import numpy as np

    try:
        array = np.asarray(values)
    except ValueError:  # lists of different lengths
        array = np.empty(len(values), object)
        array[:] = [*values]
    missing: list[int] = []
    if array.dtype.kind == "O":
        missing = [row for row, value in enumerate(array) if value is None]
    elif array.dtype.kind == "f":
        missing = np.isnan(array).nonzero()[0].tolist()
    if missing:
        raise DataError(f"{name} has no value {place(missing[0])}")
    return array


class Rows:
    """Rows read one by one."""

    def __init__(self, table: "datasets.Dataset", reader: RowReader) -> None:
        self.table, self.reader = table.select_columns([*reader.columns.features]), reader
        #: The targets, after the first request.
        self.known: tuple[np.ndarray[Any, Any], ...] | None = None
        if reader.columns.images and reader.size is None:
            any(map(self._is_intact, range(len(table))))  # the first one sets the size of all

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> Any:
        place = self.reader.place(index)
        try:
            with reading(place):
                row = self.table[index : index + 1]
        except DataError as error:
            raise DataError(str(error), sample=place) from error
        return self.reader.row(row, index)

    def _is_intact(self, index: int) -> bool:
        """Whether a row can be read. The others are reported when all samples are read."""
        try:
            self[index]
        except DataError as error:
            if not error.sample:
                raise
            return False
        return True

    def targets(self) -> "tuple[np.ndarray[Any, Any], ...]":
        """Return each target of all rows; they are read once."""
        if self.known is None:
            columns = {}
            for name in self.reader.columns.targets.values():
                with reading(name):
                    columns[name] = self.table[name][:]
            self.known = self.reader.targets(columns)
        return self.known


class NumberRows(Rows):
    """Rows without pictures, of which many are read at once."""

    def __init__(self, table: "datasets.Dataset", reader: RowReader) -> None:
        super().__init__(table, reader)
        self.columns = ArrowColumns(self.table)
        targets = dict.fromkeys(reader.columns.targets.values())
        self.target_columns = ArrowColumns(self.table.select_columns([*targets]))

    def block(self, indices: "np.ndarray[Any, Any]") -> "Loaded":
        """Return some rows.

        Raises:
            DataError: a value is missing, or cannot be an input or a target.
        """
        with self._naming(indices):
            return self.reader.batch(self.columns.rows(indices))

    def block_targets(self, indices: "np.ndarray[Any, Any]") -> "tuple[np.ndarray[Any, Any], ...]":
        """Return the targets of some rows.

        Raises:
            DataError: as `block`.
        """
        with self._naming(indices):
            return self.reader.targets(self.target_columns.rows(indices))

    @contextmanager
    def _naming(self, indices: "np.ndarray[Any, Any]") -> Iterator[None]:
        """Read the rows of a block one by one if it cannot be read: the error then names a row."""
        try:
            with reading("a row"):
                yield
        except DataError:
            for index in indices.tolist():
                self[index]
            raise

    def targets(self) -> "tuple[np.ndarray[Any, Any], ...]":
        """Return each target of all rows."""
        import numpy as np

        return self.block_targets(np.arange(len(self)))


class RowStream:
    """Rows that come one after the other."""

    def __init__(self, table: "datasets.IterableDataset", reader: RowReader) -> None:
        self.table, self.reader = table.select_columns([*reader.columns.features]), reader

    def samples(self, seed: int | None) -> Iterator[Any]:
        """Yield the samples; a seed shuffles them within a buffer."""
        table = self.table
        if seed is not None:
            # If shards take turns, `datasets` waits up to 5 s for their threads at the end.
            shards = min(_SHARDS, table.n_shards)
            table = table.shuffle(seed, buffer_size=_BUFFER, max_buffer_input_shards=shards)
        rows = iter(table)
        index = 0
        while True:
            with reading(f"row {index + 1}"):
                row = next(rows, None)
            if row is None:
                return
            yield self.reader.row({name: [value] for name, value in row.items()}, index)
            index += 1


def whole_table(table: "datasets.Dataset", reader: RowReader) -> "Loaded":
    """Return all rows of a table without pictures."""
    chosen = table.select_columns([*reader.columns.features])
    return reader.batch(ArrowColumns(chosen).rows(slice(None)))


@contextmanager
def reading(what: str, at: str | None = None) -> Iterator[None]:
    """Turn the exceptions of `datasets` into one sentence; messages use the name `what`.

    Raises:
        DataError: the data cannot be read.
    """
    from datasets.exceptions import DatasetsError  # type: ignore[import-untyped]
    from pyarrow import ArrowException  # type: ignore[import-untyped]

    try:
        yield
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        SyntaxError,
        DatasetsError,
        ArrowException,
        *_too_many_pixels(),
    ) as error:
        if isinstance(error, DataError):
            raise
        cause = error.__cause__ if isinstance(error, DatasetsError) and error.__cause__ else error
        said = " ".join(str(cause).split())[:200] or type(cause).__name__
        raise DataError(f"{what} cannot be read: {said}", at) from error


def _too_many_pixels() -> tuple[type[Exception], ...]:
    """Return the exception of a picture that would fill the memory, if pictures are read at all."""
    pillow = sys.modules.get("PIL.Image")
    return (pillow.DecompressionBombError,) if pillow else ()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep `datasets` from printing; restore its settings afterwards."""
    import datasets
    import huggingface_hub.utils as hub  # `datasets` downloads with it

    modules: tuple[Any, ...] = (datasets, hub)
    loggers = {name: logging.getLogger(name) for name in ("datasets", "huggingface_hub")}
    levels = {name: logger.level for name, logger in loggers.items()}
    shown: list[Any] = [bars for bars in modules if not bars.are_progress_bars_disabled()]
    for logger in loggers.values():
        logger.setLevel(logging.CRITICAL)
    for bars in shown:
        bars.disable_progress_bars()
    try:
        yield
    finally:
        for name, logger in loggers.items():
            logger.setLevel(levels[name])
        for bars in shown:
            bars.enable_progress_bars()
