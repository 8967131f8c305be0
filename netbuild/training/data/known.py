"""The distribution of an input, as a run keeps it."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch


class Known(NamedTuple):
    """The distribution of an input, as a run keeps it."""

    samples: int
    kind: str
    #: One number for each feature or channel, or one for all numbers.
    least: torch.Tensor
    most: torch.Tensor
    mean: torch.Tensor
    deviation: torch.Tensor
    zeros: torch.Tensor
    #: The points of the lower and of the upper tail of what each sample gives, (numbers, 3).
    low: torch.Tensor
    high: torch.Tensor

    def values(self) -> dict[str, Any]:
        """Return the distribution as values of JSON, with seven digits."""
        return {
            name: _rounded(part.tolist()) if isinstance(part, torch.Tensor) else part
            for name, part in self._asdict().items()
        }


def _rounded(value: Any) -> Any:
    return [_rounded(one) for one in value] if isinstance(value, list) else float(f"{value:.7g}")
