"""Noise as an input: the numbers that a network draws in evaluation come from outside."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from netbuild.components.tensor import Tensor
from netbuild.diagnostics.exceptions import ExportError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from netbuild.components.tensor import Shape
    from netbuild.graph.graph import Graph

#: The functions of torch that draw, and the values that they give.
_FUNCTIONS = {"randn_like": "normal", "rand_like": "uniform"}
#: The functions that draw such values.
_DRAWING: dict[str, Callable[..., torch.Tensor]] = {"normal": torch.randn, "uniform": torch.rand}


class Noise(NamedTuple):
    """The noise of a layer: `normal` with mean 0 and variance 1, or `uniform` from 0 to 1.

    The shape has no batch axis.
    """

    path: str
    shape: Shape
    values: str

    @property
    def tensor(self) -> Tensor:
        """The shape and the type."""
        return Tensor(self.shape)

    def drawn(self, size: int, generator: torch.Generator | None = None) -> torch.Tensor:
        """Draw it for a batch of this size."""
        return _DRAWING[self.values]((size, *self.shape), generator=generator)


def noise_inputs(graph: Graph, taken: Collection[str]) -> dict[str, Noise]:
    """Return the noise that a network draws in evaluation, by the names of the inputs for it.

    A name is the path of the layer, with `_` for each dot. `taken` are other names in the file.

    Raises:
        ExportError: a layer draws something else, or the network draws nothing.
    """
    found: dict[str, Noise] = {}
    for row in graph.rows:
        if not row.is_built or row.layer.switches or not row.layer.draws:
            continue
        values = _FUNCTIONS.get(getattr(row.layer, "function", ""))
        if values is None or row.shared:
            message = f"{row.path} draws random numbers that cannot be an input"
            raise ExportError(f"{row.span.document.name}:{row.span.line}: {message}")
        name = row.path.replace(".", "_")
        while name in {*taken, *found, "given"}:
            name += "_noise"
        found[name] = Noise(row.path, row.output.shape, values)
    if not found:
        raise ExportError("the network draws no noise, so none can be an input")
    return found


class WithNoise(nn.Module):
    """A network that takes its noise by name, behind its inputs.

    Each call of a function that draws takes the next of these tensors: they have the order of the
    layers, which is the order of the calls.
    """

    def __init__(self, network: nn.Module, names: Iterable[str]) -> None:
        super().__init__()
        self.network = network
        self.names = tuple(names)
        self.forward = self._forward()

    def _forward(self) -> Callable[..., Any]:
        """Return `forward` with an argument for each noise: torch.export reads its signature."""

        def forward(*given: torch.Tensor, **drawn: torch.Tensor) -> Any:
            with _Given([drawn[name] for name in self.names]):
                return self.network(*given)

        inputs = Parameter("given", Parameter.VAR_POSITIONAL)
        noise = [Parameter(name, Parameter.KEYWORD_ONLY) for name in self.names]
        forward.__signature__ = Signature([inputs, *noise])  # type: ignore[attr-defined]
        return forward


class _Given(TorchFunctionMode):
    """Gives tensors in place of those that functions would draw."""

    def __init__(self, noise: Sequence[torch.Tensor]) -> None:
        super().__init__()
        self.left = iter(noise)

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Return the next tensor for a function that draws."""
        if function in {torch.randn_like, torch.rand_like}:
            return next(self.left)
        return function(*args, **(kwargs or {}))
