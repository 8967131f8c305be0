"""The values of a look are those of plain torch, in training and in evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  torch's own name for it

import netbuild
from netbuild.training.inspection.looking import look
from netbuild.training.inspection.measuring import measured
from tests import ROOT
from tests.training.inspection.networks import looked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.reports.inspection.look import Values

LENET = ROOT / "configs/lenet-bn.yaml"


def told(values: Values | None) -> tuple[float, ...]:
    """Return the numbers of a look, without its histogram."""
    assert values is not None
    return values[1:7]


def by_numpy(y: Any) -> tuple[float, ...]:
    """Return the same numbers, computed by numpy."""
    x = np.asarray(y.detach(), "float64")
    return (x.mean(), x.std(), x.min(), x.max(), (x == 0).mean(), 1 - np.isfinite(x).mean())


def lenet(
    x: torch.Tensor, w: Mapping[str, torch.Tensor], *, training: bool
) -> dict[str, torch.Tensor]:
    """Compute BN-LeNet by hand: each formula is written out."""
    seen: dict[str, torch.Tensor] = {}

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        axes = [0, 2, 3] if x.ndim == 4 else [0]
        mean, variance = w[f"{name}.running_mean"], w[f"{name}.running_var"]
        if training:
            mean = x.mean(axes)
            variance = ((x - x.mean(axes, keepdim=True)) ** 2).mean(axes)
        form = (1, -1, 1, 1) if x.ndim == 4 else (1, -1)
        y = (x - mean.reshape(form)) / (variance.reshape(form) + 1e-5).sqrt()
        seen[name] = y * w[f"{name}.weight"].reshape(form) + w[f"{name}.bias"].reshape(form)
        return seen[name]

    for first in (0, 4):
        at = [f"features.{first + n}" for n in range(4)]
        seen[at[0]] = F.conv2d(x, w[f"{at[0]}.weight"], w[f"{at[0]}.bias"])
        seen[at[2]] = 1 / (1 + (-norm(at[1], seen[at[0]])).exp())
        y = seen[at[2]]
        x = (y[..., ::2, ::2] + y[..., 1::2, ::2] + y[..., ::2, 1::2] + y[..., 1::2, 1::2]) / 4
        seen[at[3]] = x
    seen["classifier.0"] = x = x.reshape(len(x), -1)
    for first in (1, 4):
        at = [f"classifier.{first + n}" for n in range(3)]
        seen[at[0]] = x @ w[f"{at[0]}.weight"].T + w[f"{at[0]}.bias"]
        seen[at[2]] = x = 1 / (1 + (-norm(at[1], seen[at[0]])).exp())
    seen["classifier.7"] = x @ w["classifier.7.weight"].T + w["classifier.7.bias"]
    return seen


def first_module(config: netbuild.Config) -> nn.Module:
    """Return the network with the first weights of a training."""
    with torch.random.fork_rng():
        torch.manual_seed(config.train.seed)
        return netbuild.build(config)


def validation(count: int) -> torch.Tensor:
    """Return the first digits that validate, as BN-LeNet reads them."""
    from netbuild.training.data import batches, loading
    from netbuild.training.parallel.distributed import World

    world = World(torch.device("cpu"))
    data = loading.load(netbuild.trace(LENET), world, None, "validation")
    assert not isinstance(data.held_out, batches.StreamedBatches)
    return data.held_out.at(torch.arange(count))[0][0]


@pytest.fixture(scope="module")
def seen() -> netbuild.Look:
    """Return a look at BN-LeNet."""
    return look(LENET, batch=16)


def test_lenet_by_hand(seen: netbuild.Look) -> None:
    """Each layer of BN-LeNet has the values of the formulas, in training and in evaluation."""
    weights = first_module(netbuild.load(LENET)).state_dict()
    for training in (True, False):
        by_hand = lenet(validation(16), weights, training=training)
        assert {one.path for one in seen.layers} == {*by_hand}
        for one in seen.layers:
            values = told(one.training if training else one.evaluation)
            exact = by_numpy(by_hand[one.path])
            assert values == pytest.approx(exact, rel=1e-4, abs=1e-5), one.path


def test_the_numbers_of_a_batch_norm(seen: netbuild.Look) -> None:
    """A look tells the statistics of the batch and the running ones, over all channels."""
    weights = first_module(netbuild.load(LENET)).state_dict()
    x = F.conv2d(validation(16), weights["features.0.weight"], weights["features.0.bias"])
    mean, variance = x.mean([0, 2, 3]), x.var([0, 2, 3], correction=0)
    numbers = seen.layer("features.1").numbers
    assert numbers is not None
    span = [f"{float(one):.4g}".replace("-", "−") for one in (mean.min(), mean.max())]
    assert numbers.training.startswith(f"batch mean {span[0]} to {span[1]}, variance ")
    assert f"{float(variance.max()):.4g}" in numbers.training
    assert numbers.evaluation == "running mean 0, variance 1"
    assert seen.layer("features.0").numbers is None


def test_a_dropout() -> None:
    """A dropout has its factor and the share that became 0; in evaluation nothing changes."""
    text = "name: n\ninput: [1000]\nlayers: [{Dropout: {p: 0.25, inplace: true}}, ReLU]"
    seen = looked(text, seed=3)
    dropout = seen.layer("0")
    torch.manual_seed(3)
    x = torch.randn(1, 1000, generator=torch.Generator().manual_seed(3))
    y = F.dropout(x, 0.25)
    assert told(dropout.training) == pytest.approx(by_numpy(y))
    assert told(dropout.evaluation) == pytest.approx(by_numpy(x))
    share = f"{100 * float((y == 0).double().mean()):.1f} %"
    factor = "factor 1 / (1 − 0.25) = 1.333"
    assert dropout.numbers == (f"{factor}; {share} of the values became 0", "unchanged")
    assert dropout.differs
    assert seen.layer("1").numbers is None


def test_numbers_that_are_typed() -> None:
    """A network of a Sigmoid, without loss and data, takes the numbers of a user."""
    seen = looked("name: n\ninput: [4]\nlayers: [Sigmoid]", input="1,1,2,2")
    expected = 1 / (1 + np.exp(-np.array([1.0, 1, 2, 2])))
    assert seen.outputs["output"] == pytest.approx(tuple(expected))
    assert told(seen.layer("0").evaluation) == pytest.approx(by_numpy(torch.tensor(expected)))
    assert (seen.sample, seen.samples, seen.marks) == ("1,1,2,2", 1, ())


NESTED = """
name: nested
inputs: {x: [6], y: [6]}
layers:
  one: {inputs: x, layers: [{Linear: 6}, Tanh]}
  two: {Reuse: one, inputs: y}
  sum: {Add, inputs: [one, two]}
  twice: {Reuse: one, inputs: sum}
  both: {Concat, inputs: [twice, sum]}
  unread: {Multiply, inputs: [one, two]}
  rnn: {Unsqueeze: 1, inputs: both}
  gru: {GRU: {hidden_size: 3}, inputs: rnn}
  end: {Formula: x * 2 + 1, inputs: gru.h_n}
outputs: end
"""


def test_operations_and_each_call_of_a_reuse() -> None:
    """Operations, results of a second name, and each call of a Reuse have their own values."""
    seen = looked(NESTED, input=["x=1,2,3,4,5,6", "y=0,0,0,0,0,0"])
    assert [one.path for one in seen.layers if one.values is None] == ["unread"]
    values = {one.path: one.values for one in seen.layers}
    linear = {path: told(values[f"{path}.0"]) for path in ("one", "two", "twice")}
    assert len({*linear.values()}) == 3
    assert values["gru"] is not None
    assert values["gru"].shape == (1, 1, 3)


def test_values_that_are_not_finite() -> None:
    """The numbers are those of the finite values; the shares are of all."""
    values = measured(torch.tensor([0.0, 2.0, np.inf, np.nan]))
    assert values[:7] == ((4,), 1.0, 1.0, 0.0, 2.0, 0.25, 0.5)
    assert sum(values.counts) == 2


def test_numbers_that_no_sample_has() -> None:
    """A sample before the first one, and an empty batch, are refused."""
    config = netbuild.load({"input": [4], "layers": ["Sigmoid"]})
    with pytest.raises(netbuild.InputError, match="there is no sample -1"):
        look(config, sample=-1)
    with pytest.raises(netbuild.InputError, match="batch is at least 1, not 0"):
        look(config, batch=0)
