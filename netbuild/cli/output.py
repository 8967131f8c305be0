"""Standard output during a training: if nobody reads it any more, the training saves and ends."""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import suppress
from io import TextIOBase
from typing import TYPE_CHECKING, TextIO

import typer

from netbuild.cli.terminal import INTERRUPTED, UNUSABLE, fail
from netbuild.diagnostics.wording import reason

if TYPE_CHECKING:
    from collections.abc import Callable

#: Errors of a pipe that nobody reads, and of a terminal that is closed.
_UNREAD = {errno.EPIPE, errno.EIO}


class Output(TextIOBase):
    """Standard output. When it cannot be written, it calls `lost`, and discards what comes later.

    No write raises an exception: it would stop a training in the middle of a step.
    """

    def __init__(self, lost: Callable[[], None]) -> None:
        self._lost, self._stream = lost, sys.stdout  # a progress bar replaces sys.stdout
        self.error: OSError | None = None
        if hasattr(signal, "SIGPIPE"):  # a closed pipe is an error of a write, not the end
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def expect_written(self, more: str) -> None:
        """Exit if something was not written, and say so on standard error, with `more`."""
        if self.error is None:
            return
        message = f"the output cannot be written: {reason(self.error)}{more}"
        code = INTERRUPTED if self.error.errno in _UNREAD else UNUSABLE
        try:
            fail(message, code)
        except OSError:  # the same terminal
            _lead_into_nothing(sys.stderr)
            raise typer.Exit(code) from None

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute there
        """The encoding of standard output."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Whether standard output is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the number of the file."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write a text. It is kept until `flush`, so there is little that may fail here."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._discard(error)
            return len(text)

    def flush(self) -> None:
        """Write what was kept."""
        try:
            self._stream.flush()
        except OSError as error:
            self._discard(error)

    def _discard(self, error: OSError) -> None:
        """Keep the first error, and tell it."""
        _lead_into_nothing(self._stream)
        if self.error is None:
            self.error = error
            self._lost()


def _lead_into_nothing(stream: TextIO) -> None:
    """Discard what a stream still holds, and all that comes.

    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    with suppress(OSError, ValueError):  # ValueError: no file of the system
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
