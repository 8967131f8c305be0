"""The network that is exported: in evaluation, with the parts that are included around it."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from netbuild.checks import objective
from netbuild.checks.trace import trace
from netbuild.components.losses.classes import (
    AdaptiveLogSoftmaxWithLoss,
    LinearCrossEntropyLoss,
)
from netbuild.components.tensor import product
from netbuild.config.config import Config
from netbuild.config.normalize import measures
from netbuild.config.resolution import resolved
from netbuild.diagnostics.exceptions import ExportError
from netbuild.exchange.noise import WithNoise, noise_inputs
from netbuild.runs.folder import folder_of
from netbuild.training.data.scaling import normalised, scales_of_outputs
from netbuild.training.prediction.network import bare, network
from netbuild.training.prediction.trained import learned_module
from netbuild.training.step.criterion import Criterion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netbuild.components.tensor import Tensor
    from netbuild.exchange.noise import Noise
    from netbuild.graph.graph import Graph
    from netbuild.runs.folder import Run
    from netbuild.training.data.batches import Transform
    from netbuild.training.data.scaling import Scale

#: The parts of a prediction that may stand around the network in a file.
PARTS = ("normalize", "softmax")
_CPU = torch.device("cpu")


class Program(NamedTuple):
    """A network in evaluation, on the CPU.

    `about` are the texts that the file keeps about it. `included` are the parts around the network
    that the module has, of `PARTS`. `noise` is what it takes as further inputs in place of drawing
    it, by their names.
    """

    graph: Graph
    module: nn.Module
    included: tuple[str, ...]
    about: dict[str, str]
    noise: Mapping[str, Noise] = MappingProxyType({})

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The inputs of the network by name."""
        return {name: x for name, x in self.graph.config.inputs.items() if x is not None}

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs in the file. An output with the name of an input is marked.

        ONNX allows each name once.
        """
        return tuple(n if n not in self.inputs else f"{n}_output" for n in self.graph.outputs)

    @property
    def given(self) -> tuple[str, ...]:
        """The names of all inputs of the file: those of the network, and its noise."""
        return (*self.inputs, *self.noise)

    @property
    def draws(self) -> str | None:
        """The path of a layer that draws random numbers in evaluation; None without."""
        if self.noise:
            return None
        drawing = (r for r in self.graph.rows if r.is_built and r.layer.draws)
        return next((row.path for row in drawing if not row.layer.switches), None)

    def bare(self) -> Program:
        """Return the network without the parts around it."""
        around = self.module.network if self.noise else self.module
        assert isinstance(around, Around)
        bare = self._replace(module=around.network.eval(), included=(), noise={})
        return with_noise(bare) if self.noise else bare

    def axes(self, batch: Any) -> Any:
        """Return a mark for axis 0 of each input, as `torch.export` wants them of the module."""
        each = tuple({0: batch} for _ in self.inputs)
        if self.noise:
            return {"given": each} | {name: {0: batch} for name in self.noise}
        return (each,) if isinstance(self.module, Around) else each  # its `forward` takes `*x`

    def arguments(
        self, x: Sequence[torch.Tensor]
    ) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
        """Return a batch as the arguments of the module: inputs by position, and noise by name."""
        count = len(self.inputs)
        return tuple(x[:count]), dict(zip(self.noise, x[count:], strict=True))

    def __call__(self, x: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Return the outputs of a batch."""
        with torch.no_grad():
            inputs, noise = self.arguments(x)
            y = self.module(*inputs, **noise)
        return (y,) if isinstance(y, torch.Tensor) else tuple(y)


def program(
    place: str | Path | Run | Config,
    checkpoint: str = "best",
    *,
    weights: str | Path | None = None,
    include: Sequence[str] = (),
    noise: bool = False,
) -> Program:
    """Return the network of a run, or of a config with a file of weights.

    A config without a file of weights has torch's first weights, or those of its `pretrained`. With
    `noise`, it takes what it would draw as further inputs.

    Raises:
        ConfigError: the config has faults, or the weights do not fit it.
        ExportError: a part cannot be included, or the noise cannot be an input.
        TrainingError: the folder is no run, or it has no such checkpoint.
    """
    place = place if isinstance(place, Config) else folder_of(place)
    given = bare(place) if weights is None else None
    config, run = given or network(place, weights)
    graph = trace(config._replace(data=None))
    stored = None if given or weights else checkpoint
    torch.manual_seed(config.train.seed)
    module, learned = learned_module(graph, _CPU, run, stored)
    if include:
        module = Around(module, config, graph, include, learned)
    made = Program(graph, module.eval(), tuple(include), _about(config, run, include))
    return with_noise(made) if noise else made


def with_noise(made: Program) -> Program:
    """Return a network that takes what it would draw as further inputs.

    Raises:
        ExportError: it draws nothing, or something that cannot be an input.
    """
    noise = noise_inputs(made.graph, {*made.inputs, *made.outputs})
    told = {name: {"shape": one.shape, "values": one.values} for name, one in noise.items()}
    about = made.about | {"noise": json.dumps(told)}
    return made._replace(module=WithNoise(made.module, noise).eval(), about=about, noise=noise)


def _about(config: Config, run: Run, include: Sequence[str]) -> dict[str, str]:
    """Return what a file tells of its network. It has no path of this machine."""
    text = resolved(config)
    about = {
        "netbuild": version("netbuild"),
        "config": text,
        "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "included": ",".join(include),
    }
    if run.classes:
        about["classes"] = json.dumps(run.classes, ensure_ascii=False)
    if run.kept:
        about["data"] = json.dumps(run.kept, ensure_ascii=False)
    return about


class Around(nn.Module):
    """A network with the normalisation around it, and the probabilities of its classes behind it.

    With `normalize`, it takes samples as the data source gives them, and outputs that predict a
    normalised target are in the target's unit. With `softmax`, the first output that the first loss
    reads becomes probabilities, (batch, classes, *places).

    Raises:
        ExportError: the config has no such part.
    """

    def __init__(
        self,
        inner: nn.Module,
        config: Config,
        graph: Graph,
        include: Sequence[str],
        learned: tuple[dict[str, Any], Path] | None,
    ) -> None:
        super().__init__()
        self.network = inner
        self.names = tuple(graph.outputs)
        self.prepare: Transform | None = None
        self.units: dict[str, Scale] = {}
        self.criterion: Criterion | None = None
        if "normalize" in include:
            given = config.preparation.normalize
            if given is False or measures(given):
                missing = "measures its numbers in a training" if given else "is not in the config"
                raise ExportError(f"normalize {missing}, and cannot be included")
            self.prepare = normalised(None, config, graph.outputs)[1]
            self.units = scales_of_outputs(config, graph.outputs)
        if "softmax" in include:
            self.criterion = self._scoring(config, graph, learned)

    @staticmethod
    def _scoring(
        config: Config, graph: Graph, learned: tuple[dict[str, Any], Path] | None
    ) -> Criterion:
        loss = config.loss
        told = objective.of_first(config, graph.outputs)
        one = loss is not None and loss.binary and product(told.tensor.shape) == 1
        if loss is None or not (loss.classifies or one):
            message = "the loss does not compare with classes, so softmax cannot be included"
            raise ExportError(message)
        if isinstance(loss, (AdaptiveLogSoftmaxWithLoss, LinearCrossEntropyLoss)):
            name = type(loss).__name__
            message = f"{name} has weights of its own, so softmax cannot be included"
            raise ExportError(message)
        criterion = Criterion(graph, _CPU)
        if learned:
            criterion.load(*learned)
        return criterion

    def forward(self, *x: torch.Tensor) -> Any:
        """Return the outputs for inputs as the data source gives them."""
        x = self.prepare((x, ()))[0] if self.prepare else x
        y = self.network(*x)
        outputs = [y] if isinstance(y, torch.Tensor) else list(y)
        named = zip(self.names, outputs, strict=True)
        outputs = [self.units[n].back(y).float() if n in self.units else y for n, y in named]
        if self.criterion is not None:
            first = self.criterion.first
            at = first.reads[0]
            outputs[at] = first.scores(outputs[at]).softmax(1)
        return outputs[0] if isinstance(y, torch.Tensor) else tuple(outputs)
