"""Checkpoints that are complete or absent, whenever the process or the machine stops.

A checkpoint is a folder of two files: the weights as a plain `state_dict()`, and the rest of the
state with which a training continues as if it had not stopped. If no process has all weights, a
folder with the part of each process replaces the first file. `netbuild.runs.checkpoint_folder`
names the files, and keeps one complete checkpoint at all times.
"""

from __future__ import annotations

import errno
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from netbuild.components.tensor import times
from netbuild.diagnostics.exceptions import RunNotFoundError, TrainingError, WeightsError
from netbuild.diagnostics.wording import reason
from netbuild.runs.checkpoint_folder import (
    PARTS,
    STATE,
    WEIGHTS,
    new_folder,
    read_state,
    recover,
    replace,
    whole,
)
from netbuild.runs.weights import each_tensor, read_shapes, read_tensors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from torch import nn

#: The names of types in safetensors. Networks are trained in float32; the others are of buffers.
_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def save(place: Path, weights: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
    """Write a checkpoint. After a kill at any moment, either this or the former one is complete.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    new = begin(place)
    with _writing(new):
        save_file(_apart(weights), new / WEIGHTS)
    finish(place, state)


def _apart(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return tensors that share no memory: safetensors refuses others. A tie has two names."""
    found, taken = {}, set[int]()
    for name, tensor in weights.items():
        own = tensor.contiguous()
        place = own.untyped_storage().data_ptr()
        found[name] = own.clone() if own.numel() and place in taken else own
        taken.add(place)
    return found


def save_each(
    place: Path,
    described: dict[str, torch.Tensor],
    weights: Iterable[torch.Tensor],
    state: dict[str, Any],
) -> None:
    """Write a checkpoint whose weights come one after the other, in the `order` of their names.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    new = begin(place)
    with (new / WEIGHTS).open("wb") as file:
        file.write(_header(described))
        for tensor in weights:
            file.write(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    finish(place, state)


def order(described: dict[str, torch.Tensor]) -> list[str]:
    """Return the names of tensors in the order of a safetensors file: larger types come first."""
    return sorted(described, key=lambda name: (-described[name].element_size(), name))


def _header(described: dict[str, torch.Tensor]) -> bytes:
    """Return the begin of a safetensors file, before the values.

    https://github.com/huggingface/safetensors#format
    """
    header, end = {}, 0
    for name in order(described):
        tensor = described[name]
        start, end = end, end + tensor.numel() * tensor.element_size()
        dtype, shape = _DTYPES[tensor.dtype], list(tensor.shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def begin(place: Path) -> Path:
    """Make the folder in which a new checkpoint is written, and return it."""
    recover(place)
    new = new_folder(place)
    new.mkdir(parents=True)
    return new


def parts_of_new(place: Path) -> Path:
    """Return the folder into which each process writes its part of a new checkpoint."""
    return new_folder(place) / PARTS


def finish(place: Path, state: dict[str, Any]) -> None:
    """Write the state next to the weights, and move the new checkpoint to its place.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    new = new_folder(place)
    with _writing(new):
        torch.save(state, new / STATE)
    replace(place)


def load(place: Path, module: nn.Module, *, divided: bool = False) -> dict[str, Any]:
    """Load a checkpoint's weights into a module, and return the rest of its state.

    Raises:
        RunNotFoundError: there is no checkpoint.
        TrainingError: the checkpoint is damaged, or belongs to another network.
    """
    found = Saved(place)
    check_names(place, found.described(), module.state_dict())
    found.load_into(module, divided=divided)
    return found.state()


class Saved:
    """A checkpoint on the disk.

    Raises:
        RunNotFoundError: there is no checkpoint.
    """

    def __init__(self, place: Path) -> None:
        found = whole(place)
        if found is None:
            message = f"{place} does not exist: no checkpoint was saved there"
            raise RunNotFoundError(message)
        self.place, self.folder = place, found

    @property
    def parts(self) -> Path | None:
        """The folder with the parts of the weights and of the optimizer's state, or None."""
        parts = self.folder / PARTS
        return parts if parts.is_dir() else None

    def load_into(self, module: nn.Module, *, divided: bool) -> None:
        """Load the weights into a network, or the part of them that a divided network holds.

        Raises:
            TrainingError: the checkpoint is damaged.
        """
        if not divided:
            module.load_state_dict(self.weights())
            return
        from netbuild.training.parallel import units

        units.fill(module, self.each())

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the plain `state_dict()` of the network.

        Raises:
            TrainingError: the checkpoint is damaged.
        """
        with _reading(self.place):
            if self.parts is None:
                return read_tensors(self.folder / WEIGHTS)
            from netbuild.training.parallel import shards

            return shards.weights(self.parts)

    def each(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield the names and tensors of `weights`, one after the other.

        Raises:
            TrainingError: the checkpoint is damaged.
        """
        with _reading(self.place):
            if self.parts is None:
                yield from each_tensor(self.folder / WEIGHTS, self.described())
                return
            from netbuild.training.parallel import shards

            yield from shards.each(self.parts)

    def described(self) -> dict[str, torch.Tensor]:
        """Return the shapes of the weights: the `state_dict()` on the meta device.

        Raises:
            TrainingError: the checkpoint is damaged.
        """
        with _reading(self.place):
            if self.parts is None:
                shapes = read_shapes(self.folder / WEIGHTS)
                return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
            from netbuild.training.parallel import shards

            return shards.described(self.parts)

    def state(self) -> dict[str, Any]:
        """Return the state of the training, without the weights.

        Raises:
            TrainingError: the checkpoint is damaged.
        """
        with _reading(self.place):
            read_state(self.folder / STATE)
            state: dict[str, Any] = torch.load(
                self.folder / STATE, weights_only=True, map_location="cpu"
            )
            return state


@contextmanager
def _writing(new: Path) -> Iterator[None]:
    """Turn the exceptions of a failed write into an `OSError`."""
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        raise OSError(errno.EIO, " ".join(str(error).split())[:200], str(new)) from error


@contextmanager
def _reading(place: Path) -> Iterator[None]:
    """Turn every exception into a `TrainingError`: a damaged file may raise any exception."""
    try:
        yield
    except (WeightsError, OSError) as error:
        why = reason(error).removeprefix("it is damaged: ")
        raise TrainingError(f"the checkpoint {place} is damaged: {why}") from error
    except Exception as error:
        message = f"the checkpoint {place} is damaged ({type(error).__name__})"
        raise TrainingError(message) from error


def check_names(
    place: Path, weights: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]
) -> None:
    """Check that weights have the names and shapes of a network.

    Raises:
        TrainingError: the message names the first tensor that is absent or has another shape.
    """
    for name in [*wanted, *weights]:
        there, here = (_shape(tensors.get(name)) for tensors in (weights, wanted))
        if there != here:
            message = (
                f"the checkpoint {place} belongs to another network: {name} is {there}, not {here}"
            )
            raise TrainingError(message)


def _shape(tensor: torch.Tensor | None) -> str:
    return "absent" if tensor is None else times(tuple(tensor.shape))
