"""The predictions of a network, written as a table, as JSON or as CSV."""

from __future__ import annotations

import csv
import json
import sys
from contextlib import contextmanager
from io import TextIOBase
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from netbuild.cli.terminal import console
from netbuild.components.files import real
from netbuild.diagnostics.escapes import of_json, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netbuild.training.prediction.predict import Prediction


def ending(output: Path | None) -> str:
    """Return the format for a file, by the ending of its name, or for standard output."""
    if output is None:
        return "table" if sys.stdout.isatty() else "json"
    return "csv" if output.suffix == ".csv" else "json"


def write(told: Iterable[Prediction], place: Path, output: Path | None, form: str) -> None:
    """Write predictions in a format, into a file or to standard output."""
    if form != "table":
        with opened(output) as file:
            _WRITERS[form](file, told)
        return
    from netbuild.reports.predictions import table

    if output is None:
        out = console()
        out.print(table(str(place), told, out.width), end="")
    else:
        with opened(output) as file:
            file.write(table(str(place), told, sys.maxsize).plain)


class _Visible(TextIOBase):
    """Standard output, with the control characters of names of files and classes as escapes."""

    def write(self, text: str) -> int:
        return sys.stdout.write(visible(text))


@contextmanager
def opened(output: Path | None) -> Iterator[IO[str] | TextIOBase]:
    """Open standard output, or a file that replaces the old one when it is complete."""
    if output is None:
        yield _Visible()
        return
    with replacing(output) as written, written.open("w", encoding="utf-8", newline="") as file:
        yield file


@contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """Give the path of a new file, which replaces the old one when it is complete."""
    from netbuild.runs import held

    place = Path(real(output))
    written = (
        place.with_name(f".{place.name}.new") if place.is_file() or not place.exists() else place
    )
    try:
        yield written
        held.replace(written, place)
    except OSError as error:  # an error of a write names no file
        named = None if error.filename == str(written) else error.filename
        raise OSError(error.errno, error.strerror, named or str(output)) from error
    finally:
        if written != place:
            written.unlink(missing_ok=True)


def _as_json(file: IO[str] | TextIOBase, told: Iterable[Prediction]) -> None:
    """Write an array with one object per line, each as soon as it is predicted."""
    before = "[\n"
    for one in told:
        file.write(before + of_json(json.dumps(_plain(one), ensure_ascii=False)))
        before = ",\n"
    file.write("\n]\n")


def _as_csv(file: IO[str] | TextIOBase, told: Iterable[Prediction]) -> None:
    """Write a line for each sample, below the names of the columns.

    The first sample decides the columns. There is always a column `index`, because a later file
    may hold several samples.
    """
    writer: Any = None
    for one in told:
        row = _flat(one)
        if writer is None:
            names = list(dict.fromkeys(["input", "index", *row]))
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)


_WRITERS = {"json": _as_json, "csv": _as_csv}


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold. Numbers of float32 get their shortest form."""
    from netbuild.training.prediction.predict import shortest

    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if hasattr(value, "ndim"):
        if value.ndim:
            return [_plain(part) for part in value]
        return shortest(value) if value.dtype.kind == "f" else int(value)
    return value


def _flat(one: Prediction) -> dict[str, Any]:
    """Return a prediction as the cells of a row: class and class_2, output_0 and output_1."""
    row: dict[str, Any] = {}
    for name, value in one.items():
        if name == "top":
            for number, other in enumerate(value[1:], start=2):
                row |= {f"{part}_{number}": cell for part, cell in other.items()}
        elif name == "outputs":
            for output, part in value.items():
                row |= _cells(output, _plain(part))
        else:
            row |= _cells(name, _plain(value))
    return row


def _cells(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, list):
        return {name: value}
    return {
        inner: cell
        for number, part in enumerate(value)
        for inner, cell in _cells(f"{name}_{number}", part).items()
    }
