"""Pictures that cannot be read: they are found, and left out if a source says so."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from netbuild.components.datasets.dataset import DataError
from netbuild.components.datasets.decoding import decoded


def broken(files: Sequence[tuple[str, ...]]) -> dict[int, str]:
    """Return the samples with a picture that cannot be read, and the reasons.

    Args:
        files: the pictures of each sample. All of them are read; unchanged ones are read once.
    """
    return dict(_broken(tuple(tuple((file, _stamp(file)) for file in each) for each in files)))


def _stamp(file: str) -> int:
    try:
        return Path(file).stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=4)
def _broken(samples: tuple[tuple[tuple[str, int], ...], ...]) -> tuple[tuple[int, str], ...]:
    reasons = ((index, _reason(sample)) for index, sample in enumerate(samples))
    return tuple((index, reason) for index, reason in reasons if reason)


def _reason(sample: tuple[tuple[str, int], ...]) -> str:
    """Return why a picture of a sample cannot be read; "" if all can."""
    try:
        for file, _ in sample:
            decoded(file)
    except DataError as error:
        return str(error)
    return ""


def expect_broken(kept: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the broken pictures that a run has kept: for each split, reasons by names.

    Raises:
        DataError: the values have another form.
    """
    splits = kept.get("broken")
    if isinstance(splits, dict) and all(
        isinstance(names, dict) and all(isinstance(reason, str) for reason in names.values())
        for names in splits.values()
    ):
        return splits
    raise DataError("the run does not say which pictures are left out: its data.json was changed")
