"""PNG files from bytes, without a library: pages hold small pictures as text."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netbuild.reports.run_page.review import Picture

#: PNG's number for pixels of 1, 3 and 4 channels. https://www.w3.org/TR/png-3/#11IHDR
_KINDS = {1: 0, 3: 2, 4: 6}


def png(picture: Picture) -> bytes:
    """Return a picture as a PNG file."""
    stride = picture.width * picture.channels
    rows = (picture.pixels[at : at + stride] for at in range(0, stride * picture.height, stride))
    data = b"".join(b"\0" + row for row in rows)
    head = struct.pack(
        ">IIBBBBB", picture.width, picture.height, 8, _KINDS[picture.channels], 0, 0, 0
    )
    parts = (("IHDR", head), ("IDAT", zlib.compress(data, 9)), ("IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name.encode(), part) for name, part in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)


def address(picture: Picture) -> str:
    """Return a picture as an address that holds all of it."""
    return f"data:image/png;base64,{b64encode(png(picture)).decode()}"


def smaller(picture: Picture, side: int) -> Picture:
    """Return a picture of at most so many pixels along each side: every n-th pixel."""
    step = -(-max(picture.width, picture.height) // side)
    if step <= 1:
        return picture
    channels, stride = picture.channels, picture.width * picture.channels
    pixels = bytearray()
    for row in range(0, picture.height, step):
        line = picture.pixels[row * stride : (row + 1) * stride]
        for at in range(0, stride, step * channels):
            pixels += line[at : at + channels]
    width, height = -(-picture.width // step), -(-picture.height // step)
    return picture._replace(width=width, height=height, pixels=bytes(pixels))
