"""What no config can hold is said in a sentence: inputs, results, frozen parts, names, calls."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from netbuild.diagnostics.exceptions import ImportedError
from netbuild.exchange.importer.imported import imported
from tests.tables import over

if TYPE_CHECKING:
    from collections.abc import Callable

X = torch.randn(2, 4)


class Lambda(nn.Module):
    """A linear layer `l`, and a function of it and the input."""

    def __init__(self, function: Callable[[nn.Module, torch.Tensor], Any]) -> None:
        super().__init__()
        self.l, self.function = nn.Linear(4, 4), function

    def forward(self, x: torch.Tensor) -> Any:
        """Return what the function returns."""
        return self.function(self.l, x)


class Passing(nn.Module):
    """Its result is its input, or something else without a call."""

    def __init__(self, result: Any = None) -> None:
        super().__init__()
        self.result = result

    def forward(self, x: torch.Tensor) -> Any:
        """Return the result as it is."""
        return self.result(x)


@over([nn.Sequential(), nn.Identity(), Passing(lambda x: x)], repr)
def test_nothing_between_input_and_result(module: nn.Module) -> None:
    """A network that returns its input is an Identity."""
    found = imported(module, X)
    assert "identity: Identity" in found.text
    assert found.difference == 0


@over(
    [
        (Passing(lambda _: 3.0), X, "forward returns a result of the type float, and no tensor"),
        (Passing(lambda _: None), X, "forward returns None, and no tensor"),
        (nn.Linear, X, "Linear is a class: give an object of the class Linear, such as Linear(…)"),
        (None, X, "the module is None: give an object of the class torch.nn.Module"),
        (nn.ReLU(), None, "the inputs are None: give a tensor, a list of tensors, or a mapping"),
        (nn.ReLU(), 3, "the inputs are of the type int: give a tensor"),
        (nn.ReLU(), [3], "the input input is of the type int: give an object of the class torch"),
        (nn.ReLU(), torch.tensor(1.0), "a tensor without axes: axis 0 is the batch"),
        (nn.ReLU(), torch.zeros(0, 4), "a tensor without values: give samples"),
        (nn.ReLU(), {"image": X}, "forward has no input image: it has input"),
    ],
    lambda case: case[2][:30],
)
def test_sentences(case: tuple[Any, Any, str]) -> None:
    """What cannot be read is said in a sentence."""
    module, x, sentence = case
    with pytest.raises(ImportedError) as error:
        imported(module, x)
    assert sentence in str(error.value)


def frozen(*names: str) -> nn.Module:
    """Return a network of which some parameters are frozen."""
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    for name in names:
        module.get_parameter(name).requires_grad_(requires_grad=False)
    return module


def test_some_frozen_parameters() -> None:
    """A layer of which only a part is frozen is a gap, and its outputs are compared."""
    for name in ("bias", "weight"):
        found = imported(frozen(f"1.{name}"), X)
        sentence = f"1: of its parameters only {name} is frozen, and a config freezes whole layers"
        assert (found.gaps, found.difference) == ((sentence,), 0)
    found = imported(frozen("1.weight", "1.bias"), X)
    assert found.gaps == ()
    assert "{Linear: 2, freeze: true}" in found.text


class Capital(nn.Module):
    """Its names are no names of a config."""

    def forward(self, X: torch.Tensor, x: torch.Tensor) -> Any:  # noqa: N803  it is the point
        """Return results with other names."""
        return {"aux loss": X + 1, "y": x * 2}


def test_names_of_inputs_and_results() -> None:
    """An input or a result with a name that no config allows is renamed, with a comment."""
    found = imported(Capital(), [X, X])
    assert found.text.splitlines()[:3] == [
        "# the input X is called x_ here: no config has this name",
        "# the output aux loss is called aux_loss here: no config has this name",
        "name: capital",
    ]
    assert "outputs: {aux_loss: formula, y: formula_1}" in found.text
    assert (found.gaps, found.difference) == ((), 0)


def test_a_layer_with_the_name_of_a_keyword() -> None:
    """It is a gap, as each layer is whose name no config has."""
    module = nn.Sequential(OrderedDict([("in", nn.Linear(4, 4)), ("out", nn.Linear(4, 2))]))
    assert imported(module, X).gaps == ("in: Linear: its name in is no name in a config",)


def test_a_fault_that_gaps_leave() -> None:
    """The config is written, and its head and the notes say what is wrong with it."""
    found = imported(Passing(lambda x: torch.fft.fft(x).real), X)
    sentence = (
        "with its gaps the config has a fault: NB102 the file has no layers: layers is missing"
    )
    assert found.notes == (sentence,)
    assert found.text.startswith(f"# {sentence}\n")
    assert found.gaps == ("fft_fft: fft_fft: a config has no counterpart",)
    assert imported(Lambda(lambda linear, x: torch.fft.fft(linear(x)).real), X).notes == ()


def test_tensors_without_values() -> None:
    """They are left out of what is joined, and no Constant is empty."""
    found = imported(Lambda(lambda linear, x: torch.cat([torch.tensor([]), linear(x)], -1)), X)
    assert "Constant" not in found.text
    assert (found.gaps, found.difference) == ((), 0)
    found = imported(Lambda(lambda linear, x: (linear(x), x[:, :0] + torch.tensor([]))), X)
    assert "Constant:" not in found.text
    assert "it reads a tensor without values, and a Constant has at least one" in found.gaps[-1]


def test_dropout_in_evaluation() -> None:
    """A call that drops values in evaluation is named."""
    found = imported(Lambda(lambda linear, x: functional.dropout(linear(x), 0.3)), X)
    sentence = "functional.dropout drops values in evaluation too (p=0.3), and a layer of a config"
    assert sentence in found.gaps[0]
    found = imported(
        Lambda(lambda linear, x: functional.dropout(linear(x), 0.3, linear.training)), X
    )
    assert "Dropout: 0.3" in found.text
    assert (found.gaps, found.difference) == ((), 0)


@over(["spectral_norm", "weight_norm"], str)
def test_hooks_for_weights(name: str) -> None:
    """A layer whose weights a hook computes says which function adds the hook."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has said since 2.0 that they are old
        hooked = getattr(nn.utils, name)(nn.Linear(4, 4))
    found = imported(nn.Sequential(hooked, nn.ReLU()), X)
    gap = found.gaps[0]
    assert gap.startswith(f"0: Linear: torch.nn.utils.{name} computes its weights by a hook")
    assert gap.endswith(f": use torch.nn.utils.parametrizations.{name}")
