"""Code as a tree, and its text within 88 columns, in the format of ruff."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

#: The most columns of a line, as ruff and black have by default.
WIDTH = 88
#: How tightly an operand holds together: names and calls more than any operator.
ATOM = 20


#: Calls and lists that have an element on each line.
_LISTS = frozenset(("", "nn.Sequential", "nn.ModuleList", "OrderedDict", "super().__init__"))


class Text(NamedTuple):
    """Code on one line. `power` is Python's precedence of its loosest operator."""

    text: str
    power: int = ATOM


class Argument(NamedTuple):
    """An argument or an element, with what stands before it: `name=`, `*`, or a key."""

    node: Code
    prefix: str = ""


class Group(NamedTuple):
    """A call, a list or a dictionary: what it begins with, its elements, and its end."""

    head: str
    arguments: tuple[Argument, ...]
    tail: str = ")"


class Each(NamedTuple):
    """A comprehension: an element, and the clause of its loop."""

    node: Code
    clause: str
    head: str = "("
    tail: str = ")"


class Joined(NamedTuple):
    """Operands with operators of one precedence between them."""

    operands: tuple[Code, ...]
    operators: tuple[str, ...]
    power: int


Code: TypeAlias = Text | Group | Each | Joined


def call(function: str, *arguments: Code, **keywords: Code) -> Group:
    """Return a call."""
    named = (Argument(node, f"{name}=") for name, node in keywords.items())
    return Group(f"{function}(", (*map(Argument, arguments), *named))


def listed(*elements: Code, brackets: str = "[]") -> Group:
    """Return a list or a tuple."""
    return Group(brackets[0], tuple(map(Argument, elements)), brackets[1])


def power(node: Code) -> int:
    """Return the precedence of a node."""
    return node.power if isinstance(node, (Text, Joined)) else ATOM


def flat(node: Code) -> str:
    """Return a node on one line."""
    if isinstance(node, Text):
        return node.text
    if isinstance(node, Each):
        return f"{node.head}{flat(node.node)} {node.clause}{node.tail}"
    if isinstance(node, Joined):
        first, *rest = map(flat, node.operands)
        pairs = zip(node.operators, rest, strict=True)
        return first + "".join(f" {operator} {operand}" for operator, operand in pairs)
    inside = ", ".join(one.prefix + flat(one.node) for one in node.arguments)
    comma = "," if node.head == "(" and len(node.arguments) == 1 else ""
    return f"{node.head}{inside}{comma}{node.tail}"


def lines(node: Code, indent: int, before: str = "", after: str = "") -> list[str]:
    """Return the lines of a node at an indentation, between two texts."""
    space = " " * indent
    whole = f"{space}{before}{flat(node)}{after}"
    if len(whole) <= WIDTH or isinstance(node, Text):
        return [whole]
    if isinstance(node, Each):
        return [
            f"{space}{before}{node.head}",
            *lines(node.node, indent + 4),
            f"{space}    {node.clause}",
            f"{space}{node.tail}{after}",
        ]
    if isinstance(node, Joined):
        return _joined(node, indent, before, after)
    if not node.arguments:
        return [whole]
    short = f"{space}    {flat(node)[len(node.head) : -len(node.tail)]}"
    if len(short) <= WIDTH and node.tail == ")" and node.head.partition("(")[0] not in _LISTS:
        return [f"{space}{before}{node.head}", short, f"{space}{node.tail}{after}"]
    found = [f"{space}{before}{node.head}"]
    for one in node.arguments:
        found += lines(one.node, indent + 4, one.prefix, ",")
    return [*found, f"{space}{node.tail}{after}"]


def _joined(node: Joined, indent: int, before: str, after: str) -> list[str]:
    """Return operands in parentheses: on a line of their own, or on one line each."""
    space = " " * indent
    inside = lines(Text(flat(node)), indent + 4)
    if len(inside[0]) > WIDTH:
        inside = lines(node.operands[0], indent + 4)
        for operator, operand in zip(node.operators, node.operands[1:], strict=True):
            inside += lines(operand, indent + 4, f"{operator} ")
    return [f"{space}{before}(", *inside, f"{space}){after}"]


def literal(value: object) -> Code:
    """Return a number, a text, or a tuple of these."""
    if isinstance(value, (tuple, list)):
        brackets = "()" if isinstance(value, tuple) else "[]"
        return listed(*map(literal, value), brackets=brackets)
    if isinstance(value, str):
        return Text('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"')
    if isinstance(value, float) and value in {float("inf"), float("-inf")}:
        return Text("math.inf") if value > 0 else Text("-math.inf", 13)
    negative = isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0
    return Text(repr(value), 13 if negative else ATOM)
