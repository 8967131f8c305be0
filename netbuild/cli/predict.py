"""`netbuild predict`: applies the network of a run to files."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuild.cli import completion, pictures
from netbuild.cli.noise import BINARY, Noise, on_noise
from netbuild.cli.predictions import ending, write
from netbuild.cli.prompt import LENGTH, Prompt, on_prompt
from netbuild.cli.terminal import (
    FAULTS,
    UNUSABLE,
    fail,
    needs_torch,
    reported_failures,
    reported_faults,
    say,
    shapes_of,
    warn_of_input,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netbuild.diagnostics.exceptions import InputError
    from netbuild.training.prediction.predict import Prediction
    from netbuild.training.prediction.trained import Trained


_Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN|FILE",
        help="The folder of a run, a config, or an exported .onnx file.",
        autocompletion=completion.runs,
    ),
]
_Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT", help="Images, folders of images, arrays, tables.", show_default=False
    ),
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
_Noise = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65_536,
        metavar="N",
        help="Feed N samples of noise instead of files.",
        show_default=False,
    ),
]
_Stack = Annotated[
    str,
    typer.Option(
        metavar="PATH",
        help="With --noise: the stack or the layer that reads the noise.  "
        "[default: the whole network]",
        show_default=False,
    ),
]
_Seed = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="With --noise or --prompt: which random numbers.  [default: 0]",
        show_default=False,
    ),
]
_Prompt = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT", help="Let a language model continue this text.", show_default=False
    ),
]
_Length = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help=f"With --prompt: how many tokens it writes.  [default: {LENGTH}]",
        show_default=False,
    ),
]
_Temperature = Annotated[
    float | None,
    typer.Option(
        metavar="T",
        help="With --prompt: below 1, likely tokens become likelier; 0 always takes the "
        "likeliest.  [default: 1]",
        show_default=False,
    ),
]
_TopK = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="K",
        help="With --prompt: choose from the K likeliest tokens.  [default: from all]",
        show_default=False,
    ),
]
_Format = Annotated[
    Literal["table", "json", "csv"] | None,
    typer.Option(
        help="How the predictions are written.  [default: ending of --output; a table on a "
        "terminal, or else json]"
    ),
]
_Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|FOLDER/",
        help="Write into this file, or pictures into this folder.  [default: standard output]",
        show_default=False,
    ),
]
_Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Let --output replace an existing file.")
]


def predict(  # noqa: PLR0913, PLR0917  a parameter is an option, and typer names them
    run: _Run,
    inputs: _Inputs = None,
    weights: _Weights = "best",
    checkpoint: _Checkpoint = None,
    top: _Top = 1,
    raw: _Raw = False,
    noise: _Noise = None,
    stack: _Stack = "",
    seed: _Seed = None,
    prompt: _Prompt = None,
    length: _Length = None,
    temperature: _Temperature = None,
    top_k: _TopK = None,
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
    netbuild predict runs/unet photo.jpg -o mask.png
    netbuild predict runs/unet photos/ -o masks/
    netbuild predict runs/vae --stack decoder --noise 64 -o sheet.png
    netbuild predict lenet.onnx digit.png
    netbuild predict runs/gpt --prompt "To be" --length 200 --temperature 0.8

    Images become grey, RGB or RGBA, and get the size that the network reads. An .npy file holds one
    sample or several. An .npz or .safetensors file holds an array for each input of the network, by
    name. A .csv file holds one sample in each row. If the network was trained on data: Csv, the
    first line of the file chooses the columns. All inputs are normalised as in training.

    A network that predicts masks or pictures writes them as .png: one into a file, or all into a
    folder, beside predictions.json. A mask has a colour for each class, and the size of its input.
    In a picture, 0 is black and 1 is white.

    With --noise, the network or one of its stacks reads random numbers, normally distributed, of
    the shape that it reads. The results become tiles of one picture (.png), arrays (.npz, .npy), or
    are written as predictions are.

    With --prompt, a network whose data is Text writes the next tokens, one by one. Its tokens are
    those of the training. --format json adds the log-probability of each.

    An input that cannot be used is reported on standard error, and the others are predicted. The
    exit code is then 2 if a file cannot be read, and 1 if it does not fit.
    """
    if overwrite and output is None:
        fail("--overwrite needs --output")
    path = None if output is None else Path(output)
    if path is not None and path.is_file() and not overwrite:
        fail(f"{output} already exists: --overwrite replaces it")
    which, file = _weights(run, weights, checkpoint)
    if prompt is not None:
        _expect_only_prompt(inputs, top, noise, stack, raw=raw)
        how = (length or LENGTH, 1.0 if temperature is None else temperature, top_k)
        on_prompt(Prompt(run, which, file, prompt, *how, seed or 0), format, path)
        return
    _expect_no_prompt(length, temperature, top_k)
    if noise is not None:
        if inputs or top > 1 or raw:
            fail("--noise excludes INPUT, --top and --raw")
        on_noise(Noise(run, which, file, stack, noise, seed or 0), format, path)
        return
    _expect_files(inputs, stack, seed, None if format else path)
    with needs_torch("predict"):
        from netbuild.training.data.distribution import FAR
        from netbuild.training.prediction.predict import Predictor
    with reported_faults(), reported_failures(run):
        predictor = Predictor(_trained(run, which, file), top=top, raw=raw)
        faults = _Faults()
        told = faults.reported(predictor.predictions(inputs or ()))
        if format is None and output is not None and pictures.is_meant(output):
            pictures.write(told, predictor, output, overwrite=overwrite)
        elif (first := next(told, None)) is not None:
            write(chain([first], told), predictor.place, path, format or ending(path))
        for sentence in predictor.watch.sentences():
            warn_of_input(f"{FAR}: {sentence}")
    faults.leave(predictor.notices)


def _trained(run: Path, checkpoint: str, weights: Path | None) -> Trained:
    """Return the network of a run, of a config, or of an exported file."""
    if run.suffix.lower() == ".onnx":
        from netbuild.diagnostics.exceptions import ExportError
        from netbuild.exchange.predicting import exported

        try:
            return exported(run)
        except ExportError as error:
            fail(str(error))
    from netbuild.training.prediction.trained import trained

    return trained(run, checkpoint, weights)


def _expect_only_prompt(
    inputs: list[str] | None, top: int, noise: int | None, stack: str, *, raw: bool
) -> None:
    """Refuse options of other predictions beside a prompt."""
    if inputs or top > 1 or raw or stack or noise is not None:
        fail("--prompt excludes INPUT, --top, --raw, --noise and --stack")


def _expect_no_prompt(length: int | None, temperature: float | None, top_k: int | None) -> None:
    """Refuse options of a prompt without one."""
    given = {"--length": length, "--temperature": temperature, "--top-k": top_k}
    first = next((name for name, value in given.items() if value is not None), None)
    if first is not None:
        fail(f"{first} needs --prompt")


def _expect_files(
    inputs: list[str] | None, stack: str, seed: int | None, output: Path | None
) -> None:
    """Check the options of a prediction for files."""
    if stack or seed is not None:
        fail("--stack needs --noise" if stack else "--seed needs --noise or --prompt")
    if not inputs:
        fail("predict needs an INPUT, --noise N or --prompt TEXT")
    if output is not None and output.suffix.lower() in BINARY - {".png"}:
        fail(f"{output} needs --noise: predictions of files are written as .json, .csv or .png")


def _weights(run: Path, weights: str, checkpoint: str | None) -> tuple[str, Path | None]:
    """Return the name of the checkpoint, and the file of weights in its place."""
    named = weights in {"best", "last"}
    if run.suffix.lower() == ".onnx":
        if not run.is_file():
            fail(f"there is no {run}")
        if checkpoint or weights != "best":
            fail(f"{run} has its own weights: leave out --weights and --checkpoint")
        return "best", None
    if checkpoint and weights not in {"best", checkpoint}:
        fail(f"--checkpoint {checkpoint} and --weights {weights} exclude each other")
    if named and run.is_file():
        fail(f"{run} is a config: name its weights with --weights FILE")
    if not named and not Path(weights).is_file():
        fail(f"{weights} is neither best nor last, nor a file of weights")
    if not named:
        shapes_of(Path(weights))
    return (checkpoint or weights, None) if named else ("best", Path(weights))


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

    def leave(self, notices: Iterable[str]) -> None:
        """Print what else is to be known, and exit if an input could not be predicted."""
        for notice in notices:
            say(f"netbuild: {notice}", err=True)
        if self.code:
            raise typer.Exit(self.code)
