"""What only training shows: other steps, buffers, gradients, and random numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from netbuild.diagnostics.exceptions import ImportedError
from netbuild.exchange.importer.imported import imported

if TYPE_CHECKING:
    from collections.abc import Callable

torch.manual_seed(0)
X = torch.randn(4, 6)


class Net(nn.Module):
    """Two layers and a dropout, called as a function says."""

    def __init__(self, steps: Callable[[Any, Any], Any], *, frozen: bool = False) -> None:
        super().__init__()
        self.a, self.d = nn.Linear(6, 6), nn.Dropout(0.1)
        self.register_buffer("n", torch.zeros(6))
        self.steps = steps
        if frozen:
            self.a.weight.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> Any:
        """Follow the steps."""
        return self.steps(self, x)


def counted(net: Any, x: torch.Tensor) -> torch.Tensor:
    """Count in a buffer that changes nothing."""
    if net.training:
        net.n += 1
    return net.a(x) + net.n * 0


def without_gradient(net: Any, x: torch.Tensor) -> torch.Tensor:
    """Compute the layer without a gradient."""
    with torch.no_grad():
        return net.a(x) + net.n


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        (
            lambda net, x: net.d(net.a(x)) * (2 if net.training else 1) + net.n,
            "something else: output 1",
        ),
        (
            lambda net, x: net.d.eval()(net.a(x)) + net.n,
            "draws no random numbers, and the config does",
        ),
        (
            lambda net, x: net.a(x) + net.n + (torch.rand(6) if net.training else 0),
            "draws random numbers that the config does not have",
        ),
        (counted, "changes the buffer n"),
        (without_gradient, "gradient of a.weight"),
    ],
)
def test_what_evaluation_does_not_show(steps: Callable[[Any, Any], Any], why: str) -> None:
    """The outputs in evaluation are equal, and the config has a gap that says what differs."""
    found = imported(Net(steps), X)
    assert any(why in gap for gap in found.gaps), found.gaps


def test_a_weight_that_is_frozen_alone() -> None:
    """A config freezes whole layers."""
    assert imported(Net(lambda net, x: net.a(x) + net.n, frozen=True), X).gaps


def test_dropouts_are_compared() -> None:
    """A network with dropouts is compared in training too, whatever their form."""
    for steps in (
        lambda net, x: net.d(net.a(x)) + net.n,
        lambda net, x: functional.dropout(net.a(x), 0.1, net.training) + net.n,
    ):
        found = imported(Net(steps), X)
        unread = [gap for gap in found.gaps if "does not read" not in gap]
        assert (unread, found.training or bool(found.gaps)) == ([], True), found.text


def test_attention_drops_in_training() -> None:
    """What an attention drops in training is a field of the config, and is compared."""

    def steps(net: Any, x: torch.Tensor) -> torch.Tensor:
        q = (net.d(net.a(x)) + net.n).unflatten(-1, (2, 3))
        p = 0.25 if net.training else 0.0
        return functional.scaled_dot_product_attention(q, q, q, dropout_p=p)

    found = imported(Net(steps), X)
    assert "ScaledDotProductAttention: 0.25" in found.text
    assert (found.gaps, found.training, found.difference) == ((), True, 0)


def test_a_generator_of_its_own() -> None:
    """Numbers of a fixed seed are no random numbers."""

    def steps(net: Any, x: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
        return net.d(net.a(x)) + net.n + noise

    with pytest.raises(ImportedError, match="differs from the module"):
        imported(Net(steps), X)
