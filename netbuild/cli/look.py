"""`netbuild look`: one sample through a network, layer by layer."""

from __future__ import annotations

from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuild.cli import completion
from netbuild.cli.terminal import (
    FAULTS,
    UNUSABLE,
    Settings,
    console,
    fail,
    needs_torch,
    print_faults,
    read_source,
    reported_failures,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netbuild.config.config import Config
    from netbuild.reports.inspection.look import Look

_Place = Annotated[
    str,
    typer.Argument(
        metavar="RUN|FILE",
        help="The folder of a run, a config, or - for standard input.",
        autocompletion=completion.runs,
    ),
]
_Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="VALUE",
        help="A file, numbers such as 1,1,2,2, or random; NAME=VALUE for each of several inputs.  "
        "[default: the data, or random without data]",
        show_default=False,
    ),
]
_Sample = Annotated[int, typer.Option(min=0, metavar="N", help="The number of the sample, from 0.")]
_Split = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="The samples: validation, test, train, or a split of the source."
    ),
]
_Batch = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65_536,
        metavar="N",
        help="How many samples go through together.  [default: 1; 32, or fewer for a large "
        "network, with --backward or norms over the batch]",
        show_default=False,
    ),
]
_Checkpoint = Annotated[
    Literal["best", "last"],
    typer.Option(help="The epoch with the lowest validation loss, or the newest one."),
]
_Seed = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Of dropout and of random inputs.  [default: train.seed]",
        show_default=False,
    ),
]
_Layer = Annotated[
    list[str] | None,
    typer.Option(
        "--layer",
        metavar="PATTERN",
        help="Only layers whose path matches, as in 'features.*'. Repeatable.",
        show_default=False,
    ),
]
_Backward = Annotated[bool, typer.Option("--backward", help="Add gradients and weights.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
_Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE.html",
        help="Write a page with pictures into this file.",
        show_default=False,
    ),
]


def look(  # noqa: PLR0913, PLR0917  a parameter is an option, and typer names them
    place: _Place,
    input: _Inputs = None,  # noqa: A002
    sample: _Sample = 0,
    split: _Split = "validation",
    batch: _Batch = None,
    checkpoint: _Checkpoint = "best",
    seed: _Seed = None,
    layer: _Layer = None,
    backward: _Backward = False,
    output: _Output = None,
    json: _Json = False,
    set: Settings = None,  # noqa: A002
) -> None:
    """Print what one sample becomes in each layer of a network.

    Each layer has the shape, the mean, the deviation, the least and the largest value of its
    result, and the share of zeros. Where training computes something else than evaluation, both
    are shown. Layers in which gradients vanish or explode, or whose units are dead, are marked.

    \b
    netbuild look runs/lenet5 --sample 3
    netbuild look configs/lenet-bn.yaml --backward
    netbuild look runs/lenet5 --input digit.png -o digit.html
    netbuild look sigmoid.yaml --input 1,1,2,2

    A config has its first weights, and a run those of its checkpoint. The exit code is 1 if the
    network has faults, or if an input does not fit.
    """
    if output is not None and output.suffix.lower() not in {".html", ".htm"}:
        fail(f"{output} is not an .html file by its name")
    if output is not None and not output.parent.is_dir():
        fail(f"there is no folder {output.parent}")
    if output is not None and json:
        fail("--json excludes --output")
    read = _read(place, set or ())
    with needs_torch("look"):
        from netbuild.diagnostics.exceptions import InputError, UnreadableError
        from netbuild.training.inspection.looking import look as looked
    with _reported_faults(input, stderr=json), reported_failures(Path(place)):
        try:
            made = looked(
                read,
                input=input or (),
                sample=sample,
                split=split,
                batch=batch,
                checkpoint=checkpoint,
                seed=seed,
                backward=backward,
                pictures=output is not None,
                set=(set or ()) if read == place else (),
            )._replace(place=place)
        except InputError as error:
            fail(str(error), UNUSABLE if isinstance(error, UnreadableError) else FAULTS)
    made = _only(made, layer or ())
    if output is not None:
        _write(made, output)
    elif json:
        from netbuild.reports.inspection.json_format import as_json

        console().print(as_json(made))
    else:
        from netbuild.reports.inspection.text_format import text

        out = console()
        out.print(text(made, out.width), end="")


@contextmanager
def _reported_faults(inputs: list[str] | None, *, stderr: bool) -> Iterator[None]:
    """If the config has faults, print them and exit. Without its data, it can be looked at too."""
    from netbuild.diagnostics.exceptions import ConfigError

    try:
        yield
    except ConfigError as error:
        print_faults(error.diagnostics, stderr=stderr)
        if not inputs and all(one.code.startswith("NB50") for one in error.diagnostics):
            say("netbuild: --input random needs no data", err=True)
        raise typer.Exit(FAULTS) from None


def _read(place: str, settings: Sequence[str]) -> str | Config:
    """Return the config of a file or of standard input, or the folder of a run, as it is named."""
    try:
        if Path(place).is_dir():
            return place
    except (OSError, ValueError):  # reading it says what is wrong
        pass
    from netbuild.config.load import read

    return read(read_source(place), settings)


def _only(made: Look, patterns: Sequence[str]) -> Look:
    """Return a look with the layers whose paths match a pattern, or lie in a stack that does."""
    if not patterns:
        return made

    def wanted(path: str) -> bool:
        parts = path.split(".")
        paths = [".".join(parts[: n + 1]) for n in range(len(parts))]
        return any(fnmatchcase(one, pattern) for one in paths for pattern in patterns)

    layers = tuple(one for one in made.layers if wanted(one.path))
    if not layers:
        fail(f"no layer matches {', '.join(patterns)}", FAULTS)
    return made._replace(layers=layers)


def _write(made: Look, output: Path) -> None:
    from netbuild.cli.predictions import replacing
    from netbuild.reports.inspection.page import page

    with replacing(output) as written:
        written.write_text(page(made), encoding="utf-8")
    say(f"{output}: {made.name}, {made.sample}")
    for mark in made.marks:
        say(f"{mark.kind}: {mark.path}: {mark.text}")
