"""A network as a file of another format: written beside its place, compared, and only then kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from netbuild.diagnostics.exceptions import ExportError
from netbuild.exchange import onnx_file, torch_file
from netbuild.exchange.comparing import SIZES, largest_difference
from netbuild.exchange.program import PARTS, Program, program
from netbuild.exchange.samples import samples
from netbuild.runs import held

if TYPE_CHECKING:
    from collections.abc import Sequence

Format: TypeAlias = Literal["onnx", "pt2", "safetensors"]


class Exported(NamedTuple):
    """A file that was written.

    `sizes` are the batches for which the file was compared; none if it was not. `difference` is the
    largest one between the file and the network; None if all outputs have noise, or if nothing was
    compared. `draws` is the path of a layer that draws noise.
    """

    path: Path
    bytes: int
    parameters: int
    sizes: tuple[int, ...]
    difference: float | None
    draws: str | None
    outputs: tuple[str, ...]


def export(  # noqa: PLR0913  the options of a command
    place: str | Path,
    format: Format,  # noqa: A002  the option's name
    path: str | Path,
    *,
    checkpoint: str = "best",
    weights: str | Path | None = None,
    batch: int | None = None,
    include: Sequence[str] = (),
    opset: int | None = None,
    verify: bool = True,
) -> Exported:
    """Write the network of a run, or of a config, in another format, and compare the file with it.

    The file is written beside its place. A runtime of the format runs it for random batches of 1, 2
    and 5 samples: onnxruntime, or torch. If an output differs from the network in evaluation by
    more than 1e-4 of its largest value, the file is not kept.

    Args:
        place: the folder of a run, or a config.
        format: `onnx`; `pt2`, a program of torch.export; `safetensors`, the weights alone.
        path: the file that is written.
        checkpoint: `best` or `last`, of a run.
        weights: a file of weights in place of the checkpoint. A config has its
            first weights without it.
        batch: the only size of a batch that the file takes; None for any size.
        include: parts of a prediction within the file: `normalize`, `softmax`.
        opset: the version of ONNX's operators; None for torch's default.
        verify: whether the file is compared.

    Raises:
        ConfigError: the config has faults.
        ExportError: the format cannot hold the network, or the file differs from the network.
        TrainingError: there is no run, or no such checkpoint.
        OSError: the file cannot be written.
    """
    _expect_parts(include, format)
    made = program(place, checkpoint, weights=weights, include=include)
    return _kept(made, Path(path), _Wanted(format, batch, opset, verify=verify))


class _Wanted(NamedTuple):
    """What is asked of a file."""

    format: Format
    batch: int | None
    opset: int | None
    verify: bool

    @property
    def sizes(self) -> tuple[int, ...]:
        """The batches for which the file is compared."""
        if not self.verify:
            return ()
        return (self.batch,) if self.batch else SIZES


def _expect_parts(include: Sequence[str], format: Format) -> None:  # noqa: A002
    """Refuse what cannot be included.

    Raises:
        ExportError: names the part.
    """
    unknown = next((part for part in include if part not in PARTS), None)
    if unknown is not None:
        raise ExportError(f"{unknown} cannot be included: the parts are {' and '.join(PARTS)}")
    if include and format == "safetensors":
        raise ExportError("safetensors holds weights alone: nothing is included in it")


def _kept(made: Program, path: Path, wanted: _Wanted) -> Exported:
    """Write a file beside its place, compare it, and put it there."""
    programs = wanted.format != "safetensors"
    if programs:
        _expect_recordable(made)
    if not wanted.verify:
        made.about["verified"] = "no"
    beside = path.with_name(f".{path.name}.new")
    try:
        difference = (_recorded if programs else _weights)(made, beside, wanted)
        size = beside.stat().st_size
        held.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    parameters = sum(p.numel() for p in made.module.parameters())
    draws = made.draws if programs else None
    return Exported(path, size, parameters, wanted.sizes, difference, draws, made.outputs)


def _expect_recordable(made: Program) -> None:
    """Refuse a network that torch.export cannot record, before anything is written.

    Raises:
        ExportError: names the layer and its line.
    """
    for row in made.graph.rows:
        if row.is_built and "lengths" in getattr(row.layer, "given", {}):
            where = f"{row.span.document.name}:{row.span.line}"
            message = (
                f"{where}: {row.path} reads lengths, and torch.export cannot record sequences of "
                "different lengths: export it with --to safetensors"
            )
            raise ExportError(message)


def _weights(made: Program, beside: Path, wanted: _Wanted) -> float | None:
    """Write the weights alone, and return the largest difference; None if nothing is compared."""
    torch_file.write_weights(made, beside)
    if not wanted.verify:
        return None
    torch_file.compare_weights(made, beside)
    return 0.0


def _recorded(made: Program, beside: Path, wanted: _Wanted) -> float | None:
    """Write a program, and return the largest difference; None if nothing is compared."""
    # A batch of 1 would be recorded as an axis that is always 1.
    x = samples(made, wanted.batch or 2)
    fixed = wanted.batch is not None
    if wanted.format == "onnx":
        onnx_file.write(made, x, beside, fixed=fixed, opset=wanted.opset)
        read = onnx_file.load
    else:
        torch_file.write(made, x, beside, fixed=fixed)
        read = torch_file.load
    return largest_difference(made, read(beside), wanted.sizes) if wanted.verify else None
