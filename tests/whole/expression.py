"""`$name` and `$(expression)`: `docs/language.md`, Expressions."""

from __future__ import annotations

import ast
import math
import operator
import re
from typing import TYPE_CHECKING, Any

from tests.whole.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WORDS = {"true": True, "false": False, "null": None}
_NUMERIC: dict[str, Callable[[Any], Any]] = {
    "abs": abs,
    "log": math.log,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "floor": math.floor,
    "ceil": math.ceil,
}
_CALLS: dict[str, Callable[..., Any]] = {"min": min, "max": max, "round": round, "len": len}
_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARISONS: dict[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_NAME = re.compile(r"\$(\$|[A-Za-z_][A-Za-z_0-9]*|\()")


def evaluated(value: Any, names: Mapping[str, Any]) -> Any:
    """Return a value of a file with all its expressions replaced.

    Raises:
        Refusal: an expression has no value.
    """
    if isinstance(value, str):
        return _text(value, names)
    if isinstance(value, list):
        return [evaluated(part, names) for part in value]
    if isinstance(value, dict):
        return {key: evaluated(part, names) for key, part in value.items()}
    return value


def _text(text: str, names: Mapping[str, Any]) -> Any:
    parts: list[Any] = []
    at = 0
    while found := _NAME.search(text, at):
        if found.start() > at:
            parts.append(text[at : found.start()])
        at = found.end()
        if found[1] == "$":
            parts.append("$")
        elif found[1] == "(":
            end = _closing(text, at)
            parts.append(_Value(_result(text[at:end], names)))
            at = end + 1
        else:
            parts.append(_Value(_result(found[1], names)))
    if at < len(text):
        parts.append(text[at:])
    if len(parts) == 1 and isinstance(parts[0], _Value):
        return parts[0].value
    return "".join(part.text if isinstance(part, _Value) else part for part in parts)


class _Value:
    def __init__(self, value: Any) -> None:
        self.value = value

    @property
    def text(self) -> str:
        if isinstance(self.value, dict | list):
            raise Refusal("an item has no text form")
        words = {None: "null", True: "true", False: "false"}
        if self.value is None or isinstance(self.value, bool):
            return words[self.value]
        return str(self.value)


def _closing(text: str, at: int) -> int:
    depth = 1
    for place in range(at, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if not depth:
            return place
    raise Refusal("an expression is not closed")


def _result(text: str, names: Mapping[str, Any]) -> Any:
    try:
        return _node(ast.parse(text.strip(), mode="eval").body, names)
    except (SyntaxError, TypeError, ArithmeticError, IndexError, ValueError) as error:
        raise Refusal(f"expression {text}: {error}") from error


def _node(node: ast.expr, names: Mapping[str, Any]) -> Any:  # noqa: C901, PLR0911  one case each
    match node:
        case ast.Constant(value):
            return value
        case ast.Name(name):
            return _named(name, names)
        case ast.UnaryOp(ast.Not(), operand):
            return not _node(operand, names)
        case ast.UnaryOp(ast.USub(), operand):
            return -_numeric(_node(operand, names))
        case ast.UnaryOp(ast.UAdd(), operand):
            return _numeric(_node(operand, names))
        case ast.BinOp(left, op, right) if type(op) in _ARITHMETIC:
            return _arithmetic(op, _node(left, names), _node(right, names))
        case ast.BoolOp(op, values):
            return _either(isinstance(op, ast.And), values, names)
        case ast.IfExp(test, body, orelse):
            return _node(body if _node(test, names) else orelse, names)
        case ast.Compare(left, ops, rest):
            return _chain(_node(left, names), ops, [_node(part, names) for part in rest])
        case ast.Subscript(value, index):
            return _item(_node(value, names), _node(index, names))
        case ast.Call(ast.Name(name), arguments, []) if name in _CALLS:
            return _CALLS[name](*(_node(part, names) for part in arguments))
        case ast.Call(ast.Name(name), [argument], []) if name in _NUMERIC:
            return _NUMERIC[name](_numeric(_node(argument, names)))
    raise Refusal(f"no expression: {ast.dump(node)}")


def _named(name: str, names: Mapping[str, Any]) -> Any:
    if name in _WORDS:
        return _WORDS[name]
    if name not in names:
        raise Refusal(f"unknown name {name}")
    return names[name]


def _numeric(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refusal(f"{value!r} is no number")
    return value


def _arithmetic(op: ast.operator, left: Any, right: Any) -> Any:
    if not (isinstance(op, ast.Add) and isinstance(left, str) and isinstance(right, str)):
        left, right = _numeric(left), _numeric(right)
    return _ARITHMETIC[type(op)](left, right)


def _either(both: bool, values: list[ast.expr], names: Mapping[str, Any]) -> Any:  # noqa: FBT001
    for part in values:
        value = _node(part, names)
        if bool(value) != both:
            return value
    return value


def _chain(left: Any, ops: list[ast.cmpop], rest: list[Any]) -> bool:
    for op, right in zip(ops, rest, strict=True):
        if type(op) not in _COMPARISONS:
            raise Refusal("no comparison")
        if not _COMPARISONS[type(op)](left, right):
            return False
        left = right
    return True


def _item(value: Any, index: Any) -> Any:
    if not isinstance(value, list) or isinstance(index, bool) or not isinstance(index, int):
        raise Refusal("[ ] takes a whole number and a list")
    return value[index]
