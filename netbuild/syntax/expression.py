"""`$name` and `$(expression)` in values: a small language that cannot run code, loop or grow.

The text is parsed by Python's own parser and the tree is walked here; nothing is ever compiled or
evaluated by Python. Length, depth and the size of every number are bounded.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from netbuild.diagnostics.diagnostic import Diagnostic, collect
from netbuild.diagnostics.exceptions import ExpressionError
from netbuild.diagnostics.wording import brief, suggest
from netbuild.syntax.node import UNKNOWN, Entry, List, Map, Node, Scalar, plain

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterator

    from netbuild.diagnostics.diagnostic import Faults, Found

MAX_LENGTH = 500
MAX_DEPTH = 40
MAX_TEXT = 1_000


def _length(values: Any) -> int:
    if isinstance(values, List):
        values = values.items
    if type(values) not in {list, tuple, str}:
        raise TypeError("len counts the values of a list")
    return len(values)


#: What an expression can call.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "round": round,
    "abs": abs,
    "len": _length,
}
_CONSTANTS = {"true": True, "false": False, "null": None}
#: Names that a variable cannot have.
RESERVED = {*FUNCTIONS, *_CONSTANTS, "index", "in_shape", "in_channels", "in_features"}
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
_NAME = r"[A-Za-z_]\w*"


class _UnknownNameError(Exception):
    """A name whose value has its own fault, or is not known: so is the expression's."""


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """Return the value of an expression, or UNKNOWN where it needs a value that is.

    >>> evaluate("width * 2 if deep else width", {"width": 32, "deep": True})
    64

    Raises:
        ExpressionError: says what is wrong, in the words of the one who wrote it.
    """
    if len(text) > MAX_LENGTH:
        msg = f"an expression has at most {MAX_LENGTH} characters"
        raise ExpressionError(msg)
    try:
        return _Walk(names).visit(_parse(text), 0)
    except _UnknownNameError:
        return UNKNOWN
    except ZeroDivisionError:
        msg = "a division by zero"
        raise ExpressionError(msg) from None
    except OverflowError:
        msg = "a number is too large"
        raise ExpressionError(msg) from None
    except (TypeError, ValueError) as error:
        raise ExpressionError(str(error)) from None


def substitute(node: Node, names: Mapping[str, Any]) -> Found[Node]:
    """Return the tree with every `$name` and `$(expression)` replaced by its value.

    A scalar that is one expression keeps the type of its value; inside a longer string the value
    becomes text. `$$` is a dollar sign. The spans stay those of the expressions; only an item that
    a name stands for keeps its own.
    """
    if isinstance(node, Scalar):
        if not isinstance(node.value, str) or "$" not in node.value:
            return node, ()
        value, faults = _scalar(node, names)
        return _node(value, node), faults
    if not is_computed(node):
        return node, ()
    if isinstance(node, List):
        items, faults = collect(substitute(item, names) for item in node.items)
        return List(items, node.span), faults
    entries, faults = substitute_entries(node.entries, names)
    return Map(entries, node.span), faults


def substitute_entries(
    entries: Mapping[str, Entry], names: Mapping[str, Any]
) -> Found[dict[str, Entry]]:
    """Return the entries of a mapping with every expression in their values evaluated."""
    changed: dict[str, Entry] = {}
    faults: Faults = ()
    for name, (key, written) in entries.items():
        value, wrong = substitute(written, names)
        changed[name] = Entry(key, value)
        faults += wrong
    return changed, faults


def is_computed(node: Node) -> bool:
    """Whether an expression stands anywhere in a node."""
    if isinstance(node, Scalar):
        return isinstance(node.value, str) and "$" in node.value
    if isinstance(node, List):
        return any(is_computed(item) for item in node.items)
    return any(is_computed(entry.value) for entry in node.entries.values())


def _node(value: Any, written: Scalar) -> Node:
    """Return a value as what might have been written in place of an expression."""
    if isinstance(value, (Map, List)):
        return value
    if isinstance(value, (list, tuple)):
        return List(tuple(_node(part, written) for part in value), written.span)
    return Scalar(value, written.span, written.text)


def value_of(node: Node) -> Any:
    """Return what a name stands for: a plain value, or what holds an item as it is written."""
    return node if _holds_item(node) else plain(node)


def _holds_item(node: Node) -> bool:
    return isinstance(node, Map) or (isinstance(node, List) and any(map(_holds_item, node.items)))


def _scalar(node: Scalar, names: Mapping[str, Any]) -> Found[Any]:
    text, place = node.value, node.span
    # A quoted scalar begins one column before its text.
    quote = max((node.span.end_column - node.span.column - len(text)) // 2, 0)
    joined = ""
    try:
        for literal, expression, start, end in _pieces(text):
            joined += literal
            if expression is None:
                continue
            place = node.span.within(start + quote, end - start)
            value = evaluate(expression, names)
            if value is UNKNOWN or (start, end) == (0, len(text)):
                return value, ()
            joined = _bounded(joined + _as_text(value))
    except ExpressionError as error:
        title = "an expression that cannot be evaluated"
        return UNKNOWN, (Diagnostic("NB110", title, place, str(error)),)
    return joined, ()


def _as_text(value: Any) -> str:
    if isinstance(value, (Map, List)):
        raise ExpressionError("an item cannot stand inside a text")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


@lru_cache(maxsize=4096)  # a block's expressions are met once for each place that it has
def _pieces(text: str) -> tuple[tuple[str, str | None, int, int], ...]:
    """Split a string into (literal text, the expression after it, its start, its end)."""
    return tuple(_split(text))


def _split(text: str) -> Iterator[tuple[str, str | None, int, int]]:
    literal, position = "", 0
    while position < len(text):
        dollar = text.find("$", position)
        if dollar < 0:
            break
        literal += text[position:dollar]
        if text.startswith("$$", dollar):
            literal, position = literal + "$", dollar + 2
        elif text.startswith("$(", dollar):
            position = _closing(text, dollar + 1) + 1
            yield literal, text[dollar + 2 : position - 1], dollar, position
            literal = ""
        elif match := re.match(_NAME, text[dollar + 1 :]):
            position = dollar + 1 + match.end()
            yield literal, match[0], dollar, position
            literal = ""
        else:
            literal, position = literal + "$", dollar + 1
    yield literal + text[position:], None, len(text), len(text)


def _closing(text: str, start: int) -> int:
    """Return the position of the parenthesis that closes the one at `start`."""
    depth, quote = 0, ""
    for position in range(start, len(text)):
        character = text[position]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                return position
    msg = "$( without its ): quote an expression that holds a comma or a bracket"
    raise ExpressionError(msg)


@lru_cache(maxsize=4096)
def _parse(text: str) -> ast.expr:
    import ast

    if "\\" in text:
        msg = "an expression has no backslash"
        raise ExpressionError(msg)
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        msg = f"{brief(text.strip()) or 'nothing'} is not an expression"
        raise ExpressionError(msg) from None


class _Walk:
    """Computes the value of a tree of Python's `ast`, a node at a time."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = names

    def visit(self, node: ast.AST, depth: int) -> Any:
        if depth > MAX_DEPTH:
            msg = f"an expression is nested at most {MAX_DEPTH} deep"
            raise ExpressionError(msg)
        kind = type(node).__name__
        method = getattr(self, f"visit_{kind}", None)
        if method is None:
            msg = f"{_CALLED.get(kind, kind)} cannot stand in an expression"
            raise ExpressionError(msg)
        return _bounded(method(node, depth + 1))

    def visit_Constant(self, node: ast.Constant, _: int) -> Any:
        if node.value is None or isinstance(node.value, (bool, int, float, str)):
            return node.value
        msg = f"{node.value!r} is neither a number, a text nor a boolean"
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
            msg = "index counts inside of what is repeated, and is not known here"
            raise ExpressionError(msg)
        near = suggest(node.id, tuple(self.names))
        hint = f": did you mean {near}?" if near else self.reachable()
        msg = f"no variable is called {node.id}{hint}"
        raise ExpressionError(msg)

    def reachable(self) -> str:
        return f"; there are {', '.join(self.names)}" if self.names else ""

    def visit_UnaryOp(self, node: ast.UnaryOp, depth: int) -> Any:
        value = self.visit(node.operand, depth)
        kind = type(node.op).__name__
        if kind == "Not":
            return not value
        if kind == "Invert":
            msg = "~ cannot stand in an expression"
            raise ExpressionError(msg)
        _number(value, "a sign")
        return -value if kind == "USub" else +value

    def visit_BinOp(self, node: ast.BinOp, depth: int) -> Any:
        left, right = self.visit(node.left, depth), self.visit(node.right, depth)
        kind = type(node.op).__name__
        if kind not in _OPERATORS:
            msg = "an expression knows + - * / // % ** only"
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
                msg = "an expression compares with == != < <= > >= only"
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
            msg = f"the functions are {', '.join(FUNCTIONS)}"
            raise ExpressionError(msg)
        return FUNCTIONS[name](*(self.visit(argument, depth) for argument in node.args))

    def visit_Subscript(self, node: ast.Subscript, depth: int) -> Any:
        values, index = self.visit(node.value, depth), self.visit(node.slice, depth)
        if isinstance(values, List):  # with items in it, which stay as they are written
            values = [value_of(item) for item in values.items]
        plain_list = type(values) in {list, tuple}  # no item, which is a named tuple
        if not plain_list or type(index) is not int:
            msg = "[ ] picks from a list, by a whole number"
            raise ExpressionError(msg)
        if not -len(values) <= index < len(values):
            msg = f"the list has {len(values)} values: there is no [{index}]"
            raise ExpressionError(msg)
        return values[index]


_CALLED = {
    "Attribute": "a dot",
    "Lambda": "lambda",
    "ListComp": "a loop",
    "GeneratorExp": "a loop",
    "Tuple": "a comma",
    "List": "a list",
    "Dict": "a mapping",
    "NamedExpr": ":=",
    "JoinedStr": "an f-string",
    "Starred": "*",
}


def _number(value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        shown = "an item" if isinstance(value, (Map, List)) else f"{value!r:.40}"
        msg = f"{where} needs numbers, and {shown} is none"
        raise ExpressionError(msg)


def _bound_power(base: float, exponent: float) -> None:
    """Refuse a power before it is computed: the check of its size must not cost what it costs."""
    if isinstance(base, int) and abs(base) > 1 and abs(exponent) * base.bit_length() > 128:
        msg = f"{base}**{exponent} is too large"
        raise ExpressionError(msg)


def _bounded(value: Any) -> Any:
    if isinstance(value, complex):
        msg = "the root of a negative number"
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


#: What an expression can name, with the values.
Names: TypeAlias = Mapping[str, Any]
