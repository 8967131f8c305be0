"""Zip archives of strangers: how much of them is read at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO


class Bounded:
    """A file of which only a limited number of bytes is read at once.

    zipfile reads the whole directory of an archive at once, however long it is.
    """

    def __init__(self, file: BinaryIO, limit: int, error: Callable[[str], Exception]) -> None:
        self.file, self.limit, self.error, self.size = file, limit, error, file.seek(0, 2)
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Read that many bytes, or all that are left.

        Raises:
            Exception: these are too many. `error` makes it from the reason.
        """
        left = self.size - self.file.tell()
        size = left if size < 0 else min(size, left)
        if size > self.limit:
            raise self.error(f"its directory or its pickle has more than {self.limit:,} bytes")
        return self.file.read(size)
