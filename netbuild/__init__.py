"""Neural networks as YAML files: checked without torch, built as plain torch.

The public surface: `load` and `trace` a config, `build` its module, `train` it. Each is imported
when it is first used, and torch only by those that need it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netbuild.builder import build
    from netbuild.config import Config, load
    from netbuild.diagnostic import ConfigError, Diagnostic
    from netbuild.graph import Graph, Row
    from netbuild.tracer import trace
    from netbuild.training import Run, train

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
    "Config": "config",
    "ConfigError": "diagnostic",
    "Diagnostic": "diagnostic",
    "Graph": "graph",
    "Row": "graph",
    "Run": "training",
    "build": "builder",
    "load": "config",
    "trace": "tracer",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
