"""The modifiers of weights: `tie` and `parametrize`, from `docs/language.md`, "Modifiers"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from torch.nn.utils import parametrizations

from tests.whole.refusal import Refusal

if TYPE_CHECKING:
    from torch import nn

    from tests.whole.network import Network


class Tie(NamedTuple):
    """A parameter of a module that is another one of the network, by its name there."""

    path: str
    module: nn.Module
    parameter: str
    target: str


def parametrized(module: nn.Module | None, given: Any) -> None:
    """Compute parameters of a module from other tensors.

    Raises:
        Refusal: there is no such parameter, or no such function.
    """
    if given is None:
        return
    if module is None:
        raise Refusal("parametrize is for modules")
    for parameter, how in (given if isinstance(given, dict) else {"weight": given}).items():
        ((name, arguments),) = (how if isinstance(how, dict) else {how: None}).items()
        if name not in {"spectral_norm", "weight_norm", "orthogonal"}:
            raise Refusal(f"no parametrization is called {name}")
        getattr(parametrizations, name)(module, parameter, **(arguments or {}))


def ties(path: str, module: nn.Module | None, given: Any) -> list[Tie]:
    """Return what a member's `tie` says."""
    if given and module is None:
        raise Refusal("tie is for layers with parameters")
    return [Tie(path, module, *pair) for pair in (given or {}).items() if module is not None]


def tied(network: Network) -> None:
    """Put the parameters of other layers into the layers that are tied to them.

    Raises:
        Refusal: there is no such parameter, it is tied itself, or it has another shape.
    """
    taken = {(id(tie.module), tie.parameter) for tie in network.ties}
    for tie in network.ties:
        owner, _, name = tie.target.rpartition(".")
        try:
            target = network.get_parameter(tie.target)
        except AttributeError as error:
            raise Refusal(str(error), tie.path) from error
        own = tie.module.get_parameter(tie.parameter)
        if (id(network.get_submodule(owner)), name) in taken or own.shape != target.shape:
            raise Refusal("tied to a parameter that is tied, or has another shape", tie.path)
        setattr(tie.module, tie.parameter, target)
