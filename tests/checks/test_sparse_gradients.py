"""Options of a training that torch refuses with sparse gradients are faults of a file."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from netbuild.checks import torch_release
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.dump import dump
from netbuild.syntax.parser import from_bytes

SPARSE = {"num_embeddings": 20, "embedding_dim": 4, "sparse": True}


def said(train: dict[str, Any], optimizer: Any = "SGD", **fields: Any) -> list[str]:
    """Return the faults of a network of an Embedding."""
    sections = {
        "input": {"shape": [4], "dtype": "int64"},
        "layers": [{"Embedding": {**SPARSE, **fields}}, "Flatten", {"Linear": 3}],
        "loss": "CrossEntropyLoss",
        "optimizer": optimizer,
        "train": train,
    }
    return [
        d.message for d in infer(read(from_bytes("net.yaml", dump(sections).encode()))).diagnostics
    ]


def clipped(train: dict[str, Any]) -> bool:
    """Whether torch clips a sparse gradient."""
    embedding = nn.Embedding(20, 4, sparse=True)
    embedding(torch.tensor([1, 2])).sum().backward()
    try:
        if "clip_grad_norm" in train:
            nn.utils.clip_grad_norm_(embedding.parameters(), train["clip_grad_norm"])
        if "clip_grad_value" in train:
            nn.utils.clip_grad_value_(embedding.parameters(), train["clip_grad_value"])
    except NotImplementedError:
        return False
    return True


@pytest.mark.parametrize(
    "train",
    [
        {"clip_grad_norm": 1.0},
        {"clip_grad_value": 1.0},
        {"accumulate": 2, "ema": 0.9, "precision": "fp16", "deterministic": True},
    ],
    ids=lambda train: next(iter(train)),
)
def test_options(train: dict[str, Any]) -> None:
    """An option is a fault where torch refuses it; it is none where no gradient is sparse."""
    found = said(train)
    assert (found == []) == clipped(train)
    assert all("sparse gradient" in message for message in found)
    assert said(train, sparse=False) == []
    assert said(train, padding_idx=0, sparse=False) == []


def test_fsdp() -> None:
    """FSDP does not work with sparse gradients; ddp does."""
    (message,) = said({"strategy": "fsdp"})
    assert message == (
        "strategy does not work with sparse gradients: "
        "torch's FSDP cannot send sparse gradients from process to process, and 0.weight has one"
    )
    assert said({"strategy": "ddp"}) == []


@pytest.mark.parametrize(
    ("torchs", "clips"), [("2.13.0", False), ("2.14.0a0", True), ("3.0", True)]
)
def test_version(monkeypatch: pytest.MonkeyPatch, torchs: str, *, clips: bool) -> None:
    """Torch computes the norm of sparse gradients from version 2.14 on."""
    monkeypatch.setattr(torch_release, "installed", lambda: torchs)
    assert (said({"clip_grad_norm": 1.0}) == []) == clips


@pytest.mark.parametrize(
    ("of_all", "of_embedding", "steps"), [(0.1, 0.0, True), (0.0, 0.1, False), (0.1, 0.1, False)]
)
def test_groups(of_all: float, of_embedding: float, *, steps: bool) -> None:
    """The weight decay of the Embedding's group decides, as in torch."""
    group = {"match": "0", "weight_decay": of_embedding}
    found = said({}, {"SGD": {"weight_decay": of_all}, "groups": [group]})
    embedding = nn.Embedding(20, 4, sparse=True)
    groups = [{"params": embedding.parameters(), "weight_decay": of_embedding}]
    optimizer = torch.optim.SGD(groups, weight_decay=of_all)
    embedding(torch.tensor([1, 2])).sum().backward()
    if steps:
        optimizer.step()
        assert found == []
        return
    with pytest.raises(RuntimeError, match="sparse"):
        optimizer.step()
    message = "weight_decay does not work with the sparse gradient of 0.weight"
    assert found == [f"SGD does not fit the network: {message}"]
