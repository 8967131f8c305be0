"""Valid files of weights and checkpoints, and mutants of them, each drawn from a number."""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import random
import struct
import warnings
import zipfile
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors.torch import save
from torch import nn

from tests.untrusted.files import text

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


class Mutant(NamedTuple):
    """A file that somebody has changed, and how."""

    kind: str  # of the file
    change: str
    data: bytes


#: Sizes, places and numbers at a limit of their type, or beyond it.
_NUMBERS = (0, 1, 2, 255, 1 << 15, (1 << 16) - 1, 1 << 28, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_CODES = [
    value
    for name, value in sorted(vars(pickle).items())
    if name.isupper() and isinstance(value, bytes) and len(value) == 1
]
_SNIPPETS = [
    *_CODES,
    *(b"J" + struct.pack("<I", number) for number in _NUMBERS),
    *(b"r" + struct.pack("<I", number) for number in _NUMBERS),
    *(b"j" + struct.pack("<I", number) for number in _NUMBERS),
    *(b"\x8a\x09" + bytes(8) + b"\x01", b"\x8a\xff" + b"\x7f" * 255, b"G" + bytes(8)),
    *(b"X" + struct.pack("<I", number) for number in _NUMBERS),
    *(b"h\x01\x86q\x01", b")q\x01", b"}", b"]", b"(", text("0.weight"), text("\x1b[31m")),
    *(b"cos\nsystem\n", b"cbuiltins\neval\n", b"ctorch\nFloatStorage\n", b"ctorch\nfloat32\n"),
    *(b"ccollections\nOrderedDict\n)R", b"ctorch._utils\n_rebuild_tensor_v2\n", b"N}b"),
]
_JSON: tuple[Any, ...] = (
    *(-1, 0, 1, 1.5, 1e308, 1 << 31, 1 << 63, 1 << 64, 10**30, 10**4000, None, True, "", "F32"),
    *("BOOL", "F8_E4M3", "\x1b", "\ud800", [], {}, [[]], [0], [-4], [1 << 40] * 9, [1] * 999),
    *({"a": "b"}, {"dtype": "F32"}, [0, 0], [4, 0], [0, 1 << 60], float("nan"), float("inf")),
)


@lru_cache
def originals() -> dict[str, bytes]:
    """Return the valid files by their kind."""
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(3, 2))
    weights = dict(net.state_dict())
    optimizer = torch.optim.Adam(net.parameters())
    net[2](torch.rand(4, 3)).sum().backward()
    optimizer.step()
    position = {"epoch": 2, "step": 1, "total": 7, "samples": 9, "seconds": 0.5, "spent": 1.5}
    state = {
        "position": position | {"lr": 0.1, "best": 0.5, "waited": 1},
        "optimizer": optimizer.state_dict(),
        "measures": {"loss": [torch.tensor(0.5), 3]},
        "randomness": [{"rng": torch.zeros(16, dtype=torch.uint8), "python": [3, [1, 1 << 31]]}],
    }
    several = {"half": weights["0.weight"].half(), "u16": torch.zeros(3, dtype=torch.uint16)}
    old = {"_use_new_zipfile_serialization": False}
    return {
        "pth": _saved(net.state_dict()),
        "parameters": _saved(dict(net.named_parameters()) | several),
        "old pth": _saved(net.state_dict(), **old),
        "state.pt": _saved(state),
        "safetensors": save(weights),
    }


def _saved(value: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def mutant(seed: int, number: int) -> Mutant:
    """Return a mutant, which is the same for the same numbers."""
    draw = random.Random((seed << 32) + number)  # noqa: S311  no secret
    kind, data = draw.choice(sorted(originals().items()))
    change = draw.choice(_CHANGES[kind])
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        data = change(draw, data)
    return Mutant(kind, change.__name__.strip("_"), data)


def _bytes(draw: Random, data: bytes) -> bytes:
    """Flip, overwrite, remove, repeat or insert some bytes, or cut the file."""
    place = draw.randrange(len(data) + 1)
    if draw.random() < 0.5:  # most of a file is values
        place = draw.choice((place % 200, place % 2000, max(0, len(data) - place % 1500)))
    count = draw.choice((1, 1, 2, 4, 8, 64))
    before, held, after = data[:place], data[place : place + count], data[place + count :]
    return draw.choice(
        (
            before,
            before + bytes(value ^ (1 << draw.randrange(8)) for value in held) + after,
            before + draw.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * count + after,
            before + after,
            before + held * draw.choice((2, 3, 1000)) + after,
            before + draw.randbytes(count) + held + after,
            data[place:],
            data + data[place:],
        )
    )


def _opcodes(draw: Random, data: bytes) -> bytes:
    """Insert, remove, repeat or replace opcodes of the pickle in an archive, or of an old file."""
    if data[:1] == b"\x80":
        return _changed_pickle(draw, data)
    members = _members(data)
    if not members:
        return data
    name = next((name for name, _ in members if name.endswith("data.pkl")), members[0][0])
    return _packed((n, _changed_pickle(draw, d) if n == name else d) for n, d in members)


def _changed_pickle(draw: Random, data: bytes) -> bytes:
    places = [0]
    with suppress(Exception):  # a mutant is changed once more
        places += [place or 0 for _, _, place in pickletools.genops(data)]
    number = draw.randrange(len(places))
    start = places[number]
    end = places[min(len(places) - 1, number + draw.choice((1, 1, 2, 8)))]
    snippet = draw.choice(_SNIPPETS) * draw.choice((1, 1, 1, 2, 40, 40, 1000, 20_000))
    return draw.choice(
        (
            data[:start] + snippet + data[start:],
            data[:start] + snippet + data[end:],
            data[:start] + data[end:],
            data[:end] + data[start:end] * draw.choice((1, 40, 1000)) + data[end:],
        )
    )


def _archive(draw: Random, data: bytes) -> bytes:
    """Rename, repeat, remove, compress or resize a member of an archive."""
    members = _members(data)
    if not members:
        return data
    number = draw.randrange(len(members))
    name, held = members[number]
    names = ("archive/data.pkl", "archive/DATA.PKL", "x/data.pkl", "../x", " ", "a\0b", "é", name)
    members[number : number + 1] = draw.choice(
        (
            [],
            [(name, held)] * 2,
            [(draw.choice(names), held)],
            [(name, held), (draw.choice(names), held)],
            [(name, held[: draw.randrange(len(held) + 1)])],
            [(name, held + bytes(draw.choice((1, 1000, 5_000_000))))],
        )
    )
    draw.shuffle(members)
    return _packed(members, draw.choice((zipfile.ZIP_STORED, *(zipfile.ZIP_DEFLATED,) * 2)))


def _fields(draw: Random, data: bytes) -> bytes:
    """Change a field in the directory of an archive, in the header of a member or at the end."""
    mark, size = draw.choice(
        ((b"PK\x01\x02", 46), (b"PK\x03\x04", 30), (b"PK\x05\x06", 22), (b"PK\x06\x06", 56))
    )
    places = [n for n in range(len(data)) if data.startswith(mark, n)]
    if not places:
        return data
    place = draw.choice(places) + draw.randrange(4, size)
    form = draw.choice("BHIQ")
    bits = 8 * struct.calcsize(form)
    number = draw.choice((*_NUMBERS, len(data), 1 << 62, (1 << 64) - 1)) % (1 << bits)
    field = struct.pack(f"<{form}", number)
    return data[:place] + field + data[place + len(field) :]


def _members(data: bytes) -> list[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as read:
            return [(info.filename, read.read(info)) for info in read.infolist()]
    except Exception:  # noqa: BLE001  a mutant is changed once more
        return []


def _packed(members: Any, method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as made:
        warnings.simplefilter("ignore")  # a name comes twice
        for name, data in members:
            made.writestr(name or " ", data)
    return file.getvalue()


def _header(draw: Random, data: bytes) -> bytes:
    """Change a value in the header of a safetensors file, or its length."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        name, held = draw.choice(sorted(header.items(), key=str))
        field = draw.choice(sorted(held.keys()))
    except (ValueError, IndexError, AttributeError, RecursionError):
        return data
    value = draw.choice(_JSON)
    changes: tuple[Callable[[], Any], ...] = (
        lambda: header.update({name: value}),
        lambda: held.update({field: value}),
        lambda: held.pop(field),
        lambda: held.update(more=value),
        lambda: header.update({draw.choice(("", "\x1b[0m", "__metadata__", "x" * 5000)): held}),
        lambda: isinstance(held[field], list) and held[field].append(value),
        lambda: isinstance(held[field], list) and held[field].__setitem__(slice(1), [value]),
    )
    draw.choice(changes)()
    written = json.dumps(header).encode()
    if draw.random() < 0.1:
        written = draw.choice(
            (written[:-1] + b"," + written[1:], written * 2, b"[" * 50_000, b'{"":' * 50_000)
        )
    size = len(written) if draw.random() < 0.9 else draw.choice((*_NUMBERS, (1 << 64) - 1))
    return size.to_bytes(8, "little") + written + data[8 + length :]


_CHANGES: dict[str, tuple[Callable[[Random, bytes], bytes], ...]] = {
    **dict.fromkeys(("pth", "parameters", "state.pt"), (_bytes, _opcodes, _archive, _fields)),
    "old pth": (_bytes, _opcodes),
    "safetensors": (_bytes, _header),
}
