"""A file of ONNX as a config and a file of weights, compared before they are kept."""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import torch

from netbuild.builder import module as builder
from netbuild.diagnostics.exceptions import ImportedError
from netbuild.exchange import onnx_file
from netbuild.exchange.importer.folding.writing import written
from netbuild.exchange.importer.imported import SIZES, TOLERANCE, Imported, _graph, imported
from netbuild.exchange.importer.onnx.graph import OnnxModule
from netbuild.runs import held

if TYPE_CHECKING:
    from collections.abc import Mapping


class ImportedFile(NamedTuple):
    """A config of a file of ONNX, and its weights by name.

    `difference` is the largest one between the file, run by onnxruntime, and the network that the
    config builds; None if a gap leaves nothing to compare. `sizes` are the batches that were run.
    """

    found: Imported
    weights: dict[str, torch.Tensor]
    difference: float | None
    sizes: tuple[int, ...]


def from_onnx(
    path: Path, sizes: Mapping[str, tuple[int, ...]] = MappingProxyType({})
) -> ImportedFile:
    """Return a file of ONNX as a config with weights.

    Args:
        path: the file.
        sizes: the sizes of inputs without the batch, by name, where the file leaves them open.

    Raises:
        ExportError: onnxruntime cannot run the file.
        ImportedError: the file cannot be read, or the config gives other outputs than the file.
    """
    module = OnnxModule(path, sizes)
    module.__class__ = type(path.stem, (OnnxModule,), {})  # a network has the name of its class
    given = {one.name: one.samples(2) for one in module.given}
    found = imported(module, given)
    weights = {name: one.detach().clone() for name, one in module.state_dict().items()}
    if found.gaps:
        return ImportedFile(found, weights, None, ())
    batches = (module.batch,) if module.batch else SIZES
    return ImportedFile(found, weights, _difference(path, module, found, batches), batches)


def _difference(path: Path, module: OnnxModule, found: Imported, sizes: tuple[int, ...]) -> float:
    """Return the largest difference between what the config builds and onnxruntime.

    Raises:
        ImportedError: it is above the tolerance.
    """
    built = builder.module(_graph(found.text))
    state = module.state_dict()
    built.load_state_dict({name: state[name] for name in built.state_dict()})
    built.eval()
    run, _ = onnx_file.load_with_texts(path)
    largest = 0.0
    for size in sizes:
        x = [one.samples(size) for one in module.given]
        with torch.no_grad():
            y = built(*x)
        ours = (y,) if isinstance(y, torch.Tensor) else tuple(y)
        for name, one, other in zip(module.results, ours, run(x), strict=True):
            if one.shape != other.shape:
                raise ImportedError(f"{name} has another shape in the config")
            difference = float((one.double() - other.double()).abs().max())
            if not difference <= TOLERANCE * max(1.0, float(other.abs().max())):
                message = f"{name} of the config differs from the file by {difference:.1e}"
                raise ImportedError(message)
            largest = max(largest, difference)
    return largest


def keep(made: ImportedFile, output: Path | None, weights: Path | None) -> str:
    """Write a config and its weights, and return the text, which names the weights.

    Raises:
        OSError: a file cannot be written.
    """
    from safetensors.torch import save

    text, files = made.found.text, {}
    if made.weights and weights is not None:
        files[weights] = save({n: one.contiguous() for n, one in made.weights.items()})
        folder = (output or weights).absolute().parent
        name = os.path.relpath(weights.absolute(), folder)
        text += f"pretrained: {written(Path(name).as_posix())}\n"
    if output is not None:
        files[output] = text.encode()
    held.write_all(files)
    return text
