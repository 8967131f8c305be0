"""What a learner would try out on the modules that netbuild builds."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import nn

import netbuild
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes


def built(layers: Any, *x: int) -> nn.Module:
    """Build a network of these layers for such an input."""
    text = json.dumps({"input": x, "layers": layers})
    return netbuild.build(read(from_bytes("network.yaml", text.encode())))


@pytest.mark.parametrize("kind", ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d"])
@pytest.mark.parametrize("p", [0.2, 0.5])
def test_dropout_scales_what_it_keeps_in_training_only(kind: str, p: float) -> None:
    """What is not dropped is 1 / (1 − p) times as large, and in evaluation nothing changes."""
    torch.manual_seed(0)
    axes = int(kind[-2]) if kind[-1] == "d" else 1
    module = built([{kind: p}], 200, *[2] * axes)
    x = torch.ones(50, 200, *[2] * axes)
    y = module.train()(x)
    assert y.unique().tolist() == pytest.approx([0, 1 / (1 - p)])
    assert (y == 0).float().mean().item() == pytest.approx(p, abs=0.03)
    assert torch.equal(module.eval()(x), x)


@pytest.mark.parametrize("kind", ["BatchNorm1d", "BatchNorm2d", "SwitchableNorm2d"])
def test_running_statistics_move_in_training_only(kind: str) -> None:
    """A tenth of the way to the batch's mean at each step, and not at all in evaluation."""
    x = torch.randn(16, 3, 4, 4) * 2 + 5 if kind[-2] == "2" else torch.randn(16, 3) * 2 + 5
    module = built([kind], *x.shape[1:])
    norm = module.get_submodule("0")
    module.train()(x)
    mean = x.transpose(0, 1).flatten(1).mean(dim=1)
    torch.testing.assert_close(norm.running_mean, 0.1 * mean)
    before = {name: t.clone() for name, t in norm.state_dict().items()}
    module.eval()(x)
    assert all(torch.equal(t, before[name]) for name, t in norm.state_dict().items())


def test_batch_norm_normalises_in_training() -> None:
    """In training each channel of the output has mean 0 and variance 1 over the batch."""
    y = built(["BatchNorm2d"], 3, 4, 4).train()(torch.randn(16, 3, 4, 4) * 2 + 5)
    channels = y.transpose(0, 1).flatten(1)
    torch.testing.assert_close(channels.mean(dim=1), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(channels.var(dim=1, correction=0), torch.ones(3), atol=1e-4, rtol=0)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_unpooling_puts_values_back_where_the_pool_took_them(rank: int) -> None:
    """Behind pool and unpool the largest of each window stands where it was, and 0 elsewhere."""
    layers = {
        "pool": {f"MaxPool{rank}d": {"kernel_size": 2, "return_indices": True}},
        "unpool": {f"MaxUnpool{rank}d": 2, "inputs": ["pool", "pool.indices"]},
    }
    x = torch.rand(2, 3, *[6] * rank)
    y = built(layers, *x.shape[1:])(x)
    kept = y != 0
    assert kept.sum() == 2 * 3 * 3**rank
    assert torch.equal(y[kept], x[kept])


@pytest.mark.parametrize(("kind", "dim"), [("Softmax", 1), ("Softmin", -1), ("Softmax2d", 1)])
def test_softmax_sums_to_one(kind: str, dim: int) -> None:
    """Over its axis a softmax sums to one, and nothing is negative."""
    module = built([kind if kind == "Softmax2d" else {kind: dim}], 5, 3, 4)
    y = module(torch.randn(2, 5, 3, 4))
    torch.testing.assert_close(y.sum(dim=dim), torch.ones_like(y.sum(dim=dim)))
    assert (y >= 0).all()


def test_log_softmax_is_the_log_of_softmax() -> None:
    """LogSoftmax and Softmax of the same scores tell the same."""
    x = torch.randn(2, 5)
    torch.testing.assert_close(built(["LogSoftmax"], 5)(x), built(["Softmax"], 5)(x).log())


def test_two_linear_layers_without_bias_are_one() -> None:
    """The product of two weights is the weight of the layer that does the same."""
    two = built([{"Linear": {"out_features": 7, "bias": False}}] * 2, 5)
    one = built([{"Linear": {"out_features": 7, "bias": False}}], 5)
    first, second = (two.get_parameter(f"{i}.weight") for i in (0, 1))
    one.load_state_dict({"0.weight": second @ first})
    x = torch.randn(3, 5)
    torch.testing.assert_close(two(x), one(x))


def test_recurrent_layers_go_on_from_a_state() -> None:
    """A sequence in two halves, the second from the state of the first, is the whole sequence."""
    layers = {
        "lstm": {"LSTM": 4, "inputs": ["sequence", "h", "c"]},
    }
    text = json.dumps(
        {
            "inputs": {"sequence": [6, 3], "h": [1, 4], "c": [1, 4]},
            "layers": layers,
            "outputs": ["lstm", "lstm.h_n", "lstm.c_n"],
        }
    )
    module = netbuild.build(read(from_bytes("network.yaml", text.encode())))
    x, zero = torch.randn(2, 6, 3), torch.zeros(2, 1, 4)
    whole, h, c = module(x, zero, zero)
    first, *state = module(x[:, :3], zero, zero)
    second, *end = module(x[:, 3:], *state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(end, [h, c])


def test_attention_weights_sum_to_one() -> None:
    """What a query takes of all keys sums to one."""
    text = """
input: [4, 6]
layers: {attention: {MultiheadAttention: {num_heads: 2}}}
outputs: attention.weights
"""
    y = netbuild.build(read(from_bytes("network.yaml", text.encode())))(torch.randn(2, 4, 6))
    torch.testing.assert_close(y.sum(dim=-1), torch.ones(2, 4))


def test_pixel_shuffle_and_unshuffle_undo_each_other() -> None:
    """What one rearranges the other puts back."""
    x = torch.rand(2, 8, 3, 3)
    module = built([{"PixelShuffle": 2}, {"PixelUnshuffle": 2}], 8, 3, 3)
    assert torch.equal(module(x), x)
