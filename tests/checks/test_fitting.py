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
    "a split for the test": (
        {"data": {"Iris": {}, "test": "exam"}},
        "Iris has no split exam of its own",
        "test",
    ),
    "parts of everything": (
        {"data": {"Iris": {}, "validation": {"part": 0.5}, "test": 0.5}},
        "the parts of validation and test are 1 of the samples together",
        "validation",
    ),
    "a test of nothing": (
        {"data": {"Iris": {}, "test": 0.001}},
        "150 samples with validation 0.2 and test 0.001 leave none to test with",
        "test",
    ),
    "too many folds": (
        {"data": {"Iris": {}, "validation": {"fold": 1, "of": 151}}},
        "150 samples cannot make 151 folds",
        "validation",
    ),
    "groups of none": (
        {"data": {"Iris": {}, "validation": {"part": 0.2, "group": "garden"}}},
        "Iris has no columns that group its samples",
        "validation",
    ),
    "an absent group": (
        {"data": {"Arrays": {"file": "x.npz"}, "test": {"part": 0.2, "group": "z"}}},
        "x.npz has no z to group by",
        "test",
    ),
    "a group that is read": (
        {"data": {"Arrays": {"file": "x.npz"}, "validation": {"part": 0.2, "group": "x"}}},
        "x groups the samples, and the network reads it too",
        "validation",
    ),
    "classes of none": (
        {
            "data": {"Diabetes": {}, "validation": {"part": 0.2, "by": "class"}},
            "input": [10],
            "layers": [{"Linear": 1}],
            "loss": "MSELoss",
        },
        "by: class needs a target that is one class for each sample",
        "validation",
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
