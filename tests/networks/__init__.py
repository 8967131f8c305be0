"""Networks as people write them by hand in torch, and the same networks as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from netbuild.builder.module import module
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netbuild.graph.graph import Graph


def graph_of(text: str) -> Graph:
    """Return the network of a text, which has no fault and no warning."""
    graph = infer(read(from_bytes("network.yaml", text.encode())))
    assert [(fault.code, fault.span.line, fault.label) for fault in graph.diagnostics] == []
    return graph


def each(networks: Mapping[str, tuple[str, Callable[[], nn.Module]]]) -> Callable[[str], None]:
    """Return the test that compares each text with its module."""

    @pytest.mark.parametrize("name", networks)
    def test(name: str) -> None:
        """A network of a file is the module that a reader would write by hand."""
        text, by_hand = networks[name]
        compare(text, by_hand())

    return test


def compare(text: str, by_hand: nn.Module, near: float = 1e-5) -> Graph:
    """Compare a file with a module that is written by hand.

    Names and shapes in `state_dict()` are equal; so are results and gradients in training and in
    evaluation, with batches of two sizes; so are the MACs, as torch counts them. `near` is how far
    sums of rounded numbers may be apart.
    """
    graph = graph_of(text)
    built = module(graph)
    shapes = {name: value.shape for name, value in by_hand.state_dict().items()}
    assert {name: value.shape for name, value in built.state_dict().items()} == shapes
    assert {name: tuple(shape) for name, shape in shapes.items()} == graph.tensors
    for parameter in by_hand.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    built.load_state_dict(by_hand.state_dict())
    for training in (True, False):
        for batch in (2, 3):
            modules = built.train(training), by_hand.train(training)
            _compare_step(*modules, _inputs(graph, batch), near)
    by_hand.train().requires_grad_(False)
    for norm in filter(lambda part: isinstance(part, nn.BatchNorm1d), by_hand.modules()):
        norm.eval()  # one sample has no variance
    # torch counts products of matrices, and not attention in one function.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        by_hand(*_inputs(graph, 1))
    assert graph.macs == counter.get_total_flops() // 2
    return graph


def _inputs(graph: Graph, batch: int) -> list[torch.Tensor]:
    found = []
    for x in graph.config.inputs.values():
        assert x is not None
        whole = x.dtype == "int64"
        shape = (batch, *x.shape)
        found.append(torch.randint(0, 3, shape) if whole else torch.randn(shape))
    return found


def _compare_step(built: nn.Module, by_hand: nn.Module, x: list[torch.Tensor], near: float) -> None:
    results = []
    for one in (built, by_hand):
        one.zero_grad()
        torch.manual_seed(0)
        y = one(*x)
        torch.manual_seed(1)
        outputs = y if isinstance(y, tuple) else (y,)
        sum((part * torch.randn_like(part)).sum() for part in outputs).backward()
        results.append((y, {name: p.grad for name, p in one.named_parameters() if p.requires_grad}))
    torch.testing.assert_close(results[0], results[1], rtol=near, atol=near)
