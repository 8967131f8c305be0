"""Neural networks as YAML files: checked without torch, built as plain torch.

The public surface: `load` and `trace` a config, `build` its module, `train` it, `evaluate` and
`predict` with the run, `export` what it has learned. `docs/python.md` has a line for each name. The
exceptions are those that programs may catch: `netbuild.diagnostics.exceptions` shows their tree.
Plug-ins derive from `Layer`, `Operation`, `Loss`, `Optimizer`, `Scheduler`, `Dataset` and
`Augmentation`.

Each name is imported when it is first used. Only `build`, `from_module`, `look`, and what trains,
predicts or exports import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netbuild.builder.module import build
    from netbuild.checks.trace import trace
    from netbuild.components.augmentations.augmentation import Augmentation
    from netbuild.components.datasets.dataset import Dataset
    from netbuild.components.datasets.errors import DataError
    from netbuild.components.layers.layer import Layer
    from netbuild.components.layers.operation import Operation
    from netbuild.components.losses.loss import Loss
    from netbuild.components.optimizers.optimizer import Optimizer
    from netbuild.components.schedulers.scheduler import Scheduler
    from netbuild.components.tensor import ShapeError
    from netbuild.config.config import Config
    from netbuild.config.load import load, loads
    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.diagnostics.exceptions import (
        ConfigError,
        ExportError,
        ImportedError,
        InputError,
        Interrupted,
        NetbuildError,
        RunNotFoundError,
        StopTraining,
        TrainingError,
        UnreadableError,
        WeightsError,
    )
    from netbuild.exchange.export import Exported, export
    from netbuild.exchange.importer.imported import from_module
    from netbuild.exchange.report import report
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.reports.drawing.drawing import draw
    from netbuild.reports.inspection.look import Look
    from netbuild.runs.folder import Run
    from netbuild.training.callbacks import Callback
    from netbuild.training.evaluation import evaluate
    from netbuild.training.inspection.looking import look
    from netbuild.training.loaders import Loader, Loaders, loaders
    from netbuild.training.prediction.predicted import Likely, Prediction, predict
    from netbuild.training.session import train

__version__ = "0.1.0"

__all__ = [
    "Augmentation",
    "Callback",
    "Config",
    "ConfigError",
    "DataError",
    "Dataset",
    "Diagnostic",
    "ExportError",
    "Exported",
    "Graph",
    "ImportedError",
    "InputError",
    "Interrupted",
    "Layer",
    "Likely",
    "Loader",
    "Loaders",
    "Look",
    "Loss",
    "NetbuildError",
    "Operation",
    "Optimizer",
    "Prediction",
    "Row",
    "Run",
    "RunNotFoundError",
    "Scheduler",
    "ShapeError",
    "StopTraining",
    "TrainingError",
    "UnreadableError",
    "WeightsError",
    "build",
    "draw",
    "evaluate",
    "export",
    "from_module",
    "load",
    "loaders",
    "loads",
    "look",
    "predict",
    "report",
    "trace",
    "train",
]

#: The module that defines each name.
_HOMES = {
    "Augmentation": "components.augmentations.augmentation",
    "Callback": "training.callbacks",
    "Config": "config.config",
    "ConfigError": "diagnostics.exceptions",
    "DataError": "components.datasets.errors",
    "Dataset": "components.datasets.dataset",
    "Diagnostic": "diagnostics.diagnostic",
    "ExportError": "diagnostics.exceptions",
    "Exported": "exchange.export",
    "Graph": "graph.graph",
    "ImportedError": "diagnostics.exceptions",
    "InputError": "diagnostics.exceptions",
    "Interrupted": "diagnostics.exceptions",
    "Layer": "components.layers.layer",
    "Likely": "training.prediction.predicted",
    "Loader": "training.loaders",
    "Loaders": "training.loaders",
    "Look": "reports.inspection.look",
    "Loss": "components.losses.loss",
    "NetbuildError": "diagnostics.exceptions",
    "Operation": "components.layers.operation",
    "Optimizer": "components.optimizers.optimizer",
    "Prediction": "training.prediction.predicted",
    "Row": "graph.row",
    "Run": "runs.folder",
    "RunNotFoundError": "diagnostics.exceptions",
    "Scheduler": "components.schedulers.scheduler",
    "ShapeError": "components.tensor",
    "StopTraining": "diagnostics.exceptions",
    "TrainingError": "diagnostics.exceptions",
    "UnreadableError": "diagnostics.exceptions",
    "WeightsError": "diagnostics.exceptions",
    "build": "builder.module",
    "draw": "reports.drawing.drawing",
    "evaluate": "training.evaluation",
    "export": "exchange.export",
    "from_module": "exchange.importer.imported",
    "load": "config.load",
    "loaders": "training.loaders",
    "loads": "config.load",
    "look": "training.inspection.looking",
    "predict": "training.prediction.predicted",
    "report": "exchange.report",
    "trace": "checks.trace",
    "train": "training.session",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
