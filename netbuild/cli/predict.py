"""`netbuild predict`: a run's network applied to files."""

from __future__ import annotations

import csv
import json
import sys
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

import typer

from netbuild.cli.terminal import (
    FAULTS,
    UNUSABLE,
    fail,
    needs_torch,
    reported_failures,
    reported_faults,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netbuild.diagnostics.exceptions import InputError
    from netbuild.training.prediction.predict import Prediction


def predict(  # noqa: PLR0917  a parameter is an option, and typer names them
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="Images, arrays, tables, folders of images."),
    ],
    checkpoint: Annotated[
        Literal["best", "last"], typer.Option(help="The lowest validation loss, or the newest.")
    ] = "best",
    top: Annotated[
        int, typer.Option(min=1, metavar="K", help="Tell so many classes, the likeliest first.")
    ] = 1,
    raw: Annotated[
        bool, typer.Option("--raw", help="What the network gives, not the classes.")
    ] = False,
    format: Annotated[  # noqa: A002
        Literal["json", "csv"] | None,
        typer.Option(help="How the predictions are written.  [default: as --output ends, or json]"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where, instead of standard output.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Let --output replace a file.")
    ] = False,
) -> None:
    """Print what a trained network predicts: classes with their probabilities, or its outputs.

    \b
    netbuild predict runs/lenet5 digit.png
    netbuild predict runs/lenet5 scans/ --top 3
    netbuild predict runs/iris flowers.csv --format csv --output told.csv
    netbuild predict runs/net/2026-01-31T12-00-00 x.npy --checkpoint last

    \b
    Images become grey, RGB or RGBA and the size that the network reads, with
    values from 0 to 1; a folder stands for all images in it and below it.
    .npy is one sample or several, .npz and .safetensors have an array for
    each input of the network, by their names. A .csv has a sample in each
    row, and perhaps names of columns above: where data: Csv trained, they
    choose the columns. All of it is normalised as in training.

    \b
    What cannot be read or does not fit is said on standard error, and the
    other inputs are predicted; of one file all samples have to fit. Then
    exit code 2 says that something could not be read, and 1 that it did not
    fit. A file that exists is only replaced with --overwrite, and not before
    the last prediction.
    """
    if format is None:
        format = "csv" if output is not None and output.suffix == ".csv" else "json"  # noqa: A001
    if overwrite and output is None:
        fail("--overwrite goes with --output")
    if output is not None and output.is_file() and not overwrite:
        fail(f"{output} exists already: --overwrite replaces it")
    with needs_torch("predict"):
        from netbuild.training.prediction.predict import Predictor
    with reported_faults(), reported_failures(run):
        predictor = Predictor(run, checkpoint, top=top, raw=raw)
        faults = _Faults()
        told = faults.said(predictor.predictions(inputs))
        first = next(told, None)
        if first is not None:
            with _opened(output) as file:
                _WRITERS[format](file, chain([first], told))
    if faults.code:
        raise typer.Exit(faults.code)


class _Faults:
    """What keeps inputs from being predicted, said as it comes, and the exit code for it."""

    def __init__(self) -> None:
        self.code = 0

    def said(self, found: Iterable[Prediction | InputError]) -> Iterator[Prediction]:
        """Yield the predictions alone."""
        from netbuild.diagnostics.exceptions import InputError, UnreadableError

        for one in found:
            if isinstance(one, InputError):
                typer.echo(f"netbuild: {one}", err=True)
                self.code = max(self.code, UNUSABLE if isinstance(one, UnreadableError) else FAULTS)
            else:
                yield one


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[str]]:
    """Open standard output, or a file that takes its place once it is complete."""
    if output is None:
        yield sys.stdout
        return
    place = output.resolve()
    written = (
        place.with_name(f".{place.name}.new") if place.is_file() or not place.exists() else place
    )
    try:
        with written.open("w", encoding="utf-8", newline="") as file:
            yield file
        written.replace(place)
    finally:
        if written != place:
            written.unlink(missing_ok=True)


def _as_json(file: IO[str], told: Iterable[Prediction]) -> None:
    """Write an array with one object a line, each as soon as it is there."""
    before = "[\n"
    for one in told:
        file.write(before + json.dumps(_plain(one), ensure_ascii=False))
        before = ",\n"
    file.write("\n]\n")


def _as_csv(file: IO[str], told: Iterable[Prediction]) -> None:
    """Write a line for each sample, below the names of the columns, which the first one has.

    `index` has a column from the beginning: another file may hold several samples.
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
    """Return what JSON can hold, numbers of float32 as short as they can be."""
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
