"""How large a network may be."""

from __future__ import annotations

#: More layers than this are refused, however short the file that asks for them.
MAX_LAYERS = 10_000
