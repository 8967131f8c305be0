"""What `datasets` reads: from the Hugging Face hub, or from files."""

import glob
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_validator

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
from netbuild.components.datasets.fields import ColumnNames, Name, OptionalPath
from netbuild.components.fields import Bool, OptionalCount, OptionalText, unwanted
from netbuild.components.tensor import Tensor

if TYPE_CHECKING:
    from netbuild.components.datasets.tables import Columns

#: What `datasets` reads files with, by how their names end.
_FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".arrow": "arrow",
}
#: What `datasets` writes into a folder of its own.
_SAVED = ("state.json", "dataset_dict.json")


class Hub(Dataset):
    """What `datasets` reads: a data set of the Hugging Face hub, or local files of one.

    `name` is that on the hub, or `files` are .parquet, .csv, .tsv, .json, .jsonl or .arrow files,
    or a folder: of such files, of images, or of what save_to_disk wrote. `inputs` are the columns
    that the network reads, one for each of its inputs, or numbers side by side for its only one;
    left out, they are the only column of images, or all but the target. Images become grey, RGB or
    RGBA, C×H×W from 0 to 1. `target` is a column of classes, by number or by name, or of values; it
    may be left out where it is called label or the only one of classes. `classes` are counted where
    the data does not name them.

    `split` is what trains. With `streaming` nothing is kept: what does not fit in memory is read
    again in each epoch, in an order that is shuffled within 1,000 samples.
    """

    paths = ("files",)
    resizes = True

    name: OptionalText = None
    """Name of the data set on the hub, such as mnist; without files."""
    files: Annotated[OptionalPath, Field(validate_default=True)] = None
    """Path of local files or a folder, without name; * may stand for a part."""
    config: OptionalText = None
    """Which of several configurations a data set on the hub has; null takes the only one."""
    split: Name = "train"
    """Name of the part of the data that trains."""
    inputs: ColumnNames = None
    """Columns that the network reads; null takes the only one of images, or all others."""
    target: OptionalText = None
    """Column that the network learns to give; null looks for label, or the only one of classes."""
    classes: OptionalCount = None
    """Number of classes of the target; null takes it from the data, or counts."""
    streaming: Bool = False
    """Whether samples are read as they come and not kept, for data larger than the disk."""

    @field_validator("files")
    @classmethod
    def _one_place(cls, files: Any, info: Any) -> Any:
        if (files is None) == (info.data.get("name") is None):
            raise unwanted("to stand without name" if files else "a path where there is no name")
        return files

    def sample(self, wanted: Sample) -> Declared:
        target = target_of(Tensor((), "int64"), wanted.target, self.classes)
        return Declared((None,) * len(wanted.inputs), target if self.classes else None)

    @property
    def streams(self) -> bool:
        return self.streaming

    def check_split(self, split: str) -> None:
        """Take it for there: only opening the data set tells, and it may have to be fetched."""

    def names(self) -> tuple[str, ...] | None:
        table = self._table(None)
        labels = self._labels(self._columns(table), table)
        return None if labels is None else tuple(map(str, labels))

    def load(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Loaded:
        if self.streaming:
            return super().load(wanted, split, size)
        from netbuild.components.datasets.tables import Rows, whole_table

        rows = self.open(wanted, split, size)
        assert isinstance(rows, Rows)
        if rows.reader.columns.images:
            return super().load(wanted, split, size)
        return whole_table(rows.table, rows.reader)

    def open(
        self, wanted: Sample, split: str | None = None, size: Size | None = None
    ) -> Samples | Stream:
        from netbuild.components.datasets.tables import RowReader, Rows, RowStream

        table = self._table(split)
        columns = self._columns(table)
        labels = self._labels(columns, table if split is None else None)
        reader = RowReader(columns, wanted, size, classes=self.classes, labels=labels)
        return RowStream(table, reader) if self.streaming else Rows(table, reader)

    def _columns(self, table: Any) -> "Columns":
        """Return the columns of a table that are read.

        Raises:
            DataError: as `choose` does.
        """
        from netbuild.components.datasets.tables import choose

        features = table.features or table._resolve_features().features  # noqa: SLF001
        return choose(features, self.inputs, self.target)

    def _labels(self, columns: "Columns", table: Any) -> Any:
        """Return what the classes are called, as those that train say it; None for numbers."""
        from netbuild.components.datasets.tables import labels_of

        if columns.names is not None or columns.target not in columns.texts:
            return columns.names
        if self.streaming:
            message = f"{columns.target} is text, and only reading all of it tells the classes"
            raise DataError(message, "target", "leave streaming out, or take numbers")
        table = self._table(None) if table is None else table
        return labels_of(table.unique(columns.target))

    def _table(self, split: str | None) -> Any:
        """Open a split, which may have to be fetched.

        Raises:
            DataError: it cannot be had.
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
        """Return what `load_dataset` reads, and with which arguments.

        Raises:
            DataError: there is no such file, or none that it reads.
        """
        if self.name is not None:
            return self.name, {}
        assert self.files is not None
        path = Path(self.files)
        if path.is_dir():
            return str(path), {}
        found = [str(path)] if path.exists() else sorted(glob.glob(self.files, recursive=True))  # noqa: PTH207  a pattern with its folder
        if not found:
            raise DataError(f"there is no {self.files}", "files")
        suffix = next((s for s in path.suffixes[::-1] if s in _FORMATS), None)
        if suffix is None:
            help_ = f"it reads files that end in {', '.join(_FORMATS)}"
            raise DataError(f"{found[0]} is of no known format", "files", help_)
        more = {"sep": "\t"} if suffix == ".tsv" else {}
        return _FORMATS[suffix], {"data_files": [*map(glob.escape, found)], **more}
