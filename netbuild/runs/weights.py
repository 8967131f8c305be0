"""Files of weights: the shapes of their tensors, read without torch and compared with a network.

The first bytes tell two formats apart. safetensors has a header in JSON
(https://huggingface.co/docs/safetensors/index#format). `torch.save` writes a `state_dict()` as a
pickle: in a zip archive or, before torch 1.6, in front of the values. The values are not read. No
function that a pickle names is called. A pickle may only hold tensors by name.

What is refused here is never given to torch.
"""

from __future__ import annotations

from contextlib import contextmanager
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from netbuild.components.files import opened
from netbuild.components.safetensors import MAX_TENSORS, is_name, is_safetensors, read_header
from netbuild.diagnostics.exceptions import ForeignError, WeightsError
from netbuild.diagnostics.wording import brief

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import torch

    from netbuild.components.tensor import Shape


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
    file: Mapping[str, Shape],
    network: Mapping[str, Shape],
    leave_out: Iterable[str] = (),
    ties: Mapping[str, str] = MappingProxyType({}),
) -> Comparison:
    """Compare names and shapes, except for the tensors of the modules in `leave_out`.

    `ties` are the tied parameters of the network. A file may lack a name of a tensor with several.

    >>> compare({"fc.weight": (9, 4)}, {"fc.weight": (2, 4)}).differences
    (Difference(name='fc.weight', file=(9, 4), network=(2, 4)),)
    """
    prefixes = tuple(leave_out)
    held = {ties.get(name, name) for name in file if ties}
    fitting, differences, left_out = [], [], []
    for name in {**network, **file}:
        there, here = file.get(name), network.get(name)
        if any(is_within(name, prefix) for prefix in prefixes):
            left_out.append(name)
        elif there == here:
            fitting.append(name)
        elif there is None and ties.get(name, name) in held:
            continue
        elif there is not None or not name.endswith(".num_batches_tracked"):
            # Files older than torch 0.4.1 lack these counters. torch then starts them at 0.
            differences.append(Difference(name, there, here))
    return Comparison(tuple(fitting), tuple(differences), tuple(left_out))


def is_within(name: str, prefix: str) -> bool:
    """Whether a tensor belongs to a module or to its submodules: `fc.weight` belongs to `fc`.

    `prefix` may be a pattern of names or of modules, such as `*.bias`.
    """
    if any(character in prefix for character in "*?["):
        ends = [n for n, character in enumerate(name) if character == "."]
        return any(fnmatchcase(name[:end], prefix) for end in (*ends, len(name)))
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
        if is_safetensors(start):
            return _safetensors(file)
        if start.startswith((b"PK", b"\x80")):
            from netbuild.runs.archive import read_saved

            try:
                return _tensors(read_saved(file))
            except ForeignError as error:
                message = f"{error}: save only the module's state_dict()"
                raise WeightsError(message) from error
    raise WeightsError("it is neither a safetensors file nor a file of torch.save")


def read_tensors(path: str | Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by name. This needs torch.

    Raises:
        WeightsError: the file is damaged, or holds something else.
        OSError: the file cannot be read.
    """
    read_shapes(path)
    with opened(path) as file:
        start = file.read(9)
    with _loading():
        if is_safetensors(start):
            from safetensors.torch import load_file

            return load_file(path)
        import torch

        loaded: dict[str, torch.Tensor] = torch.load(path, weights_only=True, map_location="cpu")
        return loaded


def each_tensor(path: str | Path, names: Iterable[str]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield tensors of a file by name, one after the other. This needs torch.

    A safetensors file is opened for each tensor: as long as it is open, all that was read of it
    stays in memory. A file of torch.save is mapped into memory if it is a zip archive.

    Raises:
        WeightsError: the file is damaged, or holds something else.
        OSError: the file cannot be read.
    """
    read_shapes(path)
    with opened(path) as file:
        start = file.read(9)
    if is_safetensors(start):
        from safetensors import safe_open

        for name in names:
            with _loading(), safe_open(path, "pt") as held:
                tensor = held.get_tensor(name)
            yield name, tensor
        return
    import torch

    with _loading():
        mapped = start.startswith(b"PK")
        tensors = torch.load(path, weights_only=True, map_location="cpu", mmap=mapped)
    for name in names:
        yield name, tensors.pop(name)


@contextmanager
def _loading() -> Iterator[None]:
    """Turn the exceptions of torch and safetensors, at a damaged file, into one.

    Raises:
        WeightsError: the values of the file are damaged.
    """
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:  # torch has no base of these exceptions
        raise WeightsError(f"its values are damaged ({type(error).__name__})") from error


def _safetensors(file: BinaryIO) -> dict[str, Shape]:
    try:
        return {name: tensor.shape for name, tensor in read_header(file).items()}
    except ValueError as error:
        raise WeightsError(f"it is damaged: {error}") from error


def _tensors(saved: Any) -> dict[str, Shape]:
    """Return the shapes of the tensors in a pickle, by name.

    Raises:
        WeightsError: the pickle holds anything else.
    """
    from netbuild.runs.stored import Stored

    if not isinstance(saved, dict) or not all(isinstance(name, str) for name in saved):
        raise WeightsError("it does not hold tensors by name: save module.state_dict()")
    if len(saved) > MAX_TENSORS:
        raise WeightsError(f"it holds more than {MAX_TENSORS:,} tensors")
    hidden = next((name for name in saved if not is_name(name)), None)
    if hidden is not None:
        raise WeightsError(f"{hidden[:40]!a} is not a name of a tensor")
    others = [brief(name) for name, value in saved.items() if not isinstance(value, Stored)]
    if others:
        listed = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
        raise WeightsError(f"it also holds {listed}: save only the state_dict()")
    return {name: tensor.shape for name, tensor in saved.items()}
