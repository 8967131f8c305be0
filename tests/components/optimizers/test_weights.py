"""The weights that an optimizer steps with are those that torch steps with."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from netbuild.builder.arguments import differing
from netbuild.checks import optimizers
from netbuild.checks.trace import infer
from netbuild.components.optimizers import OPTIMIZERS
from netbuild.components.optimizers.optimizer import Optimizer, Weight
from netbuild.components.tensor import ShapeError
from netbuild.config.load import read
from netbuild.graph.graph import Graph
from netbuild.syntax.parser import from_bytes
from tests.components.optimizers.cases import REFUSALS, WORDS
from tests.torch_release import fields_there, there
from tests.training_configs import text


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
            given = differing(kind, optimizer, optimizer.model_dump())
            made_ = kind(weight.parameters(), **given)
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
@pytest.mark.parametrize("name", there(OPTIMIZERS))
def test_the_weights_that_torch_steps_with(name: str, module: str) -> None:
    """An optimizer takes exactly the weights, dense, sparse or matrices, that torch steps with."""
    make, weights = MODULES[module]
    for fields in STEPS_WITH:
        if {*fields} <= {*fields_there(OPTIMIZERS[name])}:
            optimizer = OPTIMIZERS[name].model_validate(fields)
            theirs = stepped(optimizer, make(), sparse=module == "sparse")
            assert checked(optimizer, weights) == theirs, fields


#: Sections, and what is said of the optimizer.
SAID: dict[str, tuple[dict[str, Any], str]] = {
    "no matrix": (
        {"optimizer": "Muon", "layers": [{"Linear": {"out_features": 3, "bias": False}}, "PReLU"]},
        "it takes matrices only, and 1.weight is 1",
    ),
    "bias": (
        {"optimizer": "Muon", "layers": {"head": {"Linear": 3}}},
        "it takes matrices only, and head.bias is 3",
    ),
    "bias of the loss": (
        {
            "optimizer": "Muon",
            "layers": [{"Linear": {"out_features": 3, "bias": False}}],
            "loss": {"LinearCrossEntropyLoss": {"num_classes": 3, "bias": True}},
        },
        "it takes matrices only, and LinearCrossEntropyLoss.linear.bias is 3",
    ),
    "dense": (
        {"optimizer": "SparseAdam"},
        "it takes sparse gradients only, and 0.weight has a dense gradient",
    ),
    "differentiable": (
        {"optimizer": {"Adam": {"differentiable": True}}},
        "torch cannot change weights in place while it records gradients for them",
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_of_weights(name: str) -> None:
    """The first weight that an optimizer does not step with is named, with what it is."""
    sections, said = SAID[name]
    optimizer = sections["optimizer"]
    kind = optimizer if isinstance(optimizer, str) else next(iter(optimizer))
    graph = load_graph(sections)
    faults = optimizers.check(graph.config, graph.rows, graph.outputs)
    found = [(fault.code, fault.title, fault.label) for fault in faults]
    assert found == [("NB406", f"{kind} does not fit the network", said)]


def load_graph(sections: dict[str, Any]) -> Graph:
    """Infer the small network with other sections, whatever faults it has."""
    return infer(read(from_bytes("tiny.yaml", text(**sections).encode())))


def test_a_sparse_gradient_is_known() -> None:
    """The weight of an Embedding with `sparse: true` is for optimizers that take it."""
    said = "0.weight has a sparse gradient, which needs SGD, Adagrad, SparseAdam or LBFGS"
    graph = load_graph({**WORDS, "optimizer": "Adam"})
    faults = optimizers.check(graph.config, graph.rows, graph.outputs)
    assert [fault.label for fault in faults] == [said]
    graph = load_graph({**WORDS, "optimizer": "SparseAdam"})
    assert optimizers.check(graph.config, graph.rows, graph.outputs) == []
