"""Numbers of the data that an Embedding has no row for are faults of a file."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from netbuild.checks.trace import infer
from netbuild.config.load import load
from netbuild.syntax.dump import dump

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.diagnostics.diagnostic import Diagnostic

TABLE = {"num_embeddings": 5, "embedding_dim": 4}


def found(folder: Path, data: Any, layers: Any = None, **sections: Any) -> list[Diagnostic]:
    """Return the faults NB411 of a network of an Embedding, and require no other fault."""
    text = dump(
        {
            "input": {"shape": [4], "dtype": "int64"},
            "layers": layers or [{"Embedding": TABLE}, "Flatten", {"Linear": 3}],
            "loss": "CrossEntropyLoss",
            **sections,
            "data": data,
        }
    )
    path = folder / "net.yaml"
    path.write_text(text, encoding="utf-8")
    faults = infer(load(path)).diagnostics
    assert all(fault.code in {"NB411", "NB306"} for fault in faults), faults
    return [fault for fault in faults if fault.code == "NB411"]


def arrays(folder: Path, least: int, most: int, **others: Any) -> dict[str, Any]:
    """Write an array with these bounds, and return the data source."""
    x = np.arange(40).reshape(10, 4) % (most - least + 1) + least
    np.savez(folder / "x.npz", x=x, y=np.arange(10) % 3, **others)
    return {"Arrays": "x.npz"}


def test_random(tmp_path: Path) -> None:
    """Random gives numbers below `below`."""
    assert found(tmp_path, {"Random": {"below": 5, "classes": 3}}) == []
    (fault,) = found(tmp_path, {"Random": {"below": 10, "classes": 3}})
    assert fault.label == "it has rows for 0 to 4, and the data has numbers up to 9"
    assert fault.help == "write num_embeddings: 10"
    assert fault.layer == "0"


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_arrays(tmp_path: Path, dtype: str) -> None:
    """The numbers of an array are read, and torch refuses the same ones."""
    for most in (4, 5):
        data = arrays(tmp_path, 0, most)
        values = np.load(tmp_path / "x.npz")["x"].astype(dtype)
        np.savez(tmp_path / "x.npz", x=values, y=np.arange(10) % 3)
        faults = found(tmp_path, data)
        table = nn.Embedding(5, 4)
        if most < 5:
            assert faults == []
            table(torch.tensor(values.astype("int64")))
            continue
        assert [fault.label for fault in faults] == [
            "it has rows for 0 to 4, and the data has numbers up to 5"
        ]
        with pytest.raises(IndexError):
            table(torch.tensor(values.astype("int64")))


def test_negative_numbers(tmp_path: Path) -> None:
    """A number below 0 has no fix in the network."""
    (fault,) = found(tmp_path, arrays(tmp_path, -1, 3))
    assert fault.label == "it has rows for 0 to 4, and the data has the number -1"
    assert fault.fixes == ()


def test_other_split(tmp_path: Path) -> None:
    """The numbers of a split for validation count too."""
    test = {"x_test": np.full((4, 4), 7), "y_test": np.arange(4) % 3}
    data = arrays(tmp_path, 0, 4, **test)
    assert found(tmp_path, data) == []
    (fault,) = found(tmp_path, {**data, "validation": "test"})
    assert fault.label == "it has rows for 0 to 4, and the data has numbers up to 7"


def test_text(tmp_path: Path) -> None:
    """A text has as many numbers as different tokens; `vocabulary` may ask for more."""
    (tmp_path / "text.txt").write_text("abcdef" * 9, encoding="utf-8")
    source = {"file": "text.txt", "length": 4, "vocabulary": 90}
    layers = [{"Embedding": {**TABLE, "num_embeddings": 7}}, "Flatten", {"Linear": 90}]
    assert found(tmp_path, {"Text": source}, layers) == []
    layers[0] = {"Embedding": {**TABLE, "num_embeddings": 6}}
    (fault,) = found(tmp_path, {"Text": source}, layers)
    assert fault.help == "write num_embeddings: 7"


def test_csv(tmp_path: Path) -> None:
    """Columns side by side are one input; its numbers are those of all columns."""
    rows = "".join(f"{n},{n % 6},{n % 2},0,{n % 3}\n" for n in range(6))
    (tmp_path / "x.csv").write_text(f"a,b,c,d,species\n{rows}", encoding="utf-8")
    (fault,) = found(tmp_path, {"Csv": {"file": "x.csv", "target": "species"}})
    assert fault.help == "write num_embeddings: 6"


def test_places(tmp_path: Path) -> None:
    """Each table that reads the input counts, also in another shape; a part of the input does not.

    The fault of a table that is reused stands at the table.
    """
    data = {"Random": {"below": 9, "classes": 3}}
    bag = {"EmbeddingBag": TABLE}
    assert len(found(tmp_path, data, [bag, {"Linear": 3}])) == 1
    shaped = [{"Unflatten": {"dim": 1, "unflattened_size": [2, 2]}}, {"Embedding": TABLE}]
    assert len(found(tmp_path, data, [*shaped, "Flatten", {"Linear": 3}])) == 1
    part = [{"Narrow": {"dim": 1, "start": 0, "length": 2}}, {"Embedding": TABLE}]
    assert found(tmp_path, data, [*part, "Flatten", {"Linear": 3}]) == []
    twice = {
        "one": {"Embedding": TABLE},
        "two": {"Reuse": "one", "inputs": "input"},
        "add": {"Add": None, "inputs": ["one", "two"]},
        "head": ["Flatten", {"Linear": 3}],
    }
    (fault,) = found(tmp_path, data, twice)
    assert fault.layer == "one"
    line = fault.span.document.lines[fault.span.line - 1]
    assert line[fault.span.column - 1 :].startswith("num_embeddings: 5")


def test_unknown_numbers(tmp_path: Path) -> None:
    """Numbers of a file that does not exist are unknown."""
    assert found(tmp_path, {"Arrays": "no.npz"}) == []
    assert found(tmp_path, {"Text": {"file": "no.txt", "length": 4}}) == []


@pytest.mark.parametrize(
    ("labels", "classes", "said"),
    [
        ([0, 1, 5], 3, "y has the number 5, and the classes are 0 to 2"),
        ([0, 1, -1], None, "y has the number -1, and classes count from 0"),
        ([0, 1, -100], None, ""),
        ([0, 1, 2], 3, ""),
    ],
)
def test_targets(tmp_path: Path, labels: list[int], classes: int | None, said: str) -> None:
    """Labels that are no class are a fault of the data, unless the loss ignores them."""
    np.savez(tmp_path / "x.npz", x=np.zeros((3, 4), "float32"), y=labels)
    path = tmp_path / "net.yaml"
    text = dump(
        {
            "input": [4],
            "layers": [{"Linear": 3}],
            "loss": "CrossEntropyLoss",
            "data": {"Arrays": {"file": "x.npz", **({"classes": classes} if classes else {})}},
        }
    )
    path.write_text(text, encoding="utf-8")
    errors = [d.label for d in infer(load(path)).diagnostics if d.severity == "error"]
    assert errors == ([said] if said else [])


def written(folder: Path, text: str) -> Path:
    """Write a file."""
    path = folder / "net.yaml"
    path.write_text(text, encoding="utf-8")
    return path


CONSTANTS = {
    ("Gather: -1", "index", "[[[5, 0]]]"): "",
    ("Gather: -1", "index", "[[[6, 0]]]"): (
        "axis 3 of its input has the places 0 to 5, and c has numbers up to 6"
    ),
    ("Gather: 2", "index", "[[[-1, 0]]]"): (
        "axis 2 of its input has the places 0 to 3, and c has the number -1"
    ),
    ("TakeAlongDim: 3", "indices", "[[[-6, 5]]]"): "",
    ("TakeAlongDim: 3", "indices", "[[[-7, 5]]]"): (
        "axis 3 of its input has the places -6 to 5, and c has the number -7"
    ),
}


@pytest.mark.parametrize(("layer", "expected"), CONSTANTS.items())
def test_positions_of_a_constant(
    tmp_path: Path, layer: tuple[str, str, str], expected: str
) -> None:
    """Gather and TakeAlongDim have a place for each number of a constant."""
    kind, port, value = layer
    text = f"input: [2, 4, 6]\nlayers:\n  c: {{Constant: {{value: {value}}}}}\n"
    text += f"  g: {{{kind}, inputs: {{input: input, {port}: c}}}}\n"
    graph = infer(load(written(tmp_path, text)))
    assert [fault.label for fault in graph.diagnostics] == ([expected] if expected else [])
    x, index = torch.rand(2, 2, 4, 6), torch.tensor([yaml.safe_load(value)])
    dim, index = int(kind.split()[1]), index.expand(2, -1, -1, -1)
    if kind.startswith("Gather"):
        with pytest.raises(RuntimeError) if expected else nullcontext():
            torch.gather(x, dim, index)
    else:  # torch counts on from the other end without a word
        assert torch.equal(
            torch.take_along_dim(x[..., :1, :], index, dim),
            torch.take_along_dim(x[..., :1, :], index % 6, dim),
        )


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (4, ""),
        (5, "a sequence of 4 steps has lengths from 1 to 4, and c has numbers up to 5"),
        (0, "a sequence of 4 steps has lengths from 1 to 4, and c has the number 0"),
    ],
)
def test_lengths_of_a_constant(tmp_path: Path, length: int, expected: str) -> None:
    """A constant length lies within the sequence."""
    text = f"input: [4, 6]\nlayers:\n  c: {{Constant: {length}}}\n"
    text += "  g: {GRU: 3, inputs: {input: input, lengths: c}}\n"
    found = [fault.label for fault in infer(load(written(tmp_path, text))).diagnostics]
    assert found == ([expected] if expected else [])


def test_lengths_of_the_data(tmp_path: Path) -> None:
    """A length of the data lies within the sequence too."""
    lengths = np.array([1, 2, 5, 4, 3, 1])
    x = np.zeros((6, 4, 2), "float32")
    np.savez(tmp_path / "x.npz", x=x, n=lengths, y=np.arange(6) % 3)
    path = written(
        tmp_path,
        "inputs: {x: [4, 2], n: {shape: [], dtype: int64}}\nlayers:\n"
        "  g: {GRU: 3, inputs: {input: x, lengths: n}}\n  s: {Select: {dim: 1, index: -1}}\n"
        "loss: CrossEntropyLoss\ndata: {Arrays: {file: x.npz, inputs: [x, n], target: y}}\n",
    )
    (fault,) = (one for one in infer(load(path)).diagnostics if one.code == "NB411")
    assert fault.title == "the data has a length that GRU does not have"
    assert fault.help == "use numbers up to 4 in the data"
