"""The signals that end a training. It finishes its step, saves a checkpoint, and stops.

A second Ctrl-C or SIGTERM stops at once. A second SIGHUP does not: a terminal that closes sends it
twice, once itself and once through the shell.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: SIGHUP: the terminal is closed; Windows lacks it. SIGBREAK: Ctrl-Break, or the window of a
#: console is closed; only Windows has it.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def ending() -> tuple[int, ...]:
    """Return the signals of this system that end a training.

    SIGHUP is left out where the process ignores it already: `nohup` has started it.
    """
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    return tuple(n for n in numbers if n != _hangup() or signal.getsignal(n) != signal.SIG_IGN)


@contextmanager
def stopped_by_signals(stop: Callable[[], Any], may_stop_now: Callable[[], bool]) -> Iterator[None]:
    """Call `stop` on the first signal.

    A second one raises KeyboardInterrupt if the training `may_stop_now`. The next one then ends the
    process, also in a function of torch that does not return.
    """
    received: list[int] = []

    def handler(number: int, _: Any) -> None:
        received.append(number)
        if len(received) == 1:
            stop()
        if len(received) == 1 or number == _hangup() or not may_stop_now():
            return
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt

    try:
        before = {number: signal.signal(number, handler) for number in ending()}
    except ValueError:  # only the main thread handles signals
        before = {}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


def leave_to_parent(_: int = 0) -> None:
    """Let a process that reads samples ignore the signals that end its training.

    A terminal and a batch system send their signals to all processes of a training. The process
    that trains still needs samples for its step, and then ends its readers by itself. It may do
    this with a SIGTERM, so a second SIGTERM ends a reader.
    """
    for number in ending():
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL))


def _hangup() -> int | None:
    return getattr(signal, "SIGHUP", None)
