"""The shapes and dtypes of all values of a formula, by torch's rules for broadcasting and dtypes.

https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from netbuild.components.layers._broadcast import promoted
from netbuild.components.layers.elementwise.faults import fault
from netbuild.components.layers.elementwise.program import Number, Slot
from netbuild.components.tensor import Tensor, times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.components.layers.elementwise.functions import Function
    from netbuild.components.layers.elementwise.program import Operand, Program, Step
    from netbuild.components.tensor import Shape

_TITLE = "a formula that cannot be computed"
_POWERS = {"**", "pow"}
_DIVISIONS = {"/", "div", "//", "%", "remainder", "fmod"}
#: The bits of the whole numbers, and whether they have a sign.
_INTEGERS = {
    "uint8": (0, (1 << 8) - 1),
    "int8": (-(1 << 7), (1 << 7) - 1),
    "int16": (-(1 << 15), (1 << 15) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
}


def values(program: Program, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return the inputs of a formula, and the result of each step.

    Raises:
        PartError: shapes do not broadcast, or a function does not take a dtype.
    """
    found = list(inputs)
    for step in program.steps:
        found.append(Tensor(_shape(program, step, found), _dtype(program, step, found)))
    return tuple(found)


def _shape(program: Program, step: Step, found: Sequence[Tensor]) -> Shape:
    """Return the shape of a step's result."""
    shape: Shape = ()
    shown = ""
    for operand, part in zip(step.operands, step.parts, strict=True):
        if not isinstance(operand, Slot):
            continue
        other = found[operand.number].shape
        called = f"{program.place(operand.number, part)} is {times(other)}"
        if shown and len(shape) != len(other):
            message = "they have different numbers of axes, and the batch would meet another axis"
            fault(f"{shown}, {called}: {message}", step.part, title=_TITLE)
        if shown and any(a != b and 1 not in {a, b} for a, b in zip(shape, other, strict=True)):
            fault(f"{shown}, {called}: they do not broadcast", step.part, title=_TITLE)
        shape = tuple(map(_wider, shape, other)) if shown else other
        shown = shown or called
    return shape


def _wider(one: int, other: int) -> int:
    return other if one == 1 else one


def common(operands: Sequence[Operand], found: Sequence[Tensor]) -> str:
    """Return the dtype of tensors and numbers together; a number widens no tensor of its kind."""
    tensors = [found[one.number] for one in operands if isinstance(one, Slot)]
    dtype = promoted(*tensors) if tensors else "bool"
    floats = any(isinstance(one, Number) and isinstance(one.value, float) for one in operands)
    whole = any(isinstance(one, Number) for one in operands)
    if floats and "float" not in dtype:
        return "float32"
    return "int64" if whole and dtype == "bool" else dtype


def _dtype(program: Program, step: Step, found: Sequence[Tensor]) -> str:
    """Return the dtype of a step's result."""
    function = step.function
    operands = step.operands[1:] if function.dtypes == "where" else step.operands
    dtype = common(operands, found)
    _expect(program, step, found, dtype)
    if function.dtypes == "tests":
        return "bool"
    if function.dtypes == "squares" and dtype == "bool":
        return "int64"
    result = "float32" if function.dtypes == "floats" and "float" not in dtype else dtype
    _expect_room(step, operands, result)
    return result


def _expect(program: Program, step: Step, found: Sequence[Tensor], dtype: str) -> None:
    """Refuse dtypes that the function of a step does not take; `dtype` is the common one."""
    for number, (operand, part) in enumerate(zip(step.operands, step.parts, strict=True)):
        if isinstance(operand, Slot):
            called = program.place(operand.number, part)
            wrong = _wrong(step.function, number, found[operand.number].dtype, called)
            if wrong:
                fault(wrong, part, title=_TITLE)
    rule, name = step.function.dtypes, step.function.name
    fraction, alone = "float" in dtype, dtype == "bool"
    wrong = f"{name} takes floating-point numbers" if rule == "fractions" and not fraction else ""
    wrong = f"{name} takes bool or whole numbers" if rule == "bits" and fraction else wrong
    wrong = f"{name} takes numbers" if rule in {"powers", "bounds"} and alone else wrong
    if wrong:
        fault(f"{wrong}, and gets {dtype}", step.part, title=_TITLE)
    other = step.operands[-1]
    if not isinstance(other, Number):
        return
    if name in _DIVISIONS and other.value == 0:
        fault("a division by zero", step.part, title=_TITLE)
    if name in _POWERS and other.value < 0 and not fraction:
        message, instead = f"torch raises {dtype} to no negative whole number", f"{other.value}.0"
        part = step.parts[-1]
        fault(message, part, title=_TITLE, instead=instead, help=f"write {instead}")


def _wrong(function: Function, number: int, dtype: str, called: str) -> str:
    """Return why a function does not take a dtype in the place of an operand; "" if it does."""
    rule, name = function.dtypes, function.name
    if dtype == "bool" and (rule in {"numbers", "fractions"} or name == "atan2"):
        return f"{name} takes numbers, and {called} is bool"
    if dtype == "bool" and name in _POWERS and number == 1:
        return f"an exponent is a number, and {called} is bool"
    if rule == "one float" and "float" not in dtype:
        return f"{name} takes floating-point numbers, and {called} is {dtype}"
    if rule == "bits" and "float" in dtype:
        return f"{name} takes bool or whole numbers, and {called} is {dtype}"
    if rule == "where" and number == 0 and dtype != "bool":
        return f"where takes a bool first, such as {called} > 0, and {called} is {dtype}"
    return ""


def _expect_room(step: Step, operands: Sequence[Operand], dtype: str) -> None:
    """Refuse a whole number that the dtype of the result does not hold."""
    least, most = _INTEGERS.get(dtype, (-math.inf, math.inf))
    parts = step.parts[len(step.parts) - len(operands) :]
    for operand, part in zip(operands, parts, strict=True):
        if isinstance(operand, Number) and not least <= operand.value <= most:
            fault(f"{dtype} goes from {least} to {most}", part, title=_TITLE)
