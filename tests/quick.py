"""Which rows of a long table the quick run tries. With `--full`, all of them are tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from _pytest.mark.structures import ParameterSet

T = TypeVar("T")


def thinned(rows: Sequence[T], quick: Collection[T]) -> list[ParameterSet]:
    """Return all rows as parameters of a test, those that are not in `quick` marked as slow."""
    return [pytest.param(row, marks=[pytest.mark.slow] * (row not in quick)) for row in rows]
