"""The comparison of an exported file with its network: on random samples, by the other runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch

from netbuild.components.tensor import times
from netbuild.diagnostics.exceptions import ExportError
from netbuild.exchange.samples import each

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netbuild.exchange.program import Program

#: A file that was loaded: it returns the outputs of a batch.
Loaded: TypeAlias = "Callable[[Sequence[torch.Tensor]], tuple[torch.Tensor, ...]]"
#: What judges an output by its name, its values in the network, and its values in the file. It
#: returns the largest difference, or raises.
Rule: TypeAlias = "Callable[[str, torch.Tensor, torch.Tensor], float]"

#: The numbers of samples in the batches that are compared.
SIZES = (1, 2, 5)
#: The largest difference of an output, as a part of its largest value or of 1 if that is larger.
#: Both sides compute in float32, whose sums differ by the order of their terms.
TOLERANCE = 1e-4


def differences(
    program: Program, file: Loaded, sizes: tuple[int, ...], rule: Rule | None = None
) -> dict[int, float]:
    """Return the largest difference between a file and its network for each size of a batch.

    Of an output with noise only the shape is compared: two draws differ. If all outputs have noise,
    nothing is returned. `rule` judges an output; it is `within_tolerance` if left out.

    Raises:
        ExportError: the file gives another number of outputs, other shapes, or other values.
    """
    found: dict[int, float] = {}
    for x in each(program, sizes):
        expected, came = program(x), file(x)
        noisy = _noisy(program, x, expected)
        if len(came) != len(expected):
            message = f"the file has {len(came)} outputs, and the network has {len(expected)}"
            raise ExportError(message)
        for name, ours, theirs in zip(program.outputs, expected, came, strict=True):
            if ours.shape != theirs.shape:
                shapes = f"{times(tuple(theirs.shape))}, and the network {times(tuple(ours.shape))}"
                raise ExportError(f"for {len(x[0])} samples the file gives {name} as {shapes}")
            if name not in noisy:
                difference = (rule or within_tolerance)(name, ours, theirs)
                found[len(x[0])] = max(difference, found.get(len(x[0]), 0.0))
    return found


def largest_difference(program: Program, file: Loaded, sizes: tuple[int, ...]) -> float | None:
    """Return the largest difference between a file and its network; None if all outputs have noise.

    Raises:
        ExportError: the file gives another number of outputs, other shapes, or other values.
    """
    return max(differences(program, file, sizes).values(), default=None)


def _noisy(
    program: Program, x: Sequence[torch.Tensor], y: tuple[torch.Tensor, ...]
) -> frozenset[str]:
    """Return the outputs that differ when the network runs again."""
    if not program.draws:
        return frozenset()
    pairs = zip(program.outputs, y, program(x), strict=True)
    return frozenset(name for name, one, other in pairs if not torch.equal(one, other))


def within_tolerance(name: str, ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Return the largest difference of an output.

    Raises:
        ExportError: it is above the tolerance.
    """
    if not ours.is_floating_point():
        if bool((ours != theirs).any()):
            raise ExportError(f"{name} of the file differs from the network")
        return 0.0
    difference = float((ours.double() - theirs.double()).abs().max()) if ours.numel() else 0.0
    scale = max(1.0, float(ours.abs().max())) if ours.numel() else 1.0
    if not difference <= TOLERANCE * scale:  # it may not be a number
        message = (
            f"{name} of the file differs from the network by {difference:.1e}, "
            f"and at most {TOLERANCE * scale:.0e} is allowed: the file is not kept"
        )
        raise ExportError(message)
    return difference
