"""Hostile files of weights, by name: pickles, archives of torch.save, and safetensors."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

START, END = b"\x80\x02", b"."
#: The longest name of a function that a pickle names, and more.
LONG = 100_000


def text(value: str) -> bytes:
    """Return the opcode that pushes a string."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def storage(
    key: str = "0", count: bytes = b"K\x04", kind: str = "FloatStorage", view: bytes = b""
) -> bytes:
    """Return the opcodes that push a storage. Old files have a view, which is None: b"N"."""
    named = b"ctorch\n" + kind.encode() + b"\n"
    return b"(" + text("storage") + named + text(key) + text("cpu") + count + view + b"tQ"


def tensor(
    size: bytes = b"K\x04\x85", stride: bytes = b"K\x01\x85", offset: bytes = b"K\x00", **of: Any
) -> bytes:
    """Return the opcodes that push a tensor: four floats, unless other opcodes are given."""
    hooks = b"ccollections\nOrderedDict\n)R"
    call = b"ctorch._utils\n_rebuild_tensor_v2\n"
    return call + b"(" + storage(**of) + offset + size + stride + b"\x89" + hooks + b"tR"


def state_dict(value: bytes, name: bytes = text("0.weight")) -> bytes:
    """Return a pickle of one tensor by its name."""
    return START + b"}" + name + value + b"s" + END


def archive(
    pickled: bytes, records: Mapping[str, bytes] | None = None, method: int = zipfile.ZIP_STORED
) -> bytes:
    """Return an archive as torch.save writes it, with these records next to the pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        made.writestr("archive/data.pkl", pickled)
        made.writestr("archive/byteorder", b"little")
        for name, data in (records or {"data/0": bytes(16)}).items():
            made.writestr(f"archive/{name}", data)
        made.writestr("archive/version", b"3\n")
    return file.getvalue()


def weights(value: bytes, **more: Any) -> bytes:
    """Return an archive of one tensor by its name."""
    return archive(state_dict(value), **more)


def before_1_6(pickled: bytes, keys: bytes = b"]" + text("0") + b"a", values: bytes = b"") -> bytes:
    """Return a file as torch.save wrote it before torch 1.6."""
    magic = START + b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" + END
    protocol = START + b"M\xe9\x03" + END
    machine = START + b"}(" + text("little_endian") + b"\x88u" + END
    data = values or struct.pack("<q", 4) + bytes(16)
    return magic + protocol + machine + pickled + START + keys + END + data


def safetensors(header: bytes | Mapping[str, Any], data: bytes = bytes(16)) -> bytes:
    """Return a safetensors file."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


def described(**fields: Any) -> dict[str, Any]:
    """Return the header of one tensor of four floats, with other fields."""
    whole = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    return {"0.weight": whole | fields}


def two(first: tuple[int, int], second: tuple[int, int]) -> bytes:
    """Return a safetensors file of two tensors of two floats, at these places of the data."""
    both = {
        name: {"dtype": "F32", "shape": [2], "data_offsets": list(place)}
        for name, place in (("0.weight", first), ("0.bias", second))
    }
    return safetensors(both, bytes(second[1]))


def _nested(opcodes: bytes, count: int, inside: bytes = b")") -> bytes:
    """Return the opcodes of tuples in tuples; each holds the tuple inside it as often as named."""
    return inside + b"".join(b"q\x01" + opcodes for _ in range(count))


def _digits(count: int) -> bytes:
    """Return the opcode of a whole number with so many digits."""
    data = (10**count).to_bytes(count // 2, "little", signed=True)
    return b"\x8b" + struct.pack("<I", len(data)) + data


def _overlapping(count: int = 1000) -> bytes:
    """Return an archive whose directory names the same bytes for many storages."""
    whole = archive(state_dict(tensor()), {"data/0": bytes(1 << 20)})
    start = whole.index(b"PK\x01\x02")
    with zipfile.ZipFile(io.BytesIO(whole)) as read:
        infos = read.infolist()
    info = next(info for info in infos if info.filename == "archive/data/0")
    entries = []
    for number in range(1, count + 1):
        name = f"archive/data/{number}".encode()
        sizes = struct.pack("<III", info.CRC, info.file_size, info.file_size)
        head = b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 0, 0, 33)
        tail = struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, info.header_offset)
        entries.append(head + sizes + tail + name)
    end = whole.rindex(b"PK\x05\x06")
    directory = whole[start:end] + b"".join(entries)
    listed = min(len(infos) + len(entries), 0xFFFF)
    return (
        whole[:start]
        + directory
        + b"PK\x05\x06"
        + struct.pack("<HHHHIIH", 0, 0, listed, listed, len(directory), start, 0)
    )


def lie(field: int, value: int, member: str = "archive/data.pkl") -> bytes:
    """Return an archive in whose directory a member has another value at a place of its entry."""
    data = bytearray(weights(tensor()))
    name = data.index(member.encode(), data.index(b"PK\x01\x02"))
    struct.pack_into("<I", data, name - 46 + field, value)
    return bytes(data)


#: Files of torch.save, each with what the message about it says.
PICKLES: dict[str, tuple[Callable[[], bytes], str]] = {
    "nested tuples as a key": (
        lambda: archive(START + b"}" + _nested(b"h\x01\x86", 40) + b"Ns" + END),
        "a key that is neither a name nor a count",
    ),
    "a large index of the memo": (
        lambda: archive(START + b"}r\xff\xff\xff\x1f" + END),
        "it is damaged",
    ),
    "a shape of nested tuples": (
        lambda: weights(tensor(size=_nested(b"h\x01\x86", 40))),
        "a tensor with an impossible shape",
    ),
    "a size of 20,000 digits": (
        lambda: weights(tensor(size=_digits(20_000) + b"\x85")),
        "has the opcode '\\x8b', which torch.load refuses",
    ),
    "a size of 600 digits": (
        lambda: weights(tensor(size=b"\x8a\xfe" + b"\x11" * 254 + b"\x85")),
        "a tensor with an impossible shape",
    ),
    "a negative size": (
        lambda: weights(tensor(size=b"J\xff\xff\xff\xff\x85")),
        "a tensor with an impossible shape",
    ),
    "a shape of fractions": (
        lambda: weights(tensor(size=b"G" + struct.pack(">d", 4.0) + b"\x85")),
        "a tensor with an impossible shape",
    ),
    "a shape of 100,000 axes": (
        lambda: weights(tensor(size=b"(" + b"K\x01" * LONG + b"t")),
        "a tensor with an impossible shape",
    ),
    "values outside the storage": (
        lambda: weights(tensor(offset=b"K\x02")),
        "a tensor with an impossible shape",
    ),
    "a storage that is missing": (
        lambda: weights(tensor(key="7")),
        "data/7 is missing",
    ),
    "a storage with fewer values": (
        lambda: weights(tensor(count=b"M\xe8\x03")),
        "data/0 has 16 bytes instead of 4,000",
    ),
    "a storage of two sizes": (
        lambda: archive(
            START + b"}(" + text("a") + tensor() + text("b") + tensor(count=b"K\x05") + b"u" + END
        ),
        "two sizes",
    ),
    "a function of the system": (
        lambda: archive(START + b"cos\nsystem\n" + text("true") + b"\x85R" + END),
        "it holds a os.system",
    ),
    "escape codes in a name": (
        lambda: archive(START + b"c\x1b[31mos\nsystem\n" + END),
        r"it holds a '\x1b[31mos.system'",
    ),
    "an endless name": (lambda: archive(START + b"c" + b"o" * 10_000_000 + END), "it is damaged"),
    "a key that hides a method": (
        lambda: archive(
            START + b"ccollections\nOrderedDict\n)R}" + text("items") + b"Nsb" + END,
        ),
        "an attribute that a state_dict() does not have",
    ),
    "150,000 lists in lists": (
        lambda: archive(START + b"]q\x01" + b"]h\x01aq\x01" * 150_000 + END),
        "tensors by name",
    ),
    "ten million opcodes": (lambda: archive(START + b"}" * 10_000_000 + END), "more opcodes"),
    "ten million marks": (lambda: archive(START + b"(" * 10_000_000 + END), "it is damaged"),
    "whole numbers with one hash": (
        lambda: archive(
            START
            + b"}("
            + b"".join(
                b"\x8a\x14" + (number * (2**61 - 1)).to_bytes(20, "little") + b"N"
                for number in range(LONG)
            )
            + b"u"
            + END
        ),
        "a key that is neither a name nor a count",
    ),
    "a string of 4 GB": (lambda: archive(START + b"X\xff\xff\xff\xffa" + END), "it is damaged"),
    "a pickle without an end": (lambda: archive(START + b"}"), "it is damaged"),
    "an empty stack": (lambda: archive(START + b"R" + END), "it is damaged"),
    "protocol 4": (
        lambda: archive(b"\x80\x04\x95\x01\x00\x00\x00\x00\x00\x00\x00}."),
        "it is a pickle of protocol 4",
    ),
    "a pickle of zeros": (
        lambda: archive(bytes(60_000_000), method=zipfile.ZIP_DEFLATED),
        "archive/data.pkl is compressed",
    ),
    "values of zeros": (
        lambda: weights(
            tensor(count=b"J\xc0\xe1\xe4\x00"),
            records={"data/0": bytes(60_000_000)},
            method=zipfile.ZIP_DEFLATED,
        ),
        "is compressed",
    ),
    "values that many storages share": (_overlapping, "its directory lists more bytes"),
    "a directory of 6 MB": (
        lambda: _overlapping(100_000),
        "its directory or its pickle has more than 6,000,000 bytes",
    ),
    "two pickles": (
        lambda: archive(state_dict(tensor()), {"data/0": bytes(16), "DATA.PKL": b"."}),
        "lists archive/DATA.PKL twice",
    ),
    "a directory with a long pickle": (lambda: lie(24, 1 << 30), "it is damaged"),
    "a directory with long values": (
        lambda: lie(24, 1 << 31, "archive/data/0"),
        "it is damaged",
    ),
    "a pickle behind the end": (lambda: lie(42, 1 << 30), "it is damaged"),
    "an old file of a system function": (
        lambda: b"\x80\x02cos\nsystem\n.",
        "it holds a os.system",
    ),
    "an old file without values": (
        lambda: before_1_6(state_dict(tensor(view=b"N")), values=struct.pack("<q", 4)),
        "it is damaged",
    ),
    "an old file with more values": (
        lambda: before_1_6(state_dict(tensor(view=b"N")), values=struct.pack("<q", 1 << 60)),
        "it is damaged",
    ),
    "an old file without keys": (
        lambda: before_1_6(state_dict(tensor(view=b"N")), keys=b"]"),
        "it is damaged",
    ),
}

#: Safetensors whose header lies, each with what the message about it says.
HEADERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "tensors that overlap": (lambda: two((0, 8), (4, 12)), "0.bias does not begin at byte 8"),
    "tensors with a gap": (lambda: two((0, 8), (9, 17)), "0.bias does not begin at byte 8"),
    "values outside the file": (
        lambda: safetensors(described(shape=[400], data_offsets=[0, 1600])),
        "bytes instead of",
    ),
    "values that nobody names": (
        lambda: safetensors(described(), bytes(20)),
        "bytes instead of",
    ),
    "a place of less than zero": (
        lambda: safetensors(described(data_offsets=[-16, 0])),
        "0.weight has no valid data_offsets",
    ),
    "a place that ends before it starts": (
        lambda: safetensors(described(data_offsets=[16, 0])),
        "0.weight has no valid data_offsets",
    ),
    "a place of fractions": (
        lambda: safetensors(described(data_offsets=[0.0, 16.0])),
        "0.weight has no valid data_offsets",
    ),
    "three places": (
        lambda: safetensors(described(data_offsets=[0, 8, 16])),
        "0.weight has no valid data_offsets",
    ),
    "an unknown dtype": (
        lambda: safetensors(described(dtype="F33")),
        "0.weight has an unknown dtype: 'F33'",
    ),
    "a dtype that is a list": (
        lambda: safetensors(described(dtype=["F32"])),
        "0.weight has an unknown dtype: that is no text",
    ),
    "a shape of fractions": (
        lambda: safetensors(described(shape=[4.0])),
        "0.weight has no valid shape",
    ),
    "a negative shape": (
        lambda: safetensors(described(shape=[-2, -2])),
        "0.weight has no valid shape",
    ),
    "a shape of truths": (lambda: safetensors(described(shape=[True, 4])), "no valid shape"),
    "a shape that is text": (lambda: safetensors(described(shape="4")), "no valid shape"),
    "a huge shape": (
        lambda: safetensors(described(shape=[1 << 40, 1 << 40])),
        "0.weight has no valid shape",
    ),
    "a shape of 20,000 digits": (
        lambda: safetensors(json.dumps(described()).replace("[4]", f"[1{'0' * 20_000}]").encode()),
        "its header cannot be read",
    ),
    "a shape of 100,000 axes": (
        lambda: safetensors(described(shape=[1] * LONG)),
        "0.weight has no valid shape",
    ),
    "another shape than its bytes": (
        lambda: safetensors(described(shape=[3])),
        "0.weight has 16 bytes instead of 12",
    ),
    "90 MB of brackets": (
        lambda: safetensors(b'{"a":' + b"[" * 90_000_000),
        "its header has 90,000,005 bytes",
    ),
    "9 MB of brackets": (
        lambda: safetensors(b'{"a":' + b"[" * 9_000_000),
        "its header has more than 151,000 lists",
    ),
    "9 MB of empty lists": (
        lambda: safetensors(b'{"a":[' + b"[]," * 3_000_000 + b"[]]}"),
        "its header has more than 151,000 lists",
    ),
    "9 MB of mappings": (
        lambda: safetensors(b'{"a":[' + b'{"":1},' * 1_300_000 + b"{}]}"),
        "its header has more than 151,000 lists",
    ),
    "deep JSON": (
        lambda: safetensors(b'{"a":' + b'{"b":' * 5000 + b"1" + b"}" * 5001),
        "its header cannot be read",
    ),
    "a name that comes twice": (
        lambda: safetensors(b'{"a":' + b'{"dtype":"F32","shape":[4],"data_offsets":[0,16]},' * 2),
        "its header cannot be read",
    ),
    "a tensor that comes twice": (
        lambda: safetensors(
            b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},'
            b'"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
        ),
        "its header lists a twice",
    ),
    "a field that comes twice": (
        lambda: safetensors(b'{"a":{"dtype":"F32","shape":[4],"shape":[4],"data_offsets":[0,16]}}'),
        "a is not a description of a tensor",
    ),
    "no description": (lambda: safetensors({"a": 3}), "a is not a description of a tensor"),
    "an unknown field": (
        lambda: safetensors(described(more=1)),
        "0.weight is not a description of a tensor",
    ),
    "a header in UTF-16": (
        lambda: safetensors(json.dumps(described()).encode("utf-16-le")),
        "its header cannot be read",
    ),
    "a name of control characters": (
        lambda: safetensors({"\x1b[31m": described()["0.weight"]}),
        r"'\x1b[31m' is not a name",
    ),
    "a name of half a character": (
        lambda: safetensors(
            b'{"\\ud800":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}',
        ),
        r"'\ud800' is not a name",
    ),
    "metadata that is a list": (
        lambda: safetensors({"__metadata__": [1], **described()}),
        "its __metadata__ is not text by name",
    ),
}
