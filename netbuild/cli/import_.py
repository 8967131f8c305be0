"""`netbuild import`: writes the config of a network that exists."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netbuild.cli.terminal import (
    FAULTS,
    difference_text,
    fail,
    needs_torch,
    reported_failures,
    say,
)

if TYPE_CHECKING:
    from netbuild.exchange.importer.imported import Imported


def import_(
    source: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:CALL|FILE.onnx|-",
            help="What makes the module: torchvision.models:resnet18, nets.py:Net(width=8). A file "
            "of ONNX. With -, "
            "print(model) of an nn.Sequential on standard input.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Write this file.  [default: print it]",
            show_default=False,
        ),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="[NAME=]SIZES[:DTYPE]",
            help="The shape of an input without the batch: 3,224,224 or tokens=128:int64. Once for "
            "each input.",
            show_default=False,
        ),
    ] = None,
    call: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help='Arguments of CALL by name, such as {"num_classes": 10}.',
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the module's weights to this .safetensors file.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Let --output and --weights replace files.")
    ] = False,
) -> None:
    r"""Write the config of a network that exists.

    \b
    netbuild import torchvision.models:resnet50 --input 3,224,224 -o resnet50.yaml
    netbuild import "nets.py:Net(width=8)" --input image=1,28,28 --input count=:int64
    netbuild import net.onnx -o net.yaml
    python -c "print(model)" | netbuild import - --input 784

    The module runs on random samples, and its calls become layers. The config is then built again
    and compared with the module: names and shapes in state_dict(), outputs with the same weights
    for batches of 1, 2 and 5 samples. If they differ, nothing is written. What a config cannot hold
    is a comment that begins with "gap"; the rest is written, and the exit code is 1. A file of ONNX
    brings its weights, and onnxruntime runs it for the comparison.
    """
    output = None if str(output) == "-" else output
    if source.lower().endswith(".onnx"):
        _onnx(Path(source), output, inputs or [], weights, given=call, overwrite=overwrite)
        return
    if source.lower().endswith((".yaml", ".yml")):
        fail(f"{source} is a config already: import reads a module of torch, or a file of ONNX")
    if not inputs:
        fail("--input says the shape of an input, such as --input 3,224,224")
    _expect_free(output, weights, overwrite=overwrite)
    if source == "-":
        (text, gaps, said), state = _printed(inputs), None
    else:
        (text, gaps, said), state = _module(source, inputs, _arguments(call), weights)
    files = {} if output is None else {output: text.encode()}
    files |= {} if weights is None or state is None else {weights: state}
    if files:
        from netbuild.runs import held

        with reported_failures(next(iter(files))):
            held.write_all(files)
    if output is None:
        say(text, nl=False)
    say(f"{output or source}: {said}", err=True)
    if gaps:
        for gap in gaps:
            say(f"gap: {gap}", err=True)
        raise typer.Exit(FAULTS)


def _expect_free(*files: Path | None, overwrite: bool) -> None:
    """Refuse files that would be replaced, and a folder that is not there."""
    for path in files:
        if path is not None and not path.parent.is_dir():
            fail(f"there is no folder {path.parent}")
        if path is not None and path.exists() and not overwrite:
            fail(f"{path} already exists: --overwrite replaces it")


def _onnx(
    source: Path,
    output: Path | None,
    inputs: list[str],
    weights: Path | None,
    *,
    given: str | None,
    overwrite: bool,
) -> None:
    """Import a file of ONNX."""
    from netbuild.cli.import_onnx import from_file

    if given is not None:
        fail("--call is for a module: a file of ONNX has no arguments")
    from_file(source, output, inputs, weights=weights, overwrite=overwrite)


def _arguments(call: str | None) -> dict[str, Any]:
    """Return the arguments of `--call`."""
    try:
        found = json.loads(call) if call else {}
    except json.JSONDecodeError as error:
        fail(f"--call is no JSON: {error}")
    if not isinstance(found, dict):
        fail('--call is no mapping, such as {"num_classes": 10}')
    return found


def _printed(inputs: list[str]) -> tuple[str, tuple[str, ...], str]:
    """Return the config of a printed module, its gaps, and a sentence about it."""
    from netbuild.components.tensor import Tensor
    from netbuild.diagnostics.exceptions import ImportedError
    from netbuild.exchange.importer.printed import printed_config
    from netbuild.exchange.importer.written_inputs import shapes

    try:
        named = {name or "input": Tensor(*one) for name, one in shapes(inputs).items()}
        found = printed_config(sys.stdin.read(), named)
    except ImportedError as error:
        fail(str(error), FAULTS)
    said = "from its text; nothing is compared"
    return found.text, found.gaps, f"{said}; {found.fault}" if found.fault else said


def _module(
    source: str, inputs: list[str], arguments: dict[str, Any], weights: Path | None
) -> tuple[tuple[str, tuple[str, ...], str], bytes | None]:
    """Return the config of a module, its gaps and a sentence about it, and its weights."""
    from netbuild.diagnostics.exceptions import ImportedError

    with needs_torch("import"):
        from netbuild.exchange.importer import targets
        from netbuild.exchange.importer.imported import imported, weights_of
    try:
        module = targets.module_of(source, arguments)
        found = imported(module, targets.samples(inputs))
        state = None if weights is None else weights_of(module)
    except ImportedError as error:
        fail(str(error), FAULTS)
    return (found.text, found.gaps, _said(found)), state


def _said(found: Imported) -> str:
    """Return the sentence about a config that was compared."""
    lines = f"{len(found.text.splitlines())} lines"
    if found.difference is None:
        return "; ".join((f"{lines}; not compared, because it has gaps", *found.notes))
    difference = difference_text(found.difference)
    how = f"{lines}; built and compared for batches of 1, 2 and 5: largest difference {difference}"
    how += ", in training too" if found.training and not found.gaps else ""
    return "; ".join((how, *found.notes))
