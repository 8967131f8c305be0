"""From the text of a formula to its steps.

Python's own parser parses the text, and this module walks the tree. Python never compiles or
evaluates a formula. Limits bound its length, its depth and the size of every number.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from netbuild.components.layers.elementwise import refusals
from netbuild.components.layers.elementwise.faults import fault
from netbuild.components.layers.elementwise.functions import FUNCTIONS, OPERATORS, SIGNS
from netbuild.components.layers.elementwise.parsing import MAX_DEPTH, parse
from netbuild.components.layers.elementwise.program import Number, Program, Slot, Step

if TYPE_CHECKING:
    import ast

    from netbuild.components.layers.elementwise.functions import Function
    from netbuild.components.layers.elementwise.program import Operand, Part, Read

#: The largest number that torch turns into a float32.
MAX_NUMBER = 3.4028234663852886e38
#: Numbers with a name, unless an input has this name.
CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf}


@lru_cache(maxsize=4096)
def read(text: str, names: tuple[str, ...]) -> Program:
    """Return the steps of a formula whose inputs have these names.

    Raises:
        PartError: a part of the text is not part of a formula.
    """
    return Program(text, names, tuple(_Reader(text, names).steps()))


class _Reader:
    """Reads a tree of Python's `ast`, and notes a step for each function in it."""

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        self.text, self.names = text, names
        self.tree, self.start = parse(text)
        self.found: list[Step] = []

    def steps(self) -> list[Step]:
        """Return all steps.

        Raises:
            PartError: a part of the tree is not part of a formula.
        """
        result, part = self.visit(self.tree, 0)
        if not isinstance(result, Slot):
            fault("the formula reads no input: its result is one number", part)
        if not self.found:
            fault("the formula is its input, unchanged", part, help="leave the Formula out")
        return self.found

    def visit(self, node: ast.AST, depth: int) -> Read:
        """Read a node of the tree, and what is below it."""
        if depth > MAX_DEPTH:
            fault(f"a formula has at most {MAX_DEPTH} levels", (0, len(self.text)))
        method = getattr(self, f"visit_{type(node).__name__}", None)
        if method is None:
            refusals.refuse(self.text, self.part, node)
        found: Operand = method(node, depth + 1)
        return found, self.part(node)

    def part(self, node: ast.AST) -> Part:
        """Return the place of a node in the text."""
        start, end = node.col_offset, node.end_col_offset  # type: ignore[attr-defined]
        return self.start + start, self.start + end

    def visit_Constant(self, node: ast.Constant, _: int) -> Operand:
        if not isinstance(node.value, (int, float, complex)) or isinstance(node.value, bool):
            fault(f"{node.value!r} is not a number", self.part(node))
        return self.number(node.value, node)

    def number(self, value: complex, node: ast.AST) -> Number:
        """Return a number that torch takes."""
        if isinstance(value, complex) or math.isnan(value):
            fault("this is not a real number", self.part(node))
        large = isinstance(value, int) and abs(value) >= 1 << 63
        if large or MAX_NUMBER < abs(value) < math.inf:
            fault("this number is too large for a tensor", self.part(node))
        return Number(value)

    def visit_Name(self, node: ast.Name, _: int) -> Operand:
        if node.id in self.names:
            return Slot(self.names.index(node.id))
        if node.id not in CONSTANTS:
            refusals.refuse_name(self.text, self.part(node), self.names, (*self.names, *CONSTANTS))
        return Number(CONSTANTS[node.id])

    def visit_UnaryOp(self, node: ast.UnaryOp, depth: int) -> Operand:
        kind = type(node.op).__name__
        if kind == "Not":
            refusals.refuse_not(self.text, self.part(node), self.part(node.operand))
        operand = self.visit(node.operand, depth)
        return operand[0] if kind == "UAdd" else self.step(SIGNS[kind], [operand], node)

    def visit_BinOp(self, node: ast.BinOp, depth: int) -> Operand:
        kind = type(node.op).__name__
        if kind not in OPERATORS:
            between = self.part(node.left)[1], self.part(node.right)[0]
            refusals.refuse_operator(self.text, *between, kind)
        operands = [self.visit(node.left, depth), self.visit(node.right, depth)]
        one, other = (operand for operand, _ in operands)
        if kind == "Div" and isinstance(one, Number) and isinstance(other, Slot):
            # So does torch: `2 / x` is `x.reciprocal() * 2`.
            inverse = self.step(FUNCTIONS["reciprocal"], operands[1:], node)
            return self.step(OPERATORS["Mult"], [(inverse, self.part(node)), operands[0]], node)
        return self.step(OPERATORS[kind], operands, node)

    def visit_Compare(self, node: ast.Compare, depth: int) -> Operand:
        kind = type(node.ops[0]).__name__
        if len(node.ops) > 1 or kind not in OPERATORS:
            refusals.refuse_comparison(self.text, self.part, node)
        operands = [self.visit(node.left, depth), self.visit(node.comparators[0], depth)]
        return self.step(OPERATORS[kind], operands, node)

    def visit_Call(self, node: ast.Call, depth: int) -> Operand:
        function = FUNCTIONS.get(getattr(node.func, "id", ""))
        if function is None:
            refusals.refuse_call(self.text, self.part, node)
        given = dict(zip(function.parameters, node.args, strict=False))
        given |= {one.arg: one.value for one in node.keywords if one.arg}
        count = len(node.args) + len(node.keywords)
        known = {*function.required} <= {*given} <= {*function.parameters}
        if not known or len(given) != count or not function.needed <= count <= function.most:
            refusals.refuse_arguments(function, self.part, node)
        operands: list[Read] = []
        for name in function.parameters:
            value = given.get(name)
            if value is None or (name not in function.required and _is_none(value)):
                operands.append((None, self.part(node)))
            else:
                operands.append(self.visit(value, depth))
        return self.step(function, operands, node)

    def step(self, function: Function, operands: list[Read], node: ast.AST) -> Operand:
        """Note a step, and return its result; compute it at once if its operands are numbers."""
        given = [operand for operand, _ in operands]
        numbers = [one.value for one in given if isinstance(one, Number)]
        tensors = any(isinstance(one, Slot) for one in given)
        if not tensors and function.value:
            return self.number(self.computed(function, numbers, node), node)
        if not tensors:
            fault(f"{function.name} needs a tensor, and gets numbers alone", self.part(node))
        for takes, (operand, part), name in zip(
            function.takes, operands, function.parameters, strict=True
        ):
            if takes == "t" and not isinstance(operand, Slot):
                refusals.refuse_number(self.text, self.part(node), function, operands, part)
            if takes == "n" and isinstance(operand, Slot):
                fault(f"{name} of {function.name} is a number, not a tensor", part)
        if function.dtypes == "bounds" and {*map(type, given[1:])} == {Number, Slot}:
            refusals.refuse_bounds(self.text, self.part(node), operands)
        parts = tuple(part for _, part in operands)
        self.found.append(Step(function, tuple(given), self.part(node), parts))
        return Slot(len(self.names) + len(self.found) - 1)

    def computed(self, function: Function, numbers: list[float], node: ast.AST) -> float:
        """Return the value of a function of numbers."""
        assert function.value is not None
        if function.name in {"**", "pow"} and _is_huge(*numbers):
            fault("this power is too large", self.part(node))
        try:
            return function.value(*numbers)
        except ZeroDivisionError:
            fault("a division by zero", self.part(node))
        except (ArithmeticError, ValueError, TypeError):
            fault(f"{function.name} has no value here", self.part(node))


def _is_none(node: ast.expr) -> bool:
    return getattr(node, "value", ...) is None


def _is_huge(base: float, exponent: float) -> bool:
    """Whether computing a power takes too long."""
    bits = base.bit_length() if isinstance(base, int) else 1
    return isinstance(base, int) and abs(base) > 1 and abs(exponent) * bits > 128
