"""How far each metric is from torchmetrics and scikit-learn, and what metrics cost.

    python -m benchmarks.metrics               # the table of differences
    python -m benchmarks.metrics cost          # the time of a step of LeNet, with and without them

The references see all samples at once and compute in doubles. netbuild sees them at once, one by
one, and in ragged batches of two processes. Where the digits of torchmetrics are lost, scikit-learn
decides: torchmetrics adds up the squares of the targets of R² and the like.
"""

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.config.load import load
from netbuild.training.loop import Trainer
from tests.training.measures import cases
from tests.training.measures.comparing import rows

KINDS = ("CLASSES", "IMAGES", "ANSWERS", "MASKS", "VALUES", "VECTORS")
CUTS = ((10_000, 1), (1, 1), (7, 2))
#: More metrics than the accuracy, which share their sums.
METRICS = (
    "[Accuracy, {F1Score: {average: macro}}, {Precision: {average: macro}}, "
    "{Recall: {average: macro}}, JaccardIndex, ConfusionMatrix, MatthewsCorrCoef, Perplexity]"
)


class Far(NamedTuple):
    """The largest differences of a metric, and how many values were compared."""

    torchmetrics: list[float]
    sklearn: list[float]
    #: The differences from torchmetrics where scikit-learn has a value as well.
    overruled: list[float]


def differences() -> dict[str, Far]:
    """Return the differences of every metric, on all cases, in all cuts."""
    found: dict[str, Far] = defaultdict(lambda: Far([], [], []))
    for kind in KINDS:
        for hard in getattr(cases, kind).values():
            for row in rows(hard, *CUTS):
                far = found[row.name]
                by_torchmetrics, by_sklearn = row.differences
                if by_sklearn is not None:
                    far.sklearn.append(by_sklearn)
                if by_torchmetrics is not None:
                    own = far.torchmetrics if by_sklearn is None else far.overruled
                    own.append(by_torchmetrics)
    return found


def table() -> None:
    """Print the table of differences as Markdown."""
    print("| metric | values | torchmetrics | scikit-learn | torchmetrics, where both |")
    print("|---|---|---|---|---|")
    for name, far in differences().items():
        largest = [f"{max(part):.1e}" if part else "" for part in far]
        count = len(far.torchmetrics) + len(far.sklearn)
        print(f"| {name} | {count} | {' | '.join(largest)} |")


def trainer(metrics: str, folder: Path) -> Trainer:
    """Return a training of LeNet with these metrics."""
    settings = [f"metrics={metrics}", "data=Digits", "data.resize=[28, 28]", "train.device=cpu"]
    return training.prepare(trainable(load("configs/lenet.yaml", settings)), folder)


def cost(rounds: int = 400) -> None:
    """Print the median time of a step with few and with many metrics, taken in turns."""
    with tempfile.TemporaryDirectory() as folder:
        pair = [trainer(m, Path(folder, n)) for n, m in (("few", "[Accuracy]"), ("many", METRICS))]
        batches: list[Any] = [list(one._groups()) for one in pair]  # noqa: SLF001
        times: list[list[float]] = [[], []]
        for number in range(rounds):
            for which in (number % 2, 1 - number % 2):
                groups = batches[which]
                started = time.process_time()
                pair[which].learner.step(groups[number % (len(groups) - 1)], "")
                times[which].append(time.process_time() - started)
        few, many = (statistics.median(of[20:]) for of in times)
        apart = statistics.median(
            b / a - 1 for a, b in zip(*(of[20:] for of in times), strict=True)
        )
        print(f"a step: {few * 1e3:.3f} ms with Accuracy, {many * 1e3:.3f} ms with 8 metrics")
        print(f"median of {rounds - 20} pairs: {apart:+.1%}")


if __name__ == "__main__":
    cost() if sys.argv[1:] == ["cost"] else table()
