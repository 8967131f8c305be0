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
        _check_opcodes(data)
        _Description(io.BytesIO(data)).load()
        found: Metadata = super().read_metadata(*args, **kwargs)
        for place in (found.storage_data or {}).values():
            if not _PART.fullmatch(place.relative_path):
                raise WeightsError("the description of its parts names another file")
        return found


def _check_opcodes(data: bytes) -> None:
    """Check that a pickle is complete, and that its memo is no larger than it.

    Raises:
        WeightsError: it is not.
    """
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            index = (argument or 0) if opcode.name == "LONG_BINPUT" else 0
            if number > MAX_OPCODES or index > number:
                raise WeightsError("the description of its parts is damaged")
    except ValueError as error:
        raise WeightsError("the description of its parts is damaged") from error


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
