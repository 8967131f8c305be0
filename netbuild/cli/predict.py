"""`netbuild predict`: applies the network of a run to files."""

from __future__ import annotations

import csv
import json
import sys
from contextlib import contextmanager
from io import TextIOBase
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

import typer

from netbuild.cli import completion
from netbuild.cli.terminal import (
    FAULTS,
    UNUSABLE,
    fail,
    needs_torch,
    reported_failures,
    reported_faults,
    say,
)
from netbuild.diagnostics.escapes import of_json, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netbuild.diagnostics.exceptions import InputError
    from netbuild.training.prediction.predict import Prediction


_Run = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="The folder of a run.", autocompletion=completion.runs),
]
_Inputs = Annotated[
    list[str],
    typer.Argument(metavar="INPUT", help="Images, folders of images, arrays, tables."),
]
_Checkpoint = Annotated[
    Literal["best", "last"],
    typer.Option(help="The epoch with the lowest validation loss, or the newest one."),
]
_Top = Annotated[
    int, typer.Option(min=1, metavar="K", help="Print the K likeliest classes of each sample.")
]
_Raw = Annotated[bool, typer.Option("--raw", help="Print the outputs of the network, not classes.")]
_Format = Annotated[
    Literal["json", "csv"] | None,
    typer.Option(help="How the predictions are written.  [default: ending of --output, or json]"),
]
_Output = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write into this file.  [default: standard output]"),
]
_Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Let --output replace an existing file.")
]


def predict(  # noqa: PLR0917  a parameter is an option, and typer names them
    run: _Run,
    inputs: _Inputs,
    checkpoint: _Checkpoint = "best",
    top: _Top = 1,
    raw: _Raw = False,
    format: _Format = None,  # noqa: A002
    output: _Output = None,
    overwrite: _Overwrite = False,
) -> None:
    """Apply a trained network to files.

    It prints classes with their probabilities, or the outputs of the network.

    \b
    netbuild predict runs/lenet5 digit.png
    netbuild predict runs/lenet5 scans/ --top 3
    netbuild predict runs/iris flowers.csv --format csv --output told.csv
    netbuild predict runs/net/2026-01-31T12-00-00 x.npy --checkpoint last

    Images become grey, RGB or RGBA, and get the size that the network reads. An .npy file holds one
    sample or several. An .npz or .safetensors file holds an array for each input of the network, by
    name. A .csv file holds one sample in each row. If the network was trained on data: Csv, the
    first line of the file chooses the columns. All inputs are normalised as in training.

    An input that cannot be used is reported on standard error, and the others are predicted. The
    exit code is then 2 if a file cannot be read, and 1 if it does not fit.
    """
    if overwrite and output is None:
        fail("--overwrite needs --output")
    if output is not None and output.is_file() and not overwrite:
        fail(f"{output} already exists: --overwrite replaces it")
    with needs_torch("predict"):
        from netbuild.training.prediction.predict import Predictor
    with reported_faults(), reported_failures(run):
        predictor = Predictor(run, checkpoint, top=top, raw=raw)
        faults = _Faults()
        told = faults.reported(predictor.predictions(inputs))
        first = next(told, None)
        if first is not None:
            with _opened(output) as file:
                _WRITERS[format or _ending(output)](file, chain([first], told))
    if faults.code:
        raise typer.Exit(faults.code)


def _ending(output: Path | None) -> str:
    """Return the format for the ending of a file's name."""
    return "csv" if output is not None and output.suffix == ".csv" else "json"


class _Faults:
    """Prints the reason for each input that cannot be predicted, and keeps the exit code."""

    def __init__(self) -> None:
        self.code = 0

    def reported(self, found: Iterable[Prediction | InputError]) -> Iterator[Prediction]:
        """Print each error, and yield each prediction."""
        from netbuild.diagnostics.exceptions import InputError, UnreadableError

        for one in found:
            if isinstance(one, InputError):
                say(f"netbuild: {one}", err=True)
                self.code = max(self.code, UNUSABLE if isinstance(one, UnreadableError) else FAULTS)
            else:
                yield one


class _Visible(TextIOBase):
    """Standard output, with the control characters of names of files and classes as escapes."""

    def write(self, text: str) -> int:
        return sys.stdout.write(visible(text))


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[str] | TextIOBase]:
    """Open standard output, or a file that replaces the old one when it is complete."""
    if output is None:
        yield _Visible()
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
