"""Measured numbers in the files of runs."""

from __future__ import annotations

import math
from typing import Any


def finite(measured: Any) -> Any:
    """Return a measured value that JSON can hold: null replaces a number that is not finite.

    One example is R² of a single sample.
    """
    if isinstance(measured, list):
        return [finite(part) for part in measured]
    if isinstance(measured, dict):
        return {name: finite(part) for name, part in measured.items()}
    return None if isinstance(measured, float) and not math.isfinite(measured) else measured


def is_number(value: Any) -> bool:
    """Whether a value is a fraction, or a whole number of at most 64 bits."""
    return isinstance(value, float) or (type(value) is int and abs(value) < 1 << 63)
