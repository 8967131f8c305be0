"""Layers over a single value say so, and torch bears it out: the result hardly depends on it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.components.layers import READERS
from tests.components.layers.contract import Case, graph_of_case
from tests.components.layers.test_traits import Case as Traced
from tests.components.layers.test_traits import cases
from tests.tables import over

#: Layers over a single value, and torch's.
CONSTANT = [
    (Case("Softmax", {}, (1,)), nn.Softmax(1)),
    (Case("Softmax", {"dim": -1}, (6, 1)), nn.Softmax(-1)),
    (Case("LogSoftmax", {"dim": 2}, (3, 1, 4)), nn.LogSoftmax(2)),
    (Case("Softmin", {"dim": 1}, (1, 4)), nn.Softmin(1)),
    (Case("Softmax2d", {}, (1, 3, 3)), nn.Softmax2d()),
    (Case("LayerNorm", {}, (5, 1)), nn.LayerNorm(1)),
    (Case("LayerNorm", {"normalized_shape": [1, 1]}, (5, 1, 1)), nn.LayerNorm([1, 1])),
    (Case("LayerNorm", {"elementwise_affine": False}, (1,)), nn.LayerNorm(1)),
]
#: Layers over a single value that keep its sign.
SIGNS = [
    (Case("RMSNorm", {}, (5, 1)), nn.RMSNorm(1)),
    (Case("RMSNorm", {"normalized_shape": [1, 1], "eps": 1e-6}, (4, 1, 1)), nn.RMSNorm([1, 1])),
]


def over_one(case: Case) -> str | None:
    """Return what a layer says of its single value."""
    row = graph_of_case(case).rows[-1]
    return row.layer.over_one(*row.shapes)


def drawn(case: Case) -> torch.Tensor:
    """Return values away from 0, of both signs."""
    x = torch.randn(2, *case.x)
    return x + x.sign()


@pytest.mark.parametrize(("case", "module"), CONSTANT, ids=lambda x: str(x).replace(" ", ""))
def test_constants(case: Case, module: nn.Module) -> None:
    """Two inputs have the same result, and no gradient reaches them."""
    assert over_one(case)
    x, other = drawn(case).requires_grad_(), drawn(case)
    torch.testing.assert_close(module(x), module(other))
    (gradient,) = torch.autograd.grad(module(x).square().sum(), x)
    torch.testing.assert_close(gradient, torch.zeros_like(x))


@pytest.mark.parametrize(("case", "module"), SIGNS, ids=lambda x: str(x).replace(" ", ""))
def test_signs(case: Case, module: nn.Module) -> None:
    """The result is 1 or −1, whatever the size of the value."""
    assert over_one(case)
    x = drawn(case)
    torch.testing.assert_close(module(x), x.sign())


def test_similarity_of_numbers() -> None:
    """The cosine between two numbers is 1 or −1."""
    (case, *_) = (c for c in cases("CosineSimilarity") if len(c.row.inputs) == 2)
    assert case.layer.over_one((1, 5), (1, 5))
    assert case.layer.over_one((2, 5), (1, 5)) is None
    x, other = drawn(Case("", {}, (1, 5))), drawn(Case("", {}, (1, 5)))
    torch.testing.assert_close(nn.CosineSimilarity()(x, other), (x * other).sign()[:, 0])


def test_attention_to_itself() -> None:
    """In a sequence of one position, the query has no influence on the result."""
    fields = {"num_heads": 2}
    assert over_one(Case("MultiheadAttention", fields, (1, 8)))
    assert over_one(Case("MultiheadAttention", fields, (2, 8))) is None
    assert over_one(Case("MultiheadAttention", {**fields, "add_zero_attn": True}, (1, 8))) is None
    assert over_one(Case("TransformerEncoderLayer", {"nhead": 2}, (1, 8)))
    assert over_one(Case("TransformerEncoderLayer", {"nhead": 2}, (2, 8))) is None
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    x, other = torch.randn(3, 1, 8), torch.randn(3, 1, 8)
    for key in (x, other):
        result, weights = attention(other, key, x)
        torch.testing.assert_close(result, attention(x, x, x)[0])
        torch.testing.assert_close(weights, torch.ones(3, 1, 1))


def test_larger_eps_keeps_more_than_the_sign() -> None:
    """RMSNorm with a large eps is a smooth function of a single value."""
    assert over_one(Case("RMSNorm", {"eps": 1.0}, (1,))) is None
    assert nn.RMSNorm(1, eps=1.0)(torch.tensor([[0.5]])).item() == pytest.approx(0.5 / 1.25**0.5)


def moves(case: Traced) -> bool:
    """Whether the size of a result changes with the input."""
    one, two = case.inputs(), case.inputs(lambda *shape: torch.randn(shape).exp())
    return any(
        not torch.allclose(y.double().abs(), z.double().abs())
        for y, z in zip(case.run(*one), case.run(*two), strict=True)
    )


#: Layers that draw their values, or see no more than an order.
_DRAWN = {"RandnLike", "RandLike", "Argmax"}


@over(sorted(set(READERS) - _DRAWN))
def test_all_others_depend_on_their_input(kind: str) -> None:
    """Of all rows of a layer of floats, some say nothing of a single value, and these move."""
    floats = [case for case in cases(kind) if case.floats]
    if floats:
        assert any(case.layer.over_one(*case.row.shapes) is None and moves(case) for case in floats)
