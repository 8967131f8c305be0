"""The kinds of sums: metrics of one kind share them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from netbuild.training.measures.seen import Seen

#: What a batch adds to the sums, by name.
Summands: TypeAlias = "dict[str, Tensor | float]"


class Kind(NamedTuple):
    """The sums of some metrics. The name tells kinds apart."""

    name: str
    sums: Callable[[Seen], Summands]
