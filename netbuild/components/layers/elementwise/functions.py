"""The functions and operators of a formula: one line of a table for each.

The names are torch's: https://docs.pytorch.org/docs/stable/torch.html#pointwise-ops. What
a function keeps for backward is in `tools/autograd/derivatives.yaml` of torch. A fuzz compares
every line with torch.
"""

from __future__ import annotations

import math
import operator
from math import inf
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from netbuild.components.layers.elementwise import intervals as of
from netbuild.components.layers.elementwise.intervals import turning
from netbuild.components.layers.ranges import POSITIVE, PROBABILITIES, SIGNED, Range

if TYPE_CHECKING:
    from collections.abc import Callable

    from netbuild.components.layers.elementwise.intervals import Bounds

#: The dtypes that a function takes, and the dtype of its result.
#:
#: - `floats`: any; whole numbers give float32.
#: - `any`: any; the common dtype of the operands.
#: - `numbers`: the same, but no bool.
#: - `fractions`: numbers, at least one with a fraction.
#: - `one float`: floating-point numbers only, in each operand.
#: - `squares`: any; bool gives int64.
#: - `powers`: any but bools alone; whole numbers take no negative number as exponent.
#: - `bounds`: any but bools alone.
#: - `tests`: any; gives bool.
#: - `bits`: whole numbers and bool.
#: - `where`: a bool first; the common dtype of the other two.
Dtypes: TypeAlias = Literal[
    "floats",
    "any",
    "numbers",
    "fractions",
    "one float",
    "squares",
    "powers",
    "bounds",
    "tests",
    "bits",
    "where",
]


class Function(NamedTuple):
    """A function or an operator of a formula."""

    #: As a formula writes it: `sigmoid` or `+`.
    name: str
    #: As Python finds it: `torch.sigmoid` or `operator.add`.
    path: str
    parameters: tuple[str, ...]
    dtypes: Dtypes
    #: What the backward pass needs for the gradient of each operand: `a`, `b` and `c` are the
    #: operands, `y` is the result.
    keeps: tuple[str, ...]
    #: What each operand can be: `t` a tensor, `n` a number, `e` either.
    takes: str
    bounds: Bounds
    #: The function of numbers; None if a formula cannot compute it for numbers alone.
    value: Callable[..., float] | None = None
    #: The number of operands that a call needs.
    needed: int = 1
    #: Whether the result is an affine function of each operand, with the others held.
    affine: bool = False
    #: What it keeps instead if its last operand is a number.
    keeps_by_number: tuple[str, ...] | None = None
    #: Further arguments of torch's function.
    keywords: tuple[tuple[str, str], ...] = ()

    @property
    def is_operator(self) -> bool:
        """Whether a formula writes it as a sign."""
        return not self.name.isidentifier()

    @property
    def most(self) -> int:
        """The largest number of operands of a call."""
        return len(self.parameters)

    @property
    def required(self) -> tuple[str, ...]:
        """The parameters that each call gives; one bound of a clamp is enough."""
        return self.parameters[: 1 if self.dtypes == "bounds" else self.needed]


def _one(
    name: str,
    dtypes: Dtypes,
    keeps: str,
    bounds: Bounds,
    value: Callable[..., float] | None = None,
    *,
    module: str = "torch",
    fields: str = "",
) -> Function:
    """Return a function of one tensor, with further numbers as `fields`."""
    parameters = ("input", *fields.split())
    takes = "t" + "n" * (len(parameters) - 1)
    path = f"{module}.{name}"
    return Function(name, path, parameters, dtypes, (keeps,), takes, bounds, value)


def _two(
    name: str,
    dtypes: Dtypes,
    keeps: tuple[str, str],
    bounds: Bounds = of.unknown,
    value: Callable[..., float] | None = None,
    *,
    path: str = "",
    takes: str = "ee",
    affine: bool = False,
) -> Function:
    """Return a function or an operator of two operands."""
    path = path or f"torch.{name}"
    both = ("input", "other")
    return Function(name, path, both, dtypes, keeps, takes, bounds, value, 2, affine)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def _softplus(x: float) -> float:
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def _gated(gate: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: x * gate(x) if x != -inf else 0.0


def _elu(x: float) -> float:
    return x if x > 0 else math.expm1(x)


def _logarithm(name: str, value: Callable[[float], float]) -> Function:
    return _one(name, "floats", "a", turning(value, domain=POSITIVE), value)


def _rounding(name: str, value: Callable[[float], float]) -> Function:
    return _one(name, "numbers", "", turning(of.whole(value)), value)


def _sign(x: float) -> float:
    return (x > 0) - (x < 0)


_NEURAL = "torch.nn.functional"
_gelu = _gated(lambda x: (1 + math.erf(x / math.sqrt(2))) / 2)
_silu = _gated(_sigmoid)
_mish = _gated(lambda x: math.tanh(_softplus(x)))
_ANGLES = Range(-math.pi / 2, math.pi / 2)

_UNARY = (
    _one("exp", "floats", "y", turning(math.exp, image=POSITIVE), math.exp),
    _one("exp2", "floats", "y", turning(lambda x: 2.0**x, image=POSITIVE), lambda x: 2.0**x),
    _one("expm1", "floats", "y", turning(math.expm1, image=Range(-1, inf)), math.expm1),
    _logarithm("log", math.log),
    _logarithm("log2", math.log2),
    _logarithm("log10", math.log10),
    _one("log1p", "floats", "a", turning(math.log1p, domain=Range(-1, inf)), math.log1p),
    _one("sqrt", "floats", "y", turning(math.sqrt, domain=POSITIVE, image=POSITIVE), math.sqrt),
    _one(
        "rsqrt",
        "floats",
        "y",
        turning(lambda x: 1 / math.sqrt(x), domain=POSITIVE, least=inf, image=POSITIVE),
        lambda x: 1 / math.sqrt(x),
    ),
    _one("abs", "numbers", "a", turning(abs, 0.0, image=POSITIVE), abs),
    _one("sign", "any", "", turning(_sign, image=SIGNED), _sign),
    _one("sin", "floats", "a", of.wave(0), math.sin),
    _one("cos", "floats", "a", of.wave(math.pi / 2), math.cos),
    _one("tan", "floats", "y", of.unknown, math.tan),
    _one("asin", "floats", "a", turning(math.asin, domain=SIGNED, image=_ANGLES), math.asin),
    _one(
        "acos", "floats", "a", turning(math.acos, domain=SIGNED, image=Range(0, math.pi)), math.acos
    ),
    _one("atan", "floats", "a", turning(math.atan, image=_ANGLES), math.atan),
    _one("sinh", "floats", "a", turning(math.sinh), math.sinh),
    _one("cosh", "floats", "a", turning(math.cosh, 0.0, least=inf, image=Range(1, inf)), math.cosh),
    _one("tanh", "floats", "y", turning(math.tanh, image=SIGNED), math.tanh),
    _one("asinh", "floats", "a", turning(math.asinh), math.asinh),
    _one("acosh", "floats", "a", turning(math.acosh, domain=Range(1, inf)), math.acosh),
    _one("atanh", "floats", "a", turning(math.atanh, domain=SIGNED), math.atanh),
    _one("sigmoid", "floats", "y", turning(_sigmoid, image=PROBABILITIES), _sigmoid),
    _one("erf", "floats", "a", turning(math.erf, image=SIGNED), math.erf),
    _one("erfc", "floats", "a", turning(math.erfc, image=Range(0, 2)), math.erfc),
    _one("erfinv", "floats", "a", of.unknown),
    _one("logit", "floats", "a", of.unknown),
    _one("lgamma", "floats", "a", of.unknown, math.lgamma),
    _one("digamma", "floats", "a", of.unknown),
    _one("sinc", "floats", "a", of.unknown),
    _one("square", "squares", "a", turning(lambda x: x * x, 0.0, image=POSITIVE), lambda x: x * x),
    _one("reciprocal", "floats", "y", of.inverted, lambda x: 1 / x),
    _rounding("round", round),
    _rounding("floor", math.floor),
    _rounding("ceil", math.ceil),
    _rounding("trunc", math.trunc),
    _one("frac", "one float", "", of.unknown, lambda x: x - math.trunc(x)),
    _one("isnan", "tests", "", of.truth),
    _one("isinf", "tests", "", of.truth),
    _one("isfinite", "tests", "", of.truth),
    _one("logical_not", "tests", "", of.truth),
    _one("relu", "numbers", "y", turning(lambda x: max(x, 0))),
    _one("relu6", "one float", "a", turning(lambda x: min(max(x, 0), 6)), module=_NEURAL),
    _one("gelu", "one float", "a", turning(_gelu, -0.7517915, least=0), module=_NEURAL),
    _one("silu", "one float", "a", turning(_silu, -1.2784645, least=0), module=_NEURAL),
    _one("mish", "one float", "a", turning(_mish, -1.1924476, least=0), module=_NEURAL),
    _one("selu", "one float", "a", of.unknown, module=_NEURAL),
    _one("elu", "one float", "a", turning(_elu), module=_NEURAL),
    _one(
        "hardsigmoid",
        "one float",
        "a",
        turning(lambda x: min(max(x / 6 + 0.5, 0), 1), image=PROBABILITIES),
        module=_NEURAL,
    ),
    _one("hardswish", "one float", "a", of.unknown, module=_NEURAL),
    _one("leaky_relu", "one float", "a", of.unknown, module=_NEURAL, fields="negative_slope"),
    _one("softplus", "one float", "a", of.unknown, module=_NEURAL, fields="beta threshold"),
)

_NONE = ("", "")
_BINARY = (
    _two("minimum", "any", ("ab", "ab"), of.smaller, min, takes="tt"),
    _two("maximum", "any", ("ab", "ab"), of.larger, max, takes="tt"),
    _two("atan2", "floats", ("ab", "ab"), value=math.atan2, takes="tt"),
    _two("hypot", "fractions", ("ay", "by"), of.distance, math.hypot, takes="tt"),
    _two("xlogy", "floats", ("ab", "ab")),
    _two("logaddexp", "fractions", ("ab", "ab"), takes="tt"),
    _two("logaddexp2", "fractions", ("ab", "ab"), takes="tt"),
    _two("copysign", "floats", ("ay", "y"), value=math.copysign, takes="te"),
    _two("fmod", "powers", ("", "ab"), value=math.fmod, takes="te"),
    _two("logical_and", "tests", _NONE, of.truth, takes="tt"),
    _two("logical_or", "tests", _NONE, of.truth, takes="tt"),
    _two("logical_xor", "tests", _NONE, of.truth, takes="tt"),
    Function(
        "clamp",
        "torch.clamp",
        ("input", "min", "max"),
        "bounds",
        ("abc", "abc", "abc"),
        "tee",
        of.clamped,
        needed=2,
    ),
    Function(
        "where",
        "torch.where",
        ("condition", "input", "other"),
        "where",
        ("", "a", "a"),
        "tee",
        of.chosen,
        needed=3,
    ),
    Function(
        "lerp",
        "torch.lerp",
        ("start", "end", "weight"),
        "one float",
        ("c", "c", "abc"),
        "tte",
        of.unknown,
        needed=3,
    ),
)

#: The operators, by the name of their node in Python's `ast`.
OPERATORS: dict[str, Function] = {
    "Add": _two("+", "any", _NONE, of.added, operator.add, path="operator.add", affine=True),
    "Sub": _two(
        "-", "numbers", _NONE, of.subtracted, operator.sub, path="operator.sub", affine=True
    ),
    "Mult": _two(
        "*", "any", ("b", "a"), of.multiplied, operator.mul, path="operator.mul", affine=True
    ),
    "Div": _two("/", "floats", ("b", "ab"), of.divided, operator.truediv, path="operator.truediv"),
    "FloorDiv": _two(
        "//", "powers", ("b", "ab"), of.floored, operator.floordiv, path="torch.div", takes="te"
    )._replace(keywords=(("rounding_mode", "floor"),)),
    "Mod": _two(
        "%", "powers", ("", "ab"), of.remaining, operator.mod, path="operator.mod", takes="te"
    ),
    "Pow": _two(
        "**", "powers", ("aby", "aby"), of.raised, operator.pow, path="operator.pow"
    )._replace(keeps_by_number=("a", "")),
    "BitAnd": _two("&", "bits", _NONE, of.unknown, path="operator.and_"),
    "BitOr": _two("|", "bits", _NONE, of.unknown, path="operator.or_"),
    "Eq": _two("==", "tests", _NONE, of.truth, path="operator.eq"),
    "NotEq": _two("!=", "tests", _NONE, of.truth, path="operator.ne"),
    "Lt": _two("<", "tests", _NONE, of.truth, path="operator.lt"),
    "LtE": _two("<=", "tests", _NONE, of.truth, path="operator.le"),
    "Gt": _two(">", "tests", _NONE, of.truth, path="operator.gt"),
    "GtE": _two(">=", "tests", _NONE, of.truth, path="operator.ge"),
}
#: The signs before an operand. `+x` is x itself.
SIGNS: dict[str, Function] = {
    "USub": Function(
        "-",
        "operator.neg",
        ("input",),
        "numbers",
        ("",),
        "t",
        of.negated,
        operator.neg,
        affine=True,
    ),
    "Invert": Function("~", "operator.invert", ("input",), "bits", ("",), "t", of.unknown),
}
#: The functions that a formula can call, by name.
FUNCTIONS: dict[str, Function] = {one.name: one for one in (*_UNARY, *_BINARY)}
FUNCTIONS |= {
    name: function._replace(name=name, path=f"torch.{name}")
    for name, function in (
        ("add", OPERATORS["Add"]._replace(takes="te")),
        ("sub", OPERATORS["Sub"]._replace(takes="te")),
        ("mul", OPERATORS["Mult"]._replace(takes="te")),
        ("div", OPERATORS["Div"]._replace(takes="te")),
        ("pow", OPERATORS["Pow"]),
        ("remainder", OPERATORS["Mod"]),
        ("neg", SIGNS["USub"]),
        ("eq", OPERATORS["Eq"]._replace(takes="te")),
        ("ne", OPERATORS["NotEq"]._replace(takes="te")),
        ("lt", OPERATORS["Lt"]._replace(takes="te")),
        ("le", OPERATORS["LtE"]._replace(takes="te")),
        ("gt", OPERATORS["Gt"]._replace(takes="te")),
        ("ge", OPERATORS["GtE"]._replace(takes="te")),
    )
}
