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
    console,
    fail,
    needs_torch,
    reported_failures,
    reported_faults,
    say,
    shapes_of,
)
from netbuild.components.files import real
from netbuild.diagnostics.escapes import of_json, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netbuild.diagnostics.exceptions import InputError
    from netbuild.training.prediction.predict import Prediction


_Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN|FILE",
        help="The folder of a run, or a config.",
        autocompletion=completion.runs,
    ),
]
_Inputs = Annotated[
    list[str],
    typer.Argument(metavar="INPUT", help="Images, folders of images, arrays, tables."),
]
_Weights = Annotated[
    str,
    typer.Option(
        metavar="best|last|FILE",
        help="The weights of the epoch with the lowest validation loss, of the newest epoch, or of "
        "a file. A config needs a file.",
    ),
]
_Checkpoint = Annotated[
    Literal["best", "last"] | None,
    typer.Option(help="The same as --weights best or --weights last.", show_default=False),
]
_Top = Annotated[
    int, typer.Option(min=1, metavar="K", help="Print the K likeliest classes of each sample.")
]
_Raw = Annotated[bool, typer.Option("--raw", help="Print the outputs of the network, not classes.")]
_Format = Annotated[
    Literal["table", "json", "csv"] | None,
    typer.Option(
        help="How the predictions are written.  [default: ending of --output; a table on a "
        "terminal, or else json]"
    ),
]
_Output = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write into this file.  [default: standard output]"),
]
_Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Let --output replace an existing file.")
]


def predict(  # noqa: PLR0913, PLR0917  a parameter is an option, and typer names them
    run: _Run,
    inputs: _Inputs,
    weights: _Weights = "best",
    checkpoint: _Checkpoint = None,
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
    netbuild predict runs/net/2026-01-31T12-00-00 x.npy --weights last
    netbuild predict configs/lenet.yaml digit.png --weights lenet.safetensors

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
    which, file = _weights(run, weights, checkpoint)
    with needs_torch("predict"):
        from netbuild.training.prediction.predict import Predictor
    with reported_faults(), reported_failures(run):
        predictor = Predictor(run, which, weights=file, top=top, raw=raw)
        faults = _Faults()
        told = faults.reported(predictor.predictions(inputs))
        first = next(told, None)
        if first is not None:
            _write(chain([first], told), predictor.place, output, format or _ending(output))
    if faults.code:
        raise typer.Exit(faults.code)


def _weights(run: Path, weights: str, checkpoint: str | None) -> tuple[str, Path | None]:
    """Return the name of the checkpoint, and the file of weights in its place."""
    named = weights in {"best", "last"}
    if checkpoint and weights not in {"best", checkpoint}:
        fail(f"--checkpoint {checkpoint} and --weights {weights} exclude each other")
    if named and run.is_file():
        fail(f"{run} is a config: name its weights with --weights FILE")
    if not named and not Path(weights).is_file():
        fail(f"{weights} is neither best nor last, nor a file of weights")
    if not named:
        shapes_of(Path(weights))
    return (checkpoint or weights, None) if named else ("best", Path(weights))


def _ending(output: Path | None) -> str:
    """Return the format for a file, by the ending of its name, or for standard output."""
    if output is None:
        return "table" if sys.stdout.isatty() else "json"
    return "csv" if output.suffix == ".csv" else "json"


def _write(told: Iterable[Prediction], place: Path, output: Path | None, form: str) -> None:
    """Write predictions in a format, into a file or to standard output."""
    if form != "table":
        with _opened(output) as file:
            _WRITERS[form](file, told)
        return
    from netbuild.reports.predictions import table

    if output is None:
        out = console()
        out.print(table(str(place), told, out.width), end="")
    else:
        with _opened(output) as file:
            file.write(table(str(place), told, sys.maxsize).plain)


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
    from netbuild.runs import held

    place = Path(real(output))
    written = (
        place.with_name(f".{place.name}.new") if place.is_file() or not place.exists() else place
    )
    try:
        with written.open("w", encoding="utf-8", newline="") as file:
            yield file
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
