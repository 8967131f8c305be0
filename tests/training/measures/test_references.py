"""Every metric has the value of torchmetrics and of scikit-learn, on data made to be hard.

The references see all samples at once, in doubles. netbuild sees them in batches, the last one
smaller, and in two processes.
"""

import pytest

from netbuild.components.metrics import METRICS
from tests.training.measures import cases
from tests.training.measures.comparing import fitting, rows
from tests.training.step.hard import Hard

TOLERANCE = 1e-12
KINDS = (
    *(cases.CLASSES, cases.IMAGES, cases.ANSWERS, cases.MASKS),
    *(cases.VALUES, cases.VECTORS),
)
EVERY: dict[str, Hard] = {name: hard for kind in KINDS for name, hard in kind.items()}
#: The cases of the quick run.
QUICK = ("an ignored class", "images with ignored places", "labels", "columns apart")


def compare(name: str, *cuts: tuple[int, int]) -> int:
    """Compare all metrics that fit a case, and return how many comparisons there were.

    Where scikit-learn has a value, it decides: torchmetrics adds up squares of large values.
    """
    found = 0
    for row in rows(EVERY[name], *cuts):
        by_torchmetrics, by_sklearn = row.differences
        decides = by_torchmetrics if by_sklearn is None else by_sklearn
        if decides is not None:
            assert decides <= TOLERANCE, row
            found += 1
    return found


@pytest.mark.parametrize("name", QUICK)
def test_common_cases(name: str) -> None:
    """In ragged batches of two processes, all metrics are the references'."""
    assert compare(name, (7, 2)) > 15


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_every_case(name: str) -> None:
    """However the samples are cut, all metrics are the references'."""
    assert compare(name, (10_000, 1), (1, 1), (7, 2))


#: No loss compares several draws of a value with the value.
ALONE = {"ContinuousRankedProbabilityScore"}


def test_every_metric_is_compared() -> None:
    """Some case compares each metric of the catalogue."""
    compared = {name for hard in EVERY.values() for name, _ in fitting(hard)}
    assert set(METRICS) - compared == ALONE
