"""From a layer of a graph to a module of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from netbuild.builder import modules
from netbuild.builder.arguments import differing
from netbuild.components.layers.made import Made

if TYPE_CHECKING:
    from netbuild.components.layers.layer import Layer


def layer(described: Layer, arguments: dict[str, Any]) -> nn.Module:
    """Make a layer. Arguments that are layers are made first."""
    name = described.built_name()
    kind: type[nn.Module] = getattr(nn, name, None) or getattr(modules, name)
    return kind(
        **{
            field: layer(value.layer, value.arguments) if isinstance(value, Made) else value
            for field, value in differing(kind, described, arguments).items()
        }
    )
