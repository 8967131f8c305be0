"""Files of weights: the shapes of their tensors, read without torch and compared with a network.

The first bytes tell two formats apart. safetensors has a header in JSON
(https://huggingface.co/docs/safetensors/index#format). `torch.save` writes a `state_dict()` as a
pickle: in a zip archive or, before torch 1.6, in front of the values. The values are not read. No
function that a pickle names is called. A pickle may only hold tensors by name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from netbuild.components.files import opened
from netbuild.diagnostics.exceptions import WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import torch

    from netbuild.components.tensor import Shape

#: The largest size of a list of tensors, in bytes. safetensors has the same limit.
MAX_HEADER = 100_000_000


class Difference(NamedTuple):
    """A tensor that does not fit: its shape in the file and in the network. None means absent."""

    name: str
    file: Shape | None
    network: Shape | None

    @property
    def kind(self) -> str:
        """The kind of the difference, in the words of `load_state_dict`."""
        if self.file is None:
            return "missing"
        return "unexpected" if self.network is None else "other shape"


class Comparison(NamedTuple):
    """The tensors of a file compared with the tensors of a network, by their names."""

    fitting: tuple[str, ...]
    differences: tuple[Difference, ...]
    left_out: tuple[str, ...]


def compare(
    file: Mapping[str, Shape], network: Mapping[str, Shape], leave_out: Iterable[str] = ()
) -> Comparison:
    """Compare names and shapes, except for the tensors of the modules in `leave_out`.

    >>> compare({"fc.weight": (9, 4)}, {"fc.weight": (2, 4)}).differences
    (Difference(name='fc.weight', file=(9, 4), network=(2, 4)),)
    """
    prefixes = tuple(leave_out)
    fitting, differences, left_out = [], [], []
    for name in {**network, **file}:
        there, here = file.get(name), network.get(name)
        if any(is_within(name, prefix) for prefix in prefixes):
            left_out.append(name)
        elif there == here:
            fitting.append(name)
        elif there is not None or not name.endswith(".num_batches_tracked"):
            # Files older than torch 0.4.1 lack these counters. torch then starts them at 0.
            differences.append(Difference(name, there, here))
    return Comparison(tuple(fitting), tuple(differences), tuple(left_out))


def is_within(name: str, prefix: str) -> bool:
    """Whether a tensor belongs to a module or to its submodules: `fc.weight` belongs to `fc`."""
    return name == prefix or name.startswith(f"{prefix.removesuffix('.')}.")


def read_shapes(path: str | Path) -> dict[str, Shape]:
    """Return the shape of each tensor of a file, by its name, in the order of the file.

    Raises:
        WeightsError: the file is damaged, or holds something else.
        OSError: the file cannot be read.
    """
    with opened(path) as file:
        start = file.read(9)
        file.seek(0)
        try:
            if _is_safetensors(start):
                return _safetensors(file)
            if start.startswith(b"PK"):
                return _tensors(_zipped(file))
            if start.startswith(b"\x80"):
                return _tensors(_before_1_6(file))
        except (WeightsError, OSError):
            raise
        except Exception as error:  # a damaged file may raise any exception
            raise WeightsError(f"it is damaged ({type(error).__name__})") from error
    raise WeightsError("it is neither a safetensors file nor a file of torch.save")


def read_tensors(path: str | Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by name. This needs torch.

    The file has to have a format that `read_shapes` accepts.

    Raises:
        OSError: the file cannot be read.
    """
    with opened(path) as file:
        start = file.read(9)
    if _is_safetensors(start):
        from safetensors.torch import load_file

        return load_file(path)
    import torch

    tensors: dict[str, torch.Tensor] = torch.load(path, weights_only=True, map_location="cpu")
    return tensors


def each_tensor(path: str | Path, names: Iterable[str]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield tensors of a file by name, one after the other. This needs torch.

    A safetensors file is opened for each tensor: as long as it is open, all that was read of it
    stays in memory. A file of torch.save is mapped into memory if it is a zip archive. The file has
    to have a format that `read_shapes` accepts.

    Raises:
        OSError: the file cannot be read.
    """
    with opened(path) as file:
        start = file.read(9)
    if _is_safetensors(start):
        from safetensors import safe_open

        for name in names:
            with safe_open(path, "pt") as held:
                yield name, held.get_tensor(name)
        return
    import torch

    tensors = torch.load(path, weights_only=True, map_location="cpu", mmap=start.startswith(b"PK"))
    for name in names:
        yield name, tensors.pop(name)


def _is_safetensors(start: bytes) -> bool:
    return start[8:9] == b"{"


def _safetensors(file: BinaryIO) -> dict[str, Shape]:
    length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER:
        raise WeightsError("it is neither a safetensors file nor a file of torch.save")
    header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    ends = [tensor["data_offsets"][1] for tensor in header.values()]
    expected, size = 8 + length + max(ends, default=0), file.seek(0, 2)
    if size != expected:
        raise WeightsError(f"it is damaged: it has {size:,} bytes instead of {expected:,}")
    return {name: tuple(tensor["shape"]) for name, tensor in header.items()}


def _zipped(file: BinaryIO) -> Any:
    import zipfile

    from netbuild.runs.pickled import Shapes

    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if any(name.endswith("/constants.pkl") for name in names):
            raise WeightsError("it is a TorchScript module, not a state_dict")
        held = next((name for name in names if name.endswith("/data.pkl")), None)
        if held is None or archive.getinfo(held).file_size > MAX_HEADER:
            raise WeightsError("it is a zip archive, but not a file of torch.save")
        with archive.open(held) as pickled:
            return Shapes(pickled).load()


def _before_1_6(file: BinaryIO) -> Any:
    from netbuild.runs.pickled import Shapes

    for _ in ("magic number", "protocol", "machine"):
        Shapes(file).load()
    return Shapes(file).load()


def _tensors(saved: Any) -> dict[str, Shape]:
    """Return the shapes of the tensors in a pickle, by name.

    Raises:
        WeightsError: the pickle holds anything else.
    """
    from netbuild.runs.pickled import Pickled

    if not isinstance(saved, dict) or not all(isinstance(name, str) for name in saved):
        raise WeightsError("it does not hold tensors by name: save module.state_dict()")
    others = [name for name, value in saved.items() if not isinstance(value, Pickled)]
    if others:
        listed = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
        raise WeightsError(f"it also holds {listed}: save only the state_dict()")
    return {name: tensor.shape for name, tensor in saved.items()}
