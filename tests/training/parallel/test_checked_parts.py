"""Parts of checkpoints from a stranger: read as they were written, and no code in them runs."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from netbuild.diagnostics.exceptions import TrainingError, WeightsError
from netbuild.training.parallel import shards

if TYPE_CHECKING:
    from pathlib import Path


class Attack:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        """Name a function of the system."""
        return os.mkdir, (self.path,)


def learning(seed: int) -> tuple[nn.ModuleDict, list[torch.optim.Optimizer]]:
    """Return a small network and its optimizer after a step."""
    torch.manual_seed(seed)
    module = nn.ModuleDict({"network": nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))})
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1 * seed, betas=(0.8, 0.9))
    module["network"](torch.rand(4, 3)).sum().backward()
    optimizer.step()
    return module, [optimizer]


def test_parts_are_read_as_written(tmp_path: Path) -> None:
    """Weights, and the state and the options of the optimizer, are those that were saved."""
    module, (optimizer,) = learning(1)
    shards.save(tmp_path, module, [optimizer])
    other, (its,) = learning(2)
    shards.load(tmp_path, other, [its])
    assert its.param_groups[0]["lr"] == 0.1
    assert its.param_groups[0]["betas"] == (0.8, 0.9)
    torch.testing.assert_close(its.state_dict()["state"], optimizer.state_dict()["state"])
    weights = module["network"].state_dict()
    torch.testing.assert_close(dict(other["network"].state_dict()), dict(weights))
    torch.testing.assert_close(shards.weights(tmp_path), dict(weights))


def test_a_description_runs_no_code(tmp_path: Path) -> None:
    """A description of parts that names a function is refused, and the function does not run."""
    shards.save(tmp_path, *learning(1))
    (tmp_path / ".metadata").write_bytes(pickle.dumps(Attack(tmp_path / "made")))
    for read in (shards.described, shards.weights):
        with pytest.raises(WeightsError, match=r"the description of its parts holds a '\w+.mkdir'"):
            read(tmp_path)
    with pytest.raises((WeightsError, TrainingError), match="the description of its parts"):
        shards.load(tmp_path, *learning(2))
    assert not (tmp_path / "made").exists()


def test_an_option_runs_no_code(tmp_path: Path) -> None:
    """An option of the optimizer that names a function is refused."""
    module, (optimizer,) = learning(1)
    optimizer.param_groups[0]["lr"] = Attack(tmp_path / "made")
    shards.save(tmp_path / "parts", module, [optimizer])
    with pytest.raises(TrainingError, match=r"is damaged: it holds a '?\w+\.mkdir"):
        shards.load(tmp_path / "parts", *learning(2))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "damage", [b"", b"\x80\x04", b"\x80\x02}r\xff\xff\xff\x1f.", b"\x80\x02X\xff\xff\xff\xffa."]
)
def test_a_damaged_description(tmp_path: Path, damage: bytes) -> None:
    """A description that breaks off, or would fill the memory, is refused."""
    shards.save(tmp_path, *learning(1))
    (tmp_path / ".metadata").write_bytes(damage)
    with pytest.raises(WeightsError, match="the description of its parts is damaged"):
        shards.described(tmp_path)


def test_nested_tuples_do_not_hang(tmp_path: Path) -> None:
    """A short description of 2⁶⁰ values is refused, before anything asks for their hash."""
    shards.save(tmp_path, *learning(1))
    doubled = b"".join(b"h%ch%c\x86\x940" % (n, n) for n in range(60))
    text = b"\x80\x04K\x01\x85\x940" + doubled + b"}h\x3cK\x01s."
    (tmp_path / ".metadata").write_bytes(text)
    for read in (shards.described, shards.weights):
        with pytest.raises(WeightsError, match="repeats its values too often"):
            read(tmp_path)
