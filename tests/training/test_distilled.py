"""The student of configs/distilled.yaml learns from its teacher."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import netbuild
from benchmarks.distilled import measured
from tests import ROOT


@pytest.mark.slow
def test_a_teacher_helps(tmp_path: Path) -> None:
    """On digits that neither has seen, the student is better with the teacher than without it."""
    found = measured(tmp_path, seed=1)
    assert found["alone"] + 0.01 < found["taught"] < found["teacher"], found


def test_the_teacher_is_loaded_and_frozen() -> None:
    """The teacher has the weights of its file, which do not learn; the student learns."""
    module = netbuild.build(ROOT / "configs/distilled.yaml")
    weights = load_file(ROOT / "configs/teacher.safetensors")
    for name, parameter in module.teacher.named_parameters():
        assert torch.equal(parameter, weights[name])
        assert not parameter.requires_grad
    assert all(parameter.requires_grad for parameter in module.student.parameters())
