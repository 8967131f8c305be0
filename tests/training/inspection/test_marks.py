"""What is wrong is marked at its layers, and fine networks get no mark."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

import netbuild
from netbuild.training.inspection.looking import look
from tests import ROOT
from tests.training.inspection.networks import config, looked, stack

SIGMOIDS = stack("[{Linear: 64}, Sigmoid]")


def test_sigmoids_vanish() -> None:
    """In a stack of 20 sigmoids, the gradient vanishes from the first layer on, layer by layer."""
    seen = looked(SIGMOIDS, backward=True)
    marked = [mark.path for mark in seen.marks]
    assert {mark.kind for mark in seen.marks} == {"vanishing"}
    assert marked == [f"{n}.0" for n in range(1, len(marked) + 1)]
    assert 10 <= len(marked) <= 15
    assert seen.marks[0].text.startswith("the gradient vanishes: 1.7")
    assert "Sigmoid" in seen.marks[0].advice
    gradients = [seen.layer(f"{n}.0").gradient for n in range(1, 21)]
    assert all(a is not None and b is not None and a < b / 4 for a, b in pairwise(gradients))


def test_the_gradients_are_those_of_torch() -> None:
    """The norms of gradients and weights are those of a backward pass by hand."""
    text = stack("[{Linear: 64}, Sigmoid]").replace("repeat: 20", "repeat: 2")
    seen = looked(text, backward=True, batch=4)
    given = config(text)
    torch.manual_seed(0)
    module = netbuild.build(given)
    from netbuild.training.data import loading
    from netbuild.training.parallel.distributed import World

    data = loading.load(netbuild.trace(given), World(torch.device("cpu")), None, "validation")
    (x,), (target,) = data.held_out.at(torch.arange(4))  # type: ignore[union-attr]
    loss = torch.nn.functional.cross_entropy(module(x), target)
    loss.backward()  # type: ignore[no-untyped-call]
    assert seen.loss == pytest.approx(loss.item())
    for path in ("1.0", "2.0", "3"):
        for name, weight in seen.layer(path).weights.items():
            parameter = module.get_parameter(f"{path}.{name}")
            assert parameter.grad is not None
            expected = (float(parameter.norm().detach()), float(parameter.grad.norm()))
            assert weight == pytest.approx(expected, rel=1e-4)


def test_large_weights_explode() -> None:
    """With large first weights, values and gradients explode."""
    text = stack("[{Linear: 64}, ReLU]", "init: [{type: Linear, normal_: {std: 0.5}}]")
    seen = looked(text, backward=True)
    assert {mark.kind for mark in seen.marks} == {"exploding"}
    values, *gradients = seen.marks
    assert values.text.startswith("its values explode: they reach ")
    assert [mark.path for mark in gradients][:3] == ["1.0", "2.0", "3.0"]
    assert "clip_grad_norm" in gradients[0].advice


def test_units_that_are_dead() -> None:
    """A ReLU that gives only zeros is dead, and no gradient arrives before it."""
    text = stack("[{Linear: 64}, ReLU]", "init: [{match: 1.0.bias, constant_: -20}]")
    seen = looked(text.replace("repeat: 20", "repeat: 2"), backward=True)
    found = [(mark.kind, mark.path, mark.text) for mark in seen.marks]
    dead = "100 % of its 64 units are 0 for all samples: they learn nothing"
    assert found == [
        ("dead", "1.1", dead),
        ("vanishing", "1.0", "no gradient arrives here: the layer learns nothing"),
    ]


def test_where_values_begin_not_to_be_finite() -> None:
    """The first layer whose values are not finite is marked, and no other."""
    text = "name: n\ninput: [4]\nlayers: [Tanh, {Formula: log(x)}, {Linear: 2}]"
    seen = looked(text, input="1,-1,2,-2")
    (mark,) = seen.marks
    assert (mark.kind, mark.path) == ("not finite", "1")
    assert mark.text.endswith("in evaluation: 50.0 % of them")


def test_where_gradients_begin_not_to_be_finite() -> None:
    """The slope of a root is infinite at 0: the layer before it is marked."""
    text = "name: n\ninput: [2]\nlayers: [{Linear: 2}, ReLU, {Formula: sqrt(x)}]"
    seen = looked(f"{text}\ninit: [{{match: 0.bias, constant_: -9}}]", input="1,1", backward=True)
    assert [mark.path for mark in seen.marks if mark.kind == "not finite"] == ["1"]


@pytest.mark.parametrize("name", ["lenet", "lenet-bn", "selu", "multitask", "kan"])
def test_fine_networks(name: str) -> None:
    """A network that trains well gets no mark at its first weights."""
    assert look(ROOT / f"configs/{name}.yaml", backward=True).marks == ()


def test_stacks_that_are_computed_again() -> None:
    """A stack that the backward pass computes again has the same values and gradients."""
    text = "name: n\ninput: [4]\nlayers: {a: {layers: [{Linear: 4}, Tanh]%s}, b: {Linear: 2}}"
    plain, again = (looked(text % more, backward=True) for more in ("", ", checkpoint: true"))
    assert plain.layers[0].gradient is not None
    for one, other in zip(plain.layers, again.layers, strict=True):
        assert one.training == other.training
        assert one.gradient == pytest.approx(other.gradient)
        assert one.weights == other.weights


@pytest.mark.slow
def test_a_residual_network() -> None:
    """ResNet-18 gets no mark at its first weights."""
    assert look(ROOT / "configs/resnet18.yaml", backward=True, batch=4).marks == ()


def test_several_optimizers_have_their_own_gradients() -> None:
    """Each weight of a GAN has the gradient of the losses of its own optimizer."""
    seen = look(ROOT / "configs/gan.yaml", backward=True, batch=4)
    assert seen.marks == ()
    for path in ("generator.1", "discriminator.0"):
        assert all(w.gradient for w in seen.layer(path).weights.values())
