"""Faults that no fix repairs: the help says what to write."""

from __future__ import annotations

import pytest

from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.parser import from_bytes
from tests.config.test_meaning import check, layer

#: Layers that read 3×32×32, and the helps of their first faults.
LAYERS = {
    "Conv2d: {in_channels: 0, out_channels: 6, kernel_size: 3}": (
        "the input decides in_channels: leave it out"
    ),
    "Conv2d: {out_channels: 6, kernel_size: [3, 0]}": (
        "kernel_size is the number of positions below the window, such as 3"
    ),
    "Conv1d: {out_channels: 6, kernel_size: [3, 5]}": (
        "a list with a value for each of 2 axes belongs to Conv2d"
    ),
    "BatchNorm2d: {eps: 0}": "leave eps out for its default, 1e-05",
    "Freeze: true": "this key begins with a small letter: write freeze",
    "Add inputs: [0, 1]": "put a comma between the type and its key: {Add, inputs: …}",
    "ReLU, repeat: 2}": "this line has } without {: write { before the type",
    "{ReLU, name: a b}": "write a_b",
    "{layers: [ReLU], inputs: {a-b: input}}": "write a_b",
}

#: Sections behind a network that gives 10 values for 1×8×8, and the helps of their faults.
SECTIONS = {
    "loss: MSELoss\ndata: Digits\n": "CrossEntropyLoss compares 10 scores with the class",
    "loss: MSELoss\ndata: {Random: {target: [1, 3]}}\n": (
        "end the network with values of shape 1×3"
    ),
    "loss: {CrossEntropyLoss: {weight: [1, 2, 3]}}\ndata: Digits\n": None,
    "loss: CrossEntropyLoss\nmetrics: [R2Score]\n": "metrics for CrossEntropyLoss are ",
    "optimizer: SGD, Adam\n": "write a list: [SGD, Adam]",
    "budget: {params: 10}\n": "give the largest layers fewer values, or raise the limit",
}


def help_of(text: str) -> str | None:
    """Return the help of the first error of a text."""
    return errors(check(from_bytes("net.yaml", text.encode())))[0].help


@pytest.mark.parametrize("before", LAYERS)
def test_layers(before: str) -> None:
    """A layer that no fix repairs has a help."""
    assert help_of(layer(before)) == LAYERS[before]


@pytest.mark.parametrize("section", SECTIONS)
def test_sections(section: str) -> None:
    """A section that no fix repairs has a help that is true for the network."""
    text = f"input: [1, 8, 8]\nlayers: [Flatten, Linear: 10]\n{section}"
    help_, wanted = help_of(text), SECTIONS[section]
    assert help_ == wanted or (wanted and help_ and help_.startswith(wanted))


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        ("Linear: 6", "end the network with scores of shape 10"),
        ("Conv2d: {out_channels: 10, kernel_size: 3}", "end the network with scores of shape 10"),
    ],
)
def test_scores(layers: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a fix, the help names the scores that the data need."""
    from netbuild.checks import trials
    from netbuild.checks.lint import spatial_axes

    monkeypatch.setattr(
        trials, "proven", lambda graph, _: tuple(f._replace(fixes=()) for f in graph.diagnostics)
    )
    monkeypatch.setattr(spatial_axes, "explained", lambda _, faults: faults)
    flat = "Flatten, " if layers.startswith("Linear") else ""
    text = f"input: [1, 8, 8]\nlayers: [{flat}{layers}]\nloss: CrossEntropyLoss\ndata: Digits\n"
    assert help_of(text) == wanted


def test_a_few_classes() -> None:
    """Accuracy among the five best is left out if there are no more classes."""
    text = (
        "input: [8]\nlayers: [Linear: 4]\nloss: CrossEntropyLoss\n"
        "data: {Random: {classes: 4}}\nmetrics: [Accuracy, {Accuracy: {top_k: 5}, name: top_5}]\n"
    )
    assert help_of(text) == "leave top_k out"


def test_heads_and_reuses() -> None:
    """Heads that do not share the features, and a Reuse of another size."""
    heads = "input: [4, 10]\nlayers:\n  - {MultiheadAttention: {num_heads: 4}, inputs: [%s]}\n"
    assert help_of(heads % "input, input, input") == "2 heads would share them evenly"
    text = "input: [4]\nlayers:\n  a: {Linear: 4}\n  b: {Linear: 6}\n  c: {Reuse: a}\n"
    assert str(help_of(text)).startswith("a Reuse keeps the weights")
