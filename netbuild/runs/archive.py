"""Reads files of `torch.save` within limits: what their pickle holds, and no values.

`torch.save` writes a zip archive: `archive/data.pkl` is a pickle, and `archive/data/0` and so on
are the values of storages. It does not compress. Before torch 1.6 it wrote several pickles in front
of the values:
https://github.com/pytorch/pytorch/blob/v2.6.0/torch/serialization.py#L1560
"""

from __future__ import annotations

import errno
import io
import struct
import zipfile
from typing import Any, BinaryIO, cast

from netbuild.components.archives import Bounded
from netbuild.diagnostics.exceptions import WeightsError
from netbuild.diagnostics.wording import brief
from netbuild.runs.pickled import Machine

#: The greatest number of opcodes, and how many more there may be for each member of an archive. A
#: tensor takes about 40, and most tensors have a member. The state of Adam for a network of 10,000
#: layers has two million.
MAX_OPCODES, OPCODES_OF_MEMBER = 1_000_000, 60
#: The longest pickle in an archive, in bytes.
MAX_PICKLE = 64_000_000
#: The longest directory of an archive, in bytes. One of 80,000 storages is as long.
MAX_DIRECTORY = 6_000_000
#: The number in front of a file from before torch 1.6, and its version.
_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001

#: The exceptions of a damaged archive in its reader.
_DAMAGED = (
    zipfile.BadZipFile,
    struct.error,
    ValueError,  # a place before the start, or a name that is not UTF-8
    OverflowError,  # a place beyond all files
    IndexError,
    EOFError,
    NotImplementedError,  # a version or a compression that Python does not know
    RuntimeError,  # a password
)


def read_saved(file: BinaryIO) -> Any:
    """Return what a file of torch.save holds, with the descriptions of tensors in their place.

    Raises:
        WeightsError: the file is damaged, or holds something else.
        OSError: the file cannot be read.
    """
    start = file.read(4)
    file.seek(0)
    if start == b"PK\x03\x04":
        return _read_archive(file)
    if start[:1] == b"\x80":
        return _read_before_1_6(file)
    raise WeightsError("it is not a file of torch.save")


def _read_archive(file: BinaryIO) -> Any:
    try:
        members, pickled = _members(file)
    except _DAMAGED as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"it is damaged ({type(error).__name__})") from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise WeightsError("it is damaged: its directory names a place beyond all files") from error
    most = MAX_OPCODES + OPCODES_OF_MEMBER * len(members)
    machine = Machine(io.BytesIO(pickled), most)
    saved = machine.load()
    for key, storage in machine.storages.items():
        name, there = f"data/{key}", members.get(f"data/{key}")
        if there is None:
            raise WeightsError(f"it is damaged: {_said(name)} is missing")
        if there != storage.nbytes:
            wanted = f"{storage.nbytes:,}"
            raise WeightsError(f"it is damaged: {name} has {there:,} bytes instead of {wanted}")
    return saved


def _members(file: BinaryIO) -> tuple[dict[str, int], bytes]:
    """Return the sizes of an archive's members by their path in its folder, and its pickle."""
    bounded = Bounded(file, MAX_DIRECTORY, WeightsError)
    with zipfile.ZipFile(cast("BinaryIO", bounded)) as archive:
        infos = archive.infolist()
        names = [info.filename for info in infos]
        if any(name.endswith("/constants.pkl") for name in names):
            raise WeightsError("it is a TorchScript module, not a state_dict")
        folder = names[0].partition("/")[0] if names else ""
        if f"{folder}/data.pkl" not in names:
            raise WeightsError("it is a zip archive, but not a file of torch.save")
        _check_directory(infos, bounded.size)
        bounded.limit = MAX_PICKLE
        pickled = archive.read(f"{folder}/data.pkl")
    return {info.filename.removeprefix(f"{folder}/"): info.file_size for info in infos}, pickled


def _check_directory(infos: list[zipfile.ZipInfo], size: int) -> None:
    """Check that the directory of an archive is one that torch.save writes.

    The members fit into the file side by side, so they never hold more bytes than the file. torch
    ignores case where it looks for a member.

    Raises:
        WeightsError: it is another directory.
    """
    seen: set[str] = set()
    for info in infos:
        name = info.orig_filename
        if name.lower() in seen:
            raise WeightsError(f"it is damaged: its directory lists {_said(name)} twice")
        seen.add(name.lower())
        if info.compress_type != zipfile.ZIP_STORED:
            raise WeightsError(f"{_said(name)} is compressed: torch.save writes no such file")
        if info.compress_size != info.file_size or name != info.filename:
            raise WeightsError(f"it is damaged: its directory lies about {_said(name)}")
    if sum(info.file_size for info in infos) > size:
        raise WeightsError("it is damaged: its directory lists more bytes than the file has")


def _said(name: str) -> str:
    return brief(name if name.isprintable() else ascii(name), 60)


def _read_before_1_6(file: BinaryIO) -> Any:
    size = file.seek(0, 2)
    file.seek(0)
    machine = Machine(file, MAX_OPCODES, old=True)
    magic, version, written_by = (machine.load() for _ in range(3))
    if (type(magic), type(version), type(written_by)) != (int, int, dict) or (magic, version) != (
        _MAGIC,
        _VERSION,
    ):
        raise WeightsError("it is a pickle, but not a file of torch.save")
    saved = machine.load()
    keys = machine.load()
    if type(keys) is not list or not all(type(key) is str for key in keys):
        raise _without_values()
    if len(keys) != len(machine.storages) or {*keys} != machine.storages.keys():
        raise _without_values()
    for key in keys:
        storage = machine.storages[key]
        count = file.read(8)
        if int.from_bytes(count, "little") != storage.numel or len(count) < 8:
            raise _without_values()
        if file.seek(storage.nbytes, 1) > size:
            raise _without_values()
    return saved


def _without_values() -> WeightsError:
    return WeightsError("it is damaged: the values of its tensors are not complete")
