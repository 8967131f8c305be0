"""`normalize`: measured numbers, given numbers, and faults."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from netbuild import training
from tests.training.by_hand import SGD, arrays, command, images, prepared, resumed, stopped, trained
from tests.training_configs import (
    in_memory,
    outcome,
    write,
)

IMAGES: dict[str, Any] = {"input": [2, 3, 3], "layers": ["Flatten", {"Linear": 3}]}


def test_normalize_measures_what_trains(tmp_path: Path) -> None:
    """Mean and deviation are measured on the training split only, and recorded."""
    x, y = images()
    plain = prepared(tmp_path, **IMAGES, data=arrays(tmp_path, x, y))
    source = arrays(tmp_path, x, y)
    trainer = trained(tmp_path, **IMAGES, data={**source, "normalize": True})
    raw: torch.Tensor = in_memory(plain.training).inputs[0]
    mean, deviation = raw.mean((0, 2, 3)), raw.std((0, 2, 3), correction=0)
    recorded = trainer.run.config().preparation.normalize
    assert not isinstance(recorded, bool)
    torch.testing.assert_close(torch.tensor(recorded), torch.stack([mean, deviation]))
    for name in ("training", "held_out"):
        before, after = (in_memory(getattr(t, name)) for t in (plain, trainer))
        expected = (before.inputs[0] - mean[:, None, None]) / deviation[:, None, None]
        torch.testing.assert_close(after.inputs[0], expected)
    normalised: torch.Tensor = in_memory(trainer.training).inputs[0]
    torch.testing.assert_close(normalised.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    text_ = (trainer.run.folder / "resolved.yaml").read_text(encoding="utf-8")
    assert "normalize: true" not in text_
    last = trainer.run.metrics[-1]["val_loss"]
    assert training.evaluate(trainer.run.folder, "last")["val_loss"] == last


def test_normalize_takes_what_is_given(tmp_path: Path) -> None:
    """Given numbers are used unchanged, for each channel."""
    x, y = images()
    source = arrays(tmp_path, x, y)
    plain = prepared(tmp_path, **IMAGES, data=source)
    given = prepared(tmp_path, **IMAGES, data={**source, "normalize": [[5.0, 0.0], [2.0, 4.0]]})
    before, after = (in_memory(t.held_out).inputs[0] for t in (plain, given))
    assert torch.equal(after[:, 0], (before[:, 0] - 5) / 2)
    assert torch.equal(after[:, 1], before[:, 1] / 4)


def test_normalize_leaves_a_constant_channel(tmp_path: Path) -> None:
    """A constant channel becomes 0, without a division by 0."""
    x, y = images()
    x[:, 1] = 7
    trainer = prepared(tmp_path, **IMAGES, data={**arrays(tmp_path, x, y), "normalize": True})
    after: torch.Tensor = in_memory(trainer.training).inputs[0]
    assert (after[:, 1] == 0).all()


def test_normalize_goes_on_with_what_was_measured(tmp_path: Path) -> None:
    """A resumed training has the same numbers, and an unchanged file counts as unchanged."""
    x, y = images()
    sections: Any = {**IMAGES, "data": {**arrays(tmp_path, x, y), "normalize": True}}
    whole = trained(tmp_path, **sections)
    first = stopped(prepared(tmp_path, **sections), 2)
    again = resumed(first)
    assert outcome(again.run) == outcome(whole.run)
    file = write(tmp_path, optimizer=SGD, **sections)
    code, printed = command("train", file, "--resume", whole.run.folder)
    assert (code, printed.splitlines()[0]) == (0, "the run is already finished")


NORMALIZES: dict[str, tuple[dict[str, Any], Any, str]] = {
    "channels": (
        IMAGES,
        [[0.5], [0.5]],
        r"the samples have 2 channels, but it gives numbers for 1",
    ),
    "whole numbers": (
        {
            "input": {"shape": [4], "dtype": "int64"},
            "layers": [{"Embedding": {"num_embeddings": 5, "embedding_dim": 3}}, "Flatten"],
            "data": {"Random": {"samples": 60, "below": 5}},
            "loss": "MSELoss",
        },
        True,
        "it needs a network with one input of floating-point numbers",
    ),
}


@pytest.mark.parametrize("name", NORMALIZES)
def test_normalize_is_refused(tmp_path: Path, name: str) -> None:
    """A `normalize` that does not fit the samples is a fault, and no run is made."""
    sections, normalize, said = NORMALIZES[name]
    data = sections.get("data") or arrays(tmp_path, *images())
    file = write(tmp_path, **sections | {"data": {**data, "normalize": normalize}})
    code, printed = command("train", file, "--runs", tmp_path / "runs")
    assert code == 1
    assert re.search(said, printed), printed
    assert not (tmp_path / "runs").exists()
