"""What a run keeps of a table is used instead of what another file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from netbuild.components.datasets.dataset import DataError, Sample
from netbuild.components.datasets.kept import Kept, filled_input
from netbuild.components.target import Classes
from netbuild.components.tensor import Tensor
from tests.components.datasets.tables import csv
from tests.components.datasets.test_datasets import refusal

if TYPE_CHECKING:
    from pathlib import Path

TWO = Tensor((2,))


def test_classes_are_kept(tmp_path: Path) -> None:
    """The classes of a text target have the numbers of the training, in any file."""
    made = csv(tmp_path)
    reads = Sample((TWO,), {"target": Classes(3)})
    kept = made.fitted(reads, made.load(reads)).kept()
    assert kept["classes"] == {"target": ["iris", "rose", "tulip"]}
    other = csv(tmp_path, "b,a,species\n2.5,1,tulip\n").with_kept(kept)
    assert other.load(reads)[1][0].tolist() == [2]
    assert other.load(reads)[0][0].tolist() == [[1, 2.5]]
    other = csv(tmp_path, "a,b,species\n1,1,lily\n").with_kept(kept)
    message = "species is lily in line 2, and the classes are iris, rose, tulip"
    assert refusal(other, reads) == (message, "target", None)


@pytest.mark.parametrize(
    "changed",
    [{"inputs": 3}, {"categories": ["a"]}, {"missing": {"a": "b"}}, {"classes": {"a": {}}}],
)
def test_what_is_kept_and_was_changed(tmp_path: Path, changed: Any) -> None:
    """A folder of a stranger may hold anything."""
    made = csv(tmp_path)
    reads = Sample((TWO,), {"target": Classes(3)})
    kept = made.fitted(reads, made.load(reads)).kept()
    with pytest.raises(DataError, match="what the run has kept of its table was changed"):
        made.with_kept(kept | changed)


def test_a_category_is_a_number_in_a_vector() -> None:
    """The categories of an input of its own leave the vectors alone that hold the same column."""
    kept = Kept((("flag", "n"), "flag"), {"flag": [None, True]}, {}, {})
    vector, own = np.array([[1, 1], [1, 2]]), np.array([1, 2])
    assert filled_input(vector, ("flag", "n"), kept).tolist() == [[1, 1], [1, 2]]
    assert filled_input(own, "flag", kept).tolist() == [0, 2]
