"""Layers as parts of others: the source of an input, and a module as an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from netbuild.components.tensor import Shape


class Origin(NamedTuple):
    """The layer that computed an input, and the shapes of that layer's own inputs."""

    layer: Any  # a Layer, whose module imports this one
    shapes: tuple[Shape, ...]


class Made(NamedTuple):
    """A module as an argument of a constructor: its layer, and its own arguments."""

    layer: Any  # a Layer, whose module imports this one
    arguments: dict[str, Any]
