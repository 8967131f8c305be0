"""Random numbers for each sample: what `Randn` and `Rand` give, and what they cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch

from netbuild.builder.module import module
from netbuild.components.tensor import Tensor
from tests.components.layers.contract import graph_of
from tests.copies import pickled
from tests.graph.memory_fuzz import Drawn, torch_keeps

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph

#: A layer of a variational autoencoder, with its noise given in two ways.
LATENT: dict[str, Any] = {
    "mean": {"Linear": 6, "inputs": "input"},
    "deviation": {"Linear": 6, "inputs": "input"},
    "noise": {"Randn": {"shape": [6]}},
    "scaled": {"Multiply": {}, "inputs": ["deviation", "noise"]},
    "z": {"Add": {}, "inputs": ["scaled", "mean"]},
}


def built(layers: Any, *inputs: Tensor, **sections: Any) -> tuple[Graph, torch.nn.Module]:
    """Return the graph of a network, and its module."""
    graph = graph_of(layers, *(inputs or (Tensor((4,)),)), **sections)
    assert not graph.diagnostics
    return graph, module(graph)


@pytest.mark.parametrize("kind", ["Randn", "Rand"])
@pytest.mark.parametrize("shape", [[], [3], [2, 3]])
def test_draws_for_each_sample(kind: str, shape: list[int]) -> None:
    """The values are those of torch, as many as there are samples, in both modes."""
    draw = {"Randn": torch.randn, "Rand": torch.rand}[kind]
    layers = {"a": {"Linear": 2}, "noise": {kind: {"shape": shape}}}
    graph, made = built(layers, outputs={"a": "a", "noise": "noise"})
    assert graph.outputs["noise"] == Tensor(tuple(shape))
    for batch in (1, 5):
        for train in (True, False):
            x = torch.rand(batch, 4)
            torch.manual_seed(0)
            _, noise = made.train(train)(x)
            torch.manual_seed(0)
            torch.testing.assert_close(noise, draw(batch, *shape), rtol=0, atol=0)
            assert not noise.requires_grad


def test_a_latent_code() -> None:
    """Deviations times noise are added to means; the noise is kept, and has no gradient."""
    graph, made = built(LATENT, outputs="z")
    x = torch.rand(3, 4)
    torch.manual_seed(0)
    z = made(x)
    torch.manual_seed(0)
    mean, deviation = made.get_submodule("mean")(x), made.get_submodule("deviation")(x)
    torch.testing.assert_close(z, mean + deviation * torch.randn(3, 6))
    drawn = Drawn(json.dumps(LATENT), [((4,), "float32")])
    assert graph.activations_bytes == torch_keeps(graph, drawn, 3) - torch_keeps(graph, drawn, 2)


def test_like_an_input() -> None:
    """RandnLike draws the same, and nothing before it learns through it."""
    layers = {**LATENT, "noise": {"RandnLike": {}, "inputs": "deviation"}}
    graph, made = built(layers, outputs="z")
    x = torch.rand(3, 4)
    torch.manual_seed(0)
    z = made(x)
    torch.manual_seed(0)
    torch.testing.assert_close(z, built(LATENT, outputs="z")[1](x).detach() * 0 + z)
    drawn = Drawn(json.dumps(layers), [((4,), "float32")])
    assert graph.activations_bytes == torch_keeps(graph, drawn, 3) - torch_keeps(graph, drawn, 2)


def test_in_a_stack_and_beside_several_inputs() -> None:
    """The first input of the stack tells how many samples there are."""
    layers = {
        "body": {
            "inputs": "in1",
            "layers": [{"Randn": {"shape": [3]}}, {"Tanh": {}}],
        },
        "other": {"Linear": 2, "inputs": "in0"},
    }
    _, made = built(layers, Tensor((4,)), Tensor((5,)), outputs={"a": "body", "b": "other"})
    drawn, _ = made(torch.rand(7, 4), torch.rand(7, 5))
    assert drawn.shape == (7, 3)


def test_nothing_learns_before_a_detach() -> None:
    """What stands before a Detach keeps nothing, and gets no gradient."""
    layers = [{"Linear": 4}, {"Tanh": {}}, {"Detach": {}}, {"Tanh": {}}, {"Linear": 2}]
    graph, made = built(layers)
    made(torch.rand(3, 4)).sum().backward()
    got = [parameter.grad is not None for parameter in made.parameters()]
    assert got == [False, False, True, True]
    drawn = Drawn(json.dumps(layers), [((4,), "float32")])
    assert graph.activations_bytes == torch_keeps(graph, drawn, 3) - torch_keeps(graph, drawn, 2)
    assert [kept.nbytes for kept in graph.kept] == [0, 0, 0, 0, 16]


@pytest.mark.parametrize("mode", ["row", "batch"])
def test_stochastic_depth(mode: str) -> None:
    """In training each sample, or the whole batch, is 0 or divided by 1 − p."""
    _, made = built([{"StochasticDepth": {"p": 0.25, "mode": mode}}])
    x = torch.ones(4000, 4)
    torch.manual_seed(1)
    y = made(x)
    assert torch.equal(made.eval()(x), x)
    rows = y[:, 0]
    assert torch.equal(y, rows[:, None].expand(-1, 4))
    if mode == "batch":
        assert len(set(rows.tolist())) == 1
    else:
        assert sorted(set(rows.tolist())) == [0, pytest.approx(4 / 3)]
        assert (rows == 0).float().mean() == pytest.approx(0.25, abs=0.03)


def test_a_module_that_draws_is_pickled() -> None:
    """A copy of the module draws the same values, also where the network reads whole numbers."""
    layers = {
        "e": {"Embedding": {"num_embeddings": 4, "embedding_dim": 6}},
        "r": {"Randn": [3, 6]},
        "u": {"Rand": []},
        "a": {"Add": {}, "inputs": ["e", "r"]},
    }
    _, made = built(layers, Tensor((3,), "int64"), outputs={"a": "a", "u": "u"})
    copied = pickled(made)
    x = torch.zeros(2, 3, dtype=torch.int64)
    results = []
    for one in (made, copied):
        torch.manual_seed(0)
        results.append(one(x))
    for first, second in zip(*results, strict=True):
        assert first.dtype == torch.float32
        torch.testing.assert_close(first, second, rtol=0, atol=0)
