"""Pictures of pages as PNG files."""

import zlib

from netbuild.reports.run_page.png import png, smaller
from netbuild.reports.run_page.review import Picture


def test_pictures() -> None:
    """A picture is a PNG file with the same pixels; a smaller one has every n-th."""
    pixels = bytes(range(48))
    picture = Picture(4, 4, 3, pixels)
    data = png(picture)
    start = data.index(b"IDAT") + 4
    rows = zlib.decompressobj().decompress(data[start:])
    assert b"".join(rows[n * 13 + 1 : n * 13 + 13] for n in range(4)) == pixels
    half = smaller(picture, 2)
    assert (half.width, half.height) == (2, 2)
    assert half.pixels == pixels[:3] + pixels[6:9] + pixels[24:27] + pixels[30:33]
    assert smaller(picture, 96) is picture
