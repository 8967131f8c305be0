"""What a network, or a part of it, makes of noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from netbuild.builder import operations
from netbuild.checks.trace import trace
from netbuild.components.layers.operation import Operation
from netbuild.diagnostics.exceptions import TrainingError
from netbuild.training.errors import refused
from netbuild.training.prediction.excerpt import excerpt
from netbuild.training.prediction.network import network
from netbuild.training.prediction.trained import fastest, learned_module

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from torch import nn

    from netbuild.graph.row import Row
    from netbuild.runs.folder import Run
    from netbuild.training.prediction.excerpt import Excerpt
    from netbuild.training.prediction.inputs import Array


def sample(
    folder: str | Path,
    count: int,
    *,
    stack: str = "",
    seed: int = 0,
    checkpoint: str = "best",
    weights: str | Path | None = None,
) -> dict[str, Array]:
    """Return what a run's network makes of noise: its results by name, each (count, *shape).

    The noise is normally distributed, with mean 0 and deviation 1. `stack` is the path of the stack
    or of the layer that reads it, `decoder` for example; without it, the whole network reads it. A
    part with one result calls it `output`, or by its name in the file. The same `seed` gives the
    same noise. A file of `weights` replaces those of the checkpoint. `folder` may then be a config.

    >>> sample("runs/vae", 64, stack="decoder")["output"].shape  # doctest: +SKIP
    (64, 1, 8, 8)

    Raises:
        ConfigError: the config has faults, or the file of weights has other tensors.
        TrainingError: the folder is not a run, or noise cannot be the input of the part.
    """
    config, run = network(Path(folder), weights)
    part = excerpt(trace(config._replace(data=None)), stack)
    return results(part, run, None if weights else checkpoint, count, seed)


def results(
    part: Excerpt, run: Run, checkpoint: str | None, count: int, seed: int
) -> dict[str, Array]:
    """Return the results of a part for noise, by name; without a checkpoint, of its first weights.

    Raises:
        TrainingError: torch refuses the noise, or a result is not finite.
    """
    config = part.graph.config
    device = fastest(config.train.device)
    with torch.random.fork_rng(), torch.inference_mode():
        module, _ = learned_module(part.graph, device, run, checkpoint)
        forward = _forward(part, module)
        torch.manual_seed(seed)
        with refused("the noise"):
            noise = torch.randn(count, *part.input.shape)
            size = config.train.batch_size
            parts = [forward(noise[n : n + size].to(device)) for n in range(0, count, size)]
    made: dict[str, Array] = {}
    for name in part.outputs:
        y = torch.cat([one[name] for one in parts])
        if y.is_floating_point() and not y.isfinite().all():
            raise TrainingError(f"the output of {part} is not finite")
        made[name] = (y.float() if y.is_floating_point() else y).numpy()
    return made


def _forward(part: Excerpt, module: nn.Module) -> Callable[[torch.Tensor], dict[str, torch.Tensor]]:
    """Return a function from a batch to the results of a part, on the CPU."""

    def computed(x: torch.Tensor) -> dict[str, torch.Tensor]:
        if part.row is not None:
            found = operations.results(part.row, _layer(part.row, part.module, module), [x])
        else:
            y = module.get_submodule(part.module)(x)
            given = [y] if isinstance(y, torch.Tensor) else y
            found = dict(zip(part.outputs, given, strict=True))
        # A result that all samples share has a batch axis of 1.
        return {name: y.expand(len(x), *y.shape[1:]).cpu() for name, y in found.items()}

    return computed


def _layer(row: Row, path: str, module: nn.Module) -> Callable[..., Any]:
    """Return the `forward` of a layer of a built network."""
    if isinstance(row.layer, Operation):
        return operations.forward(
            row.layer, row.arguments, lambda function, *x, **more: function(*x, **more)
        )
    return module.get_submodule(path)
