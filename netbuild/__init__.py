"""Neural networks as YAML files: checked without torch, built as plain torch.

The public surface: `load` and `trace` a config, `build` its module, `train` it. The exceptions are
those that programs may catch: `netbuild.diagnostics.exceptions` shows their tree. Plug-ins derive
from `Layer`, `Operation`, `Loss`, `Optimizer`, `Scheduler`, `Dataset` and `Augmentation`.

Each name is imported when it is first used. Only `build`, `export`, `from_module` and `train`
import torch.
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
    from netbuild.config.load import load
    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.diagnostics.exceptions import (
        ConfigError,
        ExportError,
        ImportedError,
        InputError,
        Interrupted,
        NetbuildError,
        RunNotFoundError,
        TrainingError,
        UnreadableError,
        WeightsError,
    )
    from netbuild.exchange.export import export
    from netbuild.exchange.importer.imported import from_module
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.runs.folder import Run
    from netbuild.training.session import train

__version__ = "0.1.0"

__all__ = [
    "Augmentation",
    "Config",
    "ConfigError",
    "DataError",
    "Dataset",
    "Diagnostic",
    "ExportError",
    "Graph",
    "ImportedError",
    "InputError",
    "Interrupted",
    "Layer",
    "Loss",
    "NetbuildError",
    "Operation",
    "Optimizer",
    "Row",
    "Run",
    "RunNotFoundError",
    "Scheduler",
    "ShapeError",
    "TrainingError",
    "UnreadableError",
    "WeightsError",
    "build",
    "export",
    "from_module",
    "load",
    "trace",
    "train",
]

#: The module that defines each name.
_HOMES = {
    "Augmentation": "components.augmentations.augmentation",
    "Config": "config.config",
    "ConfigError": "diagnostics.exceptions",
    "DataError": "components.datasets.errors",
    "Dataset": "components.datasets.dataset",
    "Diagnostic": "diagnostics.diagnostic",
    "ExportError": "diagnostics.exceptions",
    "Graph": "graph.graph",
    "ImportedError": "diagnostics.exceptions",
    "InputError": "diagnostics.exceptions",
    "Interrupted": "diagnostics.exceptions",
    "Layer": "components.layers.layer",
    "Loss": "components.losses.loss",
    "NetbuildError": "diagnostics.exceptions",
    "Operation": "components.layers.operation",
    "Optimizer": "components.optimizers.optimizer",
    "Row": "graph.row",
    "Run": "runs.folder",
    "RunNotFoundError": "diagnostics.exceptions",
    "Scheduler": "components.schedulers.scheduler",
    "ShapeError": "components.tensor",
    "TrainingError": "diagnostics.exceptions",
    "UnreadableError": "diagnostics.exceptions",
    "WeightsError": "diagnostics.exceptions",
    "build": "builder.module",
    "export": "exchange.export",
    "from_module": "exchange.importer.imported",
    "load": "config.load",
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
