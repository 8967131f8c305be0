"""The distribution of an input in training, as a run keeps it."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

#: The least shape of tails by the kind of an input; the tail of a share has an end.
SHAPES = {"features": 0.5, "channels": 0.0, "numbers": 0.5}


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


def read(values: Any) -> Known | None:
    """Return the distribution that a run keeps; None for values that are no distribution."""
    try:
        samples, kind, *parts = (values[name] for name in Known._fields)
        tensors = [torch.tensor(part, dtype=torch.float64) for part in parts]
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError, OverflowError):
        return None
    known = Known(samples, kind, *tensors)
    one = known.least.shape
    numbers = (2 * one[0] if kind != "features" else one[0], 3) if one else ()
    shapes = [part.shape for part in tensors]
    right = shapes == [one] * 5 + [torch.Size(numbers)] * 2
    finite = all(bool(part.isfinite().all()) for part in tensors)
    return (
        known
        if kind in SHAPES and type(samples) is int and samples > 1 and right and finite
        else None
    )
