"""The names that the tensors of a file of weights have in a network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Naming(NamedTuple):
    """The names in a file, by the names in the network; and what went wrong."""

    in_file: Mapping[str, str]
    #: Two names in the file that become one name.
    same: tuple[tuple[str, str], ...] = ()
    #: The patterns that match no name.
    unused: tuple[str, ...] = ()


def naming(
    names: Iterable[str], prefix: str | None, rename: Mapping[str, str] | None = None
) -> Naming:
    """Return the names of a file in the network. The first pattern that matches a name counts.

    >>> naming(["net.h.0.w", "head"], "net", {"h.*.w": "layers.*.weight"}).in_file
    {'layers.0.weight': 'net.h.0.w'}
    """
    start = f"{prefix}." if prefix else ""
    patterns = {old: (_expression(old), new.split("*")) for old, new in (rename or {}).items()}
    found: dict[str, str] = {}
    same, used = [], set()
    for name in names:
        if not name.startswith(start):
            continue
        here = name[len(start) :]
        for old, (expression, new) in patterns.items():
            if match := expression.fullmatch(here):
                used.add(old)
                parts = zip(new, (*match.groups(), ""), strict=True)
                here = "".join(text for pair in parts for text in pair)
                break
        if here in found:
            same.append((found[here], name))
        found[here] = name
    return Naming(found, tuple(same), tuple(old for old in patterns if old not in used))


def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile("(.*?)".join(map(re.escape, pattern.split("*"))))
