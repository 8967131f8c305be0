"""Pictures: their sizes from their headers, and their pixels."""

import os
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from netbuild.components.datasets.dataset import DataError, Size
from netbuild.components.files import each_below, opened
from netbuild.components.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

#: Pillow's mode for each number of channels.
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
#: The most pixels of a picture. Pillow refuses more, because they may fill the memory.
#: https://pillow.readthedocs.io/en/stable/reference/Image.html#PIL.Image.MAX_IMAGE_PIXELS, twice
MAX_PIXELS = 2 * (1024 * 1024 * 1024 // 4 // 3)
#: File extensions of pictures.
SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)


def channels(wanted: Tensor) -> int:
    """Return the number of channels for a network: 1, 3 or 4 if it reads as many, else 3."""
    read = wanted.shape[0] if len(wanted.shape) == 3 else 3
    return read if read in _MODES else 3


def pixels(picture: "Image", wanted: Tensor, size: Size | None) -> "np.ndarray[Any, Any]":
    """Return a picture's values in the network's format, (C, H, W), from 0 to 1."""
    import numpy as np
    from PIL.Image import Resampling, fromarray

    mode = _MODES[channels(wanted)]
    if picture.mode.startswith("I"):  # 16 bits
        grey = np.asarray(picture).astype("float32") / np.float32(65535)
        picture = fromarray((grey.clip(0, 1) * 255).round().astype("uint8"))
    if picture.mode != mode:
        picture = picture.convert(mode)
    if size is not None and (picture.height, picture.width) != size:
        picture = picture.resize(size[::-1], Resampling.BILINEAR)
    values = np.asarray(picture).astype("float32") / np.float32(255)
    return values[None] if values.ndim == 2 else np.ascontiguousarray(values.transpose(2, 0, 1))


def decoded(file: str) -> "Image":
    """Return a whole picture, as it is seen: turned if its Exif data says so.

    Raises:
        DataError: the file cannot be read.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings(), opened(file) as stored, Image.open(stored) as picture:
            warnings.simplefilter("ignore")  # of a large picture, or of damaged Exif data
            return ImageOps.exif_transpose(picture)
    except UnidentifiedImageError:
        said = "it is not a picture"
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        said = reason or type(error).__name__
    raise DataError(f"{file} cannot be read: {said}", sample=file)


def pictures_in(folder: Path) -> tuple[str, ...]:
    """Return the pictures in a folder and its subfolders, in the order of their paths.

    Raises:
        OSError: the folder cannot be read.
    """
    status = folder.stat()
    found = _listed((folder,), ((status.st_mtime_ns, status.st_ctime_ns),))
    if isinstance(found, OSError):
        raise found
    return tuple(file for file, _ in found)


def listed(folder: Path) -> tuple[tuple[str, ...], tuple[tuple[str, int], ...]]:
    """Return the classes, which are folders, and each picture with its class number."""
    classes = tuple(
        sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    )
    found = _listed(classes, tuple([(s.st_mtime_ns, s.st_ctime_ns) for s in map(os.stat, classes)]))
    if isinstance(found, OSError):
        raise found
    return tuple(path.name for path in classes), found


@lru_cache(maxsize=8)
def _listed(
    classes: tuple[Path, ...], _stamp: tuple[tuple[int, int], ...]
) -> tuple[tuple[str, int], ...] | OSError:
    """List folders, or say why it is not possible; unchanged folders are listed once."""
    try:
        return tuple(_pictures(classes))
    except OSError as error:
        return error


def _pictures(classes: tuple[Path, ...]) -> Iterator[tuple[str, int]]:
    """Yield each picture of the classes with the number of its class."""
    return (
        (str(file), number)
        for number, files in enumerate(each_below(classes, SUFFIXES))
        for file in files
        if not file.name.startswith(".")
    )


def size_of(path: Path) -> Size | None:
    """Return the height and width of a PNG, GIF, BMP or JPEG file; None if they are unknown."""
    try:
        with opened(path) as file:
            start = file.read(26)
            if start.startswith(b"\x89PNG"):
                return _integers(start[20:24], start[16:20], "big")
            if start.startswith(b"GIF8"):
                return _integers(start[8:10], start[6:8], "little")
            if start.startswith(b"BM"):
                return _integers(start[22:26], start[18:22], "little")
            return _jpeg(file) if start.startswith(b"\xff\xd8") else None
    except OSError:
        return None


def _integers(height: bytes, width: bytes, order: Any) -> Size | None:
    size = int.from_bytes(height, order, signed=True), int.from_bytes(width, order)
    return (
        (abs(size[0]), size[1]) if size[0] and size[1] else None
    )  # a BMP with a negative height is stored upside down


def _jpeg(file: IO[bytes]) -> Size | None:
    """Return the size in the frame of a JPEG; None if its Exif data may rotate it.

    https://www.w3.org/Graphics/JPEG/itu-t81.pdf, B.1
    """
    file.seek(2)
    while (marker := file.read(4)) and marker[0] == 0xFF and len(marker) == 4:
        kind, length = marker[1], int.from_bytes(marker[2:], "big")
        if kind == 0xE1:
            return None
        if 0xC0 <= kind <= 0xCF and kind not in {0xC4, 0xC8, 0xCC}:
            frame = file.read(5)
            return _integers(frame[1:3], frame[3:5], "big")
        file.seek(length - 2, 1)
    return None
