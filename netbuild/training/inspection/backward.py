"""The backward pass of a look: norms of gradients, at the results of layers and of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from netbuild.config.optimizer import has_players
from netbuild.graph.value import state_key
from netbuild.reports.inspection.look import WeightLook
from netbuild.training.parallel.distributed import World
from netbuild.training.step.criterion import Criterion
from netbuild.training.step.nonfinite import tensors
from netbuild.training.step.optimizer import optimizers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.training.inspection.samples import Samples

LOSS, SUM = "the loss", "the sum of the outputs"


class Gradients:
    """The norms of the gradients at the results of layers, by path, in the latest pass."""

    def __init__(self) -> None:
        self.norms: dict[str, float] = {}

    def watch(self, path: str, y: Tensor) -> None:
        """Measure the gradient of a result when a backward pass computes it."""

        def hook(gradient: Tensor) -> None:
            self.norms[path] = _norm(gradient)

        y.register_hook(hook)  # type: ignore[no-untyped-call]


class Backward:
    """Computes gradients of the loss; of the sum of all outputs if targets are missing.

    Optimizers with losses of their own compute one after the other, as in training. A weight has
    the gradient of the optimizer that steps it, and so has the result of its layer. The other
    layers have the gradient of the first optimizer whose losses reach them.
    """

    def __init__(self, graph: Graph, module: nn.Module, given: Samples, learned: Any) -> None:
        config = graph.config._replace(preparation=given.preparation)
        self.graph = graph._replace(config=config)
        self.module, self.given, self.learned = module, given, learned
        self.gradients = Gradients()
        #: What the pass begins with, and its value; None before it.
        self.objective: str | None = None
        self.loss: float | None = None
        self._norms: dict[str, float] = {}
        self._of_weights: dict[str, float] = {}

    def run(self, y: Any) -> None:
        """Compute all gradients, given the outputs of the network in training."""
        criterion = self._criterion()
        own = None
        if criterion is not None:
            self.objective = LOSS
            own = criterion.losses(self.given.x, y, self.given.targets or self.given.x[:1])
            total = criterion.total(own, y)
        else:
            self.objective = SUM
            floating = [one for one in tensors(y) if one.is_floating_point()]
            total = torch.stack([one.sum() for one in floating]).sum()
        self.loss = float(total.detach())
        config = self.graph.config
        if criterion is not None and own is not None and has_players(config.optimizers):
            self._players(criterion, own, y)
            return
        learning = [p for p in self.module.parameters() if p.requires_grad]
        if total.requires_grad:
            self._pass(total, learning, {})

    def norm(self, row: Row) -> float | None:
        """Return the norm of the gradient at the first result of a layer."""
        return self._norms.get(row.path)

    def weights(self, row: Row) -> dict[str, WeightLook]:
        """Return the weights of a layer, with the norms of their gradients."""
        found = {}
        for name in row.parameters:
            key = state_key(row.path, name)
            norm = _norm(self.module.get_parameter(key).detach())
            found[name] = WeightLook(norm, self._of_weights.get(key))
        return found

    def _criterion(self) -> Criterion | None:
        """Return the losses; None if there are none, or if they need targets that are missing."""
        if not self.graph.config.losses:
            return None
        criterion = Criterion(self.graph, torch.device("cpu"), self.given.class_weights)
        if self.given.targets is None and any(part.reads_target for part in criterion.parts):
            return None
        if self.learned:
            criterion.load(*self.learned)
        return criterion

    def _players(self, criterion: Criterion, losses: Sequence[Any], y: Any) -> None:
        config = self.graph.config
        modules = [part.module for part in criterion.parts]
        made = optimizers(self.graph, self.module, modules, World(torch.device("cpu")))
        paths = {id(p): name for name, p in self.module.named_parameters()}
        for one, optimizer in zip(config.optimizers, made, strict=True):
            read = one.losses or criterion.names
            numbers = [n for n, name in enumerate(criterion.names) if name in read]
            total = criterion.of(numbers).total([losses[n] for n in numbers], y)
            weights = [p for group in optimizer.param_groups for p in group["params"]]
            own = {id(p): paths[id(p)] for p in weights if id(p) in paths and p.requires_grad}
            if total.requires_grad and own:
                self._pass(total, [p for p in weights if id(p) in own], own)

    def _pass(self, total: Tensor, weights: Sequence[Any], own: dict[int, str]) -> None:
        """Go backward once, and keep the norms of its gradients."""
        for weight in weights:
            weight.grad = None
        self.gradients.norms = {}
        torch.autograd.backward(total, inputs=list(weights), retain_graph=bool(own))
        layers = {name.rpartition(".")[0] for name in own.values()}
        for path, norm in self.gradients.norms.items():
            if path in layers or path not in self._norms:
                self._norms[path] = norm
        given = {id(p) for p in weights}
        for name, parameter in self.module.named_parameters():
            if id(parameter) in given and parameter.grad is not None:
                self._of_weights[name] = _norm(parameter.grad)


def _norm(x: Tensor) -> float:
    x = x.coalesce().values() if x.is_sparse else x
    return float(x.double().norm()) if not x.is_complex() else float(x.abs().double().norm())
