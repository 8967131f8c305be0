"""`init:`: the tensors of a rule, the order of rules, and faults."""

from typing import Any

import pytest

from netbuild.checks.init import check, plan
from netbuild.checks.trace import infer
from netbuild.components.layers import LAYERS
from netbuild.config.init import MAX_PATTERN, MAX_RULES, is_weight, read_rules
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes
from tests.init_rules import node, read_one, row, rules_of

#: A small network, as the rows of its graph.
ROWS = [
    row("features.0", "Conv2d", weight=(6, 3, 3, 3), bias=(6,)),
    row("features.1", "BatchNorm2d", weight=(6,), bias=(6,)),
    row("features.2", "ReLU"),
    row("encoder.lstm", "LSTM", weight_ih_l0=(8, 6), weight_hh_l0=(8, 2), bias_ih_l0=(8,)),
    row("head", "Linear", weight=(10, 6), bias=(10,)),
]

ONES = {"ones_": None}


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        ({"match": "*.bias"}, ["features.0.bias", "features.1.bias", "head.bias"]),
        ({"match": "features.*"}, ["features.0.weight", "features.1.weight"]),
        ({"match": "features.0"}, ["features.0.weight"]),
        ({"match": "features.0.*"}, ["features.0.weight", "features.0.bias"]),
        ({"match": "*.weight_?h_l0"}, ["encoder.lstm.weight_ih_l0", "encoder.lstm.weight_hh_l0"]),
        ({"match": "encoder*"}, ["encoder.lstm.weight_ih_l0", "encoder.lstm.weight_hh_l0"]),
        ({"match": "head.bias"}, ["head.bias"]),
        ({"match": "[eh]*", "type": "Linear"}, ["head.weight"]),
        ({"type": "Linear"}, ["head.weight"]),
        ({"type": "BatchNorm2d", "match": "*.bias"}, ["features.1.bias"]),
        ({"match": "HEAD"}, []),
    ],
)
def test_what_a_rule_is_for(conditions: dict[str, str], names: list[str]) -> None:
    """A pattern of layers, or a type, applies to weights; a pattern of parameters to parameters."""
    rules, wrong = rules_of(conditions | ONES)
    assert wrong == []
    assert list(plan(ROWS, rules)) == names
    assert [d.code for d in check(ROWS, rules)] == ([] if names else ["NB405"])


def test_the_first_rule_counts() -> None:
    """The first rule that matches applies, and `init` of a layer comes before all rules."""
    init, _ = read_one({"bias": {"constant_": 3}})
    rows = [row("a", "Linear", init, weight=(2, 2), bias=(2,)), *ROWS]
    rules, _ = rules_of({"match": "*.bias"} | ONES, {"match": "*", "zeros_": None})
    found = {name: initializer.torch_name() for name, initializer in plan(rows, rules).items()}
    assert found["a.bias"] == "constant_"
    assert found["a.weight"] == "zeros_"
    assert found["head.bias"] == "ones_"
    assert "encoder.lstm.bias_ih_l0" not in found


def test_weights() -> None:
    """A parameter is a weight if its own name contains `weight`."""
    weights = ["weight", "weight_ih_l0", "in_proj_weight", "out_proj.weight", "mean_weight"]
    others = ["bias", "bias_ih_l0", "weightless.bias", "bias_k", "alpha"]
    assert [name for name in weights + others if is_weight(name)] == weights


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("zeros_", ["weight"]),
        ({"zeros_": None}, ["weight"]),
        ({"constant_": 0.5}, ["weight"]),
        ({"constant_": {"val": 0.5}}, ["weight"]),
        ({"bias": "zeros_"}, ["bias"]),
        ({"weight": {"normal_": {"std": 0.02}}, "bias": "zeros_"}, ["weight", "bias"]),
    ],
)
def test_beside_a_layer(written: Any, names: list[str]) -> None:
    """`init` of a layer is an initializer of its weights, or initializers by parameter."""
    init, wrong = read_one(written)
    rows = [row("head", "Linear", init, weight=(10, 6), bias=(10,))]
    assert wrong == []
    assert check(rows, []) == []
    assert list(plan(rows, [])) == [f"head.{name}" for name in names]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("kaiming_norml_", "no initializer is called kaiming_norml_: unknown type"),
        ({"normal": {"std": 1}}, "no initializer is called normal: unknown type"),
        ({"normal_": {"sdt": 1}}, "normal_ has no field sdt: unknown field"),
        (
            {"normal_": {"std": -1}},
            "a value that normal_.std does not take: std wants a number of at least 0, not -1",
        ),
        (
            {"uniform_": {"a": 2}},
            (
                "a value that uniform_ does not take: b wants a number of at least a, 2.0, and at "
                "a distance from a that float32 can hold, so its default does not fit"
            ),
        ),
        ("constant_", "constant_ needs val: val is missing"),
        ({"zeros_": 1}, "zeros_ takes no bare value: zeros_ has no fields"),
        (
            {"zeros_": None, "ones_": None},
            (
                "an initializer in the wrong form: an initializer is one name with its "
                "arguments, not zeros_ and ones_"
            ),
        ),
        (
            3,
            (
                "an initializer in the wrong form: an initializer is one name with its "
                "arguments, not 3"
            ),
        ),
        (
            {"weight": ["zeros_"]},
            (
                "an initializer in the wrong form: an initializer is one name with its "
                "arguments, not a list"
            ),
        ),
    ],
)
def test_faults_of_an_initializer(written: Any, message: str) -> None:
    """Each mistake in an initializer is one fault."""
    init, wrong = read_one(written)
    assert init is None
    assert [d.message for d in wrong] == [message]


def test_faults_of_a_layer_without_the_parameter() -> None:
    """`init` for a parameter that the layer lacks is one fault, for all repeats together."""
    bare, _ = read_one("zeros_")
    named, _ = read_one({"biass": "zeros_"})
    rows = [row("0", "ReLU", bare), *(row(str(n), "PReLU", named, weight=(1,)) for n in (1, 2))]
    assert [(d.code, d.message, d.layer) for d in check(rows, [])] == [
        ("NB405", "an initializer that applies to nothing: ReLU has no weights", "0"),
        ("NB405", "an initializer that applies to nothing: PReLU has no parameter biass", "1"),
    ]


@pytest.mark.parametrize(
    ("written", "messages"),
    [
        (
            [{"match": "*.wieght"} | ONES],
            [
                (
                    "a rule that matches nothing: no parameter and no layer with weights is called "
                    "*.wieght"
                )
            ],
        ),
        (
            [{"type": "Conv1d"} | ONES],
            ["a rule that matches nothing: no Conv1d of the network has weights"],
        ),
        (
            [{"match": "head*"} | ONES, {"type": "Linear", "zeros_": None}],
            [
                (
                    "a rule that comes too late: all that it matches is already initialized: "
                    "1 parameter"
                )
            ],
        ),
        (
            [{"match": "features.*", "kaiming_normal_": None}],
            [
                (
                    "kaiming_normal_ does not fit its tensor: kaiming_normal_ needs at least two "
                    "axes, but features.1.weight (BatchNorm2d) is 6"
                )
            ],
        ),
        (
            [{"match": "*.bias", "eye_": None}],
            [
                (
                    "eye_ does not fit its tensor: eye_ needs two axes, but features.0.bias "
                    "(Conv2d) is 6"
                )
            ],
        ),
        (
            [{"type": "Conv2d", "dirac_": 4}],
            [
                (
                    "dirac_ does not fit its tensor: dirac_ needs a first axis divisible by "
                    "groups, 4, but features.0.weight (Conv2d) is 6×3×3×3"
                )
            ],
        ),
    ],
)
def test_faults_of_rules(written: list[Any], messages: list[str]) -> None:
    """A rule that matches nothing, or does not fit a tensor, is one fault."""
    rules, wrong = rules_of(*written)
    assert wrong == []
    assert [d.message for d in check(ROWS, rules)] == messages


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        (["zeros_"], ["NB108"]),
        ([{"zeros_": None}], ["NB108"]),
        ([{"match": "*"}], ["NB108"]),
        ([{"match": "*", "mach": "a"} | ONES], ["NB104"]),
        ([{"match": 3} | ONES], ["NB106"]),
        ([{"match": "a" * (MAX_PATTERN + 1)} | ONES], ["NB106"]),
        ([{"type": "Lineal"} | ONES], ["NB103"]),
        ([{"type": ["Linear"]} | ONES], ["NB106"]),
        ([{"match": "*", "onse_": None}], ["NB103"]),
        ([{"match": "*"} | ONES | {"zeros_": None}], ["NB108"]),
        (ONES, ["NB106"]),
        ("zeros_", ["NB106"]),
        ([{"match": "*"} | ONES] * (MAX_RULES + 1), ["NB106"]),
    ],
)
def test_faults_of_written_rules(written: Any, codes: list[str]) -> None:
    """Each mistake in the section is one fault, and the rule is skipped."""
    rules, faults = read_rules(node(written), LAYERS)
    assert rules == ()
    assert [d.code for d in faults] == codes


def test_a_reuse_has_the_initializers_of_its_original() -> None:
    """A named parameter inside a stack that is called again is no fault."""
    text = (
        "input: [4]\nlayers:\n  a: [{Linear: 4, init: {weight: zeros_}}, ReLU]\n  b: {Reuse: a}\n"
    )
    assert infer(read(from_bytes("net.yaml", text.encode()))).diagnostics == ()
