"""What follows from a formula: what backward needs of it, the range of its results, its bends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.layers.elementwise.program import Number, Slot
from netbuild.components.layers.layer import Needs
from netbuild.components.layers.layout import Placed, elementwise
from netbuild.components.layers.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.components.layers.elementwise.program import Operand, Program
    from netbuild.components.layers.layout import Strides
    from netbuild.components.tensor import Tensor


def placed(program: Program, x: Sequence[Placed], values: Sequence[Tensor]) -> list[Placed]:
    """Return the inputs and the result of each step as they lie in memory."""
    found = list(x)
    for step, value in zip(program.steps, values[len(x) :], strict=True):
        read = [found[slot] for slot in step.slots]
        ordered = all(one.strides is None for one in read)
        strides: Strides = None if ordered else elementwise(value.shape, read)
        gradient = value.floating and any(one.gradient for one in read)
        batched = any(one.batched for one in read)
        found.append(Placed(value.shape, strides, gradient, value.dtype, batched))
    return found


def needs(program: Program, x: Sequence[Placed], values: Sequence[Tensor]) -> Needs:
    """Return what the backward pass needs. A value that two steps need counts once."""
    found = placed(program, x, values)
    kept = kept_slots(program, found)
    last = len(found) - 1
    between = [found[slot] for slot in kept if len(x) <= slot < last]
    workspace = sum(one.nbytes for one in between if one.batched)
    once = sum(one.nbytes for one in between if not one.batched)
    inputs = tuple(slot for slot in sorted(kept) if slot < len(x))
    return Needs(inputs, ("output",) if last in kept else (), workspace, once)


def kept_slots(program: Program, found: Sequence[Placed]) -> set[int]:
    """Return the values that the backward pass needs of those that it reaches."""
    kept: set[int] = set()
    reached = {len(found) - 1}
    first = len(program.names)
    for own in range(len(found) - 1, first - 1, -1):
        step = program.steps[own - first]
        if own not in reached or not found[own].gradient:
            continue
        slots = [one.number if isinstance(one, Slot) else None for one in step.operands]
        for slot, letters in zip(slots, step.keeps, strict=False):
            if slot is not None and found[slot].gradient:
                named = (own if letter == "y" else slots["abc".index(letter)] for letter in letters)
                kept |= {one for one in named if one is not None}
        reached |= {slot for slot in step.slots if found[slot].gradient}
    return kept


def feeding(program: Program) -> set[int]:
    """Return the inputs from which values come to the result, and not only answers to a test."""
    first = len(program.names)
    fed = {first + len(program.steps) - 1}
    for own, step in reversed([*enumerate(program.steps, start=first)]):
        dtypes = step.function.dtypes
        if own in fed and dtypes not in {"tests", "bits"}:
            operands = step.operands[1:] if dtypes == "where" else step.operands
            fed |= {one.number for one in operands if isinstance(one, Slot)}
    return {slot for slot in fed if slot < first}


def bounds(program: Program, x: Sequence[Range | None]) -> Range | None:
    """Return the range of the results by interval arithmetic; None if it is unknown.

    It is unknown if an input stands twice in the formula: the range of `x * x` is smaller than the
    range of a product.
    """
    if not program.reads_once:
        return None
    found: list[Range | None] = list(x)

    def of(operand: Operand, name: str) -> Range | None:
        if isinstance(operand, Slot):
            return found[operand.number]
        if isinstance(operand, Number):
            return Range(operand.value, operand.value)
        limit = float("-inf" if name == "min" else "inf")
        return Range(limit, limit)

    for step in program.steps:
        function = step.function
        names = zip(step.operands, function.parameters, strict=True)
        found.append(function.bounds(*(of(operand, name) for operand, name in names)))
    return found[-1]


def is_affine(program: Program) -> bool:
    """Whether the result is an affine function of the only input."""
    for step in program.steps:
        one_factor = step.function.name not in {"*", "mul"} or len(step.slots) == 1
        quotient = step.function.name in {"/", "div"} and isinstance(step.operands[1], Number)
        if not quotient and not (step.function.affine and one_factor):
            return False
    return True
