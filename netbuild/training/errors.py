"""What can go wrong once torch runs."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netbuild.diagnostics.exceptions import ConfigError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator


#: What torch's ways between processes say when one of them is gone.
_LOST = re.compile(r"gloo.*(Connection|closed|reset)|NCCL.*(remote|abort|peer)", re.DOTALL)


@contextmanager
def refused(what: str) -> Iterator[None]:
    """Turn what torch or numpy say against `what`, with their tracebacks, into one sentence."""
    try:
        yield
    except (
        RuntimeError,
        ValueError,
        TypeError,
        AssertionError,
        IndexError,
        ArithmeticError,
        MemoryError,
    ) as error:
        if isinstance(error, (TrainingError, ConfigError)):
            raise
        if _LOST.search(str(error)):
            message = "another process of this training has ended, and its part is missing"
            raise TrainingError(message) from error
        said = " ".join(str(error).split())[:300] or type(error).__name__
        message = f"torch refused {what}: {said}"
        raise TrainingError(message) from error
