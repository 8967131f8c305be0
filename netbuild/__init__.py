"""Neural networks as YAML files: checked without torch, built as plain torch.

The public surface: `load` and `trace` a config, `build` its module, `train` it. Each is imported
when it is first used, and torch only by those that need it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netbuild.builder.module import build
    from netbuild.checks.trace import trace
    from netbuild.config.config import Config
    from netbuild.config.load import load
    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.diagnostics.exceptions import ConfigError
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.training import Run
    from netbuild.training.session import train

__version__ = "0.1.0"

__all__ = [
    "Config",
    "ConfigError",
    "Diagnostic",
    "Graph",
    "Row",
    "Run",
    "build",
    "load",
    "trace",
    "train",
]

_HOMES = {
    "Config": "config.config",
    "ConfigError": "diagnostics.exceptions",
    "Diagnostic": "diagnostics.diagnostic",
    "Graph": "graph.graph",
    "Row": "graph.row",
    "Run": "training",
    "build": "builder.module",
    "load": "config.load",
    "trace": "checks.trace",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
