"""Optimizers: what netbuild takes is what torch takes, and a training with any of them resumes."""

import inspect
import math
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from netbuild import training
from netbuild.checks import objective
from netbuild.checks.trace import infer, trainable
from netbuild.components.optimizers import OPTIMIZERS
from netbuild.components.optimizers.optimizer import Optimizer, Weight
from netbuild.components.tensor import ShapeError
from netbuild.config.load import load, read
from netbuild.graph.graph import Graph
from netbuild.syntax.parser import from_bytes
from netbuild.training.progress import Silent
from tests.training_configs import STEPS, in_memory, outcome, text, write

REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, ArithmeticError)


def signature(name: str) -> dict[str, Any]:
    """Return torch's fields and defaults of an optimizer, without the parameters."""
    parameters = inspect.signature(getattr(torch.optim, name)).parameters.values()
    return {p.name: p.default for p in parameters if p.name != "params"}


def test_every_optimizer_is_declared() -> None:
    """Every optimizer of the installed torch is declared, and nothing else."""
    kinds = {name: getattr(torch.optim, name) for name in dir(torch.optim)}
    names = {
        name
        for name, kind in kinds.items()
        if inspect.isclass(kind) and issubclass(kind, torch.optim.Optimizer)
    }
    assert set(OPTIMIZERS) == names - {"Optimizer"}
    assert len(OPTIMIZERS) == 15


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fields_are_those_of_torch(name: str) -> None:
    """The names, the order and the defaults of all fields are torch's."""
    fields = OPTIMIZERS[name].model_fields
    assert list(fields) == list(signature(name))
    assert {field: info.default for field, info in fields.items()} == signature(name)


# What netbuild takes is what torch takes.


class Case(NamedTuple):
    """An optimizer with its fields."""

    kind: str
    fields: dict[str, Any]


def accepted(case: Case) -> bool:
    """Whether netbuild takes the fields."""
    try:
        OPTIMIZERS[case.kind].model_validate(case.fields)
    except ValidationError:
        return False
    return True


def made(case: Case) -> bool:
    """Whether torch's constructor takes the fields, with lists as tuples and whole numbers real."""
    weight = nn.Parameter(torch.ones(2, 2))
    try:
        getattr(torch.optim, case.kind)([weight], **_arguments(case))
    except REFUSALS:
        return False
    return True


def _arguments(case: Case) -> dict[str, Any]:
    # Adam wants both betas to be of one type; a number of YAML is real where its field is.
    return {
        name: tuple(None if v is None else float(v) for v in value)
        if isinstance(value, list)
        else value
        for name, value in case.fields.items()
    }


class Strictness(NamedTuple):
    """A reason for which netbuild refuses what torch's constructor takes, with one case of it."""

    reason: str
    applies: Callable[[Case], bool]
    example: Case


def _field(name: str, wrong: Callable[[Any], bool]) -> Callable[[Case], bool]:
    return lambda case: name in case.fields and wrong(case.fields[name])


STRICTNESS = [
    Strictness(
        "the first step refuses any search but that of Wolfe",
        _field("line_search_fn", lambda value: value not in {None, "strong_wolfe"}),
        Case("LBFGS", {"line_search_fn": "armijo"}),
    ),
    Strictness(
        "the second step forgets what was never remembered",
        _field("history_size", lambda value: value < 1),
        Case("LBFGS", {"history_size": 0}),
    ),
    Strictness(
        "the first step refuses a hundred iterations",
        _field("ns_steps", lambda value: value >= 100),
        Case("Muon", {"ns_steps": 100}),
    ),
    Strictness(
        "the step or torch's own text of it wants as many numbers as there are",
        lambda case: any(
            isinstance(value, list) and len(value) != len(signature(case.kind)[name])
            for name, value in case.fields.items()
        ),
        Case("Muon", {"ns_coefficients": [1.0, 2.0]}),
    ),
    Strictness(
        "a number that is none, or without end, leads to no weights",
        lambda case: any(
            isinstance(number, float) and not math.isfinite(number)
            for value in case.fields.values()
            for number in (value if isinstance(value, list) else [value])
        ),
        Case("SGD", {"lr": math.inf}),
    ),
]


def agree(case: Case) -> None:
    """Hold what netbuild says of a case against what torch does with it."""
    netbuild_, torch_ = accepted(case), made(case)
    if netbuild_ == torch_:
        return
    assert torch_, f"netbuild takes what torch refuses: {case}"
    assert any(rule.applies(case) for rule in STRICTNESS), f"torch takes {case}"


numbers = st.one_of(
    st.sampled_from([0.0, 1.0, 0.5, 0.9, 2.0, 1, 0]),
    st.sampled_from([-1.0, -0.5, -1, 1e-300, 1e30, math.inf, math.nan]),
)
booleans = st.sampled_from([None, True, False])
#: Fields that are no number and no boolean.
OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "line_search_fn": st.sampled_from([None, "strong_wolfe", "armijo"]),
    "adjust_lr_fn": st.sampled_from([None, "original", "match_rms_adamw", "other"]),
    "max_eval": st.sampled_from([None, 1, 0, -1, 30]),
    "max_iter": st.integers(-1, 30),
    "history_size": st.integers(-1, 30),
    "ns_steps": st.sampled_from([-1, 0, 5, 99, 100]),
}


@st.composite
def cases(draw: st.DrawFn, kind: str) -> Case:
    """Return an optimizer with any values of the fields' types, mostly near to their defaults."""
    fields: dict[str, Any] = {}
    for name, default in signature(kind).items():
        if not draw(st.sampled_from([True, False, False])):
            continue
        if name in OTHERS:
            fields[name] = draw(OTHERS[name])
        elif default is None or isinstance(default, bool):
            fields[name] = draw(booleans if default is None else st.booleans())
        elif isinstance(default, tuple):
            near = st.tuples(*(st.one_of(st.just(value), numbers) for value in default))
            shorter = near.map(lambda values: values[:-1])
            fields[name] = list(draw(st.one_of(near, near, near, shorter)))
        else:
            fields[name] = draw(numbers)
    return Case(kind, fields)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_netbuild_takes_what_torch_takes(kind: str) -> None:
    """For any values of their types, netbuild accepts exactly the fields that torch accepts."""
    seen: set[bool] = set()

    @settings(max_examples=200)
    @given(case=cases(kind))
    def compare(case: Case) -> None:
        agree(case)
        seen.add(accepted(case))

    compare()
    assert seen == {True, False}


@pytest.mark.parametrize("rule", STRICTNESS, ids=lambda rule: rule.example.kind)
def test_each_strictness_is_one(rule: Strictness) -> None:
    """Each reason for which netbuild refuses more has a case that torch's constructor takes."""
    assert rule.applies(rule.example)
    assert made(rule.example)
    assert not accepted(rule.example)


COMBINED = ["SGD", "Adam", "AdamW", "Adagrad"]


@pytest.mark.parametrize("kind", COMBINED)
@pytest.mark.parametrize("foreach", [None, True, False])
@pytest.mark.parametrize("fused", [None, True, False])
@pytest.mark.parametrize("differentiable", [True, False])
def test_implementations_that_exclude_each_other(
    kind: str, *, foreach: bool | None, fused: bool | None, differentiable: bool
) -> None:
    """Of foreach, fused and differentiable netbuild takes those together that torch takes."""
    fields = {"foreach": foreach, "fused": fused, "differentiable": differentiable}
    assert accepted(Case(kind, fields)) == made(Case(kind, fields))


# Which weights an optimizer takes.


def stepped(optimizer: Optimizer, weight: nn.Module, *, sparse: bool) -> bool:
    """Whether torch makes a few steps with a module, of which one reads a row twice."""
    kind = getattr(torch.optim, type(optimizer).__name__)
    x = torch.tensor([1, 2, 1]) if sparse or isinstance(weight, nn.Embedding) else torch.rand(3, 4)

    def closure() -> Any:
        made_.zero_grad()
        loss = weight(x).square().sum()
        loss.backward()
        return loss

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of invariants of sparse tensors, which are not checked
        try:
            made_ = kind(weight.parameters(), **optimizer.model_dump())
            for _ in range(3):
                made_.step(closure)
        except REFUSALS:
            return False
    return True


def checked(optimizer: Optimizer, weights: list[Weight]) -> bool:
    """Whether netbuild lets an optimizer step with weights."""
    try:
        optimizer.check(weights)
    except ShapeError:
        return False
    return True


#: Modules with their weights, as netbuild knows them.
MODULES: dict[str, tuple[Callable[[], nn.Module], list[Weight]]] = {
    "matrix": (lambda: nn.Linear(4, 3, bias=False), [Weight("weight", (3, 4))]),
    "bias": (lambda: nn.Linear(4, 3), [Weight("weight", (3, 4)), Weight("bias", (3,))]),
    "dense": (lambda: nn.Embedding(5, 3), [Weight("weight", (5, 3))]),
    "sparse": (lambda: nn.Embedding(5, 3, sparse=True), [Weight("weight", (5, 3), sparse=True)]),
}
#: Fields on which it depends whether a step can be made.
STEPS_WITH: list[dict[str, Any]] = [
    {},
    {"weight_decay": 0.1},
    {"fused": True},
    {"foreach": True},
    {"momentum": 0.9, "nesterov": True},
    {"maximize": True},
    {"differentiable": True},
    {"line_search_fn": "strong_wolfe"},
]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_weights_that_torch_steps_with(name: str, module: str) -> None:
    """An optimizer takes exactly the weights, dense, sparse or matrices, that torch steps with."""
    make, weights = MODULES[module]
    for fields in STEPS_WITH:
        if set(fields) <= set(OPTIMIZERS[name].model_fields):
            optimizer = OPTIMIZERS[name].model_validate(fields)
            theirs = stepped(optimizer, make(), sparse=module == "sparse")
            assert checked(optimizer, weights) == theirs, fields


#: Sections, and what is said of the optimizer.
SAID: dict[str, tuple[dict[str, Any], str]] = {
    "no matrix": (
        {"optimizer": "Muon", "layers": [{"Linear": {"out_features": 3, "bias": False}}, "PReLU"]},
        "it steps with matrices only, and 1.weight is 1",
    ),
    "bias": (
        {"optimizer": "Muon", "layers": {"head": {"Linear": 3}}},
        "it steps with matrices only, and head.bias is 3",
    ),
    "bias of the loss": (
        {
            "optimizer": "Muon",
            "layers": [{"Linear": {"out_features": 3, "bias": False}}],
            "loss": {"LinearCrossEntropyLoss": {"num_classes": 3, "bias": True}},
        },
        "it steps with matrices only, and LinearCrossEntropyLoss.linear.bias is 3",
    ),
    "dense": (
        {"optimizer": "SparseAdam"},
        "it steps with sparse gradients only, and that of 0.weight is dense",
    ),
    "differentiable": (
        {"optimizer": {"Adam": {"differentiable": True}}},
        "torch refuses to write into weights while it differentiates by them",
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_of_weights(name: str) -> None:
    """The first weight that an optimizer does not step with is named, with what it is."""
    sections, said = SAID[name]
    optimizer = sections["optimizer"]
    kind = optimizer if isinstance(optimizer, str) else next(iter(optimizer))
    graph = load_graph(sections)
    faults = objective.optimizer_faults(graph.config, graph.rows, graph.outputs)
    found = [(fault.code, fault.title, fault.label) for fault in faults]
    assert found == [("NB406", f"{kind} does not go with the network", said)]


def load_graph(sections: dict[str, Any]) -> Graph:
    """Infer the small network with other sections, whatever faults it has."""
    return infer(read(from_bytes("tiny.yaml", text(**sections).encode())))


#: An Embedding whose gradient is sparse, and what reads it.
WORDS: dict[str, Any] = {
    "input": {"shape": [3], "dtype": "int64"},
    "layers": [{"Embedding": {"num_embeddings": 5, "embedding_dim": 3, "sparse": True}}, "Flatten"],
    "data": {"Random": {"samples": 60, "below": 5}},
    "loss": "MSELoss",
}


def test_a_sparse_gradient_is_known() -> None:
    """The weight of an Embedding with `sparse: true` is for optimizers that take it."""
    said = "0.weight has a sparse gradient, which SGD, Adagrad, SparseAdam or LBFGS would take"
    graph = load_graph({**WORDS, "optimizer": "Adam"})
    faults = objective.optimizer_faults(graph.config, graph.rows, graph.outputs)
    assert [fault.label for fault in faults] == [said]
    graph = load_graph({**WORDS, "optimizer": "SparseAdam"})
    assert objective.optimizer_faults(graph.config, graph.rows, graph.outputs) == []


# Training.


def layers(*, bias: bool = True) -> list[Any]:
    """Return a network whose every weight has a gradient, with something random in it."""
    first, last = ({"Linear": {"out_features": n, "bias": bias}} for n in (8, 3))
    return [first, "Tanh", {"Dropout": 0.3}, last]


#: The sections with which an optimizer trains.
SECTIONS: dict[str, dict[str, Any]] = {
    "Muon": {"layers": layers(bias=False)},
    "SparseAdam": WORDS,
}
#: More fields than the defaults, so that all that an optimizer can remember is remembered.
FIELDS: dict[str, list[dict[str, Any]]] = {
    "SGD": [{"momentum": 0.9}],
    "RMSprop": [{"momentum": 0.9, "centered": True}],
    "Adam": [{"amsgrad": True, "weight_decay": 0.1}, {"fused": True}],
    "ASGD": [{"t0": 2.0}],
    "LBFGS": [{"line_search_fn": "strong_wolfe", "history_size": 2}],
    "Adagrad": [{"initial_accumulator_value": 0.1, "lr_decay": 0.1}],
}
#: What is not torch's default with any of them.
OWN: dict[str, dict[str, Any]] = {"LBFGS": {"lr": 0.1, "max_iter": 4}}


class Stopping(Silent):
    """Stops a training behind a step whose number counts from 1."""

    def __init__(self, step: int) -> None:
        self.left = step

    def step(self, *_: object, **__: object) -> None:
        """Count, and stop."""
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize(
    ("name", "fields"),
    [
        *((name, {}) for name in OPTIMIZERS),
        *((name, more) for name in FIELDS for more in FIELDS[name]),
    ],
)
def test_a_training_resumes(tmp_path: Path, name: str, fields: dict[str, Any]) -> None:
    """With any optimizer a training learns, and one that stopped ends with the same, bit by bit."""
    fields = {"lr": 0.01} | OWN.get(name, {}) | fields
    sections = {"layers": layers()} | SECTIONS.get(name, {})
    file = write(tmp_path, optimizer={name: fields}, **sections)
    whole = training.train(file, runs=tmp_path / "whole")
    graph = trainable(load(file))
    trainer = training.prepare(graph, tmp_path / "stopped")
    before = {key: tensor.clone() for key, tensor in trainer.learner.module.state_dict().items()}
    with pytest.raises(training.Interrupted, match=r"^$"):
        training.fit(trainer, Stopping(STEPS + 1))
    after = trainer.learner.module.state_dict()
    assert all(not torch.equal(before[key], after[key]) for key in before)
    torch.manual_seed(1)  # whatever else the process does with torch
    resumed = training.resume(trainer.run.folder)
    training.fit(resumed, Silent())
    assert outcome(resumed.run) == outcome(whole)


def test_the_loss_of_a_step_that_searches(tmp_path: Path) -> None:
    """LBFGS computes the loss many times; that of the step is the one before any search."""
    plain = [{"Linear": 8}, "Tanh", {"Linear": 3}]
    file = write(tmp_path, layers=plain, optimizer={"LBFGS": {"lr": 0.1, "max_iter": 5}})
    settings_ = ["train.epochs=1", "train.batch_size=48"]
    trainer = training.prepare(trainable(load(file, settings_)), tmp_path / "runs")
    split = in_memory(trainer.training)
    x, target = split.inputs, split.targets
    with torch.no_grad():
        y = trainer.learner.module(*x)
    training.fit(trainer, Silent())
    (epoch,) = trainer.run.metrics
    assert epoch["train_loss"] == pytest.approx(nn.CrossEntropyLoss()(y, target).item())
    assert epoch["train_accuracy"] == pytest.approx((y.argmax(1) == target).float().mean().item())
    with torch.no_grad():
        y = trainer.learner.module(*x)
    assert nn.CrossEntropyLoss()(y, target).item() < epoch["train_loss"]
