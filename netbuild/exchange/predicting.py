"""The prediction with an exported file: onnxruntime computes what the network would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from netbuild.checks import objective
from netbuild.checks.trace import trace
from netbuild.components.datasets.errors import DataError
from netbuild.config.load import read
from netbuild.diagnostics.exceptions import ExportError
from netbuild.exchange import onnx_file
from netbuild.exchange.noise import Noise
from netbuild.syntax.parser import from_bytes
from netbuild.training.prediction.trained import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netbuild.config.config import Config
    from netbuild.graph.graph import Graph


def exported(path: str | Path) -> Trained:
    """Return the network of an ONNX file that netbuild has exported.

    Raises:
        ConfigError: the config in the file has faults.
        ExportError: onnxruntime does not take the file, or another program has written it.
    """
    path = Path(path)
    run, about = onnx_file.load_with_texts(path)
    if "config" not in about:
        message = f"{path} has no config of netbuild: only files of netbuild export can predict"
        raise ExportError(message)
    kept = _values(path, about, "data")
    config = read(from_bytes(f"{path}: config", about["config"].encode())).starting_from()
    config = _with_kept(path, config, kept.get("source"))
    graph = trace(config._replace(data=None))
    included = about.get("included", "").split(",")

    noise = _noise(path, about)

    def forward(*x: torch.Tensor) -> Any:
        y = run([*x, *(one.drawn(len(x[0])) for one in noise)])
        return y[0] if len(y) == 1 else y

    if "normalize" in included:
        preparation = config.preparation.model_copy(update={"normalize": False})
        config = config._replace(preparation=preparation)
    classes = _values(path, about, "classes")
    names = tuple(map(str, classes)) if isinstance(classes, list) else None
    scores = _shares(config, graph) if "softmax" in included else None
    inputs = kept.get("inputs")
    watched = inputs if isinstance(inputs, dict) else None
    return Trained(path, config, graph, torch.device("cpu"), forward, None, names, watched, scores)


def _values(path: Path, about: Mapping[str, str], name: str) -> Any:
    """Return values of JSON that a file tells; an empty mapping without."""
    try:
        return json.loads(about.get(name, "{}"))
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{path} was changed: its {name} is not JSON") from error


def _noise(path: Path, about: Mapping[str, str]) -> list[Noise]:
    """Return the noise that a file takes behind its inputs."""
    told = _values(path, about, "noise")
    try:
        return [Noise("", tuple(map(int, one["shape"])), one["values"]) for one in told.values()]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ExportError(f"{path} was changed: its noise cannot be read") from error


def _with_kept(path: Path, config: Config, kept: Any) -> Config:
    if config.data is None or not isinstance(kept, dict):
        return config
    try:
        return config._replace(data=config.data.with_kept(kept))
    except DataError as error:
        raise ExportError(f"{path} was changed: {error}") from error


def _shares(config: Config, graph: Graph) -> Callable[[Any], torch.Tensor]:
    """Return the function from outputs to the logarithms of the probabilities in the file."""
    term = config.losses[0]
    at = [*graph.outputs].index(next(iter(term.compared(graph.outputs))))
    places = getattr(objective.of_first(config, graph.outputs), "shape", ())

    def scores(y: Any) -> torch.Tensor:
        shares: torch.Tensor = (y if isinstance(y, torch.Tensor) else y[at]).log()
        if not places:
            return shares.flatten(1)
        return shares.movedim(1, -1).flatten(0, -2)

    return scores
