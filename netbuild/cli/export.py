"""`netbuild export`: writes a network in another format, and compares the file with the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuild.cli import completion
from netbuild.cli.terminal import (
    FAULTS,
    difference_text,
    fail,
    needs_torch,
    reported_failures,
    reported_faults,
    say,
    shapes_of,
)

if TYPE_CHECKING:
    from netbuild.exchange.export import Exported, Format
    from netbuild.exchange.quantizing import Quantized

#: The format of a file by the ending of its name.
_ENDINGS: dict[str, Format] = {
    ".onnx": "onnx",
    ".pt2": "pt2",
    ".py": "python",
    ".safetensors": "safetensors",
}
#: What runs a file of each format.
_RUNTIMES = {"onnx": "onnxruntime", "pt2": "torch", "python": "torch"}


def export(  # noqa: PLR0913, PLR0917  a parameter is an option, and typer names them
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|FILE",
            help="The folder of a run, or a config.",
            autocompletion=completion.runs,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PATH", help="Write this file.")
    ],
    to: Annotated[
        Literal["onnx", "pt2", "python", "safetensors"] | None,
        typer.Option(help="The format.  [default: the ending of --output]", show_default=False),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="best|last|FILE",
            help="The checkpoint of a run, or a file of weights. A config without a file has its "
            "first weights.  [default: best]",
            show_default=False,
        ),
    ] = None,
    include: Annotated[
        str | None,
        typer.Option(
            metavar="PARTS",
            help="Put what predict does around the network into the file: normalize, softmax, or "
            "normalize,softmax.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65_536,
            metavar="N",
            help="Let the file take batches of N samples only.  [default: any number]",
            show_default=False,
        ),
    ] = None,
    opset: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            metavar="N",
            help="The version of ONNX's operators.  [default: torch's]",
            show_default=False,
        ),
    ] = None,
    quantize: Annotated[
        Literal["int8"] | None,
        typer.Option(
            help="Give an .onnx file weights of 8 bits, and measure on the validation samples what "
            "they cost.",
            show_default=False,
        ),
    ] = None,
    noise_as_input: Annotated[
        bool,
        typer.Option(
            "--noise-as-input",
            help="Let the file take the noise that the network draws as further inputs.",
        ),
    ] = False,
    train: Annotated[
        bool,
        typer.Option("--train", help="Let a .py file train the network as the config does."),
    ] = False,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Keep the file without comparing it.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Let --output replace an existing file.")
    ] = False,
) -> None:
    """Write a network in another format.

    It writes ONNX, a program of torch, Python source, or weights. The file is run and compared
    with the network, and kept only if both agree.

    \b
    netbuild export runs/lenet5 -o lenet.onnx
    netbuild export runs/lenet5 -o digits.onnx --include normalize,softmax
    netbuild export runs/lenet5 -o lenet.pt2 --batch 1
    netbuild export runs/lenet5 -o small.onnx --quantize int8
    netbuild export runs/vae -o vae.onnx --noise-as-input
    netbuild export configs/lenet.yaml -o lenet.py --train
    netbuild export configs/lenet.yaml --weights lenet.safetensors -o lenet.onnx

    .onnx is run by onnxruntime, and .pt2 by torch.export.load, for random batches of 1, 2 and 5
    samples. An output may differ by 1e-4 of its largest value. A file of .onnx needs the extra
    `export`. It tells the version of netbuild, the config and its hash. A file of .py holds classes
    of torch, and no weights.
    """
    format_ = _format(to, output)
    _expect_options(
        format_,
        no_verify=no_verify,
        given={"--opset": opset is not None, "--quantize": quantize is not None},
    )
    if noise_as_input and format_ in {"python", "safetensors"}:
        fail("--noise-as-input is for onnx and pt2")
    if train and format_ != "python":
        fail("--train is for python only")
    if batch and format_ == "python":
        fail("--batch is for onnx and pt2: Python source takes batches of any size")
    if str(output) == "-":
        fail("--output names a file, which is run and compared: - is none")
    if not output.parent.is_dir():
        fail(f"there is no folder {output.parent}")
    if output.exists() and not overwrite:
        fail(f"{output} already exists: --overwrite replaces it")
    checkpoint, file = _weights(run, weights)
    with needs_torch("export"):
        if format_ == "onnx":
            import onnxruntime  # noqa: F401  it is missed before the network is built
            import onnxscript  # noqa: F401

        from netbuild.exchange.export import export as write
    from netbuild.diagnostics.exceptions import ExportError

    with reported_faults(), reported_failures(output):
        try:
            made = write(
                run,
                format_,
                output,
                checkpoint=checkpoint,
                weights=file,
                batch=batch,
                include=tuple(include.split(",")) if include else (),
                opset=opset,
                verify=not no_verify,
                noise_as_input=noise_as_input,
                quantize=quantize,
                train=train,
            )
        except ExportError as error:
            fail(str(error), FAULTS)
    say(_said(made, format_))
    if made.quantized:
        say(_cost(made.quantized))


def _expect_options(format_: Format, *, no_verify: bool, given: dict[str, bool]) -> None:
    """Refuse options of ONNX for another format."""
    first = next((name for name, is_given in given.items() if is_given), None)
    if first and format_ != "onnx":
        fail(f"{first} is for onnx only")
    if given["--quantize"] and no_verify:
        fail("--quantize measures the file: leave out --no-verify")


def _cost(cost: Quantized) -> str:
    """Return the numbers of the validation samples before and after, in columns."""
    from netbuild.reports.runs import value

    rows = [("", "before", "after")]
    for name, before in cost.before.items():
        after = cost.after.get(name)
        if isinstance(before, float) and isinstance(after, float):
            rows.append((name, value(name, before), value(name, after)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first, *others = widths
    lines = (
        "  ".join(
            [row[0].ljust(first), *(c.rjust(w) for c, w in zip(row[1:], others, strict=True))]
        )
        for row in rows
    )
    return "\n".join(lines)


def _format(to: Format | None, output: Path) -> Format:
    """Return the format that is asked for."""
    found = to or _ENDINGS.get(output.suffix.lower())
    if found is None:
        fail(f"{output} tells no format: end it with {', '.join(_ENDINGS)}, or write --to")
    return found


def _weights(run: Path, weights: str | None) -> tuple[str, Path | None]:
    """Return the name of the checkpoint, and the file of weights in its place."""
    if weights is None:
        return "best", None
    if weights in {"best", "last"}:
        if run.is_file():
            fail(f"{run} is a config, and has no checkpoint {weights}: write --weights FILE")
        return weights, None
    if not Path(weights).is_file():
        fail(f"{weights} is neither best nor last, nor a file of weights")
    shapes_of(Path(weights))
    return "best", Path(weights)


def _said(made: Exported, format_: Format) -> str:
    """Return the sentence about a file that was written."""
    size = f"{made.parameters:,} parameters, {made.bytes:,} bytes"
    if format_ == "safetensors":
        how = "not compared" if made.difference is None else "each tensor as in the network"
        return f"{made.path}: {size}; {how}"
    if not made.sizes:
        return f"{made.path}: {size}; not compared"
    *some, last = map(str, made.sizes)
    batches = f"{', '.join(some)} and {last}" if some else last
    ran = f"run by {_RUNTIMES[format_]} for batches of {batches}"
    if made.quantized:
        size += f" ({made.quantized.bytes_before:,} before)"
        part = f"{made.quantized.deviation:.1%}"
        how = f"{ran}; the weights have 8 bits, and outputs differ by {part} (root mean square)"
    elif made.difference is None:
        how = f"{ran}; {made.draws} draws noise, so only the shapes of the outputs are compared"
    else:
        how = f"{ran}; largest difference {difference_text(made.difference)}"
        if made.draws:
            how += f", in the outputs without the noise of {made.draws}"
    if made.noise:
        how += f"; the noise is the input {' and '.join(made.noise)}"
    return f"{made.path}: {size}; {how}"
