"""Recurrent layers that read each sample up to its own end."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from netbuild.builder.module import module as build
from netbuild.components.tensor import Tensor
from tests.components.layers.contract import graph_of

LENGTHS = torch.tensor([2, 5, 1, 4])
N, L, SIZE, H = 4, 5, 3, 2


def network(kind: str, **fields: Any) -> nn.Module:
    """Return a network of one layer with lengths, which gives all its results."""
    ports = ["it", "it.h_n", *(["it.c_n"] if kind == "LSTM" else [])]
    layers = {
        "it": {kind: {"hidden_size": H, **fields}, "inputs": {"input": "in0", "lengths": "in1"}}
    }
    graph = graph_of(layers, Tensor((L, SIZE)), Tensor((), "int64"), outputs=ports)
    assert graph.block is not None, graph.diagnostics
    return build(graph)


FIELDS = [{}, {"bidirectional": True}, {"num_layers": 2, "bidirectional": True}]


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_each_sample_has_its_own_end(kind: str, fields: dict[str, Any]) -> None:
    """Unsorted lengths: each sample is what torch's layer gives for it alone, cut at its end."""
    module = network(kind, **fields)
    plain = getattr(nn, kind)(SIZE, H, batch_first=True, **fields)
    plain.load_state_dict({n.removeprefix("it."): t for n, t in module.state_dict().items()})
    x = torch.randn(N, L, SIZE)
    for train in (True, False):
        results = module.train(train)(x, LENGTHS)
        for n, length in enumerate(LENGTHS):
            y, last = plain(x[n : n + 1, :length])
            states = last if isinstance(last, tuple) else (last,)
            torch.testing.assert_close(results[0][n, :length], y[0])
            assert not results[0][n, length:].any()
            for found, state in zip(results[1:], states, strict=True):
                torch.testing.assert_close(found[n], state[:, 0])


@pytest.mark.parametrize("lengths", [[1, 2, 0, 3], [1, 6, 2, 2]])
def test_lengths_that_do_not_exist(lengths: list[int]) -> None:
    """A length of 0 or behind the end is refused with the numbers."""
    message = f"lengths are from {min(lengths)} to {max(lengths)}, and a sequence has 1 to 5 steps"
    with pytest.raises(RuntimeError, match=message):
        network("GRU")(torch.randn(N, L, SIZE), torch.tensor(lengths))


def test_torch_export_refuses_it() -> None:
    """torch.export takes no layer that reads lengths: their values decide the sizes."""
    with pytest.raises(Exception, match=r"(?s).+"):
        torch.export.export(network("GRU").eval(), (torch.randn(N, L, SIZE), LENGTHS))


def test_a_reuse_brings_lengths() -> None:
    """A layer that is made without lengths takes them where a Reuse gives them."""
    layers = {
        "first": {"GRU": SIZE, "inputs": "in0"},
        "again": {"Reuse": "first", "inputs": {"input": "first", "lengths": "in1"}},
    }
    graph = graph_of(layers, Tensor((L, SIZE)), Tensor((), "int64"))
    assert graph.block is not None, graph.diagnostics
    y = build(graph)(torch.randn(N, L, SIZE), LENGTHS)
    assert [bool(y[n, length:].any()) for n, length in enumerate(LENGTHS)] == [False] * N
    assert y[1].all()
