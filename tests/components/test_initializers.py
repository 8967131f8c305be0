"""Initializers: declared as torch has them, refused where torch refuses, and given by rules."""

import inspect
import warnings
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import init as torch_init

import netbuild
from netbuild.builder.initialise import initialise
from netbuild.checks.init import faults, plan
from netbuild.components.initializers import INITIALIZERS
from netbuild.components.layers import LAYERS
from netbuild.config.init import MAX_PATTERN, MAX_RULES, Init, is_weight, read_init, read_rules
from netbuild.config.load import read
from netbuild.config.resolved import resolved
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.syntax.dump import dump
from netbuild.syntax.node import Node, plain
from netbuild.syntax.parser import from_bytes

#: Arguments of torch that are no fields, with the reason.
LEFT_OUT = {
    "tensor": "what is initialized",
    "generator": "the seed of the training decides all that is random",
}
#: What torch runs and netbuild refuses: the reason, and an example.
STRICTNESS: list[tuple[str, str, dict[str, Any]]] = [
    ("trunc_normal_", "torch takes a standard deviation below 0 as its amount", {"std": -1.0}),
    (
        "trunc_normal_",
        "torch warns that the values may be wrong, and may draw for ever",
        {"mean": 5.0},
    ),
    (
        "trunc_normal_",
        "a bound is compared with float32, whose numbers end before",
        {"b": 1e39},
    ),
    ("sparse_", "torch cuts a list with it: −0.1 makes nearly all zero", {"sparsity": -0.1}),
    ("sparse_", "more than all", {"sparsity": 50.0}),
    ("dirac_", "torch counts up to it, and sets nothing", {"groups": -1}),
    (
        "kaiming_normal_",
        "torch squares a slope that it needs",
        {"a": 1e151, "nonlinearity": "relu"},
    ),
    ("kaiming_uniform_", "the annotation has it lower case", {"mode": "FAN_OUT"}),
]

edges = st.sampled_from([0.0, 1.0, -1.0, 3e38, -3e38, 1e39, 1e100])
numbers = st.floats(-3, 3) | edges
near = st.floats(-3, 3)
modes = st.sampled_from(["fan_in", "fan_out", "fan"])
nonlinearities = st.sampled_from(
    [*inspect.signature(torch_init.calculate_gain).parameters["nonlinearity"].annotation.__args__]
) | st.just("gelu")


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw some of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


kaiming = some(a=near, mode=modes, nonlinearity=nonlinearities)
FIELDS: dict[str, Any] = {
    "uniform_": some(a=numbers, b=numbers),
    "normal_": some(mean=numbers, std=numbers),
    "trunc_normal_": some(mean=near, std=st.floats(0.5, 2), a=near, b=near),
    "constant_": some(val=numbers),
    "ones_": some(),
    "zeros_": some(),
    "eye_": some(),
    "dirac_": some(groups=st.integers(0, 4)),
    "xavier_uniform_": some(gain=numbers),
    "xavier_normal_": some(gain=numbers),
    "kaiming_uniform_": kaiming,
    "kaiming_normal_": kaiming,
    "orthogonal_": some(gain=numbers),
    "sparse_": some(sparsity=st.floats(0, 1), std=numbers),
}
shapes = st.lists(st.integers(1, 4), max_size=6).map(tuple)


def node(value: Any) -> Node:
    """Return a value as it stands in a file."""
    root = from_bytes("test.yaml", dump({"init": value}).encode()).root
    found = root.get("init")  # type: ignore[union-attr]
    assert found is not None
    return found


def row(path: str, type_: str, init: Init | None = None, **weights: tuple[int, ...]) -> Any:
    """Return what a row of a graph has for an initializer."""
    return SimpleNamespace(path=path, type=type_, weights=weights, init=init)


def read_one(value: Any) -> tuple[Init | None, list[Diagnostic]]:
    """Read what stands beside a layer."""
    found: list[Diagnostic] = []
    return read_init(node(value), found), found


def torch_runs(name: str, fields: dict[str, Any], shape: tuple[int, ...]) -> torch.Tensor | None:
    """Return what torch makes of a tensor of zeros; None where it refuses."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made: torch.Tensor = getattr(torch_init, name)(torch.zeros(shape), **fields)
        except (RuntimeError, ValueError, TypeError, ArithmeticError):
            return None
    return made


# Declared as torch has them.


def test_all_are_there() -> None:
    """Every function of the installed torch that initializes a tensor is declared.

    Those of the same name without the `_` are deprecated.
    """
    there = {
        name
        for name, value in vars(torch_init).items()
        if inspect.isfunction(value) and name.endswith("_") and not name.startswith("_")
    }
    assert set(INITIALIZERS) == there
    known = there | {name[:-1] for name in there} | {"calculate_gain"}
    assert set(torch_init.__all__) <= known


@pytest.mark.parametrize("name", INITIALIZERS)
def test_names_and_defaults(name: str) -> None:
    """Fields and defaults are the arguments of torch, in their order, less those left out."""
    parameters = inspect.signature(getattr(torch_init, name)).parameters
    expected = {
        n: ... if p.default is p.empty else p.default
        for n, p in parameters.items()
        if n not in LEFT_OUT
    }
    fields = INITIALIZERS[name].model_fields
    assert expected == {n: ... if f.is_required() else f.default for n, f in fields.items()}
    assert list(expected) == list(fields)


# Refused where torch refuses.


@pytest.mark.parametrize("name", INITIALIZERS)
@given(data=st.data())
@settings(max_examples=60)
def test_acceptance(name: str, data: st.DataObject) -> None:
    """What torch runs is accepted, with the same values; all else is a fault."""
    fields, shape = data.draw(FIELDS[name]), data.draw(shapes)
    if name == "trunc_normal_" and not _within(fields):
        return
    expected = torch_runs(name, fields, shape)
    found, wrong = read_one({name: fields})
    if found is not None:
        wrong += faults([row("0", "Layer", found, weight=shape)], [])
    assert (expected is None) == bool(wrong), [d.message for d in wrong]
    if found is not None and expected is not None:
        module = nn.Sequential(nn.Module())
        module[0].weight = nn.Parameter(torch.zeros(shape))
        torch.manual_seed(0)
        initialise(module, graph([row("0", "Layer", found, weight=shape)]))
        same = {"rtol": 0, "atol": 0, "equal_nan": True}
        torch.testing.assert_close(module[0].weight.detach(), expected, **same)


def _within(fields: dict[str, Any]) -> bool:
    """Whether torch's truncated normal ends soon, and without a warning."""
    mean, std, a, b = (
        fields.get(name, default)
        for name, default in zip(("mean", "std", "a", "b"), (0, 1, -2, 2), strict=True)
    )
    return bool(a - 2 * std <= mean <= b + 2 * std)


def graph(rows: list[Any], rules: Any = ()) -> Any:
    """Return what a graph has for its initializers."""
    return SimpleNamespace(rows=rows, config=SimpleNamespace(init=tuple(rules)))


@pytest.mark.parametrize(("name", "reason", "fields"), STRICTNESS)
def test_strictness(name: str, reason: str, fields: dict[str, Any]) -> None:
    """What torch takes and netbuild refuses is listed with its reason."""
    assert reason
    if "mean" not in fields:
        assert torch_runs(name, fields, (4, 4, 4)[: 2 + (name == "dirac_")]) is not None
    _, wrong = read_one({name: fields})
    assert [d.code for d in wrong] == ["NB106"]


# Which parameter gets which.

#: A small network, as the rows of its graph.
ROWS = [
    row("features.0", "Conv2d", weight=(6, 3, 3, 3), bias=(6,)),
    row("features.1", "BatchNorm2d", weight=(6,), bias=(6,)),
    row("features.2", "ReLU"),
    row("encoder.lstm", "LSTM", weight_ih_l0=(8, 6), weight_hh_l0=(8, 2), bias_ih_l0=(8,)),
    row("head", "Linear", weight=(10, 6), bias=(10,)),
]
ONES = {"ones_": None}


def rules_of(*written: Any) -> tuple[Any, list[Diagnostic]]:
    """Read rules, with their faults."""
    found: list[Diagnostic] = []
    return read_rules(node(list(written)), LAYERS, found), found


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
    """A pattern of a layer, and a type, is for weights; a pattern of parameters for those."""
    rules, wrong = rules_of(conditions | ONES)
    assert wrong == []
    assert list(plan(ROWS, rules)) == names
    assert [d.code for d in faults(ROWS, rules)] == ([] if names else ["NB405"])


def test_the_first_rule_counts() -> None:
    """Of several rules the first counts, and what stands beside the layer before all."""
    init, _ = read_one({"bias": {"constant_": 3}})
    rows = [row("a", "Linear", init, weight=(2, 2), bias=(2,)), *ROWS]
    rules, _ = rules_of({"match": "*.bias"} | ONES, {"match": "*", "zeros_": None})
    found = {name: initializer.torch_name() for name, initializer in plan(rows, rules).items()}
    assert found["a.bias"] == "constant_"
    assert found["a.weight"] == "zeros_"
    assert found["head.bias"] == "ones_"
    assert "encoder.lstm.bias_ih_l0" not in found


def test_weights() -> None:
    """A weight has the word in its own name."""
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
    """Beside a layer stands an initializer of its weights, or one for each parameter by name."""
    init, wrong = read_one(written)
    rows = [row("head", "Linear", init, weight=(10, 6), bias=(10,))]
    assert wrong == []
    assert faults(rows, []) == []
    assert list(plan(rows, [])) == [f"head.{name}" for name in names]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("kaiming_norml_", "no initializer is called kaiming_norml_: unknown"),
        ({"normal": {"std": 1}}, "no initializer is called normal: unknown"),
        ({"normal_": {"sdt": 1}}, "normal_ has no field sdt: unknown"),
        (
            {"normal_": {"std": -1}},
            "a value that normal_.std does not take: std wants a number of at least 0, not -1",
        ),
        (
            {"uniform_": {"a": 2}},
            (
                "a value that uniform_ does not take: b wants a number of at least a, 2.0, and not "
                "further away than float32 reaches, not its default"
            ),
        ),
        ("constant_", "constant_ needs val: missing"),
        ({"zeros_": 1}, "zeros_ takes no bare value: zeros_ has no fields"),
        (
            {"zeros_": None, "ones_": None},
            (
                "an initializer that is not written as one: an initializer is one name with its "
                "arguments, and this has zeros_ and ones_"
            ),
        ),
        (
            3,
            (
                "an initializer that is not written as one: an initializer is one name with its "
                "arguments, not 3"
            ),
        ),
        (
            {"weight": ["zeros_"]},
            (
                "an initializer that is not written as one: an initializer is one name with its "
                "arguments, not a list"
            ),
        ),
    ],
)
def test_faults_of_an_initializer(written: Any, message: str) -> None:
    """Each slip in an initializer is one fault, in a sentence."""
    init, wrong = read_one(written)
    assert init is None
    assert [d.message for d in wrong] == [message]


def test_faults_of_a_layer_without_the_parameter() -> None:
    """What stands beside a layer that has no such parameter is a fault, once for all repeats."""
    bare, _ = read_one("zeros_")
    named, _ = read_one({"biass": "zeros_"})
    rows = [row("0", "ReLU", bare), *(row(str(n), "PReLU", named, weight=(1,)) for n in (1, 2))]
    assert [(d.code, d.message, d.layer) for d in faults(rows, [])] == [
        ("NB405", "an initializer without a tensor: ReLU has no weights", "0"),
        ("NB405", "an initializer without a tensor: PReLU has no parameter biass", "1"),
    ]


@pytest.mark.parametrize(
    ("written", "messages"),
    [
        (
            [{"match": "*.wieght"} | ONES],
            [
                (
                    "a rule that matches nothing: no layer with weights and no parameter is called "
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
            [("a rule that comes too late: what it matches is initialized already: 1 parameter")],
        ),
        (
            [{"match": "features.*", "kaiming_normal_": None}],
            [
                (
                    "kaiming_normal_ does not fit its tensor: kaiming_normal_ wants at least two "
                    "axes, and features.1.weight (BatchNorm2d) is 6"
                )
            ],
        ),
        (
            [{"match": "*.bias", "eye_": None}],
            [
                (
                    "eye_ does not fit its tensor: eye_ wants two axes, and features.0.bias "
                    "(Conv2d) is 6"
                )
            ],
        ),
        (
            [{"type": "Conv2d", "dirac_": 4}],
            [
                (
                    "dirac_ does not fit its tensor: dirac_ wants a first axis that groups 4 "
                    "divides, and features.0.weight (Conv2d) is 6×3×3×3"
                )
            ],
        ),
    ],
)
def test_faults_of_rules(written: list[Any], messages: list[str]) -> None:
    """A rule that is for nothing, or does not fit what it is for, is one fault."""
    rules, wrong = rules_of(*written)
    assert wrong == []
    assert [d.message for d in faults(ROWS, rules)] == messages


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
    """Each slip in the section is one fault, and the rule is left out."""
    found: list[Diagnostic] = []
    assert read_rules(node(written), LAYERS, found) == ()
    assert [d.code for d in found] == codes


# Given to a module.


def test_initialise() -> None:
    """The parameters of a module get what the rules say, the others keep what torch gave them."""
    torch.manual_seed(3)
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    rows = [
        row("0", "Linear", weight=(6, 4), bias=(6,)),
        row("1", "ReLU"),
        row("2", "Linear", weight=(2, 6), bias=(2,)),
    ]
    rules, _ = rules_of(
        {"match": "2.bias", "constant_": 0.25}, {"match": "0", "normal_": {"mean": 9}}
    )
    torch.manual_seed(5)
    initialise(module, graph(rows, rules))
    after = module.state_dict()
    torch.manual_seed(5)
    expected = torch_init.normal_(torch.empty(6, 4), mean=9.0)
    assert torch.equal(after["0.weight"], expected)
    assert after["2.bias"].tolist() == [0.25, 0.25]
    assert all(torch.equal(after[name], before[name]) for name in ("0.bias", "2.weight"))
    assert all(p.requires_grad and p.grad is None and p.is_leaf for p in module.parameters())


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initialise_without_memory(name: str) -> None:
    """On the meta device there is nothing to do, and no initializer minds."""
    shape = (4, 2, 3) if name == "dirac_" else (4, 3)
    required = {"constant_": {"val": 1}, "sparse_": {"sparsity": 0.5}}.get(name, {})
    rules, wrong = rules_of({"match": "*", name: required})
    assert wrong == []
    module = nn.Sequential(nn.Module())
    module[0].weight = nn.Parameter(torch.empty(shape, device="meta"))
    initialise(module, graph([row("0", "Layer", weight=shape)], rules))
    assert module[0].weight.shape == shape


def test_built() -> None:
    """A built network has the weights that its file asks for, the same ones for the same seed."""
    text = dump(
        {
            "input": [4],
            "layers": [{"Linear": 6, "init": {"bias": "ones_"}}, "ReLU", {"Linear": 2}],
            "init": [{"match": "*.bias", "zeros_": None}, {"type": "Linear", "normal_": None}],
        }
    )
    config = read(from_bytes("test.yaml", text.encode()))
    built = []
    for _ in range(2):
        torch.manual_seed(1)
        built.append(netbuild.build(config).state_dict())
    first, second = built
    assert first["0.bias"].tolist() == [1.0] * 6
    assert first["2.bias"].tolist() == [0.0] * 2
    assert first["2.weight"].abs().max() > 0.5  # torch's own lie within 1 / √6
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_resolved() -> None:
    """Rules and initializers are in a resolved config as they were written."""
    rules = [{"match": "*.bias", "zeros_": None}, {"type": "Linear", "normal_": {"std": 0.02}}]
    layers = [{"Linear": 6, "init": {"bias": "ones_"}}]
    text = dump({"input": [4], "layers": layers, "init": rules})
    again = from_bytes("again.yaml", resolved(read(from_bytes("a.yaml", text.encode()))).encode())
    assert again.root is not None
    assert plain(again.root) | {"layers": layers, "init": rules} == plain(again.root)
