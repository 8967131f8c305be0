"""Layers that are frozen at first, and learn from a given epoch on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from netbuild.builder import modules
from netbuild.builder.module import has_no_module
from netbuild.graph.value import state_key

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row


class Unfreezing:
    """The layers of a network that learn later.

    Their weights belong to their optimizer from the start: torch's optimizers skip a weight without
    a gradient, and keep nothing for it. So the epoch alone decides, also when a run is resumed.
    """

    def __init__(self, module: nn.Module, graph: Graph) -> None:
        self.module = module
        self.rows = [row for row in graph.rows if row.unfreezes and not row.reuses]
        self.learned = {id(p) for p in module.parameters() if p.requires_grad}
        #: The classes and the dropouts of modules that evaluation mode alone does not still.
        self.own = {row.path: _own(self._part(row)) for row in self.rows if not has_no_module(row)}

    def _part(self, row: Row) -> nn.Module:
        return self.module.get_submodule(row.path)

    def begin(self, epoch: int) -> None:
        """Freeze the layers that do not learn yet. The network is in training mode before.

        Args:
            epoch: the epoch that begins, counted from 1.
        """
        for row in self.rows:
            learns = row.unfreezes is None or epoch >= row.unfreezes
            for name in row.parameters:
                parameter = self.module.get_parameter(state_key(row.path, name))
                parameter.requires_grad_(learns and id(parameter) in self.learned)
            if row.path in self.own:
                part = self._part(row)
                _restore(self.own[row.path])
                if not learns:
                    _still(part)


def _own(part: nn.Module) -> list[tuple[nn.Module, type[Any], float | None]]:
    """Return the recurrent layers and the tables of a layer, with what freezing changes."""
    return [
        (inside, type(inside), getattr(inside, "dropout", None))
        for inside in part.modules()
        if isinstance(inside, nn.RNNBase | nn.Embedding | nn.EmbeddingBag)
    ]


def _restore(own: list[tuple[nn.Module, type[Any], float | None]]) -> None:
    for inside, kind, dropout in own:
        inside.__class__ = kind
        if isinstance(inside, nn.RNNBase):
            inside.dropout = dropout or 0.0


def _still(part: nn.Module) -> None:
    """Let a layer compute as in evaluation.

    A recurrent layer keeps its mode, because cuDNN goes backward in training mode only, and drops
    nothing. A table with `max_norm` shortens rows as they are read, and not in the table.
    """
    part.eval()
    for inside in part.modules():
        if isinstance(inside, nn.RNNBase):
            inside.train()
            inside.dropout = 0.0
        elif isinstance(inside, nn.Embedding | nn.EmbeddingBag) and inside.max_norm is not None:
            inside.__class__ = getattr(modules, f"Frozen{type(inside).__name__}")
