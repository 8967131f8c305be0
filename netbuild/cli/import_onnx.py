"""`netbuild import FILE.onnx`: a file of ONNX as a config with a file of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from netbuild.cli.terminal import FAULTS, difference_text, fail, needs_torch, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netbuild.exchange.importer.onnx.imported import ImportedFile


def from_file(
    path: Path,
    output: Path | None,
    inputs: Sequence[str] = (),
    *,
    weights: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Write the config of a file, and its weights; without an output, print the config.

    Args:
        path: the file.
        output: the config.
        inputs: the sizes of the inputs as `--input` gives them, where the file leaves them open.
        weights: the file of weights; None puts it beside the config, with its name.
        overwrite: whether existing files are replaced.
    """
    if not path.is_file():
        fail(f"there is no file {path}")
    if output is not None:
        weights = weights or output.with_suffix(".safetensors")
    _expect_free([one for one in (output, weights) if one is not None], overwrite=overwrite)
    with needs_torch("import"):
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401

        from netbuild.exchange.importer.onnx.imported import from_onnx, keep
        from netbuild.exchange.importer.written_inputs import shapes
    from netbuild.diagnostics.exceptions import ExportError, ImportedError

    try:
        sizes = {name: shape for name, (shape, _) in shapes(inputs).items()}
        made = from_onnx(path, sizes)
    except (ExportError, ImportedError) as error:
        fail(str(error), FAULTS)
    try:
        text = keep(made, output, weights)
    except OSError as error:
        fail(f"{error.filename or output} cannot be written: {error.strerror or error}")
    if output is None:
        say(text, nl=False)
    say(_said(made, output or path, weights), err=True)
    for gap in made.found.gaps:
        say(f"gap: {gap}", err=True)
    if made.found.gaps:
        raise typer.Exit(FAULTS)


def _expect_free(files: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse files that would be replaced, and a folder that is not there."""
    for one in files:
        if not one.parent.is_dir():
            fail(f"there is no folder {one.parent}")
        if one.exists() and not overwrite:
            fail(f"{one} already exists: --overwrite replaces it")


def _said(made: ImportedFile, place: Path, weights: Path | None) -> str:
    """Return the sentence about what was written."""
    said = f"{place}: {len(made.found.text.splitlines())} lines"
    if made.weights and weights:
        count = sum(one.numel() for one in made.weights.values())
        said += f", and {count:,} numbers in {weights}"
    if made.difference is None:
        return "; ".join((f"{said}; not compared, because it has gaps", *made.found.notes))
    *some, last = map(str, made.sizes)
    batches = f"{', '.join(some)} and {last}" if some else last
    ran = f"compared with onnxruntime for batches of {batches}"
    return f"{said}; {ran}: largest difference {difference_text(made.difference)}"
