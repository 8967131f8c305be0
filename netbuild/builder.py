"""From a traced config to plain torch: `nn.Sequential` over an `OrderedDict`, nested as the file.

Nothing of netbuild is in what it returns: the names in the file are the names in `state_dict()`.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netbuild.config import Config, load
from netbuild.tracer import trace

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.graph import Graph, Row

_Tree = dict[str, Any]  # a Row, or a tree again


def build(path_or_config: str | Path | Config) -> nn.Module:
    """Build the network of a config file, with torch's own initial weights.

    Its modules are made on torch's default device: within `torch.device("meta")` they take no
    memory.

    Raises:
        ConfigError: the config has faults.
        OSError: the file cannot be read.
    """
    config = path_or_config if isinstance(path_or_config, Config) else load(path_or_config)
    return module(trace(config))


def module(graph: Graph) -> nn.Sequential:
    """Build the module of a graph without faults, row by row as `summary` prints it."""
    tree: _Tree = {}
    for row in graph.rows:
        *stacks, name = row.path.split(".")
        place = tree
        for stack in stacks:
            place = place.setdefault(stack, {})
        place[name] = row
    return _sequential(tree)


def _sequential(tree: _Tree) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            (name, _sequential(part) if isinstance(part, dict) else _layer(part))
            for name, part in tree.items()
        )
    )


def _layer(row: Row) -> nn.Module:
    layer: nn.Module = getattr(torch.nn, row.type)(**row.arguments)
    return layer
