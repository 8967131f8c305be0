"""The modules that torch lacks, compared with torch's modules."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from netbuild.builder import module as builder
from netbuild.builder import modules
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes
from tests.training_configs import text

SHAPES = {1: (4, 3, 7), 2: (4, 3, 5, 6), 3: (4, 3, 3, 4, 5)}
INSTANCE, LAYER, BATCH = range(3)
RANKS = pytest.mark.parametrize("rank", SHAPES)


def switchable(rank: int, **fields: Any) -> Any:
    """Return a switchable norm for an input of SHAPES, in training mode."""
    return getattr(modules, f"SwitchableNorm{rank}d")(SHAPES[rank][1], **fields)


def of_torch(family: str, rank: int, **fields: Any) -> Any:
    """Return torch's norm for the same input."""
    return getattr(nn, f"{family}Norm{rank}d")(SHAPES[rank][1], **fields)


def drawn(rank: int) -> torch.Tensor:
    """Return a batch whose samples and channels have statistics of their own."""
    torch.manual_seed(rank)
    n, c, *space = SHAPES[rank]
    apart = torch.randn(n, c, *(1,) * len(space))
    return torch.randn(n, c, *space) * (1 + apart.abs()) + 3 * apart


def push(module: Any, mean: int, var: int) -> None:
    """Let the module use one mean and one variance alone."""
    with torch.no_grad():
        module.mean_weight.zero_()[mean] = 200.0
        module.var_weight.zero_()[var] = 200.0


def draw_affine(module: Any, *others: Any) -> None:
    """Give all of them the same random weight and bias."""
    nn.init.normal_(module.weight)
    nn.init.normal_(module.bias)
    for other in others:
        other.load_state_dict({"weight": module.weight, "bias": module.bias}, strict=False)


def assert_same(mine: Any, theirs: Any, x: torch.Tensor) -> None:
    """Assert that two modules agree, and so do the gradients of their inputs and weights."""
    gradients = []
    for module in (mine, theirs):
        leaf = x.clone().requires_grad_()
        y = module(leaf)
        y.square().cumsum(0).sum().backward()
        gradients.append((y, leaf.grad, module.weight.grad, module.bias.grad))
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


@RANKS
@pytest.mark.parametrize("training", [True, False])
def test_instance_statistics_alone_are_instance_norm(rank: int, training: bool) -> None:  # noqa: FBT001
    """With all weight on the instance it is `InstanceNorm`, in training and in evaluation."""
    mine, theirs = switchable(rank), of_torch("Instance", rank, affine=True)
    push(mine, INSTANCE, INSTANCE)
    draw_affine(mine, theirs)
    assert_same(mine.train(training), theirs.train(training), drawn(rank))


@RANKS
@pytest.mark.parametrize("training", [True, False])
def test_layer_statistics_alone_are_layer_norm(rank: int, training: bool) -> None:  # noqa: FBT001
    """With all weight on the layer it is `LayerNorm` over channels and space."""
    x = drawn(rank)
    mine, theirs = switchable(rank, eps=1e-3), nn.LayerNorm(x.shape[1:], eps=1e-3)
    push(mine, LAYER, LAYER)
    nn.init.ones_(mine.weight)
    expected = theirs(x)
    torch.testing.assert_close(mine.train(training)(x), expected, rtol=1e-4, atol=1e-5)


@RANKS
@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
def test_batch_statistics_alone_are_batch_norm(rank: int, momentum: float | None) -> None:
    """With all weight on the batch it is `BatchNorm`: in training, its averages, in evaluation."""
    mine = switchable(rank, momentum=momentum)
    theirs = of_torch("Batch", rank, momentum=momentum)
    push(mine, BATCH, BATCH)
    draw_affine(mine, theirs)
    x = drawn(rank)
    for batch in (x, 2 * x - 1, x[:2]):
        assert_same(mine, theirs, batch)
    ours = dict(mine.named_buffers())
    assert list(ours) == [name for name, _ in theirs.named_buffers()]
    for name, buffer in theirs.named_buffers():
        torch.testing.assert_close(ours[name], buffer)
    assert_same(mine.eval(), theirs.eval(), x)


@RANKS
def test_without_averages_evaluation_is_training(rank: int) -> None:
    """With `track_running_stats` false there is no buffer, and a batch stands for itself."""
    mine = switchable(rank, track_running_stats=False)
    theirs = of_torch("Batch", rank, track_running_stats=False)
    push(mine, BATCH, BATCH)
    assert list(mine.buffers()) == []
    assert_same(mine.eval(), theirs.eval(), drawn(rank))


def mixture(module: Any, x: torch.Tensor) -> torch.Tensor:
    """Return the formula of the paper, term by term over whole tensors, in training."""
    space = list(range(2, x.dim()))
    over = (space, [1, *space], [0, *space])
    means = [x.mean(axes, keepdim=True) for axes in over]
    variances = [
        (x - mean).square().mean(axes, keepdim=True) for mean, axes in zip(means, over, strict=True)
    ]
    w, v = module.mean_weight.exp(), module.var_weight.exp()
    mean = sum(share * each for share, each in zip(w / w.sum(), means, strict=True))
    var = sum(share * each for share, each in zip(v / v.sum(), variances, strict=True))
    y: torch.Tensor = (x - mean) / (var + module.eps).sqrt()
    return y


@RANKS
def test_a_mixture_is_the_papers(rank: int) -> None:
    """With any weights it is the formula, whose gradient reaches the weights of the mixture."""
    mine = switchable(rank, affine=False, eps=0.01)
    nn.init.normal_(mine.mean_weight)
    nn.init.normal_(mine.var_weight)
    found = []
    for compute in (mine, lambda x: mixture(mine, x)):
        x = drawn(rank).requires_grad_()
        y = compute(x)
        mine.zero_grad()
        (y * torch.arange(y.numel()).view_as(y)).sum().backward()
        found.append((y, x.grad, mine.mean_weight.grad, mine.var_weight.grad))
    for ours, expected in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-2)


@RANKS
def test_mean_and_variance_have_weights_of_their_own(rank: int) -> None:
    """The mean of one statistic goes with the variance of another."""
    mine = switchable(rank, affine=False)
    push(mine, INSTANCE, LAYER)
    x = drawn(rank)
    centred = x - x.flatten(2).mean(2).view(*x.shape[:2], *(1,) * rank)
    expected = centred / (x.flatten(1).var(1, correction=0) + 1e-5).sqrt().view(
        -1, *(1,) * (rank + 1)
    )
    torch.testing.assert_close(mine(x), expected, rtol=1e-4, atol=1e-5)


def test_starts_in_equal_shares() -> None:
    """A new module takes a third of each, and starting anew brings it back there."""
    mine = switchable(2)
    initial = {name: value.clone() for name, value in mine.state_dict().items()}
    assert torch.equal(initial["mean_weight"], torch.ones(3))
    assert torch.equal(initial["var_weight"], torch.ones(3))
    mine(drawn(2))
    draw_affine(mine)
    push(mine, LAYER, BATCH)
    mine.reset_parameters()
    assert all(torch.equal(value, initial[name]) for name, value in mine.state_dict().items())


def test_double_precision() -> None:
    """In double precision it stays there, running averages included."""
    mine = switchable(2, momentum=None).double()
    assert mine(drawn(2).double()).dtype == torch.float64
    assert mine.running_var.dtype == torch.float64


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 3, 5), r"expected \(N, C, H, W\), got an input of 3 axes"),
        ((4, 1, 5, 6), "expected 3 channels, got 1"),
        ((4, 3, 1, 1), r"expected more than 1 value per channel, got \(4, 3, 1, 1\)"),
    ],
)
def test_refuses_what_it_cannot_normalise(shape: tuple[int, ...], message: str) -> None:
    """Nothing is broadcast, and a single value has no variance."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        switchable(2)(torch.rand(shape))


def test_prints_as_torchs_norms() -> None:
    """It is printed with its arguments."""
    shown = "SwitchableNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"
    assert repr(switchable(2)) == shown


def test_an_output_that_is_a_parameter() -> None:
    """It is a copy: who keeps the output of a step keeps it as it was, whatever the next step."""
    source = text(layers={"bias": {"Parameter": [3]}}, loss=None, data=None, optimizer=None)
    module = builder.module(infer(read(from_bytes("tiny.yaml", source.encode()))))
    y = module(torch.zeros(2, 4))
    with torch.no_grad():
        next(module.parameters()).fill_(1)
    assert y.tolist() == [[0.0] * 3] * 2
