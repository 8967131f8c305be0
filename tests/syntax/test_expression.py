"""`$name` and `$(expression)`: what they mean, and that they can mean no harm."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netbuild.diagnostics.diagnostic import Document
from netbuild.diagnostics.exceptions import ExpressionError
from netbuild.syntax.expression import evaluate
from netbuild.syntax.node import UNKNOWN, Scalar, plain
from netbuild.syntax.parser import parse
from netbuild.syntax.substitution import substitute
from tests.examples import examples

NAMES: dict[str, Any] = {
    "width": 32,
    "deep": True,
    "name": "net",
    "rate": 0.5,
    "sizes": [8, 16],
    "lost": UNKNOWN,
}

VALUES: list[tuple[str, Any]] = [
    ("1 + 2 * 3", 7),
    ("7 // 2", 3),
    ("-7 // 2", -4),
    ("7 % 4", 3),
    ("7 / 2", 3.5),
    ("2 ** 10", 1024),
    ("2 ** -1", 0.5),
    ("-width", -32),
    ("1 < 2 < 3", True),
    ("1 < 3 < 2", False),
    ("width == 32 and not deep", False),
    ("null or 'x'", "x"),
    ("0 or false", False),
    ("width if deep else 1 / 0", 32),
    ("min(width, 3) + max(1, 2) + abs(-1) + round(2.4)", 8),
    ("log(exp(2.0)) + sqrt(16)", 6.0),
    ("exp(-1000)", 0.0),
    ("floor(2.9) + floor(-2.1) * 10", -28),
    ("ceil(2.1) + ceil(7)", 10),
    ("2 ** floor(log(width) / log(2))", 32),
    ("name + '-' + name", "net-net"),
    ("sizes[1] + sizes[-1]", 32),
    ("true != false", True),
    ("len(sizes) + len(name)", 5),
    ("lost + 1", UNKNOWN),
    ("deep or lost", True),
]

FUNCTIONS = (
    "the functions of an expression are min, max, round, abs, len, log, exp, sqrt, floor, ceil"
)
ERRORS: list[tuple[str, str]] = [
    ("widht", "no variable is called widht: did you mean width?"),
    (
        "zzz",
        "no variable is called zzz; the names here are width, deep, name, rate, sizes, lost",
    ),
    ("a.b", "an expression cannot contain a name after a dot"),
    ("[x for x in sizes]", "an expression cannot contain a loop"),
    ("{x for x in sizes}", "an expression cannot contain a loop"),
    ("{x: 1 for x in sizes}", "an expression cannot contain a loop"),
    ("max(x for x in sizes)", "an expression cannot contain a loop"),
    ("lambda: 1", "an expression cannot contain a function (lambda)"),
    ("[1, 2]", "an expression cannot contain a list"),
    ("1, 2", "an expression cannot contain several values with commas between them"),
    ("sizes[0, 1]", "an expression cannot contain several values with commas between them"),
    ("sizes[0:1]", "an expression cannot contain a range such as [0:2]"),
    ("{'a': 1}", "an expression cannot contain a mapping"),
    ("{1, 2}", "an expression cannot contain values in braces"),
    ("min(*sizes)", "an expression cannot contain a * before a value"),
    ("await width", "an expression cannot contain await"),
    ("(yield)", "an expression cannot contain yield"),
    ("(yield from sizes)", "an expression cannot contain yield"),
    ("__import__('os')", FUNCTIONS),
    ("min(sizes, key=abs)", FUNCTIONS),
    ("1 / 0", "a division by zero"),
    ("9 ** 9 ** 9", "9**387420489 is too large"),
    ("10.0 ** 400", "a number is too large"),
    ("9223372036854775807 + 1", "a whole number needs more than 64 bits"),
    ("(-8) ** 0.5", "the root of a negative number is not a real number"),
    ("log(0)", "log needs a number above 0, and 0 is not"),
    ("log(-1.5)", "log needs a number above 0, and -1.5 is not"),
    ("sqrt(-1)", "sqrt needs a number of at least 0, and -1 is less"),
    ("exp(1000)", "a number is too large"),
    ("floor(1e300)", "a whole number needs more than 64 bits"),
    ("ceil('a')", "ceil needs numbers, and 'a' is not a number"),
    ("sqrt(true)", "sqrt needs numbers, and true is not a number"),
    ("exp(name)", "exp needs numbers, and 'net' is not a number"),
    ("log(8, 2)", "log takes one number, not 2"),
    ("abs()", "abs takes one number, not 0"),
    ("math.sqrt(4)", FUNCTIONS),
    ("'a' * 9", "arithmetic needs numbers, and 'a' is not a number"),
    ("true + 1", "arithmetic needs numbers, and true is not a number"),
    ("null * 2", "arithmetic needs numbers, and null is not a number"),
    ("1 | 2", "the operators of an expression are + - * / // % **"),
    ("1 is 1", "the comparisons of an expression are == != < <= > >="),
    ("1 in sizes", "the comparisons of an expression are == != < <= > >="),
    ("~1", "an expression cannot contain ~"),
    ("sizes[2]", "the list has 2 values, so [2] does not exist"),
    ("sizes['a']", "[ ] needs a list before it and a whole number inside, such as in_shape[0]"),
    ("1 2", "1 2 is not an expression"),
    ("", "the expression is empty"),
    ("'\\n'", "an expression cannot contain a backslash"),
    ("1 < 'a'", "1 and 'a' cannot be compared"),
    ("f'{width}'", "an expression cannot contain an f-string"),
    ("(width := 3)", "an expression cannot contain an assignment (:=)"),
    ("1j", "1j is not a number, a text or a boolean"),
    ("...", "... is not a number, a text or a boolean"),
    ("b'a'", "b'a' is not a number, a text or a boolean"),
    ("+".join("1" * 300), "an expression has at most 500 characters"),
    ("-" * 60 + "1", "an expression has at most 40 levels"),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_values(text: str, value: Any) -> None:
    """An expression has the value, and the type, that Python gives it."""
    found = evaluate(text, NAMES)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("text", "message"), ERRORS)
def test_errors(text: str, message: str) -> None:
    """What cannot be evaluated is refused with a reason."""
    with pytest.raises(ExpressionError, match=f"^{re.escape(message)}$"):
        evaluate(text, NAMES)


def test_every_node_of_python_is_tried() -> None:
    """The texts above contain every kind of expression of Python, so none shows its class name."""
    found = set()
    for text, _ in [*VALUES, *ERRORS]:
        with suppress(SyntaxError):
            found |= {type(node) for node in ast.walk(ast.parse(text, mode="eval"))}
    newer = {"TemplateStr", "Interpolation"}  # t-strings, since Python 3.14
    missing = [kind.__name__ for kind in ast.expr.__subclasses__() if kind not in found]
    assert set(missing) <= newer


@examples(500)
@given(st.text("width+-*/%() 0123456789.'<>=!andornotif else[]_,:", max_size=60) | st.text())
def test_any_text_has_a_value_or_an_error(text: str) -> None:
    """No text does anything but give a value or raise ExpressionError."""
    with suppress(ExpressionError):
        value = evaluate(text, NAMES)
        assert value is UNKNOWN or isinstance(value, (int, float, str, list, type(None)))


SUBSTITUTIONS: list[tuple[str, Any]] = [
    ("$width", 32),
    ("$(width * 2)", 64),
    ('"$(min(width, 3))"', 3),
    ("net-$width", "net-32"),
    ("${width}", "${width}"),
    ("$(width)x$(width)", "32x32"),
    ("$deep-$rate", "true-0.5"),
    ("$$width", "$width"),
    ("costs $5", "costs $5"),
    ("$(name + ')')", "net)"),
    ("[$width, {a: $sizes}]", [32, {"a": [8, 16]}]),
]


@pytest.mark.parametrize(("text", "value"), SUBSTITUTIONS)
def test_substitute(text: str, value: Any) -> None:
    """A whole scalar keeps its value's type; inside a longer one the value becomes text."""
    node = parse(Document("text", text)).root
    assert node is not None
    result, faults = substitute(node, NAMES)
    assert plain(result) == value
    assert not faults


def test_place_of_a_fault() -> None:
    """A fault inside a longer string lies at its expression, quotes or not."""
    for text, column in (("a-$(1/0)-b", 3), ("'a-$(1/0)-b'", 4)):
        node = parse(Document("text", text)).root
        assert isinstance(node, Scalar)
        result, faults = substitute(node, NAMES)
        assert isinstance(result, Scalar)
        assert result.value is UNKNOWN
        assert [(f.span.column, f.span.end_column) for f in faults] == [(column, column + 6)]
