"""Reads the parts of a checkpoint without running code that they name.

torch.distributed.checkpoint trusts its files. It reads the description of the parts by
`pickle.load`, and the options of the optimizer by `torch.load(weights_only=False)`. A run may come
from a stranger. Here a description may only name its own classes, and options are plain values.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader

from netbuild.diagnostics.exceptions import WeightsError
from netbuild.runs.archive import MAX_OPCODES, MAX_PICKLE, read_saved
from netbuild.runs.plain import check_plain

if TYPE_CHECKING:
    from pathlib import Path

    from torch.distributed.checkpoint.metadata import Metadata
    from torch.distributed.checkpoint.planner import ReadItem

#: The classes and functions of a description, which make objects and do nothing else.
_KNOWN = {
    "torch.distributed.checkpoint.metadata": {
        *("Metadata", "MetadataIndex", "StorageMeta", "TensorStorageMetadata"),
        *("BytesStorageMetadata", "ChunkStorageMetadata", "TensorProperties"),
        "_MEM_FORMAT_ENCODING",
    },
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "torch.serialization": {"_get_layout"},
    "torch": {"Size", *(n for n, value in vars(torch).items() if isinstance(value, torch.dtype))},
    "pathlib": {"PosixPath", "WindowsPath"},
    "pathlib._local": {"PosixPath", "WindowsPath"},  # Python 3.13
}
#: The most values of a description, with repeated ones.
MAX_COPIES = 10_000_000
#: The opcodes that put values into the first value that they take.
_FILLING = {"BUILD", "SETITEM", "SETITEMS", "APPEND", "APPENDS", "ADDITEMS"}
_PART = re.compile(r"__\d+_\d+\.distcp")


class _Description(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name not in _KNOWN.get(module, ()):
            raise WeightsError(f"the description of its parts holds a {f'{module}.{name}'[:60]!a}")
        return super().find_class(module, name)

    def persistent_load(self, _: Any) -> NoReturn:
        raise WeightsError("the description of its parts is damaged")


class Reader(FileSystemReader):
    """Reads the files of a folder of parts.

    Raises:
        WeightsError: the description of the parts is damaged, or names something else.
        OSError: it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """Return the description of the parts, which is checked before torch reads it."""
        rank = kwargs.get("rank")
        name = ".metadata" if rank is None else f"__{rank}.metadata"
        with (self.folder / name).open("rb") as file:
            data = file.read(MAX_PICKLE + 1)
        if len(data) > MAX_PICKLE:
            raise WeightsError(f"the description of its parts has more than {MAX_PICKLE:,} bytes")
        check_description(data)
        _Description(io.BytesIO(data)).load()
        found: Metadata = super().read_metadata(*args, **kwargs)
        for place in (found.storage_data or {}).values():
            if not _PART.fullmatch(place.relative_path):
                raise WeightsError("the description of its parts names another file")
        return found


def check_description(data: bytes) -> None:
    """Check that a pickle is complete, and that its memo and its values are no larger than it.

    Sixty tuples, each of which holds the one before it twice, are a short pickle. But their hash
    takes 2⁶⁰ steps. So each value is counted with all values inside it.

    Raises:
        WeightsError: it is not.
    """
    stack: list[_Held | None] = []  # None is a mark
    memo: dict[int, _Held | None] = {}
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            index = int(argument or 0) if opcode.name.endswith(("PUT", "GET")) else 0
            _expect_within(number, index)
            if opcode.name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif opcode.name.endswith("PUT"):
                memo[index] = stack[-1]
            elif opcode.name.endswith("GET"):
                stack.append(memo[index])
            else:
                _carry_out(opcode, stack)
    except WeightsError:
        raise
    except (ValueError, IndexError, KeyError) as error:
        raise WeightsError("the description of its parts is damaged") from error


def _expect_within(number: int, index: int) -> None:
    if number > MAX_OPCODES or index > number:
        raise WeightsError("the description of its parts is damaged")


class _Held:
    """A value with the number of all values in it, each as often as it stands there."""

    def __init__(self, inside: list[_Held]) -> None:
        self.inside: list[_Held] = []
        self.count, self.is_frozen = 1, False
        self.add(inside)

    def add(self, inside: list[_Held]) -> None:
        """Put values inside.

        Raises:
            WeightsError: the value has become too large, or stands already in another one.
        """
        if self.is_frozen and any(held.count > 1 for held in inside):
            raise WeightsError("the description of its parts is damaged")
        for held in inside:
            held.is_frozen = True
        self.count += sum(held.count for held in inside)
        if self.count > MAX_COPIES:
            raise WeightsError("the description of its parts repeats its values too often")


def _carry_out(opcode: pickletools.OpcodeInfo, stack: list[_Held | None]) -> None:
    """Take what an opcode takes from the stack, and put what it makes."""
    inside: list[_Held] = []
    before = opcode.stack_before
    if pickletools.markobject in before:
        while (taken := stack.pop()) is not None:
            inside.append(taken)
        before = before[: before.index(pickletools.markobject)]
    fills = opcode.name in _FILLING
    for _ in before[1:] if fills else before:
        inside += [held] if (held := stack.pop()) else []
    if opcode.name == "MARK":
        stack.append(None)
    elif fills:
        (stack[-1] or _Held([])).add(inside)
    else:
        stack += [_Held(inside) for _ in opcode.stack_after]


class Planner(DefaultLoadPlanner):
    """Loads parts into a state."""

    def load_bytes(self, read_item: ReadItem, value: io.BytesIO) -> None:
        """Load a plain value. It is written anew, because torch would run the code that it names.

        Raises:
            WeightsError: it is no plain value.
        """
        check_plain([read_saved(value)])
        value.seek(0)
        anew = io.BytesIO()
        torch.save(torch.load(value, weights_only=True, map_location="cpu"), anew)
        anew.seek(0)
        super().load_bytes(read_item, anew)
