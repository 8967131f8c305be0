"""`normalize` with names is compared with the network, its losses and the data."""

from pathlib import Path
from typing import Any

import pytest

from netbuild.checks.trace import infer
from netbuild.config.load import load
from tests.training_configs import write

HEADS: dict[str, Any] = {
    "input": [4],
    "layers": {"a": {"Linear": 1}, "b": {"Linear": 3, "inputs": "input"}},
    "outputs": ["a", "b"],
    "loss": [
        {"MSELoss": {}, "inputs": "a", "target": "spend"},
        {"CrossEntropyLoss": {}, "inputs": "b", "target": "kind"},
    ],
}
TABLE = {"Csv": {"file": "t.csv", "target": {"spend": "s", "kind": "k"}}}
TOKENS: dict[str, Any] = {
    "input": {"shape": [4], "dtype": "int64"},
    "layers": [{"Embedding": {"num_embeddings": 8, "embedding_dim": 2}}, "Flatten"],
}
VALUES: dict[str, Any] = {"layers": [{"Linear": 1}], "loss": "MSELoss"}
STREAM = {"Hub": {"name": "x", "streaming": True, "target": "y"}, "validation": "test"}
#: Sections, `normalize`, the title and the label of the fault, and where it begins.
REFUSED: dict[str, tuple[dict[str, Any], Any, str, str, str]] = {
    "an input that is not there": (
        HEADS | {"data": TABLE},
        {"inputs": {"inptu": True}},
        "the network has no input inptu",
        "unknown",
        "inptu",
    ),
    "a target that is not there": (
        HEADS | {"data": TABLE},
        {"targets": {"spent": True}},
        "the data has no target spent",
        "unknown",
        "spent",
    ),
    "an input of whole numbers": (
        TOKENS,
        {"inputs": True},
        "the input cannot be normalized",
        "it holds int64: whole numbers, such as the numbers of categories",
        "inputs",
    ),
    "a target of classes": (
        HEADS | {"data": TABLE},
        {"targets": {"kind": True}},
        "the target kind cannot be normalized",
        "CrossEntropyLoss compares with classes, which has no other unit",
        "kind",
    ),
    "the only target, of classes": (
        {},
        {"targets": True},
        "the target cannot be normalized",
        "CrossEntropyLoss compares with classes, which has no other unit",
        "targets",
    ),
    "a target of yes or no": (
        {"layers": [{"Linear": 1}], "loss": "BCEWithLogitsLoss"},
        {"targets": True},
        "the target cannot be normalized",
        "BCEWithLogitsLoss compares with yes or no, which has no other unit",
        "targets",
    ),
    "a count": (
        VALUES | {"loss": "PoissonNLLLoss"},
        {"targets": True},
        "the target cannot be normalized",
        "PoissonNLLLoss compares with a count, which has no other unit",
        "targets",
    ),
    "numbers for other channels": (
        VALUES,
        {"inputs": {"input": [[0.5], [0.5]]}},
        "the input cannot be normalized",
        "it is 4, with 4 channels, and it gives numbers for 1",
        "input:",
    ),
    "numbers for other columns": (
        VALUES,
        {"targets": [[1.0, 2.0], [3.0, 4.0]]},
        "the target cannot be normalized",
        "it is 1, with 1 channel, and it gives numbers for 2",
        "targets",
    ),
    "a stream": (
        VALUES | {"data": STREAM},
        {"inputs": True},
        "the input cannot be normalized",
        "the mean and the deviation of a stream are unknown before it is read",
        "inputs",
    ),
    "nothing": (
        VALUES,
        {},
        "nothing to normalize",
        "no input and no target is scaled",
        "normalize",
    ),
    "an output of two targets": (
        {
            "layers": {"a": {"Linear": 1}},
            "loss": [{"MSELoss": {}, "target": "spend"}, {"L1Loss": {}, "target": "kind"}],
            "data": TABLE,
        },
        {"targets": {"spend": True}},
        "an output of a scaled target that is compared with kind too",
        "output is spend with mean 0 and deviation 1, and kind has another unit",
        "spend",
    ),
    "a variance for two channels": (
        {
            "layers": {"a": {"Linear": 2}, "b": {"Linear": 1, "inputs": "input"}},
            "outputs": ["a", "b"],
            "loss": "GaussianNLLLoss",
        },
        {"targets": True},
        "the target cannot be normalized",
        "its channels share variances, 1, and have units of their own",
        "targets",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_scaled(tmp_path: Path, name: str) -> None:
    """A fault names the input, the target or the loss, at its place in `normalize`."""
    sections, normalize, title, label, at = REFUSED[name]
    data = sections.get("data", {"Random": {"samples": 60}}) | {"normalize": normalize}
    file = write(tmp_path, **sections | {"data": data})
    (fault,) = [f for f in infer(load(file)).diagnostics if f.severity == "error"]
    assert (fault.code, fault.title, fault.label) == ("NB512", title, label)
    line = file.read_text("utf-8").splitlines()[fault.span.line - 1]
    assert line[fault.span.column - 1 :].startswith(at)


@pytest.mark.parametrize(
    "normalize",
    [
        {"inputs": True, "targets": True},
        {"targets": {"spend": [[5.0], [2.0]]}},
        {"inputs": {"input": [[0.0] * 4, [1.0] * 4]}, "targets": None},
        {"inputs": False, "targets": {"spend": True, "kind": False}},
    ],
)
def test_what_can_be_scaled(tmp_path: Path, normalize: Any) -> None:
    """`targets: true` leaves out the targets of classes."""
    file = write(tmp_path, **HEADS | {"data": TABLE | {"normalize": normalize}})
    assert [f for f in infer(load(file)).diagnostics if f.severity == "error"] == []


def test_a_penalty_of_a_scaled_output(tmp_path: Path) -> None:
    """A loss that compares with nothing may read the output, too."""
    losses = [*HEADS["loss"], {"Mean": {}, "inputs": "a", "weight": 0.01}]
    data = TABLE | {"normalize": {"targets": {"spend": True}}}
    file = write(tmp_path, **HEADS | {"loss": losses, "data": data})
    assert [f for f in infer(load(file)).diagnostics if f.severity == "error"] == []
