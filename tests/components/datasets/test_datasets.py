"""What a data source says of its samples is what it loads."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from netbuild.components.datasets import DATASETS
from netbuild.components.datasets.dataset import DataError, Sample
from netbuild.components.target import Classes, Nothing, Signs, Values
from netbuild.components.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np

    from netbuild.components.datasets.dataset import Dataset, Size
    from netbuild.components.target import Target

ONE = Values((1,))


def wanted(*shape: int, target: Target, dtype: str = "float32") -> Sample:
    """Return what a network of one input wants."""
    return Sample((Tensor(shape, dtype),), {"target": target})


def loaded(source: Dataset, wanted: Sample, split: str | None = None) -> tuple[Any, ...]:
    """Return the inputs and the targets, after comparing them with what is said of them."""
    said = source.sample(wanted)
    inputs, (targets,) = source.load(wanted, split)
    if split is None:
        assert source.size in {None, len(targets)}
    assert len(said.inputs) == len(inputs)
    for tensor, array in zip(said.inputs, inputs, strict=True):
        assert len(array) == len(targets)
        assert tensor in {None, Tensor(array.shape[1:], str(array.dtype))}
        assert usable(array)
    if said.target is not None:
        assert said.target.tensor == Tensor(targets.shape[1:], str(targets.dtype))
    if isinstance(said.target, Classes):
        ignored = getattr(wanted.target, "ignored", None)
        numbers = targets if ignored is None else targets[targets != ignored]
        assert numbers.min() >= 0
        assert numbers.max() < said.target.classes
    assert usable(targets)
    return (*inputs, targets)


def usable(array: np.ndarray[Any, Any]) -> bool:
    """Whether torch takes it as it lies, without a warning."""
    return bool(array.flags.c_contiguous and array.flags.writeable)


def refusal(
    source: Dataset, wanted: Sample, split: str | None = None, size: Size | None = None
) -> tuple[str, str | None, str | None]:
    """Return what loading a source says against it, of which field, and what helps."""
    assert isinstance(source.size, int | None)  # what is wrong is for `sample` or `load` to say
    with pytest.raises(DataError, match=r"\w") as error:
        source.load(wanted, split, size)
    return str(error.value), error.value.at, error.value.help


@pytest.mark.parametrize(
    ("kind", "features", "target"),
    [
        ("Digits", (1, 8, 8), Classes(10)),
        ("Iris", (4,), Classes(3)),
        ("Wine", (13,), Classes(3)),
        ("BreastCancer", (30,), Classes(2)),
        ("BreastCancer", (30,), Values((1,))),
        ("BreastCancer", (30,), Values(())),
        ("BreastCancer", (30,), Signs((1,))),
        ("Diabetes", (10,), Values((1,))),
        ("Diabetes", (10,), Values(())),
        ("Random", (2, 4), Classes(3)),
    ],
)
def test_what_is_said_is_loaded(kind: str, features: tuple[int, ...], target: Target) -> None:
    """The number of samples, their shapes, dtypes and classes; a target as the loss wants it."""
    source = DATASETS[kind]()
    given = wanted(*features, target=target)
    assert source.sample(given) == (given.inputs, {"target": target})
    _, targets = loaded(source, given)
    if isinstance(target, Classes):
        assert set(targets.tolist()) == set(range(target.classes))
    elif kind == "BreastCancer":
        assert set(targets.ravel().tolist()) == {1, -1 if isinstance(target, Signs) else 0}


def test_classes_stay_classes() -> None:
    """Three classes are no value, and a value is no class: the loss is told so."""
    assert DATASETS["Iris"]().sample(wanted(4, target=ONE)).target == Classes(3)
    assert DATASETS["Diabetes"]().sample(wanted(10, target=Classes(2))).target == Values(())
    assert DATASETS["Iris"]().sample(wanted(4, target=Nothing())).target == Classes(3)


@pytest.mark.parametrize("kind", ["Iris", "Wine", "BreastCancer"])
def test_names(kind: str) -> None:
    """Classes are called as scikit-learn calls them."""
    found = {"Iris": load_iris, "Wine": load_wine, "BreastCancer": load_breast_cancer}[kind]()
    assert DATASETS[kind]().names() == tuple(found.target_names)


@pytest.mark.parametrize("kind", ["Digits", "Diabetes", "Random"])
def test_no_names(kind: str) -> None:
    """Digits are called as they are numbered; values and noise have no names."""
    assert DATASETS[kind]().names() is None


@pytest.mark.parametrize("kind", ["Digits", "Iris", "Diabetes", "Random"])
def test_no_splits(kind: str) -> None:
    """A source without a split of its own says so."""
    message = f"{kind} has no split test of its own"
    given = wanted(4, target=Classes(3))
    assert refusal(DATASETS[kind](), given, "test") == (
        message,
        None,
        "hold out a share of the samples: validation: 0.2",
    )


def test_diabetes_as_measured() -> None:
    """Nothing is scaled: the first patient is 59 years old, and the target is 151."""
    features, targets = loaded(DATASETS["Diabetes"](), wanted(10, target=ONE))
    assert features[0, 0] == 59
    assert targets[0] == 151


STATIC = """
import sys
from netbuild.components.datasets import DATASETS
from netbuild.components.datasets.dataset import Sample
from netbuild.components.target import Classes
from netbuild.components.tensor import Tensor
fields = {{"Arrays": {{"file": "{0}/x"}}, "Idx": {{"folder": "{0}/x"}}, "Text": {{"file": "{0}/x"}},
          "ImageFolder": {{"folder": "{0}/x"}}, "Hub": {{"files": "{0}/x"}},
          "Csv": {{"file": "{0}/x", "target": "y"}}}}
wanted = Sample((Tensor((3, 4, 4)),), {{"target": Classes(3)}})
for name, source in DATASETS.items():
    made = source(**fields.get(name, {{}}))
    said = made.sample(wanted)
    print(name, made.size, *said.inputs, said.target, sep=" | ")
print("LOADED", *sorted({{"torch", "numpy", "sklearn", "datasets", "PIL"}} & set(sys.modules)))
"""


def test_static(tmp_path: Any) -> None:
    """All sources say what they are without what loads them; a missing file is no fault."""
    code = STATIC.format(tmp_path)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *said, last = done.stdout.splitlines()
    assert last == "LOADED"
    assert [line.split(" | ")[0] for line in said] == [*DATASETS]
    unknown = [line.split(" | ")[0] for line in said if line.endswith("None | None | None")]
    assert unknown == ["Arrays", "Idx", "ImageFolder", "Hub", "Csv"]


@pytest.mark.parametrize("kind", DATASETS)
def test_docstring(kind: str) -> None:
    """The first sentence says what is given; every field that is not plain is explained."""
    said = DATASETS[kind].__doc__ or ""
    assert re.match(r"\S.+[.:;]", said)
    plain = {"file", "folder", "seed", "samples", "config", "name", "length", "level", "separator"}
    for field in DATASETS[kind].model_fields:
        assert field in plain or f"`{field}`" in said, field
