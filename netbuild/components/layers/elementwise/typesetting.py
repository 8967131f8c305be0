"""A formula as people print it: `x · sigmoid(1.702 · x)`, `½ · (m² + e^v − 1 − v)` and the like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.layers.elementwise.program import Slot

if TYPE_CHECKING:
    from netbuild.components.layers.elementwise.program import Operand, Program

#: How tightly each operator binds, and how it is printed.
_LEVELS = {"|": 1, "&": 2, "+": 3, "-": 3, "*": 4, "/": 4, "//": 4, "%": 4, "**": 6}
_COMPARISONS = {"==": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}
_PRINTED = {"*": "·", "-": "−", "%": "mod", "/": "/"} | _COMPARISONS
_POWERS = {2: "²", 3: "³"}
_ATOM = 7


def typeset(program: Program) -> str:
    """Return the formula in print."""
    return _text(program, Slot(len(program.names) + len(program.steps) - 1), 0)


def _text(program: Program, operand: Operand, least: int) -> str:
    """Return an operand in print, in parentheses if it binds less tightly than `least`."""
    if operand is None:
        return "−∞"
    if not isinstance(operand, Slot):
        text, level = _number(operand.value), 5 if operand.value < 0 else _ATOM
    elif operand.number < len(program.names):
        text, level = program.names[operand.number], _ATOM
    else:
        text, level = _step(program, operand.number - len(program.names))
    return f"({text})" if level < least else text


def _number(value: float) -> str:
    text = "∞" if abs(value) == float("inf") else f"{abs(value):.6g}"
    return f"−{text}" if value < 0 else text


def _step(program: Program, number: int) -> tuple[str, int]:
    """Return a step in print, and how tightly it binds."""
    step = program.steps[number]
    name, operands = step.function.name, step.operands
    if len(operands) == 1 and step.function.is_operator:
        return _PRINTED.get(name, name) + _text(program, operands[0], 5), 5
    if name == "abs":
        return f"|{_text(program, operands[0], 0)}|", _ATOM
    if name == "**" and not isinstance(operands[1], Slot):
        exponent = getattr(operands[1], "value", None)
        base = _text(program, operands[0], _ATOM)
        if exponent in _POWERS:
            return base + _POWERS[exponent], 6
    if name in _LEVELS or name in _COMPARISONS:
        return _between(program, number)
    given = [one for one in operands if one is not None]
    if name == "clamp":
        low, high = operands[1:]
        bounds = [_text(program, low, 0), "∞" if high is None else _text(program, high, 0)]
        return f"clamp({_text(program, operands[0], 0)}, {', '.join(bounds)})", _ATOM
    return f"{name}({', '.join(_text(program, one, 0) for one in given)})", _ATOM


def _between(program: Program, number: int) -> tuple[str, int]:
    """Return an operator between its operands."""
    step = program.steps[number]
    name, (one, other) = step.function.name, step.operands
    level = _LEVELS.get(name, 0)
    before = program.steps[number - 1] if number else None
    inverse = before and before.function.name == "reciprocal" and before.part == step.part
    if name == "*" and before and inverse:  # it is written as a quotient
        return f"{_text(program, other, 5)} / {_text(program, before.operands[0], 5)}", 4
    left = level + 1 if name == "**" or not level else level
    right = level if name == "**" else level + 1
    text = (_text(program, one, left), _PRINTED.get(name, name), _text(program, other, right))
    return " ".join(text), level
