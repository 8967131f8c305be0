"""Exceptions of torch and of data sources during a training, turned into one sentence."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netbuild.components.datasets.dataset import DataError
from netbuild.diagnostics.exceptions import ConfigError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netbuild.config.config import Config


#: Messages of torch's backends when another process has ended.
_LOST = re.compile(r"gloo.*(Connection|closed|reset)|NCCL.*(remote|abort|peer)", re.DOTALL)

#: What the processes that are left say.
OTHER_ENDED = "another process of this training has ended, so the training cannot continue"


@contextmanager
def refused(what: str, within: Callable[[BaseException], str] | None = None) -> Iterator[None]:
    """Turn an exception of torch or numpy into one sentence: torch refused `what`.

    `within` returns the part of `what` that raised an exception, or an empty text.

    Raises:
        TrainingError: in place of the exception.
    """
    try:
        yield
    except (
        RuntimeError,
        ValueError,
        TypeError,
        AssertionError,
        LookupError,
        AttributeError,
        ArithmeticError,
        MemoryError,
    ) as error:
        if isinstance(error, (TrainingError, ConfigError)):
            raise
        if _LOST.search(str(error)):
            raise TrainingError(OTHER_ENDED) from error
        said = " ".join(str(error).split())[:300] or type(error).__name__
        part = within(error) if within else ""
        message = f"torch refused {what}: {said}{f'; at {part}' if part else ''}"
        raise TrainingError(message) from error


@contextmanager
def lost_processes() -> Iterator[None]:
    """Turn the exception of a backend about a lost process into one sentence.

    Raises:
        TrainingError: another process of the training has ended.
    """
    try:
        yield
    except RuntimeError as error:
        if not _LOST.search(str(error)):
            raise
        raise TrainingError(OTHER_ENDED) from error


@contextmanager
def data_faults(config: Config) -> Iterator[None]:
    """Turn an exception of a data source into a fault of the config, at the item of the source.

    A source that reads sample by sample may raise in the middle of an epoch.

    Raises:
        ConfigError: in place of the `DataError`.
    """
    try:
        yield
    except DataError as error:
        from netbuild.checks.objective import unusable

        raise ConfigError([unusable(config, error)]) from error
