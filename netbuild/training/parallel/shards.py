"""Checkpoints in parts: each process writes its part of the weights.

torch.distributed.checkpoint writes the parts. Any number of processes can read them:
https://docs.pytorch.org/docs/stable/distributed.checkpoint.html
"""

from __future__ import annotations

import contextlib
import errno
import warnings
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

from netbuild.diagnostics.exceptions import TrainingError, WeightsError
from netbuild.training.errors import refused
from netbuild.training.parallel.checked_parts import Planner, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import nn

#: The prefix of the names of the network's weights.
_NETWORK = "weights.network."
#: The prefix of the names of what the optimizer remembers of weights, such as a momentum.
_REMEMBERED = "optimizer.state."


def save(
    folder: Path, learning: nn.ModuleDict, optimizers: Sequence[torch.optim.Optimizer]
) -> None:
    """Write weights and the optimizers' state into a folder that all processes can reach.

    Raises:
        OSError: a process could not write its part.
        TrainingError: a process has ended.
    """
    with _reported(folder):
        remembers = any(optimizer.state for optimizer in optimizers)
        state = _state(learning, optimizers, remembers=remembers)
        state_dict_saver.save(state, checkpoint_id=folder)


def load(
    folder: Path, learning: nn.ModuleDict, optimizers: Sequence[torch.optim.Optimizer]
) -> None:
    """Load weights and the optimizers' state. Without an optimizer, load only the weights.

    The number of processes may differ from the number that saved.

    Raises:
        TrainingError: a part is damaged, or a process has ended.
    """
    with _reported(folder):
        names = Reader(folder).read_metadata().state_dict_metadata
        remembers = any(name.startswith(_REMEMBERED) for name in names)
        state = _state(learning, optimizers, remembers=remembers)
        state_dict_loader.load(state, storage_reader=Reader(folder), planner=Planner())
        set_state_dict(
            learning,
            optimizers if remembers else (),
            model_state_dict=state["weights"],
            optim_state_dict=state["optimizer"] if remembers else {},
        )
    if not remembers:
        groups = iter(state["optimizer"].get("param_groups", []))
        for optimizer in optimizers:
            set_options(optimizer, list(islice(groups, len(optimizer.param_groups))))


def described(folder: Path) -> dict[str, torch.Tensor]:
    """Return the network's weights by their names, on the meta device.

    Raises:
        OSError: the description of the parts cannot be read.
        WeightsError: it is damaged.
    """
    found = Reader(folder).read_metadata().state_dict_metadata
    return {
        name.removeprefix(_NETWORK): torch.empty(
            tensor.size, dtype=tensor.properties.dtype, device="meta"
        )
        for name, tensor in found.items()
        if name.startswith(_NETWORK) and isinstance(tensor, TensorStorageMetadata)
    }


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return the network's whole weights, in one process."""
    return _read(folder, described(folder))


def each(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the network's whole weights, one after the other, in any process."""
    for name, tensor in described(folder).items():
        yield from _read(folder, {name: tensor}).items()


def _read(folder: Path, wanted: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    found = {_NETWORK + name: torch.empty_like(w, device="cpu") for name, w in wanted.items()}
    with _reported(folder):
        state_dict_loader.load(
            found, storage_reader=Reader(folder), planner=Planner(), no_dist=True
        )
    return {name.removeprefix(_NETWORK): tensor for name, tensor in found.items()}


def set_options(optimizer: torch.optim.Optimizer, groups: list[dict[str, Any]]) -> None:
    """Set the options of each group of an optimizer that remembers nothing of its weights yet.

    torch does not load such a state.
    """
    for group, kept in zip(optimizer.param_groups, groups, strict=True):
        group.update({name: option for name, option in kept.items() if name != "params"})


def _state(
    learning: nn.ModuleDict, optimizers: Sequence[torch.optim.Optimizer], *, remembers: bool
) -> dict[str, Any]:
    """Return the parts of the weights, and of what the optimizers remember of them.

    If an optimizer remembers nothing, torch takes a step with gradients of zero. The optimizer
    then counts that step: the next steps of Adam would differ. torch takes none if there is a
    gradient.
    """
    with contextlib.ExitStack() as stack:
        for optimizer in optimizers if not remembers else ():
            stack.enter_context(_gradient(optimizer))
        of_weights, of_optimizer = get_state_dict(learning, optimizers)
    return {"weights": of_weights, "optimizer": of_optimizer}


@contextlib.contextmanager
def _gradient(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Give one weight a gradient in the meantime, if it has none."""
    first = optimizer.param_groups[0]["params"][0]
    before = first.grad
    first.grad = torch.zeros_like(first) if before is None else before
    try:
        yield
    finally:
        first.grad = before


@contextlib.contextmanager
def _reported(folder: Path) -> Iterator[None]:
    """Turn the exceptions of all processes into one sentence.

    Raises:
        OSError: a process could not read or write.
        TrainingError: the checkpoint is damaged.
    """
    try:
        with refused("the checkpoint"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled")  # on purpose
            yield
    except CheckpointException as error:
        first: Any = next(iter(error.failures.values()))[0]
        if isinstance(first, OSError):
            raise OSError(first.errno or errno.EIO, str(first), str(folder)) from error
        why = f": {first}" if isinstance(first, WeightsError) else f" ({type(first).__name__})"
        message = f"the checkpoint {folder} is damaged{why}"
        raise TrainingError(message) from error
