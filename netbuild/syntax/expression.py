"""The language of `$name` and `$(expression)` in values. It has no loops and cannot run code.

Python's own parser parses the text, and this module walks the tree. Python never compiles or
evaluates an expression. Limits bound the length, the depth and the size of every number.
"""

from __future__ import annotations

import math
import operator
import re
from collections import ChainMap
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from netbuild.diagnostics.exceptions import ExpressionError
from netbuild.diagnostics.wording import brief, suggest
from netbuild.syntax.node import UNKNOWN, List, Map, value_of

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable


#: The names that an expression can use, with their values.
Names: TypeAlias = Mapping[str, Any]

MAX_LENGTH = 500
MAX_DEPTH = 40
MAX_TEXT = 1_000


def _no_shape(name: str, names: Mapping[str, Any]) -> str:
    """Return why a name for the shape of a layer's input has no value."""
    if "in_shape" in names:
        return f"{name} is a size of the input, and the input is one number"
    size = "the shape" if name == "in_shape" else "a size"
    return f"{name} is {size} of a layer's input, and no input is known here"


def _length(values: Any) -> int:
    if isinstance(values, List):
        values = values.items
    if type(values) not in {list, tuple, str}:
        raise TypeError("len needs a list or a text")
    return len(values)


def _log(value: float) -> float:
    if value <= 0:
        msg = f"log needs a number above 0, and {value} is not"
        raise ExpressionError(msg)
    return math.log(value)


def _sqrt(value: float) -> float:
    if value < 0:
        msg = f"sqrt needs a number of at least 0, and {value} is less"
        raise ExpressionError(msg)
    return math.sqrt(value)


#: The functions that an expression can call.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "round": round,
    "abs": abs,
    "len": _length,
    "log": _log,
    "exp": math.exp,
    "sqrt": _sqrt,
    "floor": math.floor,
    "ceil": math.ceil,
}
_OF_ONE_NUMBER = frozenset({"abs", "log", "exp", "sqrt", "floor", "ceil"})
_CONSTANTS = {"true": True, "false": False, "null": None}
#: The names for the shape of a layer's input.
SHAPE_NAMES = ("in_shape", "in_channels", "in_features")
#: Names that a variable cannot have.
RESERVED = {*FUNCTIONS, *_CONSTANTS, "index", *SHAPE_NAMES}
RESERVED |= {"and", "or", "not", "if", "else", "True", "False", "None"}
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mult": operator.mul,
    "Div": operator.truediv,
    "FloorDiv": operator.floordiv,
    "Mod": operator.mod,
    "Pow": operator.pow,
}
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
}


def layered(inner: Names, outer: Names) -> Names:
    """Return two mappings of names as one, without a copy. The inner names come first."""
    return ChainMap(inner, outer)  # type: ignore[arg-type]  # only read


class _UnknownNameError(Exception):
    """A name has an unknown value, and so the value of the expression is unknown too."""


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """Return the value of an expression; UNKNOWN if it needs an unknown value.

    >>> evaluate("width * 2 if deep else width", {"width": 32, "deep": True})
    64

    Raises:
        ExpressionError: the expression cannot be evaluated. The message says why, in the words
            of this language and not of Python.
    """
    if len(text) > MAX_LENGTH:
        msg = f"an expression has at most {MAX_LENGTH} characters"
        raise ExpressionError(msg)
    try:
        return _Evaluator(names).visit(_parse(text), 0)
    except _UnknownNameError:
        return UNKNOWN
    except ZeroDivisionError:
        msg = "a division by zero"
        raise ExpressionError(msg) from None
    except OverflowError:
        msg = "a number is too large"
        raise ExpressionError(msg) from None
    except ExpressionError:
        raise
    except (TypeError, ValueError) as error:
        raise ExpressionError(str(error)) from None


def words_of(text: str) -> set[str]:
    """Return all words of an expression; the names that it uses are among them."""
    return set(re.findall(r"[A-Za-z_]\w*", text))


@lru_cache(maxsize=4096)
def _parse(text: str) -> ast.expr:
    import ast
    import warnings

    if not text.strip():
        msg = "the expression is empty"
        raise ExpressionError(msg)
    if "\\" in text:
        msg = "an expression cannot contain a backslash"
        raise ExpressionError(msg)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # 1if x else y: later versions of Python will refuse it
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        msg = f"{brief(text.strip())} is not an expression"
        raise ExpressionError(msg) from None


class _Evaluator:
    """Computes the value of a tree of Python's `ast`, one node after the other."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = names

    def visit(self, node: ast.AST, depth: int) -> Any:
        if depth > MAX_DEPTH:
            msg = f"an expression has at most {MAX_DEPTH} levels"
            raise ExpressionError(msg)
        kind = type(node).__name__
        method = getattr(self, f"visit_{kind}", None)
        if method is None:
            msg = f"an expression cannot contain {_REFUSED.get(kind, 'this')}"
            raise ExpressionError(msg)
        return bounded(method(node, depth + 1))

    def visit_Constant(self, node: ast.Constant, _: int) -> Any:
        if node.value is None or isinstance(node.value, (bool, int, float, str)):
            return node.value
        shown = "..." if node.value is ... else repr(node.value)
        msg = f"{shown} is not a number, a text or a boolean"
        raise ExpressionError(msg)

    def visit_Name(self, node: ast.Name, _: int) -> Any:
        if node.id in self.names:
            value = self.names[node.id]
            if value is UNKNOWN:
                raise _UnknownNameError
            return value
        if node.id in _CONSTANTS:
            return _CONSTANTS[node.id]
        if node.id == "index":
            msg = "index has a value only inside a repeat"
            raise ExpressionError(msg)
        if node.id in SHAPE_NAMES:
            raise ExpressionError(_no_shape(node.id, self.names))
        near = suggest(node.id, tuple(self.names))
        hint = f": did you mean {near}?" if near else self.known_names()
        msg = f"no variable is called {node.id}{hint}"
        raise ExpressionError(msg, (node.col_offset, node.id, near) if near else None)

    def known_names(self) -> str:
        return f"; the names here are {', '.join(self.names)}" if self.names else ""

    def visit_UnaryOp(self, node: ast.UnaryOp, depth: int) -> Any:
        value = self.visit(node.operand, depth)
        kind = type(node.op).__name__
        if kind == "Not":
            return not value
        if kind == "Invert":
            msg = "an expression cannot contain ~"
            raise ExpressionError(msg)
        _number(value, "a sign")
        return -value if kind == "USub" else +value

    def visit_BinOp(self, node: ast.BinOp, depth: int) -> Any:
        left, right = self.visit(node.left, depth), self.visit(node.right, depth)
        kind = type(node.op).__name__
        if kind not in _OPERATORS:
            msg = "the operators of an expression are + - * / // % **"
            raise ExpressionError(msg)
        if not (kind == "Add" and isinstance(left, str) and isinstance(right, str)):
            _number(left, "arithmetic")
            _number(right, "arithmetic")
        if kind == "Pow":
            _bound_power(left, right)
        return _OPERATORS[kind](left, right)

    def visit_BoolOp(self, node: ast.BoolOp, depth: int) -> Any:
        stops_at = type(node.op).__name__ == "Or"
        value = None
        for operand in node.values:
            value = self.visit(operand, depth)
            if bool(value) is stops_at:
                break
        return value

    def visit_Compare(self, node: ast.Compare, depth: int) -> bool:
        left = self.visit(node.left, depth)
        for comparison, operand in zip(node.ops, node.comparators, strict=True):
            kind = type(comparison).__name__
            if kind not in _COMPARISONS:
                msg = "the comparisons of an expression are == != < <= > >="
                raise ExpressionError(msg)
            right = self.visit(operand, depth)
            try:
                holds = _COMPARISONS[kind](left, right)
            except TypeError:
                msg = f"{left!r:.40} and {right!r:.40} cannot be compared"
                raise ExpressionError(msg) from None
            if not holds:
                return False
            left = right
        return True

    def visit_IfExp(self, node: ast.IfExp, depth: int) -> Any:
        return self.visit(node.body if self.visit(node.test, depth) else node.orelse, depth)

    def visit_Call(self, node: ast.Call, depth: int) -> Any:
        name = getattr(node.func, "id", None)
        if name not in FUNCTIONS or node.keywords:
            msg = f"the functions of an expression are {', '.join(FUNCTIONS)}"
            raise ExpressionError(msg)
        arguments = [self.visit(argument, depth) for argument in node.args]
        if name in _OF_ONE_NUMBER:
            if len(arguments) != 1:
                msg = f"{name} takes one number, not {len(arguments)}"
                raise ExpressionError(msg)
            _number(arguments[0], name)
        return FUNCTIONS[name](*arguments)

    def visit_Subscript(self, node: ast.Subscript, depth: int) -> Any:
        values, index = self.visit(node.value, depth), self.visit(node.slice, depth)
        of_items = isinstance(values, List)  # a list that holds items
        values = values.items if of_items else values
        plain_list = type(values) in {list, tuple}  # an item is a named tuple
        if not plain_list or type(index) is not int:
            msg = "[ ] needs a list before it and a whole number inside, such as in_shape[0]"
            raise ExpressionError(msg)
        if not -len(values) <= index < len(values):
            msg = f"the list has {len(values)} values, so [{index}] does not exist"
            raise ExpressionError(msg)
        return value_of(values[index]) if of_items else values[index]


#: The nodes of `ast` that an expression cannot contain, in the words of a message.
_REFUSED = {
    "Attribute": "a name after a dot",
    "Await": "await",
    "Dict": "a mapping",
    "DictComp": "a loop",
    "GeneratorExp": "a loop",
    "JoinedStr": "an f-string",
    "Lambda": "a function (lambda)",
    "List": "a list",
    "ListComp": "a loop",
    "NamedExpr": "an assignment (:=)",
    "Set": "values in braces",
    "SetComp": "a loop",
    "Slice": "a range such as [0:2]",
    "Starred": "a * before a value",
    "TemplateStr": "a t-string",
    "Tuple": "several values with commas between them",
    "Yield": "yield",
    "YieldFrom": "yield",
}


#: Values of Python whose names in YAML differ.
_IN_YAML = {"None": "null", "True": "true", "False": "false"}


def _number(value: Any, where: str) -> None:
    """Refuse a value that is not a number.

    Raises:
        ExpressionError: the value is something else; `where` says what needs a number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        shown = "an item" if isinstance(value, (Map, List)) else f"{value!r:.40}"
        shown = _IN_YAML.get(shown, shown)
        msg = f"{where} needs numbers, and {shown} is not a number"
        raise ExpressionError(msg)


def _bound_power(base: float, exponent: float) -> None:
    """Refuse a large power before it is computed, because computing it would take too long."""
    if isinstance(base, int) and abs(base) > 1 and abs(exponent) * base.bit_length() > 128:
        msg = f"{base}**{exponent} is too large"
        raise ExpressionError(msg)


def bounded(value: Any) -> Any:
    """Return a value that an expression may have.

    Raises:
        ExpressionError: the value is not a real number, or it is too large or too long.
    """
    if isinstance(value, complex):
        msg = "the root of a negative number is not a real number"
        raise ExpressionError(msg)
    if isinstance(value, int) and abs(value) >= 1 << 63:
        msg = "a whole number needs more than 64 bits"
        raise ExpressionError(msg)
    if isinstance(value, float) and abs(value) == float("inf"):
        msg = "a number is infinite"
        raise ExpressionError(msg)
    if isinstance(value, str) and len(value) > MAX_TEXT:
        msg = f"a text has more than {MAX_TEXT} characters"
        raise ExpressionError(msg)
    return value
