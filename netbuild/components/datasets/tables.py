"""Rows of a table of `datasets` as samples: the columns to read, and their conversion."""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.datasets.conversion import ignored, input_values, target_values
from netbuild.components.datasets.dataset import DataError, Sample, Size
from netbuild.components.datasets.decoding import pixels
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


class Columns(NamedTuple):
    """The columns to read from a table, with their features, and the column of each target."""

    features: Mapping[str, Any]
    inputs: tuple[str, ...]
    targets: Mapping[str, str]

    @property
    def images(self) -> set[str]:
        """The columns of pictures."""
        return {name for name in self.features if _kind(self.features[name]) == "Image"}

    def names(self, target: str) -> tuple[str, ...] | None:
        """Return the names of the classes of a target, if the table has names."""
        return getattr(self.features[self.targets[target]], "names", None)

    @property
    def texts(self) -> set[str]:
        """The columns of text."""
        return {n for n, f in self.features.items() if "string" in str(getattr(f, "dtype", ""))}


def choose(
    features: Mapping[str, Any], inputs: tuple[str, ...] | None, targets: Mapping[str, str | None]
) -> Columns:
    """Return the named columns, or the only possible columns.

    Raises:
        DataError: a column does not exist, or several columns are possible.
    """
    known = f"its columns are {', '.join(features)}"
    for field, names in (("inputs", inputs or ()), ("target", filter(None, targets.values()))):
        for name in names:
            if name not in features:
                raise DataError(f"there is no column {name}", field, known)
    columns = Columns(features, (), {})
    told = {name: column or _only_classes(features, known) for name, column in targets.items()}
    if inputs is None:
        others = [name for name in features if name not in told.values()]
        pictures = [name for name in others if name in columns.images]
        inputs = tuple(pictures[:1] or others)
        if len(pictures) > 1 or not inputs:
            raise DataError("inputs must name its columns", "inputs", known)
    read = dict.fromkeys((*inputs, *told.values()))
    return Columns({name: features[name] for name in read}, inputs, told)


def _only_classes(features: Mapping[str, Any], known: str) -> str:
    """Return the only column of classes, or the column `label`.

    Raises:
        DataError: there are several such columns, or none.
    """
    named = [name for name, feature in features.items() if _kind(feature) == "ClassLabel"]
    found = named or [name for name in features if name == "label"]
    if len(found) != 1:
        raise DataError("target must name a column", "target", known)
    return found[0]


def _kind(feature: Any) -> str:
    return type(feature).__name__


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
        if read > 1 and len(columns.inputs) != read:
            message = (
                f"the network reads {read} inputs, and inputs has {len(columns.inputs)} columns"
            )
            raise DataError(message, "inputs", "name a column for each input, in their order")
        for name in columns.targets.values():
            if name in columns.images:
                message = f"{name} is a picture, and a target must be numbers"
                raise DataError(message, "target")
        for name in columns.inputs:
            if name in columns.images and read < len(columns.inputs):
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
        columns = [self._input(name, rows[name], start) for name in self.columns.inputs]
        wanted = self.wanted.inputs
        if len(wanted) == len(columns):
            pairs = zip(columns, self.columns.inputs, wanted, strict=True)
            inputs = tuple(
                input_values(array, x, name, self._at(start)) for array, name, x in pairs
            )
        else:
            inputs = (self._side_by_side(columns, start),)
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

    def _input(self, name: str, values: Sequence[Any], start: int) -> "np.ndarray[Any, Any]":
        import numpy as np

        if name not in self.columns.images:
            return _array(name, values, self._at(start))
        wanted = self.wanted.inputs[self.columns.inputs.index(name)]
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

    def _side_by_side(
        self, columns: "list[np.ndarray[Any, Any]]", start: int
    ) -> "np.ndarray[Any, Any]":
        import numpy as np

        (wanted,) = self.wanted.inputs
        found = []
        for name, array in zip(self.columns.inputs, columns, strict=True):
            if array.ndim > 1:
                message = f"{name} must have one number per row to be one of several columns"
                raise DataError(message, "inputs")
            found.append(input_values(array, Tensor((), wanted.dtype), name, self._at(start)))
        return np.stack(found, axis=1)

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
            array = self._numbered(name, array, labels, ignored(wanted), start)
        elif name in self.columns.texts:
            raise DataError(f"{name} is text, and must be numbers", "target")
        return target_values(array, wanted, self.classes.get(target), name, self._at(start))

    def _numbered(
        self,
        name: str,
        array: "np.ndarray[Any, Any]",
        labels: Sequence[Any],
        none: int | None,
        start: int,
    ) -> "np.ndarray[Any, Any]":
        """Return the class numbers of classes with names, or with other numbers."""
        import numpy as np

        numbers = {none: none} | {label: number for number, label in enumerate(labels)}
        found = [numbers.get(value) for value in array.tolist()]
        if None in found:
            row = found.index(None)
            known = ", ".join(map(str, labels))
            said = f"{name} is {array[row]} in {self.place(start + row)}"
            raise DataError(f"{said}, and the classes are {known}", "target")
        return np.array(found, "int64")


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


def labels_of(values: Sequence[Any]) -> list[Any]:
    """Return the names of classes, in the order of their numbers."""
    return sorted({value for value in values if value is not None})


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
    return reader.batch(chosen.with_format("numpy")[:])


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
