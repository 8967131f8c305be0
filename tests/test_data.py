"""What a data source says of its samples is what it loads."""

from __future__ import annotations

import pytest

from netbuild.data import DATASETS
from netbuild.data.dataset import Classes, Sample
from netbuild.layers.layer import Tensor


@pytest.mark.parametrize("kind", DATASETS)
def test_what_is_said_is_loaded(kind: str) -> None:
    """The number of samples, their shapes, dtypes and classes."""
    source = DATASETS[kind]()
    wanted = Sample((Tensor((2, 4)),), Classes(3))
    said = source.sample(wanted)
    (inputs,), targets = source.load(wanted)
    assert (len(inputs), len(targets)) == (source.size, source.size)
    assert Tensor(inputs.shape[1:], str(inputs.dtype)) == said.inputs[0]
    assert Tensor(targets.shape[1:], str(targets.dtype)) == said.target.tensor
    assert isinstance(said.target, Classes)
    assert set(targets.tolist()) == set(range(said.target.classes))
