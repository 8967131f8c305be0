"""From a module of torch to a network: it runs twice, and its calls become nodes."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netbuild.diagnostics.exceptions import ImportedError
from netbuild.exchange.importer.conversion.converter import network
from netbuild.exchange.importer.conversion.layouts import Gap
from netbuild.exchange.importer.folding.lifting import lifted
from netbuild.exchange.importer.recording.merging import BATCHES, merged
from netbuild.exchange.importer.recording.recording import record
from netbuild.exchange.importer.recording.sampling import batch

if TYPE_CHECKING:
    from netbuild.exchange.importer.network import Network
    from netbuild.exchange.importer.recording.recording import Recording


def read(
    module: nn.Module, inputs: Mapping[str, torch.Tensor] | Sequence[torch.Tensor] | torch.Tensor
) -> Network:
    """Return a module as a network. What a config cannot hold is a node with a `gap`.

    Args:
        module: any module. It stays as it is.
        inputs: a batch of samples for each input of `forward`, by name or in their order.

    Raises:
        ImportedError: the module cannot run on the inputs, or its steps depend on their number.
    """
    given = named(module, inputs)
    mode = {one: one.training for one in module.modules()}
    try:
        module.eval()
        two, three = (_recorded(_copy(module), given, size) for size in BATCHES)
        recorded = merged(two, three, _in_training(module, given))
        return lifted(network(recorded, module), module)
    except Gap as gap:
        raise ImportedError(str(gap)) from gap
    finally:
        for one, training in mode.items():
            one.training = training


def _recorded(module: nn.Module, given: Mapping[str, torch.Tensor], size: int) -> Recording:
    """Return a recording of a batch of random samples.

    Raises:
        ImportedError: the module does not run on them.
    """
    try:
        return record(module, batch(given, size, seed=size))
    except ImportedError:
        raise
    except Exception as error:
        first = str(error).strip().split("\n")[0]
        message = f"the module does not run on the inputs: {type(error).__name__}: {first}"
        raise ImportedError(message) from error


def _in_training(module: nn.Module, given: Mapping[str, torch.Tensor]) -> Recording | None:
    """Return a recording in training mode, if the module takes a batch of two samples there."""
    other = _copy(module)
    if other is module:
        return None
    try:
        return record(other.train(), batch(given, BATCHES[0], seed=BATCHES[0]))
    except Exception:  # noqa: BLE001  training may ask for what is not given, such as targets
        return None


def _copy(module: nn.Module) -> nn.Module:
    """Return a copy: some modules keep tensors of a call for the next one."""
    try:
        return copy.deepcopy(module)
    except Exception:  # noqa: BLE001  a module may refuse to be copied for any reason
        return module


def named(
    module: nn.Module, inputs: Mapping[str, torch.Tensor] | Sequence[torch.Tensor] | torch.Tensor
) -> dict[str, torch.Tensor]:
    """Return inputs by the names of the arguments of `forward`.

    Raises:
        ImportedError: the module is no module, an input is no batch, or `forward` does not take it.
    """
    _expect_module(module)
    known = inspect.signature(module.forward).parameters
    if isinstance(inputs, Mapping):
        _expect_names(list(inputs), known)
        return {name: _batch(name, one) for name, one in inputs.items()}
    if not isinstance(inputs, (torch.Tensor, list, tuple)):
        message = f"the inputs are {_kind(inputs)}: give a tensor, a list of tensors, or a mapping "
        raise ImportedError(f"{message}of names to tensors")
    listed = [inputs] if isinstance(inputs, torch.Tensor) else list(inputs)
    names: list[str] = []
    for one in known.values():
        if one.kind is one.VAR_POSITIONAL:
            names += [f"{one.name}{number}" for number in range(len(listed) - len(names))]
        elif one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}:
            names.append(one.name)
    if len(names) < len(listed):
        message = f"forward takes {len(names)} inputs, and {len(listed)} are given"
        raise ImportedError(message)
    return {name: _batch(name, one) for name, one in zip(names, listed, strict=False)}


def _expect_module(module: Any) -> None:
    """Raise an error unless this is a module of torch. A class is no module."""
    if isinstance(module, type) and issubclass(module, nn.Module):
        name = module.__name__
        message = f"{name} is a class: give an object of the class {name}, such as {name}(…)"
        raise ImportedError(message)
    if not isinstance(module, nn.Module):
        message = f"the module is {_kind(module)}: give an object of the class torch.nn.Module"
        raise ImportedError(message)


def _expect_names(names: list[Any], known: Mapping[str, inspect.Parameter]) -> None:
    """Refuse names that `forward` does not have, unless it takes any number of arguments."""
    if any(one.kind in {one.VAR_POSITIONAL, one.VAR_KEYWORD} for one in known.values()):
        return
    unknown = [str(name) for name in names if name not in known]
    if unknown:
        takes = f"it has {', '.join(known)}" if known else "it has no input"
        raise ImportedError(f"forward has no input {' and no input '.join(unknown)}: {takes}")


def _batch(name: str, given: Any) -> torch.Tensor:
    """Return an input. Raise an error unless it is a batch of samples."""
    if not isinstance(given, torch.Tensor):
        message = f"the input {name} is {_kind(given)}: give an object of the class torch.Tensor"
        raise ImportedError(message)
    if not given.dim():
        raise ImportedError(f"the input {name} is a tensor without axes: axis 0 is the batch")
    if not given.numel():
        raise ImportedError(f"the input {name} is a tensor without values: give samples")
    return given


def _kind(given: Any) -> str:
    """Return what a thing is: `None`, or `of the type int`."""
    return "None" if given is None else f"of the type {type(given).__name__}"
