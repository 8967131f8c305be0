"""Formulas: random ones against torch, their print, their ranges, and what is built of them."""

from __future__ import annotations

import copy
import pickle
import random
import time
from math import inf, pi

import pytest
import torch

from netbuild.builder.module import module
from netbuild.components.layers.arithmetic import Formula
from netbuild.components.layers.elementwise.functions import FUNCTIONS
from netbuild.components.layers.elementwise.parsing import MAX_DEPTH, MAX_LENGTH
from netbuild.components.layers.ranges import ANY, PROBABILITIES, Range
from netbuild.components.tensor import PartError, Tensor
from tests.components.layers.contract import graph_of
from tests.formulas import Drawn, disagreement, drawn
from tests.graph.memory_fuzz import Drawn as Network
from tests.graph.memory_fuzz import torch_keeps


def agree(start: int, end: int) -> None:
    """Compare random formulas with torch."""
    for seed in range(start, end):
        one = drawn(random.Random(seed))  # noqa: S311  no cryptography
        assert disagreement(one) == "", one


def test_a_few_random_formulas() -> None:
    """Value, shape, dtype, gradient and kept bytes are torch's."""
    agree(0, 60)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1000, 1500, 100))
def test_random_formulas(start: int) -> None:
    """The same for five hundred formulas."""
    agree(start, start + 100)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function(name: str) -> None:
    """Each function keeps what torch keeps, for every set of inputs that need a gradient."""
    function = FUNCTIONS[name]
    takes = function.takes[: max(function.needed, 1)]
    names = ["x", "m", "v"][: len(takes)]
    condition = "x > 0" if name == "where" else "x"
    text = f"{name}({', '.join([condition, *names[1:]])})"
    inputs = {one: Tensor((3,)) for one in names}
    for number in range(1 << len(names)):
        gradients = tuple(one for place, one in enumerate(names) if number >> place & 1)
        assert disagreement(Drawn(text, inputs, gradients)) == ""
        assert disagreement(Drawn(f"exp({text}) * ({text})", inputs, gradients)) == ""


def formula(text: str, *names: str) -> Formula:
    """Return a formula whose inputs have these names."""
    return Formula(formula=text).reading(dict.fromkeys(names or ("x",), Tensor(())))


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("x * sigmoid(1.702 * x)", "x · sigmoid(1.702 · x)"),
        ("0.5 * (m ** 2 + exp(v) - 1 - v)", "0.5 · (m² + exp(v) − 1 − v)"),
        ("-x ** 2", "−x²"),
        ("(-x) ** 2", "(−x)²"),
        ("x ** -1", "x ** (−1)"),
        ("2 ** x ** 3", "2 ** x³"),
        ("x - (m - v)", "x − (m − v)"),
        ("x / (m * v)", "x / (m · v)"),
        ("1 / (1 + exp(-x))", "1 / (1 + exp(−x))"),
        ("~(x > 0) & (m <= 1)", "~(x > 0) & (m ≤ 1)"),
        ("abs(x - m)", "|x − m|"),
        ("clamp(x, None, 6)", "clamp(x, −∞, 6)"),
        ("x % 2 // 3", "x mod 2 // 3"),
        ("+x * sqrt(2 / pi)", "x · 0.797885"),
    ],
)
def test_print(text: str, printed: str) -> None:
    """A formula is printed with the signs of mathematics, and with as few parentheses."""
    assert formula(text, "x", "m", "v").written == printed


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("1 / (1 + exp(-x))", ANY, PROBABILITIES),
        ("tanh(x) ** 2", ANY, Range(0, 1)),
        ("2 * sin(x) + 1", ANY, Range(-1, 3)),
        ("exp(-x ** 2)", ANY, Range(0, 1)),
        ("clamp(x, -2, 3)", ANY, Range(-2, 3)),
        ("log(x)", PROBABILITIES, Range(-inf, 0)),
        ("1 - x", PROBABILITIES, PROBABILITIES),
        ("x ** 3", Range(-2, 1), Range(-8, 1)),
        ("cos(x)", Range(0, pi), Range(-1, 1)),
        ("gelu(x)", Range(0, inf), Range(0, inf)),
        ("x * x", ANY, None),
        ("x + 1", None, None),
        ("sigmoid(x) - 1", None, Range(-1, 0)),
        ("abs(x) // 1", Range(-2.5, 1), Range(0, 2)),
        ("x % 3", ANY, Range(0, 3)),
    ],
)
def test_ranges(text: str, given: Range | None, expected: Range | None) -> None:
    """Ranges follow from intervals; they are unknown if an input stands twice in the formula."""
    assert formula(text).range(given) == expected


@pytest.mark.parametrize(
    ("text", "bends"),
    [("2 * x - 1", False), ("x / 3 + x", False), ("x * x", True), ("relu(x)", True)],
)
def test_bends(text: str, bends: bool) -> None:  # noqa: FBT001
    """A formula of one input is an activation, or it is affine."""
    assert (formula(text).activates, formula(text).scales) == (bends, not bends)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "x" + ")" * 10_000,
        "-" * (MAX_LENGTH - 1) + "x",
        "exp(" * 100 + "x" + ")" * 100,
        "2 ** 10 ** 10 * x",
        "9 ** 9 ** 9 ** 9",
        "x" + " + x" * 200,
        "1e308 ** 10 * x",
        "__import__('os').system('x')",
        "().__class__.__bases__",
        "[x for x in x]",
        "(lambda: x)()",
        "x.__class__(x)",
        "\x00x",
        "é * x",
    ],
)
def test_hostile_formulas(text: str) -> None:
    """A formula that is too long, too deep or too large, or a program, is refused at once."""
    begin = time.perf_counter()
    with pytest.raises(PartError) as raised:
        formula(text).outputs(Tensor((3,)))
    assert time.perf_counter() - begin < 0.5
    assert raised.value.code == "NB217"


def test_depth() -> None:
    """A formula of the greatest depth is read."""
    depth = MAX_DEPTH - 1
    y = formula("exp(" * depth + "x" + ")" * depth).outputs(Tensor((3,)))
    assert y == {"output": Tensor((3,))}


NETWORK = {
    "a": {"Linear": 5},
    "s": {"Parameter": {"shape": [5], "batch_axis": False}},
    "t": {"Parameter": {"shape": [6, 5]}},
    "f": {
        "Formula": "sin(a * exp(s)) * tanh(t) + clamp(a, -1, 1) ** 2",
        "inputs": {"a": "a", "s": "s", "t": "t"},
    },
    "g": {"Formula": "x * x * y", "inputs": {"x": "f", "y": "f"}},
}


def test_parameters() -> None:
    """What follows from Parameters alone has no batch, and adds no bytes for a sample."""
    graph = graph_of(NETWORK, Tensor((6, 5)))
    network = Network("", [((6, 5), "float32")])
    assert graph.activations_bytes == torch_keeps(graph, network, 3) - torch_keeps(
        graph, network, 2
    )


@pytest.mark.slow
def test_a_built_network() -> None:
    """It is pickled, copied and exported, and its code reads like the formula."""
    built = module(graph_of(NETWORK, Tensor((6, 5))))
    x = torch.randn(3, 6, 5)
    y = built(x)
    assert torch.equal(pickle.loads(pickle.dumps(built))(x), y)  # noqa: S301  our own
    assert torch.equal(copy.deepcopy(built)(x), y)
    batch = torch.export.Dim("batch")
    exported = torch.export.export(built, (x,), dynamic_shapes=({0: batch},)).module()
    torch.testing.assert_close(exported(x), y)
    assert "torch.clamp(a, -1, 1)" in str(built.code)
    assert "torch.sin(mul)" in str(built.code)
