"""The parts that are held out: by order, by class, by chance, by groups, and as folds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netbuild.config.preparation import Preparation
from netbuild.diagnostics.exceptions import TrainingError
from netbuild.training.data.splitting import Facts, Indices, split
from tests.examples import examples
from tests.training.data.test_splitting import loaded
from tests.training_configs import write

SEEDS = st.integers(0, 2**31 - 1)
CLASSES = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
GROUPS = torch.arange(100) // 5


def parts(samples: int, facts: Facts | None = None, **fields: Any) -> Indices:
    """Return the parts of samples for the fields of a preparation."""
    return split(samples, Preparation(**fields), facts or Facts(0))


def together(found: Indices) -> list[int]:
    """Return the numbers of all samples in the three parts."""
    return sorted(torch.cat(found[:3]).tolist())


@examples(60)
@given(
    samples=st.integers(10, 300),
    part=st.floats(0.1, 0.4),
    test=st.floats(0.1, 0.4),
    by=st.sampled_from([None, "order", "class", "chance"]),
    seed=SEEDS,
    classes=st.integers(1, 5),
)
def test_the_parts_are_a_partition(
    samples: int, part: float, test: float, by: str | None, seed: int, classes: int
) -> None:
    """Each sample is in one part, and each part has its size, whatever decides the samples."""
    known = Facts(seed, torch.arange(samples) * classes // samples)
    written = {"part": part, "by": by}
    found = parts(samples, known, validation=written, test={**written, "part": test})
    assert together(found) == list(range(samples))
    assert len(found.validation) == round(samples * part)
    assert len(found.test) == round(samples * test)


def test_the_test_does_not_depend_on_the_validation() -> None:
    """The test is cut off first, so another validation leaves it as it is."""
    one, other = (parts(100, test=0.2, validation=v).test for v in (0.1, {"fold": 2, "of": 3}))
    assert torch.equal(one, other)


def test_order() -> None:
    """`by: order` holds out the last samples, and those before them validate."""
    found = parts(100, validation={"part": 0.2, "by": "order"}, test={"part": 0.1, "by": "order"})
    assert found.test.tolist() == list(range(90, 100))
    assert found.validation.tolist() == list(range(70, 90))
    assert found.training.tolist() == list(range(70))


def test_series_and_gaps() -> None:
    """Samples that overlap are split by order in each series, with a gap."""
    known = Facts(0, series=torch.tensor([0] * 50 + [1] * 20), gap=3, overlaps=True)
    found = parts(70, known, validation=0.2)
    assert found.validation.tolist() == [*range(40, 50), *range(66, 70)]
    assert found.training.tolist() == [*range(37), *range(50, 63)]


def test_shares_of_classes() -> None:
    """`by: class` gives each part the share of each class, and `by: chance` does not."""
    known = Facts(3, CLASSES)
    held = parts(100, known, validation={"part": 0.2, "by": "class"}).validation
    assert CLASSES[held].bincount().tolist() == [12, 6, 2]
    assert torch.equal(held, parts(100, known, validation=0.2).validation)
    drawn = parts(100, known, validation={"part": 0.2, "by": "chance"}).validation
    assert torch.equal(drawn, parts(100, Facts(3), validation=0.2).validation)


@examples(60)
@given(
    samples=st.integers(2, 200),
    of=st.integers(2, 12),
    by=st.sampled_from([None, "order", "class", "chance"]),
    seed=SEEDS,
    test=st.sampled_from([None, 0.2]),
)
def test_every_sample_validates_in_one_fold(
    samples: int, of: int, by: str | None, seed: int, test: float | None
) -> None:
    """The folds hold out every sample once, except for the test, and differ by one in size."""
    known = Facts(seed, torch.arange(samples) % 3)
    left = samples - round(samples * (test or 0))
    if left < of or left == samples * bool(test):
        return
    folds = [
        parts(samples, known, validation={"fold": n, "of": of, "by": by}, test=test)
        for n in range(1, of + 1)
    ]
    assert all(together(fold) == list(range(samples)) for fold in folds)
    assert len({tuple(fold.test.tolist()) for fold in folds}) == 1
    held = torch.cat([fold.validation for fold in folds])
    assert len(held) == len(held.unique()) == left
    sizes = [len(fold.validation) for fold in folds]
    assert max(sizes) - min(sizes) <= 1


def test_folds_have_the_shares_of_classes() -> None:
    """Each fold has the same number of samples of each class, to within one."""
    folds = [parts(100, Facts(5, CLASSES), validation={"fold": n, "of": 4}) for n in range(1, 5)]
    counts = torch.stack([CLASSES[fold.validation].bincount(minlength=3) for fold in folds])
    assert (counts.max(0).values - counts.min(0).values).tolist() == [0, 1, 1]


@examples(60)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=6, max_size=30),
    seed=SEEDS,
    written=st.sampled_from([{"part": 0.2}, {"part": 0.5, "by": "chance"}, {"fold": 2, "of": 3}]),
    classes=st.booleans(),
)
def test_no_group_on_both_sides(
    sizes: list[int], seed: int, written: dict[str, Any], *, classes: bool
) -> None:
    """All samples of a group are in the same part, and no part is empty."""
    groups = torch.repeat_interleave(torch.tensor(sizes))
    groups = groups[torch.randperm(len(groups), generator=torch.Generator().manual_seed(seed))]
    known = Facts(seed, groups % 3 if classes else None, {"patient": groups})
    both = {**written, "group": "patient"}
    test = {"part": 0.2, "group": "patient"}
    try:
        found = parts(len(groups), known, validation=both, test=test)
    except TrainingError:  # the test has taken all groups but one
        return
    assert together(found) == list(range(len(groups)))
    assert all(len(part) for part in found[:3])
    held = [{*groups[part].tolist()} for part in found[:3]]
    assert not held[0] & held[1] | held[0] & held[2] | held[1] & held[2]


def test_folds_of_groups() -> None:
    """Each group validates in one fold, and the folds have similar sizes and shares of classes."""
    known = Facts(1, GROUPS % 2, {"patient": GROUPS})
    written = [{"fold": n, "of": 5, "group": "patient"} for n in range(1, 6)]
    folds = [parts(100, known, validation=one).validation for one in written]
    assert sorted(torch.cat(folds).tolist()) == list(range(100))
    assert [(len(fold), int((GROUPS[fold] % 2).sum())) for fold in folds] == [(20, 10)] * 5


def test_groups_near_the_part() -> None:
    """Many groups come near to the part. A large group is named with what came."""
    known = Facts(0, groups={"patient": GROUPS})
    found = parts(100, known, validation={"part": 0.2, "group": "patient"})
    assert (len(found.validation), found.notes) == (20, ())
    known = Facts(0, groups={"patient": torch.arange(100) // 50})
    found = parts(100, known, validation={"part": 0.2, "group": "patient"})
    note = "validation 0.2 holds 50 of 100 samples, 50%: 1 of 2 groups of patient"
    assert found.notes == (note,)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"validation": {"part": 0.2, "group": "patient"}},
            "patient has 1 group of 20 samples, and validation needs at least 2",
        ),
        (
            {"validation": {"fold": 1, "of": 30}},
            "20 samples cannot make 30 folds",
        ),
        ({"test": 0.01}, "20 samples with validation 0.2 and test 0.01 leave none to test with"),
        ({"test": 0.8}, "20 samples with validation 0.2 and test 0.8 leave none to train on"),
    ],
)
def test_too_few(fields: dict[str, Any], message: str) -> None:
    """A part without samples is refused, with the numbers."""
    known = Facts(0, groups={"patient": torch.zeros(20, dtype=torch.long)})
    with pytest.raises(TrainingError, match=f"^{message}$"):
        parts(20, known, **fields)


def test_groups_of_a_table(tmp_path: Path) -> None:
    """A column of a table, text or numbers, names the groups; the network does not read it."""
    rows = [f"{n},{n % 3},p{n // 5}" for n in range(100)]
    (tmp_path / "a.csv").write_text("x,y,patient\n" + "\n".join(rows) + "\n")
    source = {"file": str(tmp_path / "a.csv"), "target": "y", "inputs": ["x"]}
    data = {"Csv": source, "validation": {"part": 0.2, "group": "patient"}}
    held = loaded(write(tmp_path, data=data, input=[1]))
    first, second = ({int(x) // 5 for x in part.inputs[0][:, 0]} for part in held)
    assert (len(first), len(second), first & second) == (16, 4, set())


def test_groups_of_arrays(tmp_path: Path) -> None:
    """An array with one number for each sample names the groups."""
    x, y, person = np.arange(40.0)[:, None], np.arange(40) % 3, np.arange(40) // 4
    np.savez(tmp_path / "a.npz", x=x, y=y, person=person)
    data = {"Arrays": str(tmp_path / "a.npz"), "validation": {"part": 0.2, "group": "person"}}
    held = loaded(write(tmp_path, data=data, input=[1]))
    first, second = ({int(x) // 4 for x in part.inputs[0][:, 0]} for part in held)
    assert (len(first), len(second), first & second) == (8, 2, set())
