"""A network as a file of another format: written beside its place, compared, and only then kept."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from netbuild.config.config import Config
from netbuild.diagnostics.exceptions import ExportError
from netbuild.exchange import onnx_file, python_file, torch_file
from netbuild.exchange.comparing import SIZES, differences
from netbuild.exchange.program import PARTS, Program, program
from netbuild.exchange.samples import samples
from netbuild.runs import held
from netbuild.runs.folder import folder_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.exchange.quantizing import Quantized, Source
    from netbuild.graph.graph import Graph
    from netbuild.runs.folder import Run

Format: TypeAlias = Literal["onnx", "pt2", "python", "safetensors"]


class Exported(NamedTuple):
    """A file that was written.

    `sizes` are the batches for which the file was compared; none if it was not. `difference` is the
    largest one between the file and the network; None if all outputs have noise, or if nothing was
    compared. `draws` is the path of a layer that draws noise. `differences` are the largest ones of
    each size of a batch. `noise` are the inputs for noise, and `quantized` what 8 bits cost.
    """

    path: Path
    bytes: int
    parameters: int
    sizes: tuple[int, ...]
    difference: float | None
    draws: str | None
    outputs: tuple[str, ...]
    differences: Mapping[int, float] = MappingProxyType({})
    noise: tuple[str, ...] = ()
    quantized: Quantized | None = None


def export(  # noqa: PLR0913  the options of a command
    place: str | Path | Run | Config,
    format: Format,  # noqa: A002  the option's name
    path: str | Path,
    *,
    checkpoint: str = "best",
    weights: str | Path | None = None,
    batch: int | None = None,
    include: str | Sequence[str] = (),
    opset: int | None = None,
    verify: bool = True,
    noise_as_input: bool = False,
    quantize: Literal["int8"] | None = None,
    train: bool = False,
) -> Exported:
    """Write the network of a run, or of a config, in another format, and compare the file with it.

    A runtime of the format runs the file for random batches of 1, 2 and 5 samples. If an output
    differs from the network by more than 1e-4 of its largest value, the file is not kept.

    Args:
        place: a run or its folder, a config or its file.
        format: `onnx`; `pt2`, a program of torch.export; `python`, classes of torch without
            weights; `safetensors`, the weights alone.
        path: the file that is written.
        checkpoint: `best` or `last`, of a run.
        weights: a file of weights in place of the checkpoint, or of a config's first weights.
        batch: the only size of a batch that the file takes; None for any size.
        include: parts of a prediction within the file: `normalize`, `softmax`, or a list of both.
        opset: the version of ONNX's operators; None for torch's default.
        verify: whether the file is compared.
        noise_as_input: whether the noise that the network draws becomes further inputs.
        quantize: `int8` gives ONNX weights of 8 bits, and measures what they cost.
        train: whether Python source also trains the network as the config does.

    Raises:
        ConfigError: the config has faults, or has no data for what is quantised.
        ExportError: the format cannot hold the network, or the file differs from the network.
        TrainingError: there is no run, or no such checkpoint.
        OSError: the file cannot be written.
    """
    place = place if isinstance(place, Config) else folder_of(place)
    include = _parts(include, format)
    wanted = _Wanted(format, batch, opset, verify, noise_as_input)
    _expect_options(wanted, quantize, train=train)
    if train:
        wanted = wanted._replace(training=python_file.with_data(place, weights))
    source = _samples(place, checkpoint, weights) if quantize else None
    made = program(place, checkpoint, weights=weights, include=include, noise=noise_as_input)
    return _kept(made, Path(path), wanted, source)


def _samples(place: Path | Config, checkpoint: str, weights: str | Path | None) -> Source:
    """Return the validation samples that measure what 8 bits cost."""
    from netbuild.exchange.quantizing import Source  # it imports all of training

    if isinstance(place, Config):
        raise ExportError("quantize measures a run, or a file of a config with weights: name it")
    source = Source(place, checkpoint, Path(weights) if weights else None)
    source.expect_samples()
    return source


class _Wanted(NamedTuple):
    """What is asked of a file."""

    format: Format
    batch: int | None
    opset: int | None
    verify: bool
    noise: bool = False
    #: The network with its data, for source that trains it.
    training: Graph | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The batches for which the file is compared."""
        if not self.verify:
            return ()
        return (self.batch,) if self.batch else SIZES


def _expect_format(format: Format) -> None:  # noqa: A002
    """Refuse an unknown format.

    Raises:
        ExportError: names the formats.
    """
    formats = get_args(Format)
    if format not in formats:
        raise ExportError(f"the format is one of {', '.join(formats)}, not {format}")


def _parts(include: str | Sequence[str], format: Format) -> tuple[str, ...]:  # noqa: A002
    """Return the parts that are included; refuse what cannot be.

    Raises:
        ExportError: names the part.
    """
    _expect_format(format)
    include = (include,) if isinstance(include, str) else tuple(include)
    unknown = next((part for part in include if part not in PARTS), None)
    if unknown is not None:
        raise ExportError(f"{unknown} cannot be included: the parts are {' and '.join(PARTS)}")
    if include and format == "safetensors":
        raise ExportError("safetensors holds weights alone: nothing is included in it")
    if include and format == "python":
        raise ExportError("Python source is the network alone: nothing is included in it")
    return include


def _expect_options(wanted: _Wanted, quantize: str | None, *, train: bool) -> None:
    """Refuse options that a format does not have.

    Raises:
        ExportError: names the option.
    """
    if wanted.batch is not None and wanted.batch < 1:
        raise ExportError(f"batch is at least 1, not {wanted.batch}")
    if quantize is not None and quantize != "int8":
        raise ExportError(f"quantize is int8, not {quantize}")
    if quantize and wanted.format != "onnx":
        raise ExportError("quantize is for onnx only")
    if quantize and not wanted.verify:
        raise ExportError("quantize measures the file: it excludes no-verify")
    if wanted.noise and wanted.format == "safetensors":
        raise ExportError("safetensors holds weights alone: it has no inputs")
    if wanted.format == "python" and (wanted.noise or wanted.batch):
        raise ExportError("Python source draws its noise, and takes batches of any size")
    if train and wanted.format != "python":
        raise ExportError("train is for Python source only")


def _kept(made: Program, path: Path, wanted: _Wanted, source: Source | None) -> Exported:
    """Write a file beside its place, compare it, and put it there."""
    programs = wanted.format != "safetensors"
    if programs and wanted.format != "python":
        _expect_recordable(made)
    if not wanted.verify:
        made.about["verified"] = "no"
    beside, smaller = (path.with_name(f".{path.name}{end}.new") for end in ("", ".int8"))
    quantized = None
    try:
        found = (_recorded if programs else _weights)(made, beside, wanted)
        if source:
            quantized, found = _quantized(made, beside, smaller, wanted, source)
            smaller.replace(beside)
        size = beside.stat().st_size
        held.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
        smaller.unlink(missing_ok=True)
    parameters = sum(p.numel() for p in made.module.parameters())
    draws = made.draws if programs else None
    largest = max(found.values(), default=None)
    about = (found, (*made.noise,), quantized)
    return Exported(path, size, parameters, wanted.sizes, largest, draws, made.outputs, *about)


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
                "different lengths: export it with --to python or --to safetensors"
            )
            raise ExportError(message)


def _weights(made: Program, beside: Path, wanted: _Wanted) -> dict[int, float]:
    """Write the weights alone, and return the largest difference; none if nothing is compared."""
    torch_file.write_weights(made, beside)
    if not wanted.verify:
        return {}
    torch_file.compare_weights(made, beside)
    return {0: 0.0}


def _recorded(made: Program, beside: Path, wanted: _Wanted) -> dict[int, float]:
    """Write a program, and return the largest differences; none if nothing is compared."""
    if wanted.format == "python":
        python_file.write(wanted.training or made.graph, beside, train=wanted.training is not None)
        file = python_file.load(beside, made)
        return differences(made, file, wanted.sizes) if wanted.verify else {}
    # A batch of 1 would be recorded as an axis that is always 1.
    x = samples(made, wanted.batch or 2)
    fixed = wanted.batch is not None
    if wanted.format == "onnx":
        onnx_file.write(made, x, beside, fixed=fixed, opset=wanted.opset)
        read = onnx_file.load
    else:
        torch_file.write(made, x, beside, fixed=fixed)
        read = torch_file.load
    return differences(made, read(beside, made), wanted.sizes) if wanted.verify else {}


def _quantized(
    made: Program, path: Path, smaller: Path, wanted: _Wanted, source: Source
) -> tuple[Quantized, dict[int, float]]:
    """Write a file with weights of 8 bits, and measure what they cost.

    The parts around the network are not quantised. The samples of a validation stand behind them,
    so a file without these parts is measured.
    """
    from netbuild.exchange import quantizing

    quantizing.quantize(path, smaller)
    rule = quantizing.Deviation()
    found = differences(made, onnx_file.load(smaller, made), wanted.sizes, rule)
    size = path.stat().st_size
    bare, measured = made, smaller
    if made.included:
        bare, measured = made.bare(), path
        _recorded(bare, path, wanted)
        quantizing.quantize(path, path)
    forward = quantizing.running(measured, bare)
    cost = quantizing.Quantized(source.measured(), source.measured(forward), size, rule.largest)
    quantizing.mark(smaller, made.about | quantizing.told(cost))
    return cost, found
