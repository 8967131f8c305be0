"""What a page shows of the first sample: inputs, filters, feature maps and attention."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netbuild.components.layers.attention import MultiheadAttention
from netbuild.components.layers.dot_product import ScaledDotProductAttention
from netbuild.graph.value import state_key
from netbuild.reports.inspection.look import Pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.training.inspection.samples import Samples

#: The most channels of a feature map that are kept, and the most positions along an axis.
CHANNELS, SIDE = 16, 96
#: The most positions of a sequence whose attention is kept.
LONGEST = 128


class Camera:
    """Keeps arrays while the network computes in evaluation; nothing unless `on`."""

    def __init__(self, graph: Graph, module: nn.Module, on: bool) -> None:  # noqa: FBT001
        self.graph, self.module, self.on = graph, module, on
        self.maps: dict[str, Any] = {}
        self.attention: dict[str, Any] = {}
        self.outputs: Sequence[Tensor] = ()
        self._hooked: list[tuple[str, Any]] = []
        for name, part in module.named_modules() if on else ():
            if isinstance(part, nn.MultiheadAttention):
                part.register_forward_pre_hook(self._attending(name), with_kwargs=True)

    def before(self, row: Row, x: Sequence[Any]) -> None:
        """Keep the attention of an operation without weights, computed again from its inputs."""
        if not self.on or not isinstance(row.layer, ScaledDotProductAttention):
            return
        layer = row.layer
        query, key = x[0][:1].float(), x[1][:1].float()
        mask = x[3] if len(x) > 3 and isinstance(x[3], torch.Tensor) else None
        if layer.enable_gqa:
            key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        scale = layer.scale if layer.scale is not None else 1 / math.sqrt(query.shape[-1])
        scores = query @ key.mT * scale
        if layer.is_causal:
            hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(hidden, -math.inf)
        if mask is not None:
            mask = mask[:1] if mask.ndim == scores.ndim else mask
            own = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else None
            scores = scores + mask if own is None else own
        self._keep(row.path, scores.softmax(-1)[0])

    def after(self, row: Row, y: Tensor) -> None:
        """Keep a result with places: a picture, or a sequence."""
        shape = tuple(y.shape[1:])
        if not self.on or not y.is_floating_point() or not shape or not len(y):
            return
        one = y[0].detach().float()
        if len(shape) == 3 and shape[1] > 1 and shape[2] > 1:
            self.maps[row.path] = _smaller(one[:CHANNELS]).numpy().copy()
        elif len(shape) == 2 and shape[0] > 1 and shape[1] > 1:
            self.maps[row.path] = _smaller(one[None], 2 * SIDE)[0].numpy().copy()

    def pictures(self, given: Samples, classes: tuple[str, ...] | None) -> Pictures | None:
        """Return what was kept."""
        if not self.on:
            return None
        config = self.graph.config
        first = config.loss
        scored = first is not None and first.classifies and len(self.outputs) == 1
        return Pictures(
            {n: _array(x[0]) for n, x in zip(config.inputs, given.x, strict=True)},
            {n: _array(y[0]) for n, y in zip(self.graph.outputs, self.outputs, strict=True)},
            self._filters(),
            self.maps,
            self.attention,
            classes,
            scored,
            {} if given.targets is None else dict(self._targets(given.targets)),
        )

    def _targets(self, targets: Sequence[Tensor]) -> list[tuple[str, Any]]:
        names = list(self.graph.config.targets) or ["target"]
        pairs = zip(names, targets, strict=False)
        return [(name, _array(t[0])) for name, t in pairs if len(t)]

    def _filters(self) -> dict[str, Any]:
        """Return the weights of the convolutions of pictures that read an input of the network."""
        found = {}
        for row in self.graph.rows:
            weight = row.inferred.weights.get("weight", ())
            reads = all(not source.path for source in row.sources)
            if row.layer.slides and reads and len(weight) == 4 and not row.is_transposed:
                key = state_key(row.reuses or row.path, "weight")
                own, _, name = key.rpartition(".")
                found[row.path] = _array(getattr(self.module.get_submodule(own), name)[:64])
        return found

    def _attending(self, name: str) -> Any:
        def hook(layer: Any, args: tuple[Any, ...], given: dict[str, Any]) -> None:
            if layer.training or getattr(layer, "looked_at", False):
                return
            layer.looked_at = True
            try:
                more = {k: v for k, v in given.items() if k not in _OWN}
                _, weights = layer(*args[:3], **more, need_weights=True, average_attn_weights=False)
            finally:
                layer.looked_at = False
            self._keep(name, weights[0])

        return hook

    def _keep(self, path: str, weights: Tensor) -> None:
        """Keep the weights of one sample, (heads, query, key), the first ones of long sequences."""
        heads = weights.detach().reshape(-1, *weights.shape[-2:])
        self.attention[path] = heads[:CHANNELS, :LONGEST, :LONGEST].numpy().copy()


#: Arguments of an attention's `forward` that are about its weights.
_OWN = {"need_weights", "average_attn_weights"}


def attends(row: Row) -> bool:
    """Whether a layer is attention that can show its weights."""
    return isinstance(row.layer, (MultiheadAttention, ScaledDotProductAttention))


def _array(x: Tensor) -> Any:
    return x.detach().cpu().numpy().copy()


def _smaller(x: Tensor, most: int = SIDE) -> Tensor:
    """Return maps, (channels, height, width), as means over squares if they are large."""
    height, width = x.shape[1:]
    if max(height, width) <= most:
        return x
    sizes = (min(height, most), min(width, most))
    factor = most / max(height, width)
    if min(height, width) * factor >= 1:
        sizes = (max(1, round(height * factor)), max(1, round(width * factor)))
    return nn.functional.adaptive_avg_pool2d(x[None], sizes)[0]
