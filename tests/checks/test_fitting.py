"""Fields of `data` are compared with the source before samples are loaded."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netbuild.checks.trace import infer
from netbuild.config.load import load
from tests.training_configs import write

HALF = [[0.5], [0.5]]
#: Sections that do not go together, what is said of them, and the field that is blamed.
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a split of none": (
        {"data": {"Iris": {}, "validation": "test"}},
        "Iris has no split test of its own",
        "validation",
    ),
    "a split of a folder": (
        {"data": {"Idx": "mnist", "validation": "dev"}, "input": [4]},
        "Idx has no split dev of its own",
        "validation",
    ),
    "a split of arrays": (
        {"data": {"Arrays": {"file": "x.npz"}, "validation": "test"}},
        "x.npz has no array x_test",
        "validation",
    ),
    "a split that is not there yet": (
        {"data": {"Arrays": {"file": "y.npz"}, "validation": "test"}},
        "",
        "",
    ),
    "a part of a stream": (
        {"data": {"Hub": {"name": "mnist", "streaming": True}}},
        "a stream has no known size, so no part of it can be held out",
        "",
    ),
    "a measured stream": (
        {
            "data": {
                "Hub": {"name": "mnist", "streaming": True},
                "validation": "test",
                "normalize": True,
            }
        },
        "the mean and the deviation of a stream are unknown before it is read",
        "normalize",
    ),
    "a counted stream": (
        {
            "data": {
                "Hub": {"name": "mnist", "streaming": True},
                "validation": "test",
                "class_weights": "balanced",
            }
        },
        "the classes of a stream are not counted: give a number for each class",
        "class_weights",
    ),
    "channels": (
        {"data": {"Random": {}, "normalize": HALF}},
        "the samples have 4 channels, but it gives numbers for 1",
        "normalize",
    ),
    "whole numbers": (
        {
            "input": {"shape": [4], "dtype": "int64"},
            "layers": [{"Embedding": {"num_embeddings": 8, "embedding_dim": 2}}, "Flatten"],
            "data": {"Random": {"below": 8}, "normalize": True},
        },
        "it needs a network with one input of floating-point numbers",
        "normalize",
    ),
    "no classes": (
        {"loss": "MSELoss", "data": {"Random": {}, "class_weights": "balanced"}},
        "MSELoss takes no class weights",
        "class_weights",
    ),
    "other classes": (
        {"data": {"Random": {}, "class_weights": [1.0, 2.0]}},
        "there are 3 classes, but it gives numbers for 2",
        "class_weights",
    ),
    "no class": (
        {"data": {"Random": {}, "class_weights": [0, 0, 0]}},
        "all class weights are 0",
        "class_weights",
    ),
    "nothing to validate with": (
        {"data": {"Random": {"samples": 20}, "validation": 0.01}},
        "20 samples with validation 0.01 leave none to validate with",
        "validation",
    ),
    "all well": (
        {"data": {"Random": {}, "class_weights": [1, 2, 3], "normalize": [[0.5] * 4, [1] * 4]}},
        "",
        "",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_go_together(tmp_path: Path, name: str) -> None:
    """A wrong value is a fault at its field; a value that may become right later is not."""
    sections, said, at = REFUSED[name]
    np.savez(tmp_path / "x.npz", x=np.zeros((9, 4), "float32"), y=np.arange(9) % 3)
    (tmp_path / "mnist").mkdir()
    file = write(tmp_path, **sections)
    faults = [f for f in infer(load(file)).diagnostics if f.severity == "error"]
    if not said:
        assert not faults
        return
    (fault,) = faults
    assert fault.code == "NB501"
    assert said in str(fault.label)
    line = file.read_text("utf-8").splitlines()[fault.span.line - 1]
    assert line[fault.span.column - 1 :].startswith(at)
