"""Checkpoints in parts, of which each process writes those that it has.

torch.distributed.checkpoint writes them, and any number of processes reads them, one as well:
https://docs.pytorch.org/docs/stable/distributed.checkpoint.html
"""

from __future__ import annotations

import contextlib
import errno
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

from netbuild.diagnostics.exceptions import TrainingError
from netbuild.training.errors import refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import nn

#: Before the names of the network's own weights.
_NETWORK = "weights.network."


def save(folder: Path, learning: nn.ModuleDict, optimizer: torch.optim.Optimizer) -> None:
    """Write what learns, and what the optimizer keeps of it, into a folder that all processes see.

    Raises:
        OSError: some process could not write its part.
        TrainingError: some process has ended.
    """
    with _told(folder):
        state_dict_saver.save(_state(learning, optimizer), checkpoint_id=folder)


def load(folder: Path, learning: nn.ModuleDict, optimizer: torch.optim.Optimizer | None) -> None:
    """Go back to what was saved, by however many processes; without an optimizer the weights.

    Raises:
        TrainingError: a part is damaged, or some process has ended.
    """
    with _told(folder):
        state = _state(learning, optimizer)
        state_dict_loader.load(state, checkpoint_id=folder)
        set_state_dict(
            learning,
            optimizer or (),
            model_state_dict=state["weights"],
            optim_state_dict=state["optimizer"],
        )


def described(folder: Path) -> dict[str, torch.Tensor]:
    """Return the network's weights without values, by their names.

    Raises:
        OSError: the description of the parts cannot be read.
    """
    found = FileSystemReader(folder).read_metadata().state_dict_metadata
    return {
        name.removeprefix(_NETWORK): torch.empty(
            tensor.size, dtype=tensor.properties.dtype, device="meta"
        )
        for name, tensor in found.items()
        if name.startswith(_NETWORK) and isinstance(tensor, TensorStorageMetadata)
    }


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return the network's whole weights, in one process."""
    wanted = described(folder)
    found = {_NETWORK + name: torch.empty_like(w, device="cpu") for name, w in wanted.items()}
    with _told(folder):
        state_dict_loader.load(found, checkpoint_id=folder, no_dist=True)
    return {name.removeprefix(_NETWORK): tensor for name, tensor in found.items()}


def _state(learning: nn.ModuleDict, optimizer: torch.optim.Optimizer | None) -> dict[str, Any]:
    of_weights, of_optimizer = get_state_dict(learning, optimizer or ())
    return {"weights": of_weights, "optimizer": of_optimizer}


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say in one sentence what failed, in whichever process."""
    try:
        with refused("the checkpoint"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled")  # as it should be
            yield
    except CheckpointException as error:
        first: Any = next(iter(error.failures.values()))[0]
        if isinstance(first, OSError):
            raise OSError(first.errno or errno.EIO, str(first), str(folder)) from error
        message = f"the checkpoint {folder} is damaged ({type(first).__name__})"
        raise TrainingError(message) from error
