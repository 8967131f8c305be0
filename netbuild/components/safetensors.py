"""The header of a safetensors file: its tensors by name, read within limits and without torch.

https://huggingface.co/docs/safetensors/index#format. The library `safetensors` refuses the same
files, but needs numpy or torch, and says less about them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from netbuild.components.tensor import product

if TYPE_CHECKING:
    from netbuild.components.tensor import Shape

#: The longest header of the format, in bytes.
LONGEST = 100_000_000
#: The longest header that is read: one of 70,000 tensors. LONGEST bytes could fill several GB.
MAX_HEADER = 10_000_000
#: The greatest number of tensors in a file.
MAX_TENSORS = 50_000
#: The greatest number of lists and mappings in a header. A tensor has three.
MAX_BRACKETS = 3 * MAX_TENSORS + 1_000
#: The greatest number of axes; torch computes with no more.
MAX_RANK = 64
#: The longest name of a tensor.
MAX_NAME = 1000
#: The bytes of a value of each type.
SIZES = {
    "BOOL": 1,
    **dict.fromkeys(("U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
    **dict.fromkeys(("F8_E4M3FNUZ", "F8_E5M2FNUZ"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 8),
}
_FIELDS = {"dtype", "shape", "data_offsets"}


class Described(NamedTuple):
    """A tensor in a safetensors file."""

    dtype: str
    shape: Shape
    start: int  # the place of its first byte in the file


def is_safetensors(start: bytes) -> bool:
    """Whether the first 9 bytes of a file are those of a safetensors file."""
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= LONGEST


def is_name(text: str) -> bool:
    """Whether a text is the name of a tensor: it can be printed, on a few lines."""
    return len(text) <= MAX_NAME and text.isprintable()


def read_header(file: BinaryIO) -> dict[str, Described]:
    """Return the tensors of a file by name, in the order of its header.

    Raises:
        ValueError: the header lies. The message says where, and does not name the file.
        OSError: the file cannot be read.
    """
    pairs, data, size = _read(file)
    found, places = {}, []
    for name, written in pairs:
        if name == "__metadata__":
            _expect_text(written)
            continue
        if name in found:
            raise ValueError(f"its header lists {name} twice")
        dtype, shape, start, end = _described(name, written)
        found[name] = Described(dtype, shape, data + start)
        places.append((start, end, name))
    _expect_one_after_another(places, size - data)
    return found


def read_texts(file: BinaryIO) -> dict[str, str]:
    """Return the texts that a file tells beside its tensors, by name.

    Raises:
        ValueError: the header lies.
        OSError: the file cannot be read.
    """
    for name, written in _read(file)[0]:
        if name == "__metadata__":
            _expect_text(written)
            return dict(written)
    return {}


def _read(file: BinaryIO) -> tuple[tuple[tuple[str, Any], ...], int, int]:
    """Return the pairs of the header, the place behind it, and the size of the file."""
    size = file.seek(0, 2)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if length > size - 8:
        raise ValueError(f"its header has {length:,} bytes, and the file only {size:,}")
    if length > MAX_HEADER:
        raise ValueError(f"its header has {length:,} bytes; at most {MAX_HEADER:,} are read")
    return _parsed(file.read(length)), 8 + length, size


def _parsed(header: bytes) -> tuple[tuple[str, Any], ...]:
    """Return the pairs of the header. A mapping in JSON becomes a tuple of pairs, a list a list."""
    if header.count(b"[") + header.count(b"{") > MAX_BRACKETS:
        raise ValueError(f"its header has more than {MAX_BRACKETS:,} lists and mappings")
    try:
        pairs = json.loads(header.decode("utf-8"), object_pairs_hook=tuple, parse_int=_whole)
    except (ValueError, RecursionError) as error:  # ValueError: not UTF-8, or a too long number
        raise ValueError("its header cannot be read: it is not valid JSON") from error
    if not isinstance(pairs, tuple):
        raise ValueError("its header cannot be read: it is not a mapping")  # noqa: TRY004
    for name, _ in pairs:
        if not is_name(name):
            raise ValueError(f"{name[:40]!a} is not a name of a tensor")
    return pairs


def _whole(digits: str) -> int:
    """Return a whole number. Python 3.10 takes long for a very long one."""
    if len(digits) > 20:
        raise ValueError("no size has as many digits")
    return int(digits)


def _expect_text(metadata: Any) -> None:
    whole = isinstance(metadata, tuple) and all(isinstance(text, str) for _, text in metadata)
    if not whole:
        raise ValueError("its __metadata__ is not text by name")


def _described(name: str, written: Any) -> tuple[str, Shape, int, int]:
    """Return the dtype, the shape, and the first and the last place of a tensor."""
    fields = dict(written) if isinstance(written, tuple) and len(written) == 3 else {}
    if fields.keys() != _FIELDS:
        raise ValueError(f"{name} is not a description of a tensor")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    size = SIZES.get(dtype) if isinstance(dtype, str) else None
    if size is None:
        said = ascii(dtype[:20]) if isinstance(dtype, str) else "that is no text"
        raise ValueError(f"{name} has an unknown dtype: {said}")
    if not _are_counts(shape) or len(shape) > MAX_RANK or product(shape) * size >= 1 << 63:
        raise ValueError(f"{name} has no valid shape")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(f"{name} has no valid data_offsets")
    there, needed = offsets[1] - offsets[0], product(shape) * size
    if there != needed:
        raise ValueError(f"{name} has {there:,} bytes instead of {needed:,}")
    return dtype, tuple(shape), offsets[0], offsets[1]


def _are_counts(numbers: Any) -> bool:
    """Whether this is a list of whole numbers that are not negative and fit into 64 bits."""
    return isinstance(numbers, list) and all(type(n) is int and 0 <= n < 1 << 63 for n in numbers)


def _expect_one_after_another(places: list[tuple[int, int, str]], size: int) -> None:
    """Check that the values have no gap, do not overlap, and end where the file ends."""
    reached = 0
    for start, end, name in sorted(places):
        if start != reached:
            raise ValueError(f"{name} does not begin at byte {reached:,} of the data")
        reached = end
    if reached != size:
        raise ValueError(f"its data has {size:,} bytes instead of {reached:,}")
