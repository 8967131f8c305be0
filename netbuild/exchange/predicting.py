"""The prediction with an exported file: onnxruntime computes what the network would."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from netbuild.checks import objective
from netbuild.checks.trace import trace
from netbuild.diagnostics.exceptions import ExportError
from netbuild.exchange import onnx_file
from netbuild.runs.exported import Exported
from netbuild.training.prediction.trained import Trained

if TYPE_CHECKING:
    from collections.abc import Callable

    from netbuild.config.config import Config
    from netbuild.graph.graph import Graph


def exported(path: str | Path) -> Trained:
    """Return the network of an ONNX file that netbuild has exported.

    Raises:
        ConfigError: the config in the file has faults.
        ExportError: onnxruntime does not take the file, or another program has written it.
        TrainingError: what the file tells of its run was changed.
    """
    path = Path(path)
    run, about = onnx_file.load_with_texts(path)
    if "config" not in about:
        message = f"{path} has no config of netbuild: only files of netbuild export can predict"
        raise ExportError(message)
    told = Exported(path, about)
    config = told.with_kept(told.config())
    graph = trace(config._replace(data=None))
    included = about.get("included", "").split(",")

    def forward(*x: torch.Tensor) -> Any:
        y = run(x)
        return y[0] if len(y) == 1 else y

    if "normalize" in included:
        preparation = config.preparation.model_copy(update={"normalize": False})
        config = config._replace(preparation=preparation)
    scores = _shares(config, graph) if "softmax" in included else None
    inputs = told.kept.get("inputs")
    watched = inputs if isinstance(inputs, dict) else None
    cpu = torch.device("cpu")
    return Trained(path, config, graph, cpu, forward, None, told.classes, watched, scores)


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
