"""A formula as steps, in the order in which torch computes them.

A step is one call of a function of torch. Its operands are numbers, inputs of the formula, and
results of earlier steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from netbuild.components.layers.elementwise.functions import Function

#: A part of the text: the positions of its first character, and of the character after it.
Part: TypeAlias = tuple[int, int]


class Number(NamedTuple):
    """A number as an operand."""

    value: float


class Slot(NamedTuple):
    """A value as an operand: first come the inputs of the formula, then the results of steps."""

    number: int


#: An operand of a step; None leaves out an optional one, as in `clamp(x, None, 6)`.
Operand: TypeAlias = "Number | Slot | None"

#: A term that is read: an operand for the next step, and its place.
Read: TypeAlias = "tuple[Operand, Part]"


class Step(NamedTuple):
    """One call of a function."""

    function: Function
    operands: tuple[Operand, ...]
    #: The place of the call, and of each operand, in the text.
    part: Part
    parts: tuple[Part, ...]

    @property
    def path(self) -> str:
        """Return the name of the function for Python.

        torch.fx writes -1 and m as `-1 ** m`, which Python reads as -(1 ** m).
        """
        base = self.operands[0]
        negative = isinstance(base, Number) and base.value < 0
        is_power = self.function.path == "operator.pow"
        return "torch.pow" if is_power and negative else self.function.path

    @property
    def keeps(self) -> tuple[str, ...]:
        """What the backward pass needs for the gradient of each operand."""
        of_number = self.function.keeps_by_number
        by_number = of_number is not None and isinstance(self.operands[-1], Number)
        return of_number if of_number and by_number else self.function.keeps

    @property
    def slots(self) -> tuple[int, ...]:
        """The values among the operands."""
        return tuple(one.number for one in self.operands if isinstance(one, Slot))


class Program(NamedTuple):
    """All steps of a formula; the last one gives the result."""

    text: str
    names: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def reads_once(self) -> bool:
        """Whether no input stands twice in the formula."""
        slots = [slot for step in self.steps for slot in step.slots if slot < len(self.names)]
        return len(slots) == len(set(slots))

    def place(self, slot: int, part: Part) -> str:
        """Return the words for an operand: the text of its part."""
        return self.names[slot] if slot < len(self.names) else self.text[slice(*part)]
