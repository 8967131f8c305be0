"""What the reader raises where a file is not accepted."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818  a verdict, which is no mistake of the program
    """The file is refused; `why` says it, and `path` is the member, if one is to blame."""

    def __init__(self, why: str, path: str = "") -> None:
        super().__init__(f"{path}: {why}" if path else why)
        self.why, self.path = why, path
