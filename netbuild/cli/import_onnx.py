"""`netbuild import FILE.onnx`: a file of ONNX as a config with a file of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from netbuild.cli.terminal import FAULTS, fail, needs_torch, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netbuild.exchange.importer.onnx.imported import ImportedFile


def from_file(
    path: Path, output: Path | None, sizes: Sequence[tuple[int, ...]], *, overwrite: bool
) -> None:
    """Write the config of a file, and its weights beside it; without an output, print the config.

    Args:
        path: the file.
        output: the config; its weights have the ending .safetensors.
        sizes: the sizes of the inputs without the batch, where the file leaves them open.
        overwrite: whether existing files are replaced.
    """
    if not path.is_file():
        fail(f"there is no file {path}")
    if output is not None:
        _expect_free(output, overwrite=overwrite)
    with needs_torch("import"):
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401

        from netbuild.exchange.importer.onnx.imported import from_onnx, kept
    from netbuild.diagnostics.exceptions import ExportError, ImportedError

    try:
        made = from_onnx(path, sizes) if output is None else kept(path, output, sizes)
    except (ExportError, ImportedError) as error:
        fail(str(error), FAULTS)
    except OSError as error:
        fail(f"{error.filename or output} cannot be read or written: {error.strerror or error}")
    if output is None:
        say(made.found.text, nl=False)
    else:
        say(_said(made, output))
    for place, reason in made.found.gaps:
        say(f"netbuild: {place}: {reason}", err=True)
    if made.found.gaps:
        raise typer.Exit(FAULTS)


def _expect_free(output: Path, *, overwrite: bool) -> None:
    """Refuse files that would be replaced, and a folder that is not there."""
    if output.suffix.lower() not in {".yaml", ".yml"}:
        fail(f"{output} is a config: end its name with .yaml")
    if not output.parent.is_dir():
        fail(f"there is no folder {output.parent}")
    for one in (output, output.with_suffix(".safetensors")):
        if one.exists() and not overwrite:
            fail(f"{one} already exists: --overwrite replaces it")


def _said(made: ImportedFile, output: Path) -> str:
    """Return the sentence about the files that were written."""
    lines = f"{made.found.text.count(chr(10))} lines"
    weights = sum(one.numel() for one in made.weights.values())
    files = f"{output}: {lines}"
    if made.weights:
        files += f", with {weights:,} numbers in {output.with_suffix('.safetensors').name}"
    if made.difference is None:
        return f"{files}; not compared"
    *some, last = map(str, made.sizes)
    batches = f"{', '.join(some)} and {last}" if some else last
    ran = f"compared with onnxruntime for batches of {batches}"
    return f"{files}; {ran}; largest difference {made.difference:.1e}"
