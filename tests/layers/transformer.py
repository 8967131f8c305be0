"""transformer, by hand and by chance."""

from __future__ import annotations

from tests.layers.contract import Family

FAMILY = Family([], {})
