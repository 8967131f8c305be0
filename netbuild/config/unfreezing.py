"""`train: {unfreeze: {trunk: 3}}`: frozen layers and stacks that learn from an epoch on.

Epochs count from 1. A pattern matches the path of a layer, or of a stack around it. The first
pattern that matches counts.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def within(pattern: str, path: str) -> bool:
    """Whether a pattern matches the path of a layer, or of a stack around it."""
    parts = path.split(".")
    return any(fnmatchcase(".".join(parts[: end + 1]), pattern) for end in range(len(parts)))


def first_epoch(unfreeze: Mapping[str, int] | None, path: str) -> int | None:
    """Return the first epoch in which a frozen layer learns; None if it stays frozen."""
    patterns = unfreeze or {}
    return next((epoch for pattern, epoch in patterns.items() if within(pattern, path)), None)
