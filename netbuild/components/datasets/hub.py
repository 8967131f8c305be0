"""Data that the package `datasets` reads: from the Hugging Face hub or from files."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_validator

from netbuild.components.datasets.column import Column
from netbuild.components.datasets.conversion import target_of
from netbuild.components.datasets.dataset import (
    DataError,
    Dataset,
    Declared,
    Loaded,
    Sample,
    Samples,
    Size,
    Stream,
)
from netbuild.components.datasets.fields import (
    ClassCounts,
    InputColumns,
    Name,
    OptionalPath,
    OptionalTargetNames,
    by_name,
    count_of,
    expect_counts,
    flat,
)
from netbuild.components.datasets.grouping import expect_group
from netbuild.components.datasets.kept import Kept
from netbuild.components.datasets.paths import has_any, has_file
from netbuild.components.datasets.stored_column import kind_of
from netbuild.components.datasets.table import Plan, TableSource
from netbuild.components.fields import Bool, OptionalText, unwanted
from netbuild.components.files import expect_only_files
from netbuild.components.target import Target
from netbuild.components.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np

    from netbuild.components.datasets.columns import Columns

#: The reader in `datasets` for each file extension.
_FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".arrow": "arrow",
}
#: Files that mark a folder written by `datasets`.
_SAVED = ("state.json", "dataset_dict.json")


class Hub(TableSource):
    """A data set from the Hugging Face hub or from local files, read by the package `datasets`.

    `name` is the name on the hub. `files` are .parquet, .csv, .tsv, .json, .jsonl or .arrow files,
    or a folder of such files, of images, or from save_to_disk. `inputs` names one column for each
    input of the network; for a single input it may name several columns of numbers, which become
    features. By default, `inputs` is the only column of images, or all columns except the target.
    Images become grey, RGB or RGBA, C×H×W from 0 to 1. `target` names a column of classes, as
    numbers or names, or of values. By default it is the column label, or the only column of
    classes. `classes` are counted if the data does not name them. A mapping in `inputs` names the
    network's inputs, and in it a list of columns is one vector. A mapping in `target` names several
    targets.

    In a table without pictures, a column of text, or of numbers that `categories` names, is read as
    an input of its own: its categories are numbered from 1, and 0 is a category that training has
    not seen. A column of dates gives its parts: `when.month`. A column of text is tokens where
    `inputs` has `{tokens: review, length: 200}`, and `review.length` is their number. No value may
    be missing unless `missing` says what stands for it.

    `split` holds the training samples. With `streaming`, samples are not kept: each epoch reads
    data that does not fit in memory again, in an order shuffled within 1,000 samples.

    data: {Hub: {name: mnist}}
    """

    paths = ("files",)
    resizes = True

    name: OptionalText = None
    """Name of the data set on the hub, such as mnist; null if files is written."""
    files: Annotated[OptionalPath, Field(validate_default=True)] = None
    """Path of local files or a folder, with * for any part; null if name is written."""
    config: OptionalText = None
    """Name of a configuration of the data set; null takes the only configuration."""
    split: Name = "train"
    """Name of the split with the training samples."""
    inputs: InputColumns = None
    """Columns that the network reads; null takes the only column of images, or all others."""
    target: OptionalTargetNames = None
    """Column to predict, or a mapping of several; null takes label or the only classes."""
    classes: ClassCounts = None
    """Number of classes of the target; null takes it from the data, or counts the classes."""
    streaming: Bool = False
    """Whether samples are read one after the other and not kept, for data larger than the disk."""

    @field_validator("files")
    @classmethod
    def _one_place(cls, files: Any, info: Any) -> Any:
        if (files is None) == (info.data.get("name") is None):
            raise unwanted("null together with name" if files else "a path if there is no name")
        return files

    @field_validator("classes")
    @classmethod
    def _of_targets(cls, classes: Any, info: Any) -> Any:
        return expect_counts(classes, info.data.get("target"))

    @property
    def target_names(self) -> tuple[str, ...]:
        return tuple(by_name(self.target)) or super().target_names

    def sample(self, wanted: Sample) -> Declared:
        if self.files is not None:
            has_any(self.files, "files")
        counts = {name: count_of(self.classes, name) for name in wanted.targets}
        told = {
            name: target_of(Tensor((), "int64"), wants, counts[name]) if counts[name] else None
            for name, wants in wanted.targets.items()
        }
        return Declared((None,) * len(wanted.inputs), told)

    @property
    def streams(self) -> bool:
        return self.streaming

    def check_split(self, split: str) -> None:
        """Accept any split: only opening the data set tells, and this may need a download."""

    def names(self, target: str = "target", ignored: int | None = None) -> tuple[str, ...] | None:
        table = self._table(None)
        labels = self._labels(self._columns(table, None), target, table)
        return None if labels is None else tuple(map(str, labels))

    def load(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Loaded:
        if self.streaming:
            return super().load(wanted, split, size)
        from netbuild.components.datasets.tables import Rows, whole_table

        found = self._planned(wanted, split)
        if found is not None:
            source, plan = found
            return source.rows_of(plan, wanted)
        rows = self._rows(wanted, split, size)
        assert isinstance(rows, Rows)
        if rows.reader.columns.images:
            return super().load(wanted, split, size)
        return whole_table(rows.table, rows.reader)

    def open(
        self, wanted: Sample, split: str | None = None, size: Size | None = None
    ) -> Samples | Stream | None:
        return None if self._planned(wanted, split) else self._rows(wanted, split, size)

    def fitted(self, wanted: Sample, training: Loaded) -> Dataset:
        found = self._planned(wanted, None)
        if found is None:
            columns = self._columns(self._table(None), len(wanted.inputs))
            # A prediction finds the columns of numbers by their names.
            return self if columns.images else self.knowing(Kept(columns.groups, {}, {}, {}))
        source, plan = found
        return source.knowing(source.learned(plan, wanted, training))

    def labels(self, name: str, column: Column, wanted: Target) -> Sequence[Any] | None:
        return super().labels(name, column, wanted) if column.dtype == "string" else None

    def class_count(self, name: str, column: Column) -> int | None:
        return column.class_count or super().class_count(name, column)

    def _planned(self, wanted: Sample, split: str | None) -> "tuple[Hub, Plan] | None":
        """Return how a table becomes samples, if it has categories, dates or missing values.

        Other tables may be too large for the memory, and are read by rows.

        Raises:
            DataError: as `plan` does.
        """
        if self.streaming:
            if self.missing is not None or self.categories:
                message = "a stream tells neither its categories nor its missing values"
                raise DataError(message, "missing" if self.missing else "categories")
            if self.tokens:
                message = "a stream does not tell the tokens of its texts"
                raise DataError(message, "inputs", "remove streaming")
            return None
        table = self._table(split)
        columns = self._columns(table, len(wanted.inputs))
        there = columns.features
        bases = {self.column_of(name, there) for name in columns.inputs}
        kinds = {name: kind_of(there[name]) for name in bases}
        whole = {"int64", "bool"} if any(not x.floating for x in wanted.inputs) else set()
        special = {"string", "date"} | (whole if self.categories else whole - {"int64"})
        named = self.missing is not None or self.categories or {*columns.inputs} != {*kinds}
        lacks = any(table.data.column(name).null_count for name in columns.features)
        if None in kinds.values() or not (named or lacks or special & {*kinds.values()}):
            return None
        return self._whole(table, columns, wanted, split)

    def _whole(
        self, table: Any, columns: "Columns", wanted: Sample, split: str | None
    ) -> "tuple[Hub, Plan]":
        """Return how a whole table becomes samples.

        Raises:
            DataError: as `plan` does.
        """
        from netbuild.components.datasets.stored_column import stored_columns

        source: Hub = self
        if split is not None and self._kept is None:
            training = stored_columns(self._table(None), columns.features)
            plan = self.plan(training, wanted, columns.targets)
            source = self.knowing(self.first_seen(plan, wanted))
        found = stored_columns(table, columns.features)
        try:
            return source, source.plan(found, wanted, columns.targets)
        except DataError as error:
            at = None if error.at == "file" else error.at
            raise DataError(str(error), at, error.help) from error

    def _rows(
        self, wanted: Sample, split: str | None = None, size: Size | None = None
    ) -> Samples | Stream:
        """Return the samples, to be read one by one.

        Raises:
            DataError: as `load` does.
        """
        from netbuild.components.datasets.tables import NumberRows, RowReader, Rows, RowStream

        table = self._table(split)
        columns = self._columns(table, len(wanted.inputs))
        counted = table if split is None else None
        labels = {name: self._labels(columns, name, counted) for name in columns.targets}
        classes = {name: count_of(self.classes, name) for name in columns.targets}
        reader = RowReader(columns, wanted, size, classes=classes, labels=labels)
        if self.streaming:
            return RowStream(table, reader)
        return Rows(table, reader) if columns.images else NumberRows(table, reader)

    def check_group(self, column: str) -> None:
        """Accept any column: only opening the data set tells its columns."""

    def groups(self, column: str, split: str | None = None) -> "np.ndarray[Any, Any]":
        import numpy as np

        from netbuild.components.datasets.columns import choose
        from netbuild.components.datasets.tables import reading

        table = self._table(split)
        targets: dict[str, str | None] = {**by_name(self.target)} or {"target": None}
        read = flat(choose(table.features, flat(self.inputs) or None, targets).groups)
        told = f"its columns are {', '.join(table.features)}"
        expect_group(column, [*table.features], read, str(self.name or self.files), told)
        with reading(column):
            values = np.array([str(value) for value in table[column]])
        if self.missing is None:
            return values
        from netbuild.components.datasets.stored_column import stored_columns

        columns = self._columns(table, None)
        names = (*read, *columns.targets.values())
        rows = self.rows_left(stored_columns(table, columns.features), names)
        return values if rows is None else values[[*rows]]

    def _columns(self, table: Any, read: int | None) -> "Columns":
        """Return the columns of the inputs, if their number is given, and of the targets.

        Raises:
            DataError: as `choose` does.
        """
        from netbuild.components.datasets.columns import choose

        features = table.features or table._resolve_features().features  # noqa: SLF001
        targets: dict[str, str | None] = {**by_name(self.target)} or {"target": None}
        named = flat(self.inputs)
        known = self._kept
        if not named and known is not None:
            named = flat(known.inputs)
        bases = dict.fromkeys(self.column_of(name, features) for name in named)
        columns = choose(features, tuple(bases) or None, targets)
        if read is None:
            return columns
        return columns._replace(groups=self.groups_of(named or flat(columns.groups), read))

    def _labels(self, columns: "Columns", target: str, table: Any) -> Any:
        """Return the names of the classes in the training samples; None for class numbers."""
        from netbuild.components.datasets.columns import labels_of

        named, column = columns.names(target), columns.targets[target]
        if named is not None or column not in columns.texts:
            return named
        if self.streaming:
            message = f"{column} is text, and a stream does not tell its classes"
            raise DataError(message, "target", "remove streaming, or use a target of numbers")
        table = self._table(None) if table is None else table
        return labels_of(table.unique(column))

    def _table(self, split: str | None) -> Any:
        """Open a split; `datasets` may have to download it.

        Raises:
            DataError: the split cannot be opened.
        """
        import datasets  # type: ignore[import-untyped]

        from netbuild.components.datasets.tables import quiet, reading

        at = "name" if self.name else "files"
        split = split or self.split
        with quiet(), reading(str(self.name or self.files), at):
            path, arguments = self._place()
            if any((Path(path) / name).exists() for name in _SAVED):
                saved = datasets.load_from_disk(path)
                if isinstance(saved, datasets.DatasetDict):
                    if split not in saved:
                        message = f"{path} has no split {split}"
                        raise DataError(message, "split", f"its splits are {', '.join(saved)}")
                    saved = saved[split]
                return saved.to_iterable_dataset() if self.streaming else saved
            return datasets.load_dataset(
                path, self.config, split=split, streaming=self.streaming, **arguments
            )

    def _place(self) -> tuple[str, dict[str, Any]]:
        """Return the first argument and the keywords for `load_dataset`.

        Raises:
            DataError: no file exists, or its format is unknown.
        """
        if self.name is not None:
            return self.name, {}
        assert self.files is not None
        path = Path(self.files)
        there = has_any(self.files, "files")
        if there and path.is_dir():
            expect_only_files(path)
            return str(path), {}
        found = [str(path)] if there else sorted(glob.glob(self.files, recursive=True))  # noqa: PTH207  a pattern with its folder
        if not found:
            raise DataError(f"there is no {self.files}", "files")
        for file in found:
            has_file(file, "files")
        suffix = next((s for s in path.suffixes[::-1] if s in _FORMATS), None)
        if suffix is None:
            help_ = f"it reads files that end in {', '.join(_FORMATS)}"
            raise DataError(f"{found[0]} has an unknown format", "files", help_)
        more: dict[str, Any] = {"sep": "\t"} if suffix == ".tsv" else {}
        if suffix == ".parquet":
            from pyarrow.dataset import ParquetFragmentScanOptions  # type: ignore[import-untyped]

            # Otherwise Arrow keeps all bytes of a file until its last row is read.
            more = {"fragment_scan_options": ParquetFragmentScanOptions(pre_buffer=False)}
        return _FORMATS[suffix], {"data_files": [*map(glob.escape, found)], **more}
