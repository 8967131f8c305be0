"""Python source of a network as a file, and the network that the file defines."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netbuild.checks.trace import trace
from netbuild.diagnostics.exceptions import ExportError
from netbuild.exchange.source.writer import python_source
from netbuild.training.prediction.network import bare, network

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netbuild.config.config import Config
    from netbuild.exchange.comparing import Loaded
    from netbuild.exchange.program import Program
    from netbuild.graph.graph import Graph


def write(graph: Graph, path: Path, *, train: bool) -> None:
    """Write the source of a network, without its weights.

    Raises:
        ExportError: Python source cannot hold a layer, or the training.
    """
    path.write_text(python_source(graph, train=train), "utf-8")


def with_data(place: Path | Config, weights: str | Path | None) -> Graph:
    """Return the network of a run or of a config, with the data on which it trains.

    Raises:
        ConfigError: the config has faults.
        TrainingError: the folder is no run.
    """
    config, _ = bare(place) or network(place, weights)
    return trace(config)


def load(path: Path, program: Program) -> Loaded:
    """Import a file in a namespace of its own, and give its network the weights of the program.

    Raises:
        ExportError: the names or the shapes of `state_dict()` differ, or what learns differs.
    """
    module = _network(path)
    _expect_same(module, program.module)
    module.load_state_dict(program.module.state_dict())
    module.eval()

    def outputs(x: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        with torch.no_grad():
            y = module(*x)
        return (y,) if isinstance(y, torch.Tensor) else tuple(y)

    return outputs


def _network(path: Path) -> nn.Module:
    """Make the network of a file: an object of its last class.

    Raises:
        ExportError: the file raises an exception.
    """
    text = path.read_text("utf-8")
    names = [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    namespace: dict[str, Any] = {"__name__": "exported"}
    try:
        exec(compile(text, str(path), "exec"), namespace)  # noqa: S102  the file was just written
        made: nn.Module = namespace[names[-1]]()
    except (RuntimeError, ValueError, TypeError, AttributeError, NameError, KeyError) as error:
        raise ExportError(f"the Python source does not run: {error}") from error
    return made


def _expect_same(made: nn.Module, wanted: nn.Module) -> None:
    """Refuse a network with other names, shapes, types or frozen weights.

    Raises:
        ExportError: names the first tensor that differs.
    """
    there, here = _described(made), _described(wanted)
    other = next(iter(sorted(there.keys() ^ here.keys())), None)
    if other is not None:
        raise ExportError(f"state_dict() of the Python source differs from the network in {other}")
    for name, described in here.items():
        if there[name] != described:
            raise ExportError(f"{name} of the Python source differs from the network")


def _described(module: nn.Module) -> dict[str, tuple[Any, ...]]:
    learns = {name: p.requires_grad for name, p in module.named_parameters()}
    state = module.state_dict()
    return {name: (x.shape, x.dtype, learns.get(name)) for name, x in state.items()}
